// Files of keys, key sets and credentials hold anything: each is read or refused, never thrown over, never repeated.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Code, Status } from "#src/call/status/status.js";
import { GenerationalCache } from "#src/interceptors/auth/generational-cache.js";
import { jwtAuthenticator } from "#src/interceptors/auth/jwt.js";
import { parseKeyFile } from "#src/interceptors/auth/key-file.js";
import { parseKeySet } from "#src/interceptors/auth/key-set.js";
import { JWT_ALGORITHMS } from "#src/interceptors/auth/section.js";
import { rolesOf } from "#src/interceptors/auth/token-roles.js";
import { Headers } from "#src/kit/headers.js";
import { NO_METERS } from "#src/kit/meters.js";
import { Retained } from "#src/kit/retained.js";
import { FakeClock } from "../support/fake-clock.js";
import { callOf } from "../support/sinks.js";

const sha256 = fc.stringMatching(/^[0-9a-f]{64}$/);
const entry = fc.record(
  {
    name: fc.oneof(fc.stringMatching(/^[a-z][a-z0-9.-]{0,20}$/), fc.jsonValue()),
    sha256: fc.oneof(sha256, fc.jsonValue()),
    roles: fc.oneof(fc.array(fc.stringMatching(/^[a-z:]{1,9}$/)), fc.jsonValue()),
  },
  { requiredKeys: [] },
);

describe("a key file", () => {
  test("of any text or JSON is a list of whole keys, or refused", () => {
    const texts = fc.oneof(
      fc.string(),
      fc.json(),
      fc.array(entry).map((list) => JSON.stringify(list)),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const result = parseKeyFile(text);
        if (!result.ok) {
          assert.match(result.reason, /^(is |must |entry \d)/);
          return;
        }
        for (const key of result.value) {
          assert.match(key.name, /^[A-Za-z0-9]\S*$/);
          assert.match(key.sha256, /^[0-9a-f]{64}$/);
          assert.ok(key.roles.every((role) => /^[^\s,"\\]+$/.test(role)));
        }
      }),
    );
  });

  test("in YAML and in JSON says the same", () => {
    fc.assert(
      fc.property(fc.uniqueArray(sha256, { maxLength: 5 }), (digests) => {
        const keys = digests.map((digest, i) => ({ name: `k${i}`, sha256: digest, roles: ["a", "b:c"] }));
        const yaml = keys
          .map((k) => `- name: ${k.name}\n  sha256: "${k.sha256}"\n  roles: [a, b:c]\n`)
          .join("");
        assert.deepEqual(parseKeyFile(JSON.stringify(keys)), { ok: true, value: keys });
        assert.deepEqual(parseKeyFile(yaml === "" ? "[]" : yaml), { ok: true, value: keys });
      }),
    );
  });
});

test("a key set of any JSON has public keys for signatures alone, or is refused", () => {
  const jwk = fc.record(
    {
      kty: fc.constantFrom("RSA", "EC", "OKP", "oct", 1),
      use: fc.constantFrom("sig", "enc", 1),
      d: fc.constantFrom("secret"),
      k: fc.constantFrom("secret"),
      kid: fc.oneof(fc.string(), fc.integer()),
    },
    { requiredKeys: ["kty"] },
  );
  const texts = fc.oneof(
    fc.string(),
    fc.json(),
    fc.array(fc.oneof(jwk, fc.jsonValue())).map((keys) => JSON.stringify({ keys })),
  );
  fc.assert(
    fc.property(texts, (text) => {
      const result = parseKeySet(text);
      if (!result.ok) return;
      assert.ok(result.value.keys.length > 0);
      for (const key of result.value.keys) {
        assert.ok(["RSA", "EC", "OKP"].includes(String(key.kty)));
        assert.ok(key.use === undefined || key.use === "sig");
        assert.ok(key.d === undefined && key.k === undefined);
      }
    }),
  );
});

test("no authorization header that anybody can think of is taken, or breaks the hub", async () => {
  const retained = new Retained();
  const log = { info() {}, warn() {}, error() {} };
  retained.begin();
  const config = {
    issuer: "http://127.0.0.1:9",
    audiences: ["a"],
    jwks: { kind: "url", url: "http://127.0.0.1:9/none" },
    rolesClaim: "roles",
    algorithms: JWT_ALGORITHMS,
  } as const;
  const way = jwtAuthenticator(
    [config],
    { clock: new FakeClock(), log, retained, meters: NO_METERS },
    () => 0,
  );
  retained.commit();
  const json = fc.oneof(
    fc.json(),
    fc
      .record({
        alg: fc.constantFrom("ES256", "none", "HS256", 1),
        kid: fc.jsonValue(),
        iss: fc.constant(config.issuer),
      })
      .map((o) => JSON.stringify(o)),
  );
  const part = fc.oneof(
    fc.string(),
    json.map((text) => Buffer.from(text).toString("base64url")),
  );
  const header = fc.oneof(
    fc.string(),
    fc.array(part, { maxLength: 5 }).map((parts) => `Bearer ${parts.join(".")}`),
  );
  await fc.assert(
    fc.asyncProperty(header, async (value) => {
      const answer = await way.check(callOf({ headers: Headers.of(["authorization", value]) }));
      if (!/^bearer( |$)/i.test(value)) {
        assert.equal(answer, undefined);
        return;
      }
      assert.ok(answer instanceof Status);
      assert.ok(answer.code === Code.UNAUTHENTICATED || answer.code === Code.UNAVAILABLE);
    }),
  );
  retained.close();
});

describe("roles of a token", () => {
  test("any claims give at most 100, each of them a text, once", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom("scope", "scp", "roles", "a"), fc.jsonValue()),
        fc.string(),
        (claims, path) => {
          const roles = rolesOf(claims, path);
          assert.ok(roles.length <= 100);
          assert.equal(new Set(roles).size, roles.length);
          assert.ok(roles.every((role) => typeof role === "string" && role !== ""));
        },
      ),
    );
  });

  for (const [claims, path, expected] of [
    [{ scope: "a b" }, "roles", ["a", "b"]],
    [{ scp: ["a", "b"], roles: ["b", "c"] }, "roles", ["a", "b", "c"]],
    [{ roles: "a b" }, "roles", ["a", "b"]],
    [{ realm: { roles: ["a"] } }, "realm.roles", ["a"]],
    [{ "https://x.example/roles": ["a"] }, "https://x.example/roles", ["a"]],
    [{ roles: { a: true } }, "roles", []],
    [{ roles: [{ a: 1 }, null, 5, "ok"] }, "roles", ["ok"]],
    [{}, "constructor.name", []],
    [{}, "__proto__", []],
    [
      { scope: Array.from({ length: 500 }, (_, i) => `s${i}`).join(" ") },
      "roles",
      Array.from({ length: 100 }, (_, i) => `s${i}`),
    ],
  ] as const)
    test(`${JSON.stringify(claims).slice(0, 50)} by ${path}`, () =>
      assert.deepEqual(rolesOf(claims, path), expected));
});

test("the cache is bounded, and used entries stay", () => {
  const remembered = new GenerationalCache<number>(100);
  remembered.set("used", 1);
  for (let i = 0; i < 10_000; i++) {
    remembered.set(`k${i}`, i);
    assert.ok(remembered.size <= 100);
    assert.equal(remembered.get("used"), 1);
    assert.equal(remembered.get(`k${i}`), i);
  }
  assert.equal(remembered.get("k0"), undefined);
  remembered.delete("used");
  assert.equal(remembered.get("used"), undefined);
  remembered.clear();
  assert.equal(remembered.size, 0);
});

test("the cache is bounded in bytes too, long texts and their results included", () => {
  const key = (i: number): string => `${i}-${"k".repeat(1000)}`;
  const remembered = new GenerationalCache<number>(1000, 100_000);
  remembered.set("used", 1);
  for (let i = 0; i < 1000; i++) {
    remembered.set(key(i), i);
    assert.equal(remembered.get(key(i)), i);
    assert.equal(remembered.get("used"), 1);
    assert.ok(remembered.size <= 100, "of 1,256 bytes each");
  }
  const heavy = new GenerationalCache<number>(1000, 100_000);
  for (let i = 0; i < 100; i++) {
    heavy.set(`h${i}`, i, 20_000);
    assert.equal(heavy.get(`h${i}`), i);
    assert.ok(heavy.size <= 5);
  }
  heavy.set("too heavy", 1, 60_000);
  assert.equal(heavy.get("too heavy"), undefined);
  // The same text again takes its place once.
  const again = new GenerationalCache<number>(1000, 100_000);
  again.set("first", 0);
  for (let i = 0; i < 1000; i++) again.set("a", i);
  assert.deepEqual([again.get("first"), again.get("a"), again.size], [0, 999, 2]);
});

test("a long text is found by its digest, which is no key itself", () => {
  const remembered = new GenerationalCache<number>(100);
  const long = "t".repeat(5000);
  remembered.set(long, 1);
  assert.equal(remembered.get(long), 1);
  assert.equal(remembered.get(`${long}t`), undefined);
  const digest = createHash("sha256").update(long).digest("base64url");
  assert.equal(remembered.get(digest), undefined);
  assert.equal(remembered.get(`\0${digest}`.slice(1)), undefined);
  remembered.delete(long);
  assert.equal(remembered.get(long), undefined);
});
