// Bytes that are no HTTP, and HTTP/2 that breaks its rules: that connection ends, the hub and all others live.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connect2 } from "node:http2";
import { connect } from "node:net";
import { after, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { BidiStreamRequest } from "#generated/test/v1/behavior.js";
import { behaviorClient, callUnary, streamed } from "./support/grpc.js";
import { startHub } from "./support/hub.js";
import { startService } from "./support/service.js";

const scope = { after };
const service = await startService(scope, "behavior");
const hub = await startHub(scope, [`behavior=${service.address}`]);

// One stream lives through all that follows.
const client = behaviorClient(scope, hub.address);
const survivor = client.bidiStream();
let answered = (): void => {};
const outcome = streamed(survivor, () => answered());
function stillAlive(): Promise<void> {
  return new Promise((resolve) => {
    answered = resolve;
    survivor.write(BidiStreamRequest.fromPartial({}));
  });
}

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const SETTINGS = frame(4, 0, 0);

function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array | readonly number[] = [],
): Buffer {
  const bytes = Buffer.from(payload);
  const head = Buffer.alloc(9);
  head.writeUIntBE(bytes.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, bytes]);
}

/** All that comes back until the hub closes. */
async function send(...bytes: readonly Buffer[]): Promise<Buffer> {
  const [host = "", port = ""] = hub.address.split(":");
  const socket = connect(Number(port), host);
  const received: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => received.push(chunk));
  socket.on("error", () => {}); // It may be reset while we write.
  socket.write(Buffer.concat(bytes));
  await new Promise((resolve) => socket.once("close", resolve));
  return Buffer.concat(received);
}

/** The error code of the last GOAWAY (RFC 9113 §6.8); undefined when none came. */
function goawayCode(bytes: Buffer): number | undefined {
  let code: number | undefined;
  for (let at = 0; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) {
    if (bytes[at + 3] === 7) code = bytes.readUInt32BE(at + 9 + 4);
  }
  return code;
}

const PROTOCOL_ERROR = 1;
const FLOW_CONTROL_ERROR = 3;
const FRAME_SIZE_ERROR = 6;
const COMPRESSION_ERROR = 9;

const BROKEN: Readonly<Record<string, readonly [readonly Buffer[], number]>> = {
  "something else than SETTINGS first": [[frame(6, 0, 0, Buffer.alloc(8))], PROTOCOL_ERROR],
  "DATA on stream 0": [[SETTINGS, frame(0, 0, 0, [1])], PROTOCOL_ERROR],
  "DATA on a stream that never was": [[SETTINGS, frame(0, 0, 1, [1])], PROTOCOL_ERROR],
  "HEADERS on an even stream": [[SETTINGS, frame(1, 5, 2, [0x82])], PROTOCOL_ERROR],
  "a frame larger than allowed": [[SETTINGS, frame(0, 0, 1, Buffer.alloc(16_385))], FRAME_SIZE_ERROR],
  "SETTINGS of 5 bytes": [[frame(4, 0, 0, Buffer.alloc(5))], FRAME_SIZE_ERROR],
  "PING of 7 bytes": [[SETTINGS, frame(6, 0, 0, Buffer.alloc(7))], FRAME_SIZE_ERROR],
  "a header block that is no HPACK": [
    [SETTINGS, frame(1, 5, 1, [0xff, 0xff, 0xff, 0xff, 0xff, 0x0f])],
    COMPRESSION_ERROR,
  ],
  "a window that overflows": [[SETTINGS, frame(8, 0, 0, [0x7f, 0xff, 0xff, 0xff])], FLOW_CONTROL_ERROR],
  "CONTINUATION without HEADERS": [[SETTINGS, frame(9, 4, 1, [0x82])], PROTOCOL_ERROR],
  "PUSH_PROMISE from a client": [[SETTINGS, frame(5, 4, 1, [0, 0, 0, 2, 0x82])], PROTOCOL_ERROR],
};

for (const [name, [frames, code]] of Object.entries(BROKEN)) {
  test(`HTTP/2: ${name} ends that connection alone`, async () => {
    assert.equal(goawayCode(await send(PREFACE, ...frames)), code);
    await stillAlive();
  });
}

const NOT_HTTP: Readonly<Record<string, Buffer>> = {
  "a TLS hello": Buffer.from([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 3]),
  "a preface that goes wrong half-way": Buffer.from("PRI * HTTP/2.0\r\n\r\nSX\r\n\r\n"),
  "binary nonsense": Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 37 + 11) % 256)),
  "a request line without end": Buffer.from(`GET /${"a".repeat(200_000)}`),
  "a header without a colon": Buffer.from("GET / HTTP/1.1\r\nnonsense\r\n\r\n"),
  "two lengths": Buffer.from(
    "POST /test/v1/unary HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}",
  ),
};

for (const [name, bytes] of Object.entries(NOT_HTTP)) {
  test(`${name}: answered with an error at most`, async () => {
    const received = (await send(bytes)).toString("latin1");
    assert.ok(received === "" || /^HTTP\/1\.1 4\d\d /.test(received), received.slice(0, 100));
    await stillAlive();
  });
}

test("a gRPC message that is cut short is the service's to refuse, and no other call's matter", async () => {
  const session = connect2(`http://${hub.address}`);
  const stream = session.request({
    ":method": "POST",
    ":path": "/test.v1.BehaviorService/Unary",
    "content-type": "application/grpc",
    te: "trailers",
  });
  const fields: Record<string, unknown> = {};
  stream.on("response", (head) => Object.assign(fields, head));
  stream.on("trailers", (trailers) => Object.assign(fields, trailers));
  stream.on("error", () => {});
  stream.resume().end(Buffer.from([0, 0, 0, 0, 100, 1, 2]));
  await once(stream, "close");
  session.close();
  assert.notEqual(fields["grpc-status"], "0");
  await stillAlive();
});

test("after all of it, the hub serves as before", async () => {
  survivor.end();
  assert.equal((await outcome).code, status.OK);
  assert.equal((await callUnary(client, {})).code, status.OK);
  // What is worth a line, said once: a client that takes the port for one with TLS, and each kind of malformed request.
  const kinds = hub.program.stderr.lines
    .filter((line) => !/began TLS on a listener without it/.test(line))
    .map(
      (line) =>
        / sent a malformed HTTP\/\S+ request: .* \((\w+); logged once an hour\)$/.exec(line)?.[1] ?? line,
    );
  assert.deepEqual(kinds.sort(), [
    "BAD_HTTP",
    "COMPRESSION_ERROR",
    "FLOW_CONTROL_ERROR",
    "FRAME_SIZE_ERROR",
    "HEADERS_TOO_LARGE",
    "PROTOCOL_ERROR",
  ]);
});
