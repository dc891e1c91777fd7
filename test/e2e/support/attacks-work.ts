// Attacks by what it costs to read: fields as long as a header list may be, of shapes that make a careless reader look at
// the same place again and again; from clients in requests and trailers, from a service in its answers.
import { once } from "node:events";
import { connect } from "node:net";
import { status } from "@grpc/grpc-js";
import { Flag, FrameType } from "#src/http2/wire/protocol.js";
import { block, data, type Fields, frame, HELLO, RawPeer } from "../../support/frames.js";
import { H2Service } from "../../support/h2-service.js";
import type { Attack, Target } from "./attacks.js";
import { behaviorClient, callUnary } from "./grpc.js";
import { type Hub, startHubWithConfig } from "./hub.js";
import { ROOT, type Scope } from "./program.js";

/** Bytes of one field: with its name and the others less than a header list may have, 64 KiB. */
const FIELD_BYTES = 60_000;
/** Of a frame (SETTINGS_MAX_FRAME_SIZE). */
const FRAME_BYTES = 16_384;
/** Of a call of a bystander, meanwhile. One such answer took 3.8 s before each reader was linear; there are many. */
const DEADLINE_MS = 15_000;
const ANSWERS = 5;

const long = (unit: string): string => unit.repeat(FIELD_BYTES / unit.length);
const SHAPES: readonly string[] = [
  ` x${long(" ")}x`,
  `x${long(" ")}x`,
  `a=b,${long("\t")}x`,
  long(","),
  long("a,"),
  long("a;q=0.5, "),
  long('W/"a,'),
  long('a="\\'),
  long("="),
  long("%2"),
  long("/"),
];
const NAMES = [
  "accept",
  "accept-encoding",
  "authorization",
  "baggage",
  "connection",
  "content-type",
  "cookie",
  "forwarded",
  "grpc-message",
  "grpc-timeout",
  "if-none-match",
  "origin",
  "te",
  "traceparent",
  "tracestate",
  "x-data-bin",
  "x-forwarded-for",
  "x-request-timeout",
];

const head = (path: string, method: string): Fields => [
  [":method", method],
  [":scheme", "http"],
  [":path", path],
  [":authority", "attack"],
];
const GRPC: Fields = [
  ...head("/test.v1.BehaviorService/Unary", "POST"),
  ["te", "trailers"],
  ["content-type", "application/grpc"],
];

/** A block of any length: HEADERS, and CONTINUATION for the rest of it (RFC 9113 §6.10). */
function longHeaders(id: number, fields: Fields, end: boolean): Buffer[] {
  const bytes = block(fields);
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += FRAME_BYTES) {
    const last = at + FRAME_BYTES >= bytes.length ? Flag.END_HEADERS : 0;
    const type = at === 0 ? FrameType.HEADERS : FrameType.CONTINUATION;
    const flags = last | (at === 0 && end ? Flag.END_STREAM : 0);
    frames.push(frame(type, flags, id, bytes.subarray(at, at + FRAME_BYTES)));
  }
  return frames;
}

/** Each shape of one field, as a header of gRPC and of plain HTTP, and as a trailer. A connection may be ended for it. */
async function sendOverHttp2(target: Target, name: string): Promise<number> {
  let sent = 0;
  let peer = new RawPeer(target.connect("h2"), "client");
  peer.send(HELLO);
  let id = 1;
  for (const value of SHAPES) {
    const own: Fields = [[name, value]];
    const requests = [
      longHeaders(id, [...GRPC, ...own], true),
      longHeaders(id + 2, [...head("/healthz", "GET"), ...own], true),
      [...longHeaders(id + 4, GRPC, false), data(id + 4, Buffer.alloc(5)), ...longHeaders(id + 4, own, true)],
    ];
    for (const frames of requests) peer.send(...frames);
    sent += requests.length;
    id += 6;
    await peer.roundTrip().catch(() => undefined);
    if (peer.ended) {
      peer = new RawPeer(target.connect("h2"), "client");
      peer.send(HELLO);
      id = 1;
    }
  }
  peer.socket.destroy();
  return sent;
}

async function sendOverHttp1(target: Target, name: string): Promise<number> {
  for (const value of SHAPES) {
    const socket = target.connect("http/1.1");
    socket.resume();
    socket.write(`GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n${name}: ${value}\r\n\r\n`);
    await once(socket, "close");
  }
  return SHAPES.length;
}

/** A hub before a service whose answers have such trailers. */
export async function startHubBeforeLongTrailers(scope: Scope): Promise<Hub> {
  const service = await new H2Service((request) => {
    const which = Number(request.get("x-shape") ?? -1);
    const value = SHAPES[which];
    if (value === undefined) request.ok("");
    else request.headers().message("").trailers({ "grpc-status": "5", "grpc-message": value });
  }).start();
  scope.after(() => service.stop());
  return startHubWithConfig(
    scope,
    `upstreams: { behavior: { endpoints: ["${service.address}"], schema: { protoset: ${ROOT}generated/image.binpb } } }\n`,
  );
}

/** Fails when a bystander's call is late. Returns what became of the calls. */
export async function assertLongTrailersAreRead(scope: Scope, hub: Hub): Promise<string> {
  const [host = "", port = ""] = hub.address.split(":");
  const socket = connect({ host, port: Number(port) });
  await once(socket, "connect");
  const peer = new RawPeer(socket, "client");
  peer.send(HELLO);
  let id = 1;
  for (const which of SHAPES.keys())
    for (let i = 0; i < ANSWERS; i++, id += 2)
      peer.send(
        ...longHeaders(id, [...GRPC, ["x-shape", String(which)]], false),
        data(id, Buffer.alloc(5), true),
      );
  await peer.roundTrip();
  const bystander = behaviorClient(scope, hub.address);
  const { code, details } = await callUnary(
    bystander,
    {},
    { options: { deadline: Date.now() + DEADLINE_MS } },
  );
  socket.destroy();
  if (code !== status.OK) throw new Error(`a bystander's call ended with ${code}: ${details}`);
  return `${SHAPES.length * ANSWERS} answers with trailers of ${FIELD_BYTES} bytes, a bystander was answered`;
}

export const WORK_ATTACKS: readonly Attack[] = [
  {
    name: "long fields over HTTP/2, of shapes that are slow to read",
    limits: [],
    async run(target) {
      let sent = 0;
      for (const name of NAMES) sent += await sendOverHttp2(target, name);
      return `${sent} blocks of ${FIELD_BYTES} bytes were read`;
    },
  },
  {
    name: "long fields over HTTP/1.1, of shapes that are slow to read",
    limits: [],
    async run(target) {
      let sent = 0;
      for (const name of NAMES) sent += await sendOverHttp1(target, name);
      return `${sent} heads of ${FIELD_BYTES} bytes were read`;
    },
  },
  {
    name: "long trailers of a service, of shapes that are slow to read",
    limits: [],
    async run() {
      const endings: (() => Promise<void> | void)[] = [];
      const scope: Scope = { after: (ending) => void endings.push(async () => ending()) };
      try {
        return await assertLongTrailersAreRead(scope, await startHubBeforeLongTrailers(scope));
      } finally {
        for (const ending of endings.reverse()) await ending();
      }
    },
  },
];
