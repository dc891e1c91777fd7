// Our HPACK against nghttp2's, the one inside node:http2: it reads what our encoder wrote, and we read what it wrote.
import assert from "node:assert/strict";
import http2 from "node:http2";
import net from "node:net";
import { describe, it } from "node:test";
import { HpackDecoder } from "#src/http2/hpack/decoder.js";
import { HpackEncoder, MAX_BEGIN_BYTES, maxFieldBytes } from "#src/http2/hpack/encoder.js";

type Pair = readonly [name: string, value: string];

const HEADERS = 1;
const SETTINGS = 4;
const PING = 6;
const ACK = 1;
const END_STREAM_AND_HEADERS = 5;
const END_HEADERS = 4;
const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** SETTINGS_HEADER_TABLE_SIZE. */
function tableSize(bytes: number): Buffer {
  const payload = Buffer.alloc(6);
  payload[1] = 1;
  payload.writeUInt32BE(bytes, 2);
  return payload;
}

/** Calls `take` for each whole frame of the socket. */
function onFrames(
  socket: net.Socket,
  skip: number,
  take: (type: number, flags: number, stream: number, payload: Buffer) => void,
): void {
  let held = Buffer.alloc(0);
  let skipped = skip === 0;
  socket.on("data", (chunk) => {
    held = Buffer.concat([held, chunk]);
    if (!skipped && held.length >= skip) {
      held = held.subarray(skip);
      skipped = true;
    }
    while (skipped && held.length >= 9) {
      const end = 9 + held.readUIntBE(0, 3);
      if (held.length < end) return;
      take(held[3] ?? 0, held[4] ?? 0, held.readUInt32BE(5) & 0x7fffffff, held.subarray(9, end));
      held = held.subarray(end);
    }
  });
}

/** The block fragment of a HEADERS frame: node sends it with priority or padding fields at times. */
function fragment(flags: number, payload: Buffer): Buffer {
  const padded = (flags & 0x08) !== 0;
  const start = (padded ? 1 : 0) + ((flags & 0x20) !== 0 ? 5 : 0);
  return payload.subarray(start, payload.length - (padded ? (payload[0] ?? 0) : 0));
}

function encode(encoder: HpackEncoder, pairs: readonly Pair[]): Buffer {
  const out = Buffer.alloc(pairs.reduce((sum, [n, v]) => sum + maxFieldBytes(n, v), MAX_BEGIN_BYTES));
  let at = encoder.begin(out, 0);
  for (const [name, value] of pairs) at = encoder.field(out, at, name, value, false);
  return out.subarray(0, at);
}

function port(server: net.Server): number {
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  return address.port;
}

/** The fields of call `i`: some always the same, some always new, some large enough to push others out. */
function metadata(i: number): Pair[] {
  return [
    ["content-type", "application/grpc"],
    ["te", "trailers"],
    ["grpc-timeout", `${1_000_000 - i * 37}u`],
    ["authorization", `Bearer t${"t".repeat(i % 300)}`],
    [`x-name-${i % 7}`, `value ${i % 5} !"#$%&'()*+,-./:;<=>?@[\\]^_\`{|}~`],
    ["x-large", String(i % 3).repeat(400)],
    ["x-empty", ""],
  ];
}

const CALLS = 200;
const SIZES: readonly number[] = [4096, 0, 64, 1000, 65536];

describe("beside nghttp2", () => {
  for (const size of SIZES) {
    it(`a server with a table of ${size} bytes reads our requests, and we read its responses`, async () => {
      const server = http2.createServer({ settings: { headerTableSize: size } });
      const got: Pair[][] = [];
      server.on("stream", (stream: http2.ServerHttp2Stream, ...[, , raw]: unknown[]) => {
        const pairs: Pair[] = [];
        assert.ok(Array.isArray(raw));
        for (let i = 0; i < raw.length; i += 2) pairs.push([String(raw[i]), String(raw[i + 1])]);
        got.push(pairs);
        stream.respond(
          {
            ":status": 200,
            "x-call": String(got.length),
            "x-same": "same",
            [http2.sensitiveHeaders]: ["x-call"],
          },
          { endStream: true },
        );
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const socket = net.connect(port(server), "127.0.0.1");
      const encoder = new HpackEncoder();
      const decoder = new HpackDecoder({ maxTableBytes: size });
      const sent: Pair[][] = [];
      let answers = 0;
      try {
        await new Promise<void>((resolve, reject) => {
          socket.on("error", reject).on("close", () => reject(new Error("the server closed the connection")));
          const call = () => {
            const i = sent.length;
            const pairs: Pair[] = [
              [":method", "POST"],
              [":scheme", "http"],
              [":path", `/a.B/Method${i % 20}`],
              [":authority", "127.0.0.1"],
              ...metadata(i),
            ];
            sent.push(pairs);
            socket.write(frame(HEADERS, END_STREAM_AND_HEADERS, 2 * i + 1, encode(encoder, pairs)));
          };
          onFrames(socket, 0, (type, flags, _stream, payload) => {
            if (type === SETTINGS && (flags & ACK) === 0) {
              encoder.setPeerTableSize(size);
              socket.write(frame(SETTINGS, ACK, 0));
              call();
            } else if (type === HEADERS) {
              answers++;
              try {
                const bytes = fragment(flags, payload);
                const fields = decoder.decode(bytes, 0, bytes.length).fields;
                const find = (name: string) => fields.find((f) => f.name === name);
                assert.equal(find(":status")?.value, "200");
                assert.equal(find("x-same")?.value, "same");
                assert.equal(find("x-call")?.value, String(answers));
                assert.equal(find("x-call")?.sensitive, true);
                assert.ok(decoder.tableBytes <= size);
              } catch (error) {
                reject(error);
              }
              if (answers === CALLS) resolve();
              else call();
            }
          });
          socket.write(PREFACE);
          socket.write(frame(SETTINGS, 0, 0, tableSize(size)));
        });
      } finally {
        socket.destroy();
        server.close();
      }
      assert.deepEqual(got, sent);
    });

    it(`a client with a table of ${size} bytes reads our responses, and we read its requests`, async () => {
      const got: (readonly Pair[])[] = [];
      const encoder = new HpackEncoder({ maxTableBytes: 8192 });
      const decoder = new HpackDecoder({ maxTableBytes: size });
      const answer = (i: number): Pair[] => [
        [":status", "200"],
        ...metadata(i),
        ["grpc-status", String(i % 17)],
      ];
      let failure: unknown;
      const server = net.createServer((socket) => {
        socket.on("error", () => {});
        socket.write(frame(SETTINGS, 0, 0, tableSize(size)));
        onFrames(socket, PREFACE.length, (type, flags, stream, payload) => {
          try {
            if (type === SETTINGS && (flags & ACK) === 0) {
              for (let at = 0; at + 6 <= payload.length; at += 6) {
                if (payload.readUInt16BE(at) === 1) encoder.setPeerTableSize(payload.readUInt32BE(at + 2));
              }
              socket.write(frame(SETTINGS, ACK, 0));
            } else if (type === PING && (flags & 1) === 0) socket.write(frame(PING, 1, 0, payload));
            else if (type === HEADERS) {
              const bytes = fragment(flags, payload);
              const block = decoder.decode(bytes, 0, bytes.length);
              const i = got.length;
              got.push(block.fields.map((f) => [f.name, f.value]));
              socket.write(frame(HEADERS, END_HEADERS | 1, stream, encode(encoder, answer(i))));
            }
          } catch (error) {
            failure = error;
            socket.destroy();
          }
        });
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const client = http2.connect(`http://127.0.0.1:${port(server)}`, {
        settings: { headerTableSize: size },
      });
      client.on("error", () => {});
      try {
        // Our table size is in force at the client before its first block.
        await new Promise((resolve) => client.once("remoteSettings", resolve));
        for (let i = 0; i < CALLS; i++) {
          const headers: http2.OutgoingHttpHeaders = { ":method": "POST", ":path": `/a.B/Method${i % 20}` };
          for (const [name, value] of metadata(i)) headers[name] = value;
          const stream = client.request(headers, { endStream: true });
          const raw = await new Promise<string[]>((resolve, reject) => {
            stream.on("error", (error) => reject(failure ?? error));
            stream.on("response", (...[, , list]: unknown[]) => {
              assert.ok(Array.isArray(list));
              resolve(list.map(String));
            });
            stream.resume();
          });
          assert.deepEqual(raw, answer(i).flat());
          assert.deepEqual(
            got[i]?.filter(([name]) => !name.startsWith(":")),
            metadata(i),
          );
          assert.equal(got[i]?.find(([name]) => name === ":path")?.[1], `/a.B/Method${i % 20}`);
        }
      } finally {
        client.destroy();
        server.close();
      }
    });
  }
});
