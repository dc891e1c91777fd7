// Callers with a client certificate, by gRPC and by JSON over TLS: the certificate is the credential.
import assert from "node:assert/strict";
import { request } from "node:https";
import { after, describe, test } from "node:test";
import { connect } from "node:tls";
import { credentials, status } from "@grpc/grpc-js";
import { BehaviorServiceClient, UnaryRequest } from "#generated/test/v1/behavior.js";
import { Authority, type Issued } from "../support/authority.js";
import { readPrometheus, sampleValue } from "../telemetry/support/prometheus.js";
import { type Outcome, single } from "./support/grpc.js";
import { http } from "./support/http.js";
import { fileOf, learned } from "./support/hub.js";
import { LINCHPIN, startNode } from "./support/program.js";
import { startService } from "./support/service.js";

const scope = { after };
const service = await startService(scope, "behavior");
const [servers, clients] = [new Authority("servers"), new Authority("clients")];
const server = servers.server();
const [cert, key, clientCa] = await Promise.all([
  fileOf(scope, "cert.pem", server.cert),
  fileOf(scope, "key.pem", server.key),
  fileOf(scope, "clients.pem", clients.cert),
]);

const config = await fileOf(
  scope,
  "linchpin.yaml",
  `
listen: { address: 127.0.0.1:0, tls: { cert: ${cert}, key: ${key}, clientCa: ${clientCa}, clientAuth: request } }
admin: 127.0.0.1:0
upstreams: { behavior: { endpoints: ["${service.address}"] } }
interceptors:
  auth:
    mtls: { roles: { "spiffe://example.org/web": [reader] } }
    forward: { identity: x-linchpin-identity }
methods: { test.v1.BehaviorService: { roles: [reader] } }
`,
);
const hub = startNode(scope, LINCHPIN, ["serve", "--config", config]);
const [, address = ""] = await hub.stdout.waitFor(/^listening on https:\/\/(\S+)$/);
const [, adminUrl = ""] = await hub.stdout.waitFor(/^admin on (\S+)$/);
hub.mustLive();
await learned(hub, adminUrl);

const WEB = clients.issue({ cn: "web", names: { uri: ["spiffe://example.org/web"] } });
const OTHER = clients.issue({ cn: "spiffe://example.org/web", names: { dns: ["other.example"] } });

interface Told {
  readonly code: number;
  readonly message: string;
  /** x-linchpin-identity, as the service saw it. */
  readonly identity: string | undefined;
}

async function overGrpc(issued: Issued | undefined): Promise<Told> {
  const pem = (text: string | undefined): Buffer | null => (text === undefined ? null : Buffer.from(text));
  const tls = credentials.createSsl(Buffer.from(servers.cert), pem(issued?.key), pem(issued?.cert));
  const client = new BehaviorServiceClient(address, tls, { "grpc.use_local_subchannel_pool": 1 });
  const { code, details, messages }: Outcome<{ seen?: Seen | undefined }> = await single((callback) =>
    client.unary(UnaryRequest.create(), callback),
  );
  client.close();
  return { code, message: details, identity: identityIn(messages[0]?.seen) };
}

interface Seen {
  readonly metadata: readonly { readonly key: string; readonly value: string }[];
}

function identityIn(seen: Seen | undefined): string | undefined {
  return seen?.metadata.find((entry) => entry.key === "x-linchpin-identity")?.value;
}

async function overJson(issued: Issued | undefined): Promise<Told> {
  const text = await new Promise<string>((resolve, reject) => {
    const call = request(
      `https://${address}/test/v1/unary`,
      {
        method: "POST",
        headers: { "content-type": "application/json" },
        ca: servers.cert,
        agent: false,
        ...issued,
      },
      async (response) => {
        let body = "";
        for await (const chunk of response.setEncoding("utf8")) body += chunk;
        resolve(body);
      },
    );
    call.on("error", reject);
    call.end("{}");
  });
  const body: { code?: number; message?: string; seen?: Seen } = JSON.parse(text);
  return { code: body.code ?? 0, message: body.message ?? "", identity: identityIn(body.seen) };
}

for (const [protocol, call] of [
  ["gRPC", overGrpc],
  ["JSON", overJson],
] as const)
  describe(`client certificates over ${protocol}`, () => {
    test("one whose name has the role is served, and the service gets the name", async () => {
      const told = await call(WEB);
      assert.equal(told.code, status.OK, told.message);
      assert.equal(told.identity, "mtls:spiffe://example.org/web");
    });

    test("one with the name only in another place has no role", async () => {
      const told = await call(OTHER);
      assert.equal(told.code, status.PERMISSION_DENIED);
      assert.match(told.message, /needs the role reader, and other\.example has none of them/);
    });

    test("without one there is no identity", async () => {
      const told = await call(undefined);
      assert.equal(told.code, status.UNAUTHENTICATED);
      assert.match(told.message, /send a client certificate/);
    });
  });

test("/metrics has the expiry of the certificate, and failed connections", async () => {
  assert.equal((await http("1.1", address, "/v1/books")).status, 400);
  const broken = connect({
    host: "127.0.0.1",
    port: Number(address.split(":")[1]),
    minVersion: "TLSv1.1",
    maxVersion: "TLSv1.1",
    ciphers: "DEFAULT@SECLEVEL=0",
  });
  await new Promise((resolve) => broken.once("error", resolve));
  const metrics = readPrometheus(await (await fetch(`${adminUrl}/metrics`)).text());
  const listener = { linchpin_listener: "127.0.0.1:0" };
  const refusals = { ...listener, linchpin_reason: "clear_text" };
  assert.equal(sampleValue(metrics, "linchpin_connections_refused_total", refusals), 1);
  const failures = { ...listener, linchpin_reason: "no_agreement" };
  assert.equal(sampleValue(metrics, "linchpin_tls_handshake_failures_total", failures), 1);
  const https = { url_scheme: "https" };
  const requests = "http_server_request_duration_seconds_count";
  assert.equal(sampleValue(metrics, requests, https), sampleValue(metrics, requests));
  assert.equal(sampleValue(metrics, requests), 3);
  for (const [role, days] of [
    ["server", 90],
    ["client_ca", 365],
  ] as const) {
    const certificate = {
      linchpin_certificate_owner: "listener 127.0.0.1:0",
      linchpin_certificate_role: role,
    };
    const left =
      sampleValue(metrics, "linchpin_tls_certificate_expiry_seconds", certificate) - Date.now() / 1000;
    assert.ok(Math.abs(left / 86_400 - days) < 1, `${role}: ${left} s of ${days} days`);
  }
});
