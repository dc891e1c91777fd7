// Attacks on what clients and operators share: the room that a service has for calls, and the admin listener. Each has a
// hub and a service of its own, which allows few calls, and a bystander who must be answered meanwhile.
import { once } from "node:events";
import { createServer } from "node:http2";
import { type AddressInfo, connect } from "node:net";
import { status } from "@grpc/grpc-js";
import { ErrorCode } from "#src/http2/wire/protocol.js";
import { data, type Fields, HELLO, headers, RawPeer, rst } from "../../support/frames.js";
import type { Attack } from "./attacks.js";
import { behaviorClient, callUnary } from "./grpc.js";
import { type Hub, startHubWithConfig } from "./hub.js";
import { ROOT, type Scope } from "./program.js";

/** Calls that the service allows on a connection, and connections that the hub may make to it. */
const STREAMS = 50;
const CONNECTIONS = 2;
/** Of each batch of calls so many are kept: they keep the connection, and what is held back on it, alive. */
const BATCH = 50;
const KEPT = 2;
/** The hub counts a reset of a call that is younger, and ends such clients. */
const YOUNG_MS = 100;
const MAX_BATCHES = 100;
/** Of the bystander: each of its calls has this deadline. */
const DEADLINE_MS = 2000;
const CALLS = 20;
const IDLE_CONNECTIONS = 300;
/** Clients that go, for each reader; together no more than the service takes. */
const LEAVING = 10;
/** The hub looks every 5 s. */
const PATIENCE_MS = 30_000;
const ATTACKER = "10.66.6.6";
const KEEP = "x-keep";

/**
 * gRPC on node:http2, for a few calls at once: answers each call with one empty message, but keeps those that ask for
 * it, and of client streams it does not even read a byte.
 */
export async function startNarrow(scope: Scope): Promise<string> {
  const server = createServer({ settings: { maxConcurrentStreams: STREAMS } });
  server.on("sessionError", () => {});
  server.on("stream", (stream, requested) => {
    stream.on("error", () => {});
    if (requested[":path"]?.endsWith("/ClientStream") === true) return;
    stream.resume();
    if (requested[KEEP] !== undefined) return;
    stream.on("end", () => {
      if (stream.aborted) return;
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.end(Buffer.alloc(5));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  scope.after(async () => void server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export async function startNarrowHub(scope: Scope): Promise<Hub> {
  const service = await startNarrow(scope);
  return startHubWithConfig(
    scope,
    `trustedProxies: [127.0.0.1]
upstreams:
  behavior:
    endpoints: ["${service}"]
    schema: { protoset: ${ROOT}generated/image.binpb }
    connections: { max: ${CONNECTIONS} }
`,
  );
}

const KEPT_CALL: Fields = [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/test.v1.BehaviorService/Unary"],
  [":authority", "attack"],
  ["te", "trailers"],
  ["content-type", "application/grpc"],
  ["x-forwarded-for", ATTACKER],
  [KEEP, "1"],
];

async function metric(hub: Hub, name: string): Promise<number> {
  const text = await (await fetch(`${hub.adminUrl}/metrics`)).text();
  return Number(new RegExp(`^${name}\\{.*\\} (\\d+)$`, "m").exec(text)?.[1] ?? 0);
}

/** Calls go on waiting: not only until the next connection is made. */
async function isFull(hub: Hub): Promise<boolean> {
  for (let look = 0; look < 10; look++) {
    if ((await metric(hub, "linchpin_upstream_pending")) === 0) return false;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return true;
}

/** Calls that the service keeps: most are cancelled, the others stay. Until others of its own wait for room. */
async function starve(hub: Hub): Promise<RawPeer[]> {
  const [host = "", port = ""] = hub.address.split(":");
  const peers: RawPeer[] = [];
  for (let batch = 0; batch < MAX_BATCHES; batch++) {
    const socket = connect({ host, port: Number(port) });
    await once(socket, "connect");
    const peer = new RawPeer(socket, "client");
    peers.push(peer);
    const ids = Array.from({ length: BATCH }, (_, i) => 2 * i + 1);
    peer.send(HELLO, ...ids.flatMap((id) => [headers(id, KEPT_CALL), data(id, Buffer.alloc(5), true)]));
    await peer.roundTrip();
    if (await isFull(hub)) return peers;
    await new Promise((resolve) => setTimeout(resolve, 1.5 * YOUNG_MS));
    peer.send(...ids.slice(KEPT).map((id) => rst(id, ErrorCode.CANCEL)));
    await peer.roundTrip();
  }
  throw new Error(`${MAX_BATCHES} batches of calls did not fill the connections to the service`);
}

/** Fails when the bystander's calls do. Returns what the hub did. */
export async function assertRoomUnderStarvation(scope: Scope, hub: Hub): Promise<string> {
  const peers = await starve(hub);
  const bystander = behaviorClient(scope, hub.address);
  const codes = new Map<number, number>();
  for (let i = 0; i < CALLS; i++) {
    const { code } = await callUnary(bystander, {}, { options: { deadline: Date.now() + DEADLINE_MS } });
    codes.set(code, (codes.get(code) ?? 0) + 1);
  }
  const held = await metric(hub, "linchpin_upstream_resets_held_total");
  for (const { socket } of peers) socket.destroy();
  if (codes.get(status.OK) !== CALLS)
    throw new Error(
      `${CALLS} calls of a bystander ended with ${JSON.stringify([...codes])}; ${held} resets were held`,
    );
  return `${held} resets held back; a connection for those who had no room`;
}

/** More than it takes, on which nothing is said. Fails when it does not answer at once. */
async function silenceAdmin(hub: Hub): Promise<string> {
  const { hostname, port } = new URL(hub.adminUrl);
  const idle = Array.from({ length: IDLE_CONNECTIONS }, () =>
    connect({ host: hostname, port: Number(port) }),
  );
  for (const socket of idle) socket.on("error", () => {}).resume();
  await Promise.all(idle.map((socket) => once(socket, "connect")));
  const { status } = await fetch(`${hub.adminUrl}/readyz`, { signal: AbortSignal.timeout(DEADLINE_MS) });
  const open = idle.filter((socket) => !socket.closed).length;
  for (const socket of idle) socket.destroy();
  if (status !== 200) throw new Error(`/readyz answered ${status}`);
  return `the oldest were closed, ${open} of ${IDLE_CONNECTIONS} were left`;
}

/** What no service takes, little enough for the client's system to be rid of it. */
const UNTAKEN = Buffer.from(`${JSON.stringify({ payload: "A".repeat(16_000) })}\n`.repeat(25));

/** Clients that go while their bodies are held back, for each of the readers of HTTP/1.1. Fails when their calls go on. */
async function leaveHeldBack(hub: Hub): Promise<string> {
  const [host = "", port = ""] = hub.address.split(":");
  const sockets = ["", "te: trailers\r\n"].flatMap((more) =>
    Array.from({ length: LEAVING }, () => {
      const socket = connect({ host, port: Number(port) });
      socket.on("error", () => {});
      const head = `POST /test/v1/client-stream HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-ndjson\r\n${more}`;
      socket.write(`${head}content-length: ${2 * UNTAKEN.length}\r\n\r\n`);
      socket.write(UNTAKEN);
      return socket;
    }),
  );
  await activeCalls(hub, (calls) => calls === sockets.length);
  // What they have sent lies in the system's buffers now, and the hub reads no more of it.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  for (const socket of sockets) socket.destroy();
  await activeCalls(hub, (calls) => calls === 0);
  return `${sockets.length} calls ended`;
}

async function activeCalls(hub: Hub, fits: (calls: number) => boolean): Promise<void> {
  const limit = performance.now() + PATIENCE_MS;
  for (;;) {
    const calls = await metric(hub, "linchpin_calls_active");
    if (fits(calls)) return;
    if (performance.now() > limit) throw new Error(`${calls} calls run`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Runs what needs a scope, and ends what it started. */
async function scoped(run: (scope: Scope) => Promise<string>): Promise<string> {
  const endings: (() => Promise<void>)[] = [];
  try {
    return await run({ after: (ending) => void endings.push(ending) });
  } finally {
    for (const ending of endings.reverse()) await ending();
  }
}

export const UPSTREAM_ATTACKS: readonly Attack[] = [
  {
    name: "kept and cancelled calls that fill all connections to a service",
    limits: [],
    run: () => scoped(async (scope) => assertRoomUnderStarvation(scope, await startNarrowHub(scope))),
  },
  {
    name: "idle connections to the admin listener",
    limits: [],
    run: () => scoped(async (scope) => silenceAdmin(await startNarrowHub(scope))),
  },
  {
    name: "clients that go while their bodies are held back (HTTP/1.1)",
    limits: [],
    run: () => scoped(async (scope) => leaveHeldBack(await startNarrowHub(scope))),
  },
];
