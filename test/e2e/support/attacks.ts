// Attacks on a hub in a process of its own, in clear text and over TLS, while honest clients call it on connections of
// their own: what the guard did, how much memory it cost, how long the slowest honest call took.
// A test holds the bounds (attacks.test.ts); as a program this prints the table (`make attacks`).
import { connect as netConnect, type Socket } from "node:net";
import { connect as tlsConnect } from "node:tls";
import { fileURLToPath } from "node:url";
import { status } from "@grpc/grpc-js";
import { ServerStreamRequest } from "#generated/test/v1/behavior.js";
import { frameMessage } from "#src/call/messages.js";
import { type ErrorCode, errorName, Flag, FrameType, PREFACE } from "#src/http2/wire/protocol.js";
import { Authority } from "../../support/authority.js";
import { FLOODS, type Flood, HUNGRY, type Requests } from "../../support/floods.js";
import {
  block,
  data,
  type Fields,
  frame,
  HELLO,
  headers,
  RawPeer,
  settings,
  windowUpdate,
} from "../../support/frames.js";
import { until } from "../../support/until.js";
import { BLOCK_ATTACKS } from "./attacks-blocks.js";
import { ANSWER_ATTACKS } from "./attacks-responses.js";
import { SCHEMA_ATTACKS } from "./attacks-schemas.js";
import { SOCKET_ATTACKS } from "./attacks-sockets.js";
import { UPSTREAM_ATTACKS } from "./attacks-upstream.js";
import { WORK_ATTACKS } from "./attacks-work.js";
import { behaviorClient, callUnary } from "./grpc.js";
import { http } from "./http.js";
import { fileOf, learned } from "./hub.js";
import { residentBytes } from "./memory.js";
import { LINCHPIN, type Program, type Scope, startNode } from "./program.js";
import { startService } from "./service.js";

/** What the hub's resident memory may grow by during one attack. */
export const MEMORY_BOUND_BYTES = 64 * 1024 * 1024;
/** No request, body or answer holds up the event loop for longer, on a machine that does nothing else. */
const BLOCK_BOUND_MS = 50;
const BLOCK_ROUNDS = 5;
/** Every honest call has this deadline. */
export const DEADLINE_MS = 2000;
/** An attack that was not cut off by then has won. */
const MAX_FLOOD_BYTES = 32 * 1024 * 1024;
/** How long a client may take nothing of what waits for it. */
export const STALL_MS = 1000;
/** Times are short, so that what waits for them is over soon; no honest client comes near the others. */
const LIMITS = `{ firstBytesTimeout: 3s, handshakeTimeout: 3s, settingsTimeout: 1s, headersTimeout: 1s,
  bodyTimeout: 1s, stallTimeout: ${STALL_MS}ms, keepaliveTime: 1s, keepaliveTimeout: 2s, maxQueued: 8MiB, maxProcessQueued: 32MiB }`;
/** Of unary calls that name none: what bounds a body that drips. */
const CALL_DEADLINE_MS = 1500;
/** The slowest guard needs keepaliveTime and keepaliveTimeout, and a busy machine some more. */
const PATIENCE_MS = 30_000;
/** How long the slow reader does not read: longer than keepaliveTime and keepaliveTimeout. */
const SLOW_READER_MS = 4000;
/** Connections of each slow attack. */
const SLOW_CONNECTIONS = 3;
/** And of each slow reader, whose answers are long. */
export const READERS = 2;

export const UNARY = "/test.v1.BehaviorService/Unary";
export const STREAM = "/test.v1.BehaviorService/ServerStream";
const JSON_PATH = "/test/v1/unary";

export const grpc = (path: string): Fields => [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", path],
  [":authority", "test"],
  ["content-type", "application/grpc"],
  ["te", "trailers"],
];
const JSON_POST: Fields = [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", JSON_PATH],
  [":authority", "test"],
  ["content-type", "application/json"],
];

function streamOf(bytes: number, count: number): Buffer {
  const behavior = { responseBytes: bytes, responseCount: count };
  return frameMessage(
    Buffer.from(ServerStreamRequest.encode(ServerStreamRequest.fromPartial({ behavior })).finish()),
  );
}

export function largeOn(id: number): Buffer {
  return Buffer.concat([headers(id, grpc(STREAM)), data(id, streamOf(64 * 1024, 8), true)]);
}

/** Of a client that lets everything come. */
const HUGE_WINDOWS = Buffer.concat([settings([4, 0x7fffffff]), windowUpdate(0, 0x7fff0000 - 65_535)]);

const REQUESTS: Requests = { never: grpc(UNARY), large: largeOn(1) };

export interface Target {
  readonly name: "clear text" | "TLS";
  /** HOST:PORT */
  readonly address: string;
  /** A connection that is ready for bytes of the protocol. */
  connect(protocol: "h2" | "http/1.1"): Socket;
  /** The socket alone. */
  socket(): Socket;
}

export interface Rig {
  readonly targets: readonly [Target, Target];
  readonly hub: Program;
  readonly adminUrl: string;
}

/** What measures the hub's event loop, in the hub. */
const BLOCK_WATCH = new URL("./block-watch.js", import.meta.url).href;

/** Milliseconds of the hub's longest block since this was asked last. */
async function longestBlockMs(hub: Program): Promise<number> {
  const told = hub.stdout.matching(/^longest block: /).length;
  process.kill(hub.pid, "SIGUSR2");
  await until(() => hub.stdout.matching(/^longest block: /).length > told, "the longest block");
  return Number(hub.stdout.matching(/^longest block: (\S+) ms$/).at(-1)?.[1]);
}

export async function startRig(scope: Scope): Promise<Rig> {
  const service = await startService(scope, "behavior");
  const authority = new Authority("servers");
  const { cert, key } = authority.server();
  const [certFile, keyFile] = await Promise.all([
    fileOf(scope, "cert.pem", cert),
    fileOf(scope, "key.pem", key),
  ]);
  const config = await fileOf(
    scope,
    "linchpin.yaml",
    `listen: [127.0.0.1:0, { address: 127.0.0.1:0, tls: { cert: ${certFile}, key: ${keyFile} } }]
upstreams: { behavior: { endpoints: ["${service.address}"] } }
interceptors: { deadline: { default: ${CALL_DEADLINE_MS}ms } }
limits: ${LIMITS}
`,
  );
  const hub = startNode(scope, LINCHPIN, ["serve", "--config", config, "--admin=127.0.0.1:0"], {
    nodeOptions: ["--import", BLOCK_WATCH],
  });
  const bound = async (pattern: RegExp): Promise<string> => (await hub.stdout.waitFor(pattern))[1] ?? "";
  const clear = await bound(/^listening on (?:.*, )?http:\/\/([^,\s]+)/);
  const secure = await bound(/^listening on (?:.*, )?https:\/\/([^,\s]+)/);
  const adminUrl = await bound(/^admin on (\S+)$/);
  hub.mustLive();
  await learned(hub, adminUrl);
  // The thread of large messages is there before growth is measured: it costs what it costs once, attacked or not.
  for (let i = 0; i < WARM_UP_CALLS; i++) await http("1.1", clear, LARGE_WHOLE);
  const plain = (address: string): Socket => {
    const socket = netConnect({ port: Number(address.split(":")[1]), host: "127.0.0.1", noDelay: true });
    socket.on("error", () => {});
    return socket;
  };
  const targets: Rig["targets"] = [
    { name: "clear text", address: clear, connect: () => plain(clear), socket: () => plain(clear) },
    {
      name: "TLS",
      address: secure,
      connect: (protocol) => {
        const socket = tlsConnect({
          socket: plain(secure),
          servername: "localhost",
          ca: authority.cert,
          ALPNProtocols: [protocol],
        });
        socket.on("error", () => {});
        return socket;
      },
      socket: () => plain(secure),
    },
  ];
  await serveForAWhile(scope, targets);
  return { targets, hub, adminUrl };
}

/** Compiled, and with a heap as large as honest load makes it: what then grows is what an attack costs. */
async function serveForAWhile(scope: Scope, targets: Rig["targets"]): Promise<void> {
  const client = behaviorClient(scope, targets[0].address);
  for (let i = 0; i < 20; i++) {
    await Promise.all(Array.from({ length: 100 }, () => callUnary(client, {})));
    await Promise.all(targets.map(readLarge));
  }
}

async function readLarge(target: Target): Promise<void> {
  const peer = new RawPeer(target.connect("h2"), "client");
  peer.send(HELLO, HUGE_WINDOWS);
  for (let id = 1; id < 40; id += 2) peer.send(largeOn(id));
  for (let id = 1; id < 40; id += 2) await peer.frame(FrameType.HEADERS, id, Flag.END_STREAM);
  peer.socket.destroy();
}

// ---------------------------------------------------------------- honest clients

/** A gRPC client on one connection and a JSON client on new ones, a call behind the other; none may fail. */
export class HonestClients {
  calls = 0;
  slowestMs = 0;
  readonly failures: string[] = [];
  private running = true;
  private readonly done: Promise<unknown>;

  constructor(scope: Scope, address: string) {
    const client = behaviorClient(scope, address);
    const payload = Buffer.from("hello");
    const byGrpc = async (): Promise<string | undefined> => {
      const outcome = await callUnary(
        client,
        { payload },
        { options: { deadline: Date.now() + DEADLINE_MS } },
      );
      return outcome.code === status.OK ? undefined : `gRPC: ${outcome.code} ${outcome.details}`;
    };
    let turn = 0;
    const byJson = async (): Promise<string | undefined> => {
      const version = turn++ % 2 === 0 ? "1.1" : "2";
      const answer = await http(version, address, JSON_PATH, {
        body: '{"payload": "aGVsbG8="}',
        headers: { "x-request-timeout": String(DEADLINE_MS / 1000) },
      });
      return answer.status === 200 ? undefined : `JSON over HTTP/${version}: ${answer.status}`;
    };
    this.done = Promise.all([this.run(byGrpc), this.run(byJson)]);
  }

  private async run(call: () => Promise<string | undefined>): Promise<void> {
    while (this.running) {
      const from = performance.now();
      const failure = await call().catch((error: unknown) => String(error));
      this.slowestMs = Math.max(this.slowestMs, performance.now() - from);
      if (failure !== undefined) this.failures.push(failure);
      else this.calls++;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  async stop(): Promise<void> {
    this.running = false;
    await this.done;
  }
}

// ---------------------------------------------------------------- the attacks

export interface Attack {
  readonly name: string;
  /** Resolves with what the guard did; rejects when it did nothing. */
  run(target: Target): Promise<string>;
  /** Keys of `limits:` that /metrics must tell of afterwards, one of them. */
  readonly limits: readonly string[];
}

function goawayOf(peer: RawPeer): string | undefined {
  const last = peer.frames.findLast((f) => f.type === FrameType.GOAWAY);
  if (last === undefined) return undefined;
  return `GOAWAY(${errorName(last.payload.readUInt32BE(4))})${textOf(last.payload.subarray(8))}`;
}

function textOf(debug: Buffer): string {
  return debug.length === 0 ? "" : `, ${debug.toString().replace(/^\w+: /, "")}`;
}

function flood(attack: Flood): Attack {
  return {
    name: attack.name,
    limits: attack.limits,
    async run(target) {
      const peer = new RawPeer(target.connect("h2"), "client");
      peer.send(HELLO, attack.opening?.(REQUESTS) ?? Buffer.alloc(0));
      let sent = 0;
      for (let n = attack.opening === undefined ? 0 : 1; !peer.ended && sent < MAX_FLOOD_BYTES; ) {
        const pieces: Buffer[] = [];
        let bytes = 0;
        for (; bytes < 4096; n++) {
          const piece = attack.piece(n, REQUESTS);
          pieces.push(piece);
          bytes += piece.length;
        }
        sent += bytes;
        peer.send(...pieces);
        await new Promise((resolve) => setImmediate(resolve));
      }
      await until(() => peer.ended, "the end of the flood", PATIENCE_MS);
      const goaway = goawayOf(peer) ?? "closed without a word";
      if (!goaway.startsWith("GOAWAY(ENHANCE_YOUR_CALM)") || !attack.says.test(goaway))
        throw new Error(`not cut off, but: ${goaway}`);
      return goaway;
    },
  };
}

/** Sends `pieces` one by one, a tenth of a second apart, until the hub ends the connection; gives what it said. */
async function drip(socket: Socket, pieces: Iterable<Buffer | string>): Promise<string> {
  let said = "";
  let over = false;
  socket.on("data", (chunk: Buffer) => {
    said += chunk.toString("latin1");
  });
  const end = (): void => {
    over = true;
  };
  socket.on("end", end).on("close", end);
  const limit = performance.now() + PATIENCE_MS;
  for (const piece of pieces) {
    if (over) break;
    socket.write(piece);
    const until_ = Math.min(limit, performance.now() + 100);
    while (!over && performance.now() < until_) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await until(() => over, "the end of the connection", Math.max(1, limit - performance.now()));
  socket.destroy();
  return said;
}

function* forever(piece: Buffer | string): Generator<Buffer | string> {
  for (;;) yield piece;
}
function* bytesOf(b: Buffer): Generator<Buffer> {
  for (let i = 0; i < b.length; i++) yield b.subarray(i, i + 1);
}
function* after(first: Buffer | string, rest: Iterable<Buffer | string>): Generator<Buffer | string> {
  yield first;
  yield* rest;
}

/** Several connections at once; the guard must act on each, in the same way. */
async function each(run: () => Promise<string>, connections = SLOW_CONNECTIONS): Promise<string> {
  const results = await Promise.all(Array.from({ length: connections }, run));
  return [...new Set(results)].join("; ");
}

/** Ended without an answer. */
function closed(said: string): string {
  if (said !== "") throw new Error(`answered: ${said}`);
  return "closed";
}

function http1Status(said: string, expected: number): string {
  const line = said.split("\r\n", 1)[0] ?? "";
  if (!line.startsWith(`HTTP/1.1 ${expected} `)) throw new Error(`answered: ${said}`);
  return line;
}

/** The GOAWAY among the frames that were said. */
function goawayIn(said: string, code: keyof typeof ErrorCode): string {
  const b = Buffer.from(said, "latin1");
  for (let at = 0; at + 9 <= b.length; at += 9 + b.readUIntBE(at, 3)) {
    if (b[at + 3] !== FrameType.GOAWAY) continue;
    const payload = b.subarray(at + 9, at + 9 + b.readUIntBE(at, 3));
    const name = errorName(payload.readUInt32BE(4));
    if (name === code) return `GOAWAY(${name})${textOf(payload.subarray(8))}`;
  }
  throw new Error(`no GOAWAY(${code})`);
}

/** A stream's end as the hub tells it: a status, or a reset. */
async function endOf(peer: RawPeer, id: number): Promise<string> {
  let end: string | undefined;
  await until(
    () => {
      const rst = peer.find(FrameType.RST_STREAM, id);
      const last =
        peer.find(FrameType.HEADERS, id, Flag.END_STREAM) ?? peer.find(FrameType.DATA, id, Flag.END_STREAM);
      if (rst !== undefined) end = `RST_STREAM(${errorName(rst.payload.readUInt32BE(0))})`;
      if (last !== undefined) end = "answered";
      return end !== undefined || peer.ended;
    },
    `the end of stream ${id}`,
    PATIENCE_MS,
  );
  return end ?? "closed";
}

/** The text of a JSON answer or of trailers, as far as it is spelled out. */
function spelled(peer: RawPeer): string {
  return Buffer.concat(peer.frames.map((f) => f.payload)).toString("latin1");
}

const h2 = (target: Target): RawPeer => new RawPeer(target.connect("h2"), "client");
const HALF_HEAD = `POST ${JSON_PATH} HTTP/1.1\r\nhost: test\r\n`;
/** 4000 bytes into the table, and 16,000 references of one byte to it: 64 MB. */
const FUSE = Buffer.concat([Buffer.from([0x40, 1, 0x78, 0x7f, 0xa1, 0x1e]), Buffer.alloc(4000, "v")]);
const BOMB = Buffer.alloc(16_000, 0xbe);

/** More than the system's buffers take from the hub: 200 messages of 64 KiB, 17 MB in JSON. */
const LARGE_STREAM = "/test/v1/server-stream?behavior.response_bytes=65536&behavior.response_count=200";
const LARGE_BEHAVIOR = '{"behavior":{"responseBytes":65536,"responseCount":200}}';
/** A frame of a client, under a mask of zeros (RFC 6455 §5.2); at most 125 characters. */
const textFrame = (text: string): string => `${String.fromCharCode(0x81, 0x80 | text.length)}\0\0\0\0${text}`;
/** Asked for 40 times: 21 MB. */
const LARGE_WHOLE = "/test/v1/unary?behavior.response_bytes=400000";
const WHOLES = 40;
const WARM_UP_CALLS = 20;
export const get = (path: string, more = ""): string => `GET ${path} HTTP/1.1\r\nhost: test\r\n${more}\r\n`;
/** It makes a request that the hub reads itself one that node:http reads. */
const BY_NODE = "te: trailers\r\n";
const HANDSHAKE =
  "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/** Requests of HTTP/1.1 whose answers are too large to lie in sockets, by who reads them. */
export const UNREAD: readonly (readonly [what: string, request: string])[] = [
  ["a stream, read by the hub", get(LARGE_STREAM)],
  ["a stream, read by node:http", get(LARGE_STREAM, BY_NODE)],
  ["whole answers to pipelined requests, read by the hub", get(LARGE_WHOLE).repeat(WHOLES)],
  ["whole answers to pipelined requests, read by node:http", get(LARGE_WHOLE, BY_NODE).repeat(WHOLES)],
  ["a stream asked for with Expect", get(LARGE_STREAM, "expect: 100-continue\r\n")],
  ["a WebSocket", get("/test/v1/server-stream", HANDSHAKE) + textFrame(LARGE_BEHAVIOR) + textFrame("")],
];

const DRIP_MS = 250;
/** Less than the answers to each request of UNREAD. */
export const ALL_BYTES = 16_000_000;
/** What may follow each request: a ping in a frame, an empty line. Written to a connection that was reset, it fails. */
const PROBE = { webSocket: Buffer.from([0x89, 0x80, 0, 0, 0, 0]), http: Buffer.from("\r\n") };

async function unread(target: Target, request: string, drips: boolean): Promise<string> {
  const socket = target.connect("http/1.1");
  socket.pause();
  socket.write(request, "latin1");
  let read = 0;
  const probe = request.includes("upgrade") ? PROBE.webSocket : PROBE.http;
  const tick = setInterval(() => {
    // The system gives 64 KiB at a time: a tenth of what an honest client of these tests reads.
    const chunk: Buffer | null = drips ? socket.read() : null;
    read += chunk?.length ?? 0;
    socket.write(probe);
  }, DRIP_MS);
  try {
    await until(() => socket.closed, "the end of the connection", PATIENCE_MS);
  } finally {
    clearInterval(tick);
  }
  if (read >= ALL_BYTES) throw new Error(`all of the answer came: ${read} bytes`);
  return "closed";
}

/** Takes what may wait in the whole process, so it is measured by itself. */
export const DRIPPED_WINDOWS: Attack = {
  name: "windows of 64 bytes at a time, on many streams and connections",
  limits: ["maxProcessQueued"],
  run: async (target) => {
    const ids = Array.from({ length: 30 }, (_, n) => 2 * n + 1);
    const peers = Array.from({ length: 20 }, () => h2(target));
    for (const peer of peers) peer.send(HELLO, HUNGRY, windowUpdate(0, 1 << 24), ...ids.map(largeOn));
    const resets = (): number => {
      let count = 0;
      for (const peer of peers) count += ids.filter((id) => peer.find(FrameType.RST_STREAM, id)).length;
      return count;
    };
    const drip = setInterval(() => {
      for (const peer of peers) if (!peer.ended) peer.send(...ids.map((id) => windowUpdate(id, 64)));
    }, 200);
    try {
      await until(() => resets() > 0, "a stream that is reset", PATIENCE_MS);
      await new Promise((resolve) => setTimeout(resolve, 2000));
      return `${resets()} of ${peers.length * ids.length} streams reset, the others held to the bound`;
    } finally {
      clearInterval(drip);
      for (const peer of peers) peer.socket.destroy();
    }
  },
};

/** Clients of HTTP/1.1 that ask and do not read; they can all run at once. */
export const SLOW_READERS: readonly Attack[] = UNREAD.flatMap(([what, request]) =>
  [false, true].map((drips) => ({
    name: `slow reader over HTTP/1.1: ${what}, ${drips ? "by a drip" : "not at all"}`,
    limits: ["stallTimeout"],
    run: (target) => each(() => unread(target, request, drips), READERS),
  })),
);

/** Those that take their time; they can all run at once. */
export const SLOW: readonly Attack[] = [
  {
    name: "silence",
    limits: [],
    run: (target) => each(async () => closed(await drip(target.socket(), []))),
  },
  {
    name: "slow TLS handshake, or garbage by the byte",
    limits: [],
    run: (target) =>
      each(async () => closed(await drip(target.socket(), after("\x16\x03\x01\x02", forever("\x01"))))),
  },
  {
    name: "slow preface",
    limits: [],
    // Where ALPN has told the protocol, the engine waits for the preface.
    run: (target) =>
      each(async () => {
        const said = await drip(target.connect("h2"), bytesOf(PREFACE));
        return said === "" ? closed(said) : goawayIn(said, "SETTINGS_TIMEOUT");
      }),
  },
  {
    name: "preface without SETTINGS",
    limits: ["settingsTimeout"],
    run: (target) =>
      each(async () => goawayIn(await drip(target.connect("h2"), [PREFACE]), "SETTINGS_TIMEOUT")),
  },
  {
    name: "slow headers (HTTP/2, one frame by the byte)",
    limits: ["headersTimeout"],
    run: (target) =>
      each(async () => {
        const slow = after(HELLO, bytesOf(headers(1, grpc(UNARY))));
        return goawayIn(await drip(target.connect("h2"), slow), "ENHANCE_YOUR_CALM");
      }),
  },
  {
    name: "slow headers (HTTP/2, CONTINUATION by CONTINUATION)",
    limits: ["headersTimeout", "maxContinuations"],
    run: (target) =>
      each(async () => {
        const first = Buffer.concat([HELLO, headers(1, grpc(UNARY), { flags: 0 })]);
        const slow = after(first, forever(frame(FrameType.CONTINUATION, 0, 1, block([["x", "y"]]))));
        return goawayIn(await drip(target.connect("h2"), slow), "ENHANCE_YOUR_CALM");
      }),
  },
  {
    name: "slow headers (HTTP/1.1)",
    limits: [],
    run: (target) =>
      each(async () =>
        http1Status(await drip(target.connect("http/1.1"), after(HALF_HEAD, forever("x: y\r\n"))), 408),
      ),
  },
  {
    name: "slow body (HTTP/1.1, stops)",
    limits: [],
    run: (target) =>
      each(async () => {
        const body = `${HALF_HEAD}content-type: application/json\r\ncontent-length: 100\r\n\r\n{`;
        return http1Status(await drip(target.connect("http/1.1"), [body]), 408);
      }),
  },
  {
    name: "slow body (HTTP/1.1, drips)",
    limits: [],
    run: (target) =>
      each(async () => {
        const body = `${HALF_HEAD}content-type: application/json\r\ncontent-length: 100\r\n\r\n{`;
        const said = await drip(target.connect("http/1.1"), after(body, forever(" ")));
        // On a busy machine the drip may stop for a second by itself.
        return http1Status(said, said.startsWith("HTTP/1.1 408 ") ? 408 : 504);
      }),
  },
  {
    name: "slow body (JSON over HTTP/2, stops)",
    limits: [],
    run: (target) =>
      each(async () => {
        const peer = h2(target);
        peer.send(HELLO, headers(1, JSON_POST), data(1, "{"));
        const end = await endOf(peer, 1);
        if (!spelled(peer).includes("REQUEST_TIMEOUT")) throw new Error(`${end}, not 408: ${spelled(peer)}`);
        peer.socket.destroy();
        return "408 on the stream";
      }),
  },
  {
    name: "slow body (gRPC)",
    limits: [],
    run: (target) =>
      each(async () => {
        const peer = h2(target);
        peer.send(HELLO, headers(1, grpc(UNARY)), data(1, "\0\0\0"));
        const end = await endOf(peer, 1);
        if (end !== "answered") throw new Error(end);
        peer.socket.destroy();
        return "the call's deadline";
      }),
  },
  {
    name: "zero-window stall",
    limits: ["stallTimeout", "maxQueued", "maxProcessQueued"],
    run: (target) =>
      each(async () => {
        const peer = h2(target);
        peer.send(HELLO, HUNGRY);
        // So many that the hub holds what it may; more would measure how fast the service is.
        for (let id = 1; id < 50; id += 2) peer.send(largeOn(id));
        const ends = new Set<string>();
        for (let id = 1; id < 50; id += 2) ends.add(await endOf(peer, id));
        peer.socket.destroy();
        if (ends.has("answered")) throw new Error("an answer went without window");
        return "every stream reset";
      }),
  },
  {
    name: "slow reader",
    limits: ["keepaliveTimeout", "maxUnread"],
    run: (target) =>
      each(async () => {
        const socket = target.connect("h2");
        socket.write(Buffer.concat([HELLO, HUGE_WINDOWS]));
        for (let id = 1; id < 40; id += 2) socket.write(largeOn(id));
        socket.pause();
        let over = false;
        socket.on("close", () => {
          over = true;
        });
        await new Promise((resolve) => setTimeout(resolve, SLOW_READER_MS));
        // What lies in the socket is read now; behind it comes the end.
        socket.resume();
        await until(() => over, "the end of the connection", PATIENCE_MS - SLOW_READER_MS);
        return "closed";
      }),
  },
  {
    name: "pipelined requests without end (HTTP/1.1, read by node:http)",
    limits: ["http1Pipelined"],
    run: (target) =>
      each(async () => {
        const socket = target.connect("http/1.1");
        const requests = get(`${JSON_PATH}?behavior.delay=1s`, BY_NODE).repeat(50);
        let sent = 0;
        socket.resume();
        while (!socket.closed && sent < MAX_FLOOD_BYTES) {
          socket.write(requests);
          sent += requests.length;
          await new Promise((resolve) => setImmediate(resolve));
        }
        await until(() => socket.closed, "the end of the connection", PATIENCE_MS);
        return "closed";
      }),
  },
  {
    name: "huge headers (HTTP/2)",
    limits: ["maxHeaderList"],
    run: (target) =>
      each(async () => {
        const peer = h2(target);
        peer.send(HELLO);
        const fields: Fields = [
          ...grpc(UNARY),
          ...Array.from({ length: 200 }, (_, i) => [`x-${i}`, "y"] as const),
        ];
        for (let id = 1; id < 200; id += 2) peer.send(headers(id, fields));
        const ends = new Set<string>();
        for (let id = 1; id < 200; id += 2) ends.add(await endOf(peer, id));
        peer.socket.destroy();
        if (!spelled(peer).includes("fields")) throw new Error("not refused");
        return "RESOURCE_EXHAUSTED on the stream";
      }),
  },
  {
    name: "huge headers (HTTP/1.1)",
    limits: [],
    run: (target) =>
      each(async () =>
        http1Status(await drip(target.connect("http/1.1"), [`${HALF_HEAD}x: ${"y".repeat(70_000)}`]), 431),
      ),
  },
  {
    name: "HPACK bomb",
    limits: ["maxHeaderList"],
    async run(target) {
      const peer = h2(target);
      const flags = Flag.END_HEADERS | Flag.END_STREAM;
      peer.send(HELLO, frame(FrameType.HEADERS, flags, 1, Buffer.concat([block(grpc(UNARY)), FUSE])));
      await peer.roundTrip();
      for (let n = 1; n <= 300; n++) {
        peer.send(frame(FrameType.HEADERS, flags, 2 * n + 1, BOMB));
        if (n % 50 === 0) await peer.roundTrip();
      }
      peer.socket.destroy();
      return "refused on the stream, nothing beyond 64 KiB kept";
    },
  },
];

export const FLOOD_ATTACKS: readonly Attack[] = FLOODS.map(flood);

// ---------------------------------------------------------------- how it went

export interface Result {
  readonly guard: string;
  readonly growthBytes: number;
  readonly slowestMs: number;
  /** Of the hub's event loop. What else the machine does counts as well. */
  longestBlockMs: number;
  readonly honestCalls: number;
  readonly failures: readonly string[];
}

/** Runs attacks, all at once, while honest clients call. */
export async function underAttack(
  scope: Scope,
  rig: Rig,
  runs: readonly (readonly [Attack, Target])[],
): Promise<{ guards: readonly string[]; cost: Omit<Result, "guard"> }> {
  const honest = new HonestClients(scope, rig.targets[0].address);
  await until(() => honest.calls >= 4 || honest.failures.length > 0, "the first honest calls");
  await longestBlockMs(rig.hub);
  const before = residentBytes(rig.hub.pid);
  let most = before;
  const sample = setInterval(() => {
    most = Math.max(most, residentBytes(rig.hub.pid));
  }, 20);
  try {
    const guards = await Promise.all(
      runs.map(([attack, target]) =>
        attack.run(target).catch((error: unknown) => {
          throw new Error(`${attack.name} over ${target.name}: ${String(error)}`, { cause: error });
        }),
      ),
    );
    most = Math.max(most, residentBytes(rig.hub.pid));
    const from = honest.calls;
    await until(() => honest.calls > from || honest.failures.length > 0, "an honest call afterwards");
    await honest.stop();
    const { calls: honestCalls, slowestMs, failures } = honest;
    const blockMs = await longestBlockMs(rig.hub);
    const growthBytes = most - before;
    return { guards, cost: { growthBytes, slowestMs, longestBlockMs: blockMs, honestCalls, failures } };
  } finally {
    clearInterval(sample);
    await honest.stop();
  }
}

async function main(): Promise<void> {
  const endings: (() => Promise<void>)[] = [];
  const scope: Scope = { after: (ending) => void endings.push(ending) };
  const rig = await startRig(scope);
  const costs: Omit<Result, "guard">[] = [];
  /** Of the attacks, those with this in their names. */
  const only = process.argv[2] ?? "";
  const rows: string[][] = [
    [
      "attack",
      "over",
      "what the guard did",
      "memory",
      "longest block",
      "slowest honest call",
      "honest calls",
    ],
  ];
  const attacks = [
    ...FLOOD_ATTACKS,
    ...SOCKET_ATTACKS,
    ...SLOW,
    DRIPPED_WINDOWS,
    ...SLOW_READERS,
    ...UPSTREAM_ATTACKS,
    ...SCHEMA_ATTACKS,
    ...ANSWER_ATTACKS,
    ...WORK_ATTACKS,
    ...BLOCK_ATTACKS,
  ].filter(({ name }) => name.includes(only));
  for (const attack of attacks) {
    for (const target of rig.targets) {
      const { guards, cost } = await underAttack(scope, rig, [[attack, target]]);
      // What else the machine does holds up the hub too: the least of several rounds is the attack's own.
      for (let round = 1; round < BLOCK_ROUNDS && BLOCK_ATTACKS.includes(attack); round++) {
        const again = (await underAttack(scope, rig, [[attack, target]])).cost;
        cost.longestBlockMs = Math.min(cost.longestBlockMs, again.longestBlockMs);
      }
      costs.push(cost);
      rows.push([
        attack.name,
        target.name,
        guards.join("; "),
        `+${(Math.max(0, cost.growthBytes) / 1024 / 1024).toFixed(1)} MiB`,
        `${cost.longestBlockMs.toFixed(1)} ms`,
        `${cost.slowestMs.toFixed(0)} ms`,
        `${cost.honestCalls}${cost.failures.length > 0 ? `, ${cost.failures.length} FAILED: ${cost.failures[0]}` : ""}`,
      ]);
    }
  }
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  for (const row of rows)
    console.log(
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join("  ")
        .trimEnd(),
    );
  const mib = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
  const growth = Math.max(...costs.map(({ growthBytes }) => growthBytes));
  const slowest = Math.max(...costs.map(({ slowestMs }) => slowestMs));
  const block = Math.max(...costs.map(({ longestBlockMs }) => longestBlockMs));
  const failed = costs.reduce((sum, { failures }) => sum + failures.length, 0);
  const held = growth < MEMORY_BOUND_BYTES && slowest < DEADLINE_MS && failed === 0;
  console.log(
    `\n${costs.length} attacks: at most ${mib(growth)} (bound ${mib(MEMORY_BOUND_BYTES)}), slowest honest call ` +
      `${slowest.toFixed(0)} ms (bound ${DEADLINE_MS} ms), longest block ${block.toFixed(1)} ms ` +
      `(bound ${BLOCK_BOUND_MS} ms on an idle machine), ${failed} honest calls failed: ${held ? "held" : "NOT HELD"}`,
  );
  if (!held) process.exitCode = 1;
  for (const ending of endings.reverse()) await ending();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
