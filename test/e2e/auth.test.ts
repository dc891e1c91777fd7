// Who may call, as users have it: a config file, `linchpin serve`, generated clients and plain HTTP.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, describe, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { Issuer, signingKey, tokenOf } from "../support/issuer.js";
import { behaviorClient, callServerStream, callUnary, metadataOf } from "./support/grpc.js";
import { HealthClient } from "./support/health.js";
import { type Answer, http, VERSIONS } from "./support/http.js";
import { fileOf, startHub, startHubWithConfig } from "./support/hub.js";
import { startService } from "./support/service.js";

const scope = { after };
const sha256 = (key: string): string => createHash("sha256").update(key).digest("hex");
const [key, service] = await Promise.all([signingKey("one"), startService(scope, "behavior")]);
const issuer = await new Issuer([key]).start();
scope.after(() => issuer.close());
const keys = await fileOf(
  scope,
  "keys.yaml",
  `- { name: batch, sha256: ${sha256("batch-key")}, roles: [writer] }\n`,
);
const SERVICE = "test.v1.BehaviorService";

const hub = await startHubWithConfig(
  scope,
  `
upstreams: { behavior: { endpoints: ["${service.address}"] } }
interceptors:
  auth:
    required: true
    apiKeys:
      keys: [{ name: web, sha256: ${sha256("web-key")}, roles: [reader] }]
      file: ${keys}
    jwt: [{ issuer: "${issuer.url}", audiences: [library] }]
    forward: { identity: x-linchpin-identity, roles: x-linchpin-roles }
methods:
  ${SERVICE}/ServerStream: { roles: [writer] }
  ${SERVICE}/BidiStream: { auth: none }
`,
);
const client = behaviorClient(scope, hub.address);

async function token(claims: object = {}): Promise<string> {
  const exp = Math.floor(Date.now() / 1000) + 600;
  return tokenOf(key, { iss: issuer.url, aud: "library", sub: "alice", exp, ...claims });
}

/** What the behavior service saw of one header. */
function saw(
  seen: { metadata: readonly { key: string; value: string }[] } | undefined,
  name: string,
): string[] {
  return (seen?.metadata ?? []).filter((entry) => entry.key === name).map(({ value }) => value);
}

const credentials: readonly (readonly [
  string,
  () => Promise<[string, string]>,
  who: string,
  roles: string,
])[] = [
  ["an API key of the config", async () => ["x-api-key", "web-key"], "api-key:web", "reader"],
  ["an API key of the file", async () => ["x-api-key", "batch-key"], "api-key:batch", "writer"],
  [
    "a token",
    async () => ["authorization", `Bearer ${await token({ scope: "reader writer" })}`],
    `jwt:${issuer.url}#alice`,
    "reader,writer",
  ],
];

const refused: readonly (readonly [string, () => Promise<[string, string][]>, string, RegExp])[] = [
  [
    "nothing",
    async () => [],
    "MISSING_CREDENTIALS",
    /^ApiKey realm="linchpin", header="x-api-key", Bearer realm="linchpin"$/,
  ],
  ["a wrong API key", async () => [["x-api-key", "guess"]], "INVALID_API_KEY", /^ApiKey /],
  [
    "an expired token",
    async () => [["authorization", `Bearer ${await token({ exp: 1_000_000 })}`]],
    "TOKEN_EXPIRED",
    /^Bearer realm="linchpin", error="invalid_token", error_description="the token has expired"$/,
  ],
];

function reasonOf(answer: Answer): unknown {
  const { details } = answer.json() as { details: { reason?: string }[] };
  return details.find(({ reason }) => reason !== undefined)?.reason;
}

describe("over gRPC", () => {
  for (const [name, credential, who, roles] of credentials)
    test(`${name} is taken, and the service gets the caller's identity`, async () => {
      for (let i = 0; i < 2; i++) {
        const metadata = metadataOf([
          await credential(),
          ["x-linchpin-identity", "root"],
          ["x_linchpin_roles", "all"],
        ]);
        const { code, details, messages } = await callUnary(client, {}, { metadata });
        assert.equal(code, status.OK, details);
        assert.deepEqual(saw(messages[0]?.seen, "x-linchpin-identity"), [who]);
        assert.deepEqual(saw(messages[0]?.seen, "x-linchpin-roles"), [roles]);
        assert.deepEqual(saw(messages[0]?.seen, "x_linchpin_roles"), []);
        assert.deepEqual(saw(messages[0]?.seen, "x-api-key"), []);
      }
    });

  for (const [name, fields, reason, challenge] of refused)
    test(`${name} is refused`, async () => {
      const { code, trailers } = await callUnary(client, {}, { metadata: metadataOf(await fields()) });
      assert.equal(code, status.UNAUTHENTICATED);
      assert.match(trailers.get("www-authenticate").join(", "), challenge);
      assert.ok(String(trailers.get("grpc-status-details-bin")[0]).includes(reason));
    });

  test("a method with roles: the reader gets the missing role, the writer is served", async () => {
    const reader = await callServerStream(client, {}, { metadata: metadataOf([["x-api-key", "web-key"]]) });
    assert.equal(reader.code, status.PERMISSION_DENIED);
    assert.match(reader.details, /ServerStream needs the role writer, and web has none of them/);
    const writer = await callServerStream(client, {}, { metadata: metadataOf([["x-api-key", "batch-key"]]) });
    assert.equal(writer.code, status.OK);
  });

  test("a method without auth, and health checks, need no credential; reflection does", async () => {
    const bidi = client.bidiStream();
    bidi.on("error", () => {});
    bidi.resume();
    bidi.end();
    const { code } = await new Promise<{ code: number }>((resolve) => bidi.on("status", resolve));
    assert.equal(code, status.OK);
    const health = new HealthClient(scope, hub.address);
    assert.deepEqual(await health.check(""), { serving: "SERVING" });
    const second = await startHub(scope, [`behavior=${hub.address}`]);
    assert.match(second.program.stderr.text, /needs to know who calls/);
  });
});

for (const version of VERSIONS)
  describe(`over JSON, HTTP/${version}`, () => {
    const unary = (headers: Record<string, string>): Promise<Answer> =>
      http(version, hub.address, "/test/v1/unary", { body: "{}", headers });

    for (const [name, credential, who, roles] of credentials)
      test(`${name} is taken, and the service gets the caller's identity`, async () => {
        const answer = await unary({
          ...Object.fromEntries([await credential()]),
          "x-linchpin-identity": "root",
          x_linchpin_roles: "all",
        });
        assert.equal(answer.status, 200, answer.text);
        const { seen } = answer.json() as { seen: { metadata: { key: string; value: string }[] } };
        assert.deepEqual(saw(seen, "x-linchpin-identity"), [who]);
        assert.deepEqual(saw(seen, "x-linchpin-roles"), [roles]);
        assert.deepEqual(saw(seen, "x_linchpin_roles"), []);
        assert.deepEqual(saw(seen, "x-api-key"), []);
      });

    for (const [name, fields, reason, challenge] of refused)
      test(`${name} is refused`, async () => {
        const answer = await unary(Object.fromEntries(await fields()));
        assert.equal(answer.status, 401);
        assert.match(String(answer.headers["www-authenticate"]), challenge);
        assert.equal(reasonOf(answer), reason);
      });

    test("a method with roles: 403 that names them", async () => {
      const headers = { "x-api-key": "web-key" };
      const answer = await http(version, hub.address, "/test/v1/server-stream", { body: "{}", headers });
      assert.equal(answer.status, 403);
      assert.equal(reasonOf(answer), "MISSING_ROLE");
    });
  });

test("the hub's log and /config have no key, digest or token", async () => {
  const config = await (await fetch(`${hub.adminUrl}/config`)).text();
  const { interceptors } = JSON.parse(config);
  assert.equal(interceptors.auth.apiKeys.keys[0].sha256, "***", config);
  const printed = hub.program.stdout.text + hub.program.stderr.text + config;
  assert.ok(!printed.includes(sha256("web-key")));
  assert.doesNotMatch(printed, /web-key|batch-key|eyJ/);
});
