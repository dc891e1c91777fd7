// Tokens: who gets in with which, what the others are told, and what happens when the issuer's keys change or cannot be had.
import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, test } from "node:test";
import { exportSPKI } from "jose";
import { auth } from "#src/interceptors/auth/auth.js";
import type { Authenticator } from "#src/interceptors/auth/authenticator.js";
import { jwtAuthenticator } from "#src/interceptors/auth/jwt.js";
import { type AuthConfig, JWT_ALGORITHMS, type JwtConfig } from "#src/interceptors/auth/section.js";
import { Headers } from "#src/kit/headers.js";
import { UserError } from "#src/kit/text/user-error.js";
import { collectGarbage } from "../support/collect-garbage.js";
import { type Claims, Issuer, type SigningKey, signingKey, tokenOf } from "../support/issuer.js";
import { callOf } from "../support/sinks.js";
import { until } from "../support/until.js";
import { Front, got, NO_PREFIX, PROTOCOLS, type Seen } from "./support/front.js";

/** The time of the test, in seconds since the epoch, when the clock stands at its start. */
const NOW = 1_800_000_000;

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

const KEY = await signingKey("one");
const NEW = await signingKey("two");
/** Somebody else's, by the same id. */
const stranger = await signingKey("one");
const rsa = await signingKey("rsa", "RS256");
const pem = await exportSPKI(rsa.pair.publicKey);

interface World {
  readonly front: Front;
  readonly issuer: Issuer;
  readonly config: AuthConfig;
  /** Seconds since the epoch. */
  now(): number;
  use(config: AuthConfig): void;
  claims(more?: Claims): Claims;
  token(
    more?: Claims,
    key?: SigningKey,
    header?: Readonly<Record<string, string | undefined>>,
  ): Promise<string>;
  bearer(token: string): Promise<Seen>;
  asked(): number;
}

async function world(
  options: Partial<JwtConfig> = {},
  keys: readonly SigningKey[] = [KEY],
  cacheControl?: string,
): Promise<World> {
  const issuer = await new Issuer(keys).start();
  issuer.cacheControl = cacheControl;
  cleanups.push(() => issuer.close());
  const front = await new Front().start();
  cleanups.push(() => front.close());
  const config: AuthConfig = {
    required: true,
    apiKeys: undefined,
    jwt: [
      {
        issuer: issuer.url,
        audiences: ["library", "shop"],
        jwks: { kind: "url", url: `${issuer.url}/jwks` },
        rolesClaim: "roles",
        algorithms: JWT_ALGORITHMS,
        ...options,
      },
    ],
    mtls: undefined,
    forward: { identity: "x-linchpin-identity", roles: "x-linchpin-roles", authorization: true },
  };
  const start = front.rig.clock.now();
  const now = (): number => NOW + (front.rig.clock.now() - start) / 1000;
  const use = (next: AuthConfig): void =>
    front.use((context) => auth(next, [], context, NO_PREFIX, () => now() * 1000));
  use(config);
  const claims = (more: Claims = {}): Claims => ({
    iss: issuer.url,
    aud: "library",
    sub: "alice",
    exp: Math.floor(now()) + 600,
    ...more,
  });
  return {
    front,
    issuer,
    config,
    now,
    use,
    claims,
    token: (more, key = KEY, header) => tokenOf(key, claims(more), header),
    bearer: (token) => front.ask("grpc", [["authorization", `Bearer ${token}`]]),
    asked: () => issuer.asked.filter((path) => path === "/jwks").length,
  };
}

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

describe("a right token", () => {
  test("in 12,800 spellings takes the memory of one", async () => {
    const { front, config, claims, now } = await world();
    const authenticators: Authenticator[] = [];
    front.use((context) => {
      authenticators.push(jwtAuthenticator(config.jwt, context, () => now() * 1000));
      return [];
    });
    const text = await tokenOf(KEY, claims({ filling: "f".repeat(5000) }));
    const ask = (header: string) =>
      authenticators[0]?.check(callOf({ headers: Headers.of(["authorization", header]) }));
    const identity = await ask(`Bearer ${text}`);
    assert.ok(identity !== undefined && "roles" in identity);
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < 64; i++) {
      // Every letter of the scheme in both cases, and up to 200 spaces.
      const scheme = [..."bearer"].map((c, at) => ((i >> at) & 1 ? c.toUpperCase() : c)).join("");
      for (let spaces = 1; spaces <= 200; spaces++) {
        // Flat, as headers come.
        const header = Buffer.from(`${scheme}${" ".repeat(spaces)}${text}`).toString("latin1");
        assert.equal(ask(header), identity, "no promise: it is known");
      }
    }
    collectGarbage();
    const grown = process.memoryUsage().heapUsed - before;
    assert.ok(grown < 8 * 1024 * 1024, `${grown} bytes`);
  });

  for (const alg of JWT_ALGORITHMS)
    test(`signed with ${alg}`, async () => {
      const key = await signingKey("k", alg);
      const { token, bearer } = await world({}, [key]);
      assert.equal((await bearer(await token({}, key))).code, 0);
    });

  for (const protocol of PROTOCOLS)
    test(`gives identity and roles, which the service gets (${protocol})`, async () => {
      const { front, token, issuer } = await world();
      const text = await token({ scope: "read write", scp: ["x"], roles: ["admin", 7, "a,b"] });
      const seen = await front.ask(protocol, [["authorization", `Bearer ${text}`]]);
      assert.equal(seen.code, 0, seen.message);
      assert.deepEqual(seen.identity, {
        name: `${issuer.url}#alice`,
        kind: "jwt",
        roles: ["read", "write", "x", "admin", "a,b"],
      });
      assert.deepEqual(got(seen, "x-linchpin-identity"), [`jwt:${issuer.url}#alice`]);
      assert.deepEqual(got(seen, "x-linchpin-roles"), ["read,write,x,admin,a%2Cb"]);
      assert.deepEqual(got(seen, "authorization"), [`Bearer ${text}`]);
    });

  test("is not passed on where the config says so", async () => {
    const { front, token, config, use } = await world();
    use({ ...config, forward: { identity: undefined, roles: undefined, authorization: false } });
    const text = await token();
    for (const protocol of PROTOCOLS) {
      const seen = await front.ask(protocol, [["authorization", `Bearer ${text}`]]);
      assert.equal(seen.code, 0);
      assert.deepEqual(got(seen, "authorization"), []);
      assert.deepEqual(got(seen, "x-linchpin-identity"), []);
    }
  });

  for (const [name, claims] of [
    ["with one of several audiences", { aud: ["other", "shop"] }],
    ["that expired less than the skew ago", { exp: NOW - 59 }],
    ["that is valid in less than the skew", { nbf: NOW + 59 }],
    ["of a client without a subject", { sub: undefined, client_id: "alice" }],
  ] as const)
    test(name, async () => {
      const { token, bearer } = await world();
      const seen = await bearer(await token(claims));
      assert.equal(seen.code, 0, seen.message);
      assert.match(seen.identity?.name ?? "", /#alice$/);
    });

  test("the scheme in any case; roles in a nested claim", async () => {
    const { front, token } = await world({ rolesClaim: "realm_access.roles" });
    const text = await token({ realm_access: { roles: ["deep"] } });
    const seen = await front.ask("grpc", [["authorization", `bEaReR   ${text}`]]);
    assert.deepEqual(seen.identity?.roles, ["deep"]);
  });

  test("without a key id, with one of several keys", async () => {
    const other = await signingKey("other");
    const { token, bearer } = await world({}, [other, KEY]);
    assert.equal((await bearer(await token({}, KEY, { kid: undefined }))).code, 0);
    const seen = await bearer(await token({}, stranger, { kid: undefined }));
    assert.equal(seen.reason, "INVALID_TOKEN");
    assert.match(seen.message, /signature/);
  });

  test("is verified once: the second call waits for nothing, until it expires", async () => {
    const { token, bearer, front, config } = await world();
    const text = await token({ exp: NOW + 100 });
    assert.equal((await bearer(text)).code, 0);
    front.rig.clock.advance(159_000);
    assert.equal((await bearer(text)).code, 0, "within the skew");
    front.rig.clock.advance(1_000);
    const late = await bearer(text);
    assert.equal(late.reason, "TOKEN_EXPIRED");
    assert.equal(config.required, true);
  });
});

describe("a wrong token", () => {
  const hmac = (claims: Claims): string => {
    const text = `${part({ alg: "HS256", kid: "rsa", typ: "JWT" })}.${part(claims)}`;
    return `${text}.${createHmac("sha256", pem).update(text).digest("base64url")}`;
  };
  const forged: readonly (readonly [
    name: string,
    token: (w: World) => string | Promise<string>,
    reason: string,
    message: RegExp,
  ])[] = [
    ["expired", (w) => w.token({ exp: NOW - 61 }), "TOKEN_EXPIRED", /has expired/],
    ["not yet valid", (w) => w.token({ nbf: NOW + 62 }), "INVALID_TOKEN", /not valid yet/],
    ["without expiry", (w) => w.token({ exp: undefined }), "INVALID_TOKEN", /no time of expiry/],
    [
      "of another issuer",
      (w) => w.token({ iss: "https://evil.example" }),
      "INVALID_TOKEN",
      /of an issuer that is not/,
    ],
    ["without an issuer", (w) => w.token({ iss: undefined }), "INVALID_TOKEN", /of an issuer that is not/],
    ["for another audience", (w) => w.token({ aud: "bank" }), "WRONG_AUDIENCE", /made for others/],
    ["without an audience", (w) => w.token({ aud: undefined }), "WRONG_AUDIENCE", /made for others/],
    ["of nobody", (w) => w.token({ sub: undefined }), "INVALID_TOKEN", /whose it is/],
    ["of a subject too long", (w) => w.token({ sub: "a".repeat(257) }), "INVALID_TOKEN", /whose it is/],
    ["signed with another key of the same id", (w) => w.token({}, stranger), "INVALID_TOKEN", /signature/],
    [
      "changed after it was signed",
      async (w) => {
        const [head, , signature] = (await w.token()).split(".");
        return `${head}.${part(w.claims({ sub: "root" }))}.${signature}`;
      },
      "INVALID_TOKEN",
      /signature/,
    ],
    [
      "signed with an unknown key",
      (w) => w.token({}, NEW),
      "INVALID_TOKEN",
      /a key that its issuer does not have/,
    ],
    ["alg none", (w) => `${part({ alg: "none" })}.${part(w.claims())}.`, "INVALID_TOKEN", /algorithm/],
    [
      "alg NONE with a signature",
      (w) => `${part({ alg: "NONE", kid: "one" })}.${part(w.claims())}.AAAA`,
      "INVALID_TOKEN",
      /algorithm/,
    ],
    ["HS256 with the RSA public key as the secret", (w) => hmac(w.claims()), "INVALID_TOKEN", /algorithm/],
    [
      "another algorithm than its key's",
      (w) => w.token({}, rsa, { kid: "one" }),
      "INVALID_TOKEN",
      /algorithm/,
    ],
    [
      "an extension that is critical",
      (w) => `${part({ alg: "ES256", kid: "one", crit: ["x"], x: 1 })}.${part(w.claims())}.AAAA`,
      "INVALID_TOKEN",
      /token/,
    ],
    [
      "a key of its own in the header",
      async (w) => {
        const [, body = "", signature = ""] = (await w.token({}, stranger)).split(".");
        return `${part({ alg: "ES256", jwk: stranger.jwk })}.${body}.${signature}`;
      },
      "INVALID_TOKEN",
      /signature|algorithm/,
    ],
    ["two parts", () => "abc.def", "INVALID_TOKEN", /three parts/],
    ["four parts", () => "a.b.c.d", "INVALID_TOKEN", /three parts/],
    ["five parts, as encrypted ones have", () => "a.b.c.d.e", "INVALID_TOKEN", /three parts/],
    ["bad base64", () => "a!b.c.d", "INVALID_TOKEN", /three parts/],
    ["base64 of no JSON", () => "AAAA.AAAA.AAAA", "INVALID_TOKEN", /three parts/],
    ["nothing at all", () => "", "INVALID_TOKEN", /three parts/],
    ["longer than 8 KiB", () => `a.${"b".repeat(8192)}.c`, "INVALID_TOKEN", /longer than 8192 bytes/],
    [
      "two tokens in one header",
      async (w) => `${await w.token()}, Bearer ${await w.token()}`,
      "INVALID_TOKEN",
      /three parts/,
    ],
  ];
  for (const [name, make, reason, message] of forged)
    for (const protocol of PROTOCOLS)
      for (const required of [true, false])
        test(`${name} (${protocol}, auth ${required ? "required" : "optional"})`, async () => {
          const w = await world({}, [KEY, rsa]);
          w.use({ ...w.config, required });
          const token = await make(w);
          const seen = await w.front.ask(protocol, [["authorization", `Bearer ${token}`.trim()]]);
          assert.equal(seen.code, 16);
          assert.equal(seen.fields, undefined, "the service is not called");
          assert.match(seen.message, message);
          assert.match(
            seen.challenge,
            /^Bearer realm="linchpin", error="invalid_token", error_description="[^"\\]+"$/,
          );
          if (protocol === "grpc") assert.equal(seen.reason, reason);
          else assert.equal(seen.http, 401);
          assert.ok(token.length < 8 || !JSON.stringify(seen).includes(token), "the token is not repeated");
        });

  test("several authorization headers are refused, two right ones as well", async () => {
    const w = await world();
    const field = ["authorization", `Bearer ${await w.token()}`] as const;
    const seen = await w.front.ask("json", [field, field]);
    assert.equal(seen.http, 401);
    assert.match(seen.message, /several authorization headers/);
  });

  test("another scheme is no credential here: missing, or anonymous and passed on", async () => {
    const w = await world();
    for (const protocol of PROTOCOLS) {
      w.use({ ...w.config, required: true });
      const refused = await w.front.ask(protocol, [["authorization", "Basic YTpi"]]);
      assert.equal(refused.code, 16);
      assert.match(refused.message, /needs to know who calls: send a token in authorization: Bearer/);
      assert.equal(refused.challenge, 'Bearer realm="linchpin"');
      w.use({ ...w.config, required: false });
      const taken = await w.front.ask(protocol, [["authorization", "Basic YTpi"]]);
      assert.equal(taken.code, 0);
      assert.equal(taken.identity, undefined);
      assert.deepEqual(got(taken, "authorization"), ["Basic YTpi"]);
    }
  });
});

describe("the issuer's keys", () => {
  test("a new key is taken after one look, and looks come at most every 10 s", async () => {
    const { token, bearer, issuer, asked, front } = await world();
    assert.equal((await bearer(await token())).code, 0);
    assert.equal(asked(), 1);
    const text = await token({}, NEW);
    assert.match((await bearer(text)).message, /does not have/);
    assert.equal(asked(), 2, "it looked");
    issuer.show([KEY.jwk, NEW.jwk]);
    for (let i = 0; i < 20; i++) assert.match((await bearer(text)).message, /does not have/);
    assert.equal(asked(), 2, "not again at once");
    front.rig.clock.advance(10_000);
    assert.equal((await bearer(text)).code, 0);
    assert.equal(asked(), 3);
  });

  test("many calls with unknown keys wait for one look", async () => {
    const { token, bearer, asked } = await world();
    assert.equal((await bearer(await token())).code, 0);
    const text = await token({}, NEW);
    await Promise.all(Array.from({ length: 20 }, () => bearer(text)));
    assert.equal(asked(), 2);
  });

  test("a removed key falls with the next look, and its remembered tokens with it", async () => {
    const { token, bearer, issuer, asked, front } = await world();
    const [old, kept] = [await token({ exp: NOW + 3000 }), await token({ exp: NOW + 3000 }, NEW)];
    issuer.show([KEY.jwk, NEW.jwk]);
    front.rig.clock.advance(10_000);
    assert.equal((await bearer(kept)).code, 0);
    assert.equal((await bearer(old)).code, 0);
    issuer.show([NEW.jwk]);
    const before = asked();
    // The keys are fetched anew before their ten minutes are over.
    front.rig.clock.advance(480_000);
    await until(() => front.log.some((line) => /have changed: 1 in force/.test(line)), "the new keys");
    assert.equal(asked(), before + 1);
    assert.equal((await bearer(old)).reason, "INVALID_TOKEN");
    assert.equal((await bearer(kept)).code, 0);
  });

  for (const [cacheControl, ms] of [
    ["public, max-age=300", 240_000],
    ["max-age=1", 48_000],
    ["max-age=99999999", 2_880_000],
    ["no-store", 480_000],
  ] as const)
    test(`"cache-control: ${cacheControl}": the next look is after ${ms / 1000} s`, async () => {
      const { token, bearer, asked, front } = await world({}, [KEY], cacheControl);
      assert.equal((await bearer(await token())).code, 0);
      front.rig.clock.advance(ms - 1);
      assert.equal(asked(), 1);
      front.rig.clock.advance(1);
      await until(() => asked() === 2, "the second look");
    });

  const unreachable: readonly (readonly [string, (issuer: Issuer) => void | Promise<void>, RegExp])[] = [
    ["the issuer is down", (issuer) => issuer.close(), /ECONNREFUSED/],
    ["an HTTP error", (issuer) => issuer.spoil((_, r) => r.writeHead(500).end()), /HTTP status 500/],
    [
      "a redirect",
      (issuer) => {
        issuer.spoil((request, r) => {
          if (request.url === "/elsewhere") r.end(JSON.stringify({ keys: [KEY.jwk] }));
          else r.writeHead(302, { location: "/elsewhere" }).end();
        });
      },
      /redirect/,
    ],
    ["no JSON", (issuer) => issuer.spoil((_, r) => r.end("<html>")), /no JSON Web Key Set/],
    ["no keys", (issuer) => issuer.show([]), /no public key/],
    [
      "only secret keys",
      (issuer) => issuer.show([{ kty: "oct", k: "c2VjcmV0", kid: "one", alg: "HS256" }]),
      /no public key/,
    ],
    [
      "more than 256 KiB",
      (issuer) => issuer.spoil((_, r) => r.end(" ".repeat(300_000))),
      /more than 262144 bytes/,
    ],
  ];
  for (const [name, spoil, reason] of unreachable) {
    for (const protocol of PROTOCOLS)
      test(`never had, as there is ${name}: 503 that names the issuer (${protocol})`, async () => {
        const issuer = await new Issuer([KEY]).start();
        const { url } = issuer;
        cleanups.push(() => issuer.close().catch(() => {}));
        await spoil(issuer);
        const front = await new Front().start();
        cleanups.push(() => front.close());
        const jwt: JwtConfig = {
          issuer: url,
          audiences: ["library"],
          jwks: { kind: "url", url: `${url}/jwks` },
          rolesClaim: "roles",
          algorithms: JWT_ALGORITHMS,
        };
        const forward = { identity: undefined, roles: undefined, authorization: true };
        const config: AuthConfig = {
          required: true,
          apiKeys: undefined,
          jwt: [jwt],
          mtls: undefined,
          forward,
        };
        front.use((context) => auth(config, [], context, NO_PREFIX, () => NOW * 1000));
        const token = await tokenOf(KEY, { iss: url, aud: "library", sub: "a", exp: NOW + 60 });
        const seen = await front.ask(protocol, [["authorization", `Bearer ${token}`]]);
        assert.equal(seen.code, 14, seen.message);
        assert.match(seen.message, new RegExp(`^the keys of issuer ${url} cannot be had now`));
        assert.equal(seen.retryAfter, "10");
        if (protocol === "grpc") assert.equal(seen.reason, "KEYS_UNAVAILABLE");
        else assert.equal(seen.http, 503);
        assert.doesNotMatch(seen.message, reason, "why is for the log alone");
        assert.equal(front.log.length, 1);
        assert.match(front.log[0] ?? "", reason);
        const unknown = await front.ask(protocol, []);
        assert.equal(unknown.code, 16, "without a token nothing is amiss");
      });
  }

  test("unreachable later: the old keys serve on; the outage is logged once, and its end", async () => {
    const { token, bearer, issuer, asked, front } = await world();
    assert.equal((await bearer(await token())).code, 0);
    issuer.spoil((_, response) => response.writeHead(503).end());
    front.rig.clock.advance(480_000);
    await until(() => front.log.length === 1, "the warning");
    assert.match(
      front.log[0] ?? "",
      /warn: the keys of issuer .* HTTP status 503; those from before stay in force/,
    );
    assert.equal((await bearer(await token({ jti: "another" }))).code, 0);
    await until(() => front.rig.clock.pending > 0, "the next try");
    const before = asked();
    front.rig.clock.advance(10_000);
    await until(() => asked() === before + 1, "the next try");
    issuer.spoil(undefined);
    await until(() => front.rig.clock.nextAt !== undefined, "the next try");
    front.rig.clock.advance(10_000);
    await until(() => front.log.length === 2, "the end of the outage");
    assert.match(front.log[1] ?? "", /info: .* can be had again/);
  });

  test("are found by discovery", async () => {
    const { token, bearer, issuer } = await world({ jwks: { kind: "discovery" } });
    assert.equal((await bearer(await token())).code, 0);
    assert.deepEqual(issuer.asked, ["/.well-known/openid-configuration", "/jwks"]);
  });

  for (const [name, document] of [
    ["of another issuer", { issuer: "https://evil.example", jwks_uri: "/jwks" }],
    ["without jwks_uri", {}],
    ["with a jwks_uri that is a file", { jwks_uri: "file:///etc/passwd" }],
  ] as const)
    test(`discovery: a document ${name} is not believed`, async () => {
      const w = await world();
      w.issuer.spoil((_, response) => response.end(JSON.stringify({ issuer: w.issuer.url, ...document })));
      const [jwt] = w.config.jwt;
      assert.ok(jwt);
      w.use({ ...w.config, jwt: [{ ...jwt, jwks: { kind: "discovery" } }] });
      assert.equal((await w.bearer(await w.token())).code, 14);
    });

  test("a reload keeps keys and remembered tokens, if it leaves the issuer as it is", async () => {
    const { token, bearer, use, config, asked } = await world();
    const text = await token();
    assert.equal((await bearer(text)).code, 0);
    use(config);
    assert.equal((await bearer(text)).code, 0);
    const [jwt] = config.jwt;
    assert.ok(jwt);
    use({ ...config, jwt: [{ ...jwt, audiences: ["bank"] }] });
    assert.equal((await bearer(text)).reason, "WRONG_AUDIENCE", "a remembered token meets the new rules");
    assert.equal(asked(), 1);
  });

  test("come from a file, and again when it changes; a broken one changes nothing", async () => {
    const folder = mkdtempSync(join(tmpdir(), "linchpin-keys-"));
    cleanups.push(() => rm(folder, { recursive: true }));
    const file = join(folder, "jwks.json");
    const write = async (text: string): Promise<void> => {
      await writeFile(`${file}.new`, text);
      await rename(`${file}.new`, file);
    };
    await write(JSON.stringify({ keys: [KEY.jwk] }));
    const { token, bearer, front } = await world({ jwks: { kind: "file", file } });
    assert.equal((await bearer(await token())).code, 0);
    const text = await token({}, NEW);
    assert.equal((await bearer(text)).reason, "INVALID_TOKEN");
    await write("{ broken");
    await until(() => front.log.length === 1, "the warning");
    assert.match(
      front.log[0] ?? "",
      /warn: .*jwks\.json is no JSON Web Key Set.*; the keys from before stay in force/,
    );
    assert.equal((await bearer(await token({ jti: "x" }))).code, 0);
    await write(JSON.stringify({ keys: [NEW.jwk] }));
    await until(() => front.log.length === 2, "the new keys");
    assert.equal((await bearer(text)).code, 0);
    assert.equal((await bearer(await token())).reason, "INVALID_TOKEN");
  });

  test("a file that is missing, or has no key, is reported at the start", async () => {
    const w = await world();
    const [jwt] = w.config.jwt;
    assert.ok(jwt);
    const use = (file: string) => () =>
      w.use({ ...w.config, jwt: [{ ...jwt, jwks: { kind: "file", file } }] });
    assert.throws(
      use("/nowhere/jwks.json"),
      (e) => e instanceof UserError && /cannot be read from/.test(e.message),
    );
    const folder = mkdtempSync(join(tmpdir(), "linchpin-keys-"));
    cleanups.push(() => rm(folder, { recursive: true }));
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    await writeFile(join(folder, "k"), JSON.stringify({ keys: [privateKey.export({ format: "jwk" })] }));
    assert.throws(use(join(folder, "k")), (e) => e instanceof UserError && /no public key/.test(e.message));
  });
});
