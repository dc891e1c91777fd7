// API keys, certificates, several credentials at once, and what services are told: who gets in, and who is told what.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, test } from "node:test";
import fc from "fast-check";
import { Connection } from "#src/http2/connection.js";
import type { HeaderBlock } from "#src/http2/hpack/decoder.js";
import { auth } from "#src/interceptors/auth/auth.js";
import { identityHeaders, identityHeaderWriter } from "#src/interceptors/auth/identity-headers.js";
import { type AuthConfig, JWT_ALGORITHMS } from "#src/interceptors/auth/section.js";
import { Headers } from "#src/kit/headers.js";
import { UserError } from "#src/kit/text/user-error.js";
import type { MethodConfig } from "#src/settings/sections.js";
import { Issuer, signingKey, tokenOf } from "../support/issuer.js";
import { callOf } from "../support/sinks.js";
import { until } from "../support/until.js";
import { type Fields, Front, got, NO_PREFIX, PROTOCOLS } from "./support/front.js";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

const sha256 = (key: string): string => createHash("sha256").update(key).digest("hex");
const METHOD = "test.v1.Test/unary";

const CONFIG: AuthConfig = {
  required: true,
  apiKeys: {
    header: "x-api-key",
    keys: [
      { name: "web", sha256: sha256("web-key"), roles: ["reader"] },
      { name: "batch", sha256: sha256("batch key, with spaces"), roles: ["writer", "admin"] },
    ],
    file: undefined,
  },
  jwt: [],
  mtls: undefined,
  forward: { identity: undefined, roles: undefined, authorization: true },
};
const TELLING = { identity: "x-linchpin-identity", roles: "x-linchpin-roles", authorization: true };

function rule(more: Partial<MethodConfig>, selector = METHOD): MethodConfig {
  return {
    selector,
    deadlineMs: undefined,
    idempotent: undefined,
    auth: undefined,
    roles: undefined,
    quota: undefined,
    ...more,
  };
}

async function front(
  config: AuthConfig,
  methods: readonly MethodConfig[] = [],
  certificate?: { name: string; fingerprint: string },
): Promise<Front> {
  const made = await new Front().start();
  cleanups.push(() => made.close());
  made.use((context) => [identityHeaders(config), ...auth(config, methods, context, NO_PREFIX)], certificate);
  return made;
}

const CHALLENGE = 'ApiKey realm="linchpin", header="x-api-key"';

for (const protocol of PROTOCOLS)
  describe(`API keys (${protocol})`, () => {
    test("a valid key gives identity and roles; the service sees neither the key nor, unless configured, the caller", async () => {
      const hub = await front(CONFIG);
      for (let i = 0; i < 2; i++) {
        const seen = await hub.ask(protocol, [["x-api-key", "batch key, with spaces"]]);
        assert.equal(seen.code, 0, seen.message);
        assert.deepEqual(seen.identity, { name: "batch", kind: "api-key", roles: ["writer", "admin"] });
        assert.deepEqual(got(seen, "x-api-key"), []);
        assert.deepEqual(got(seen, "x-linchpin-identity"), []);
      }
    });

    const wrong: readonly (readonly [string, Fields, string, RegExp])[] = [
      ["no key", [], "MISSING_CREDENTIALS", /needs to know who calls: send an API key in x-api-key$/],
      ["an unknown key", [["x-api-key", "guess"]], "INVALID_API_KEY", /is not known here/],
      ["an empty key", [["x-api-key", ""]], "INVALID_API_KEY", /is not known here/],
      ["the digest of a right key", [["x-api-key", sha256("web-key")]], "INVALID_API_KEY", /is not known/],
      ["a right key in other case", [["x-api-key", "WEB-KEY"]], "INVALID_API_KEY", /is not known/],
      ["a key of 5000 bytes", [["x-api-key", "k".repeat(5000)]], "INVALID_API_KEY", /longer than 4096 bytes/],
      ["a key in another header", [["x-key", "web-key"]], "MISSING_CREDENTIALS", /send an API key/],
    ];
    for (const [name, fields, reason, message] of wrong)
      for (const required of [true, false])
        test(`${name}, auth ${required ? "required" : "optional"}`, async () => {
          const hub = await front({ ...CONFIG, required });
          const seen = await hub.ask(protocol, fields);
          if (reason === "MISSING_CREDENTIALS" && !required) {
            assert.equal(seen.code, 0, "anonymous");
            assert.equal(seen.identity, undefined);
            return;
          }
          assert.equal(seen.code, 16);
          assert.match(seen.message, message);
          assert.equal(seen.challenge, CHALLENGE);
          assert.equal(seen.fields, undefined, "the service is not called");
          if (protocol === "grpc") assert.equal(seen.reason, reason);
          else assert.equal(seen.http, 401);
        });

    test("several key headers are refused, two right ones as well", async () => {
      const hub = await front(CONFIG);
      const seen = await hub.ask(protocol, [
        ["x-api-key", "web-key"],
        ["x-api-key", "web-key"],
      ]);
      // Node's HTTP/1.1 client may fold them into one line; the key is then an unknown one.
      assert.equal(seen.code, 16);
      if (protocol === "grpc") assert.match(seen.message, /several x-api-key headers/);
    });

    test("a header that is too large for any credential is refused by the wire, and the hub serves on", async () => {
      const hub = await front(CONFIG);
      const huge = await hub.ask(protocol, [["x-api-key", "k".repeat(70_000)]]).catch(() => undefined);
      assert.equal(huge?.fields, undefined);
      assert.equal((await hub.ask(protocol, [["x-api-key", "web-key"]])).code, 0);
    });
  });

describe("a key file", () => {
  const entry = (key: string): object => ({ name: "filed", sha256: sha256(key), roles: ["reader"] });
  async function keyFile(content: string): Promise<string> {
    const folder = mkdtempSync(join(tmpdir(), "linchpin-keys-"));
    cleanups.push(() => rm(folder, { recursive: true }));
    const file = join(folder, "keys.yaml");
    await writeFile(file, content);
    return file;
  }
  const configOf = (file: string): AuthConfig => ({
    ...CONFIG,
    apiKeys: { header: "x-api-key", keys: CONFIG.apiKeys?.keys ?? [], file },
  });

  test("adds to the keys of the config; a change is taken, a broken one changes nothing and warns", async () => {
    const file = await keyFile(JSON.stringify([entry("one")]));
    const hub = await front(configOf(file));
    const code = async (key: string): Promise<number> => (await hub.ask("grpc", [["x-api-key", key]])).code;
    assert.deepEqual([await code("one"), await code("two"), await code("web-key")], [0, 16, 0]);
    await writeFile(file, `- name: filed\n  sha256: ${sha256("two")}\n`);
    await until(() => hub.log.length === 1, "the new keys");
    assert.match(hub.log[0] ?? "", /info: API keys read anew from .*keys\.yaml: 3 in force/);
    assert.deepEqual([await code("one"), await code("two"), await code("web-key")], [16, 0, 0]);
    await writeFile(file, "- name: filed\n  sha256: S3cret\n");
    await until(() => hub.log.length === 2, "the warning");
    assert.match(
      hub.log[1] ?? "",
      /warn: .*entry 1 sha256: must be .*; the API keys from before stay in force/,
    );
    assert.doesNotMatch(hub.log.join(), /S3cret/);
    assert.deepEqual([await code("two"), await code("web-key")], [0, 0]);
    await rm(file);
    await until(() => hub.log.length === 3, "the second warning");
    assert.equal(await code("two"), 0);
    await writeFile(file, "[]");
  });

  for (const [name, content, reason] of [
    ["no list", "name: a", /must be a list of keys/],
    ["no YAML", "- [", /neither YAML nor JSON/],
    ["aliases", "- &a { name: a }\n- *a", /neither YAML nor JSON/],
    ["a plain key", "- { name: a, key: S3cret }", /entry 1 has a key other than/],
    ["text in place of an entry", "- S3cret", /entry 1 must be a mapping/],
    ["no name", `- { sha256: "${sha256("a")}" }`, /entry 1 name: must be a name/],
    [
      "a role that is none",
      `- { name: a, sha256: "${sha256("a")}", roles: ["a,b"] }`,
      /entry 1 roles: must be/,
    ],
    [
      "roles that are no list",
      `- { name: a, sha256: "${sha256("a")}", roles: a }`,
      /entry 1 roles: must be a list/,
    ],
    ["one key twice", JSON.stringify([entry("a"), entry("a")]), /entry 2 is the key of an earlier entry/],
  ] as const)
    test(`is refused at the start: ${name}`, async () => {
      const file = await keyFile(content);
      await assert.rejects(front(configOf(file)), (error) => {
        assert.ok(error instanceof UserError);
        assert.match(error.message, reason);
        assert.ok(error.message.includes(file));
        assert.doesNotMatch(error.message, /S3cret/);
        return true;
      });
    });

  test("one that is missing is reported at the start", async () => {
    await assert.rejects(
      front(configOf("/nowhere/keys.yaml")),
      /cannot be read from \/nowhere\/keys\.yaml: no such file/,
    );
  });
});

describe("client certificates", () => {
  const mtls: AuthConfig = {
    ...CONFIG,
    apiKeys: undefined,
    mtls: { roles: { "spiffe://a/web": ["reader"] } },
  };
  for (const protocol of PROTOCOLS)
    test(`name and roles (${protocol})`, async () => {
      const web = await front(mtls, [], { name: "spiffe://a/web", fingerprint: "00" });
      assert.deepEqual((await web.ask(protocol, [])).identity, {
        name: "spiffe://a/web",
        kind: "mtls",
        roles: ["reader"],
      });
      const other = await front(mtls, [], { name: "spiffe://a/web2", fingerprint: "00" });
      assert.deepEqual((await other.ask(protocol, [])).identity?.roles, []);
      const none = await front(mtls);
      const seen = await none.ask(protocol, []);
      assert.equal(seen.code, 16);
      assert.match(seen.message, /send a client certificate/);
      assert.equal(seen.challenge, 'ClientCertificate realm="linchpin"');
    });
});

describe("several credentials", () => {
  test("all must be valid; the identity is of the first kind; the error for missing credentials names all kinds", async () => {
    const key = await signingKey("k");
    const issuer = await new Issuer([key]).start();
    cleanups.push(() => issuer.close());
    const config: AuthConfig = {
      ...CONFIG,
      jwt: [
        {
          issuer: issuer.url,
          audiences: ["a"],
          jwks: { kind: "url", url: `${issuer.url}/jwks` },
          rolesClaim: "roles",
          algorithms: JWT_ALGORITHMS,
        },
      ],
      mtls: { roles: {} },
    };
    const hub = await front(config, [], { name: "cert", fingerprint: "00" });
    const exp = Math.floor(Date.now() / 1000) + 100;
    const token = await tokenOf(key, { iss: issuer.url, aud: "a", sub: "s", exp });
    const bearer = ["authorization", `Bearer ${token}`] as const;
    const apiKey = ["x-api-key", "web-key"] as const;
    for (const protocol of PROTOCOLS) {
      const kind = async (...fields: (readonly [string, string])[]): Promise<string | number> => {
        const seen = await hub.ask(protocol, fields);
        return seen.identity?.kind ?? seen.code;
      };
      assert.equal(await kind(), "mtls");
      assert.equal(await kind(apiKey), "api-key");
      assert.equal(await kind(bearer), "jwt");
      assert.equal(await kind(apiKey, bearer), "api-key");
      assert.equal(await kind(apiKey, ["authorization", "Bearer x"]), 16);
      assert.equal(await kind(["x-api-key", "wrong"], bearer), 16);
    }
    const nobody = await front(config);
    const seen = await nobody.ask("grpc", []);
    assert.match(
      seen.message,
      /an API key in x-api-key, or a token in authorization: Bearer, or a client cert/,
    );
    assert.equal(seen.challenge, `${CHALLENGE}, Bearer realm="linchpin", ClientCertificate realm="linchpin"`);
  });

  test("two authorization fields over HTTP/2, which Node's client cannot send", async () => {
    const config: AuthConfig = {
      ...CONFIG,
      apiKeys: undefined,
      jwt: [
        {
          issuer: "http://127.0.0.1:9",
          audiences: ["a"],
          jwks: { kind: "discovery" },
          rolesClaim: "roles",
          algorithms: JWT_ALGORITHMS,
        },
      ],
    };
    const hub = await front(config);
    const socket = connect(hub.rig.port, "127.0.0.1");
    const connection = new Connection(socket, { role: "client" }, { onStream() {}, onClose() {} });
    cleanups.push(() => connection.destroy());
    await new Promise((resolve) => socket.once("connect", resolve));
    const message = await new Promise<string | undefined>((resolve) => {
      const stream = connection.open({
        onHeaders: (_stream: unknown, block: HeaderBlock) =>
          resolve(block.fields.find(({ name }) => name === "grpc-message")?.value),
        onData() {},
        onTrailers() {},
        onReset: () => resolve(undefined),
        onSent() {},
      });
      if (stream === undefined) throw new Error("no stream");
      stream.beginHeaders();
      for (const [name, value] of [
        [":method", "POST"],
        [":scheme", "http"],
        [":path", `/${METHOD}`],
        [":authority", "a"],
        ["content-type", "application/grpc"],
        ["authorization", "Bearer a.b.c"],
        ["authorization", "Bearer a.b.c"],
      ] as const)
        stream.header(name, value, false);
      stream.endHeaders(true);
    });
    assert.match(message ?? "", /several authorization headers/);
  });
});

describe("headers for the service", () => {
  const FORGED = [
    "x-linchpin-identity",
    "X-Linchpin-Identity",
    "x_linchpin_identity",
    "x-linchpin_identity",
    "x.linchpin.identity",
    "x-linchpin-identity-bin",
    "x-linchpin-roles",
    "x_linchpin_roles",
    "x-linchpin-roles-bin",
    "x_linchpin_roles_bin",
    "x-caller",
    "X_CALLER",
    "x-caller-bin",
  ];
  const forward = { identity: "x-caller", roles: "x-linchpin-roles", authorization: true };
  const forged: Fields = FORGED.flatMap((name) => [
    [name, "cm9vdA=="],
    [name, "cm9vdA=="],
  ]);
  const ofCaller = (fields: Fields | undefined): Fields | undefined =>
    fields?.filter(([name]) => /linchpin|caller/i.test(name));

  for (const protocol of PROTOCOLS)
    for (const [name, config, methods, expected] of [
      [
        "an authenticated call",
        { ...CONFIG, forward },
        [],
        [
          ["x-caller", "api-key:web"],
          ["x-linchpin-roles", "reader"],
        ],
      ],
      ["a method without auth", { ...CONFIG, forward }, [rule({ auth: "none" })], []],
      ["one that says nothing of its callers", CONFIG, [], [["x-caller", "x"]]],
    ] as const)
      test(`forged headers never arrive: ${name} (${protocol})`, async () => {
        const hub = await front(config, methods);
        const own = forged.filter(
          ([header]) => config.forward.identity !== undefined || !/caller/i.test(header),
        );
        const innocent: Fields = config.forward.identity === undefined ? [["x-caller", "x"]] : [];
        const seen = await hub.ask(protocol, [["x-api-key", "web-key"], ...own, ...innocent]);
        assert.equal(seen.code, 0, seen.message);
        assert.deepEqual(ofCaller(seen.fields), expected);
      });

  test("nor without auth at all", async () => {
    const hub = await new Front().start();
    cleanups.push(() => hub.close());
    hub.use(() => [identityHeaders(undefined)]);
    for (const protocol of PROTOCOLS) {
      const seen = await hub.ask(
        protocol,
        forged.filter(([name]) => !/caller/i.test(name)),
      );
      assert.equal(seen.code, 0);
      assert.deepEqual(ofCaller(seen.fields), []);
      assert.ok((seen.fields?.length ?? 0) > 0);
    }
  });

  test("nothing for an anonymous caller; the key is withheld where no auth is asked for", async () => {
    const optional = await front({ ...CONFIG, required: false, forward: TELLING });
    assert.deepEqual(
      ofCaller((await optional.ask("grpc", forged)).fields)?.filter(([n]) => !/caller/i.test(n)),
      [],
    );
    const open = await front(CONFIG, [rule({ auth: "none" })]);
    const seen = await open.ask("grpc", [["x-api-key", "wrong"]]);
    assert.equal(seen.code, 0, "no credential is looked at");
    assert.deepEqual(got(seen, "x-api-key"), []);
  });

  test("any subject and role fits into the headers, and none can pass for another", () => {
    const tell = identityHeaderWriter(TELLING);
    assert.ok(tell);
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.array(fc.string()), (name, roles) => {
        const headers = new Headers();
        tell(callOf({ headers }), { name, kind: "jwt", roles });
        const [who = "", which = ""] = [headers.get("x-linchpin-identity"), headers.get("x-linchpin-roles")];
        assert.match(who + which, /^[\x21-\x7e]*$/);
        assert.equal(decodeURIComponent(who), `jwt:${Buffer.from(name).toString()}`);
        assert.deepEqual(
          which === "" ? [] : which.split(",").map(decodeURIComponent),
          roles.length === 1 && roles[0] === "" ? [] : roles.map((role) => Buffer.from(role).toString()),
        );
      }),
    );
  });
});
