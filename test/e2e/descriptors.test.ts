// A hub that has no descriptor left: what calls need was loaded before, what was not fails with its call alone and comes
// back once there are descriptors again, and the process lives.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { Agent, request } from "node:http";
import { connect as connect2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { after, test } from "node:test";
import { signingKey, tokenOf } from "../support/issuer.js";
import { requestOn } from "./support/http.js";
import { fileOf, startHubWithConfig } from "./support/hub.js";
import { startService } from "./support/service.js";

const DESCRIPTORS = 256;
const scope = { after };
const [key, library] = await Promise.all([signingKey("one"), startService(scope, "library")]);
const jwks = await fileOf(scope, "keys.json", JSON.stringify({ keys: [key.jwk] }));
const hub = await startHubWithConfig(
  scope,
  `upstreams: { library: { endpoints: ["${library.address}"] } }
limits: { firstBytesTimeout: 10m, connectionsPerAddress: 1000 }
interceptors: { auth: { required: false, jwt: [{ issuer: "https://issuer.example", audiences: [library], jwks: ${jwks} }] } }
`,
  { descriptors: DESCRIPTORS },
);
const [, host = "", port = ""] = /^(.*):(\d+)$/.exec(hub.address) ?? [];

/** One connection, open before there are none. */
const agent = new Agent({ keepAlive: true, maxSockets: 1, keepAliveMsecs: 60_000 });
const session = connect2(`http://${hub.address}`);
after(() => {
  agent.destroy();
  session.destroy();
});

interface Read {
  readonly status: number;
  readonly text: string;
}

function ask(path: string, headers: Record<string, string> = {}, body?: string | Buffer): Promise<Read> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
    const method = body === undefined ? "GET" : "POST";
    const sent = request({ host, port, path, agent, method, headers: { ...length, ...headers } });
    sent.on("error", reject);
    sent.on("response", async (response) => {
      const chunks: Buffer[] = await response.toArray();
      resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() });
    });
    sent.end(body);
  });
}

async function health(): Promise<string> {
  const { answer } = requestOn(session, "/grpc.health.v1.Health/Check", {
    method: "POST",
    headers: { "content-type": "application/grpc", te: "trailers" },
    body: Buffer.alloc(5),
  });
  const open = await answer;
  await open.body.toArray();
  return String(open.headers["grpc-status"] ?? open.trailers()["grpc-status"]);
}

const exp = Math.floor(Date.now() / 1000) + 600;
const token = await tokenOf(key, { iss: "https://issuer.example", aud: "library", sub: "alice", exp });
const XML = { "content-type": "application/xml", accept: "application/xml" };
const large = JSON.stringify({ title: "a".repeat(2 * 1024 * 1024) });

/** What loads something, or starts a thread; each with how it is answered when nothing is short. */
const LATE: Readonly<Record<string, { readonly ask: () => Promise<Read>; readonly well: number }>> = {
  "a body in XML": { ask: () => ask("/v1/books", XML, "<Book><nope>1</nope></Book>"), well: 400 },
  "a token": { ask: () => ask("/v1/books?page_size=1", { authorization: `Bearer ${token}` }), well: 200 },
  "a large body": { ask: () => ask("/v1/books", { "content-type": "application/json" }, large), well: 400 },
  "the OpenAPI document": { ask: () => ask("/openapi.json"), well: 200 },
  "the OpenAPI document in YAML": { ask: () => ask("/openapi.yaml"), well: 200 },
  "the API page": { ask: () => ask("/docs/swagger-ui.css"), well: 200 },
};

/** Takes all that the hub has. */
async function exhaust(): Promise<Socket[]> {
  const sockets: Socket[] = [];
  while (readdirSync(`/proc/${hub.program.pid}/fd`).length < DESCRIPTORS - 1) {
    assert.ok(sockets.length < 1_000, "the hub has more descriptors than it may have");
    const socket = connect(Number(port), host);
    socket.on("error", () => {});
    sockets.push(socket);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return sockets;
}

test("what needs a descriptor fails alone, and works once there is one", async () => {
  // What is loaded a second after the start is loaded before the test takes what it needs.
  for (const path of ["/v1/books?page_size=1", "/openapi.json"]) assert.equal((await ask(path)).status, 200);
  assert.equal(await health(), "0");
  const sockets = await exhaust();

  assert.equal((await LATE["a body in XML"]?.ask())?.status, 400, "the parser was loaded at the start");
  assert.equal((await LATE["a token"]?.ask())?.status, 200, "what verifies it was loaded with the config");
  const busy = await LATE["a large body"]?.ask();
  assert.equal(busy?.status, 503, busy?.text);
  assert.match(busy.text, /TRANSLATION_OVERLOADED/);
  for (const [name, { ask, well }] of Object.entries(LATE)) {
    const { status, text } = await ask();
    assert.ok(status === well || status === 500 || status === 503, `${name}: ${status} ${text}`);
  }
  assert.equal(await health(), "0");
  assert.equal((await ask("/v1/books?page_size=1")).status, 200, "calls go on");

  for (const socket of sockets) socket.destroy();
  while (readdirSync(`/proc/${hub.program.pid}/fd`).length > DESCRIPTORS / 2) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  for (const [name, { ask, well }] of Object.entries(LATE)) {
    const { status, text } = await ask();
    assert.equal(status, well, `${name}: ${text.slice(0, 500)}`);
  }
  assert.equal(await health(), "0");
});
