// The HTTP/2 engine: two of its connections carry requests and responses to each other, whole and in order.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Flag, FrameType } from "#src/http2/wire/protocol.js";
import { block, data, frame, HELLO, headers, REQUEST } from "../support/frames.js";
import {
  echo,
  pair,
  Recorder,
  rawClient,
  rawServer,
  request,
  respond,
  TRANSPORTS,
  trailersOf,
} from "../support/wire.js";

/** Bytes that differ everywhere, so that a lost or doubled piece shows. */
function pattern(bytes: number): Buffer {
  const b = Buffer.allocUnsafe(bytes);
  for (let i = 0; i < bytes; i++) b[i] = (i * 31 + (i >> 8) * 7 + (i >> 16)) & 255;
  return b;
}

const SIZES = [0, 1, 16 * 1024, 16 * 1024 + 1, 3 * 1024 * 1024];

for (const kind of TRANSPORTS) {
  describe(`over ${kind}`, () => {
    for (const size of SIZES) {
      test(`a body of ${size} bytes comes back unchanged`, async () => {
        const { client, server, close } = await pair(kind);
        const body = pattern(size);
        const answer = new Recorder();
        const stream = request(client, answer);
        stream.sendData(body, 0, body.length, true);
        await answer.over;
        assert.deepEqual(answer.headers, [[":status", "200"]]);
        assert.equal(answer.reset, undefined);
        assert.ok(answer.body.equals(body));
        assert.equal(answer.sent, size, "every byte is reported as sent, once");
        assert.equal(client.active, 0, "both sides have ended: the stream is forgotten");
        assert.equal(server.active, 0);
        await close();
      });
    }

    test("trailers come behind all DATA that was queued before them", async () => {
      const body = pattern(1_000_000);
      const { client, close } = await pair(kind, (stream) => {
        respond(stream, [[":status", "200"]], false);
        stream.sendData(body, 0, body.length, false);
        stream.sendTrailers(trailersOf(["grpc-status", "0"]));
      });
      const answer = new Recorder();
      request(client, answer, { end: true });
      await answer.over;
      assert.ok(answer.body.equals(body));
      assert.deepEqual(answer.trailers, [["grpc-status", "0"]]);
      assert.equal(answer.events.at(-1), "trailers");
      await close();
    });

    test("a response of headers alone, and one with trailers and no DATA", async () => {
      const { client, close } = await pair(kind, (stream, req) => {
        const alone = req.headers?.some(([, value]) => value === "/alone") === true;
        respond(stream, [[":status", "200"]], alone);
        if (!alone) stream.sendTrailers(trailersOf(["grpc-status", "5"]));
      });
      const alone = new Recorder();
      request(client, alone, {
        fields: REQUEST.map(([n, v]) => (n === ":path" ? [n, "/alone"] : [n, v])),
        end: true,
      });
      await alone.over;
      assert.ok(alone.ended);
      assert.deepEqual(alone.events, ["headers"]);
      const other = new Recorder();
      request(client, other, { end: true });
      await other.over;
      assert.deepEqual(other.trailers, [["grpc-status", "5"]]);
      await close();
    });

    test("many streams at once, each with its own body", async () => {
      const { client, close } = await pair(kind);
      const answers = Array.from({ length: 200 }, (_, i) => {
        const answer = new Recorder();
        const stream = request(client, answer);
        const body = pattern(i * 100 + 1);
        stream.sendData(body, 0, body.length, true);
        return { answer, body };
      });
      for (const { answer, body } of answers) {
        await answer.over;
        assert.ok(answer.body.equals(body));
      }
      await close();
    });

    test("header blocks of several frames, both ways", async () => {
      const long = "v".repeat(15_000);
      const many: [string, string][] = [
        ["x-a", long],
        ["x-b", long],
        ["x-c", long],
      ];
      const { client, close } = await pair(kind, (stream, req) => {
        const fields = req.headers?.filter(([name]) => name.startsWith("x-")) ?? [];
        respond(stream, [[":status", "200"], ...fields], false);
        stream.sendTrailers(trailersOf(...many));
      });
      const answer = new Recorder();
      request(client, answer, { fields: [...REQUEST, ...many], end: true });
      await answer.over;
      assert.deepEqual(answer.headers, [[":status", "200"], ...many]);
      assert.deepEqual(answer.trailers, many);
      await close();
    });
  });
}

describe("bytes may come in any pieces", () => {
  const long = "x".repeat(40);
  const b = block([...REQUEST, ["x-long", long]]);
  const traffic = Buffer.concat([
    HELLO,
    headers(1, REQUEST, { end: false }),
    data(1, "hello "),
    frame(FrameType.PING, 0, 0, "abcdefgh"),
    frame(FrameType.DATA, Flag.PADDED | Flag.END_STREAM, 1, "\u0003world\0\0\0"),
    frame(FrameType.HEADERS, Flag.END_STREAM, 3, b.subarray(0, 10)),
    frame(FrameType.CONTINUATION, 0, 3, b.subarray(10, 30)),
    frame(FrameType.CONTINUATION, Flag.END_HEADERS, 3, b.subarray(30)),
    headers(5, REQUEST),
    data(5, ""),
    headers(5, [["x-trailer", "1"]], { end: true }),
  ]);

  async function check(pieces: Buffer[]): Promise<void> {
    const { peer, owner, server } = await rawClient(echo, { silent: true });
    for (const piece of pieces) peer.socket.write(piece);
    await peer.frame(FrameType.DATA, 5, Flag.END_STREAM);
    assert.equal(peer.body(1).toString(), "hello world");
    assert.equal(peer.find(FrameType.PING, 0, Flag.ACK)?.payload.toString(), "abcdefgh");
    assert.deepEqual(owner.requests[1]?.headers?.at(-1), ["x-long", long]);
    assert.deepEqual(owner.requests[2]?.trailers, [["x-trailer", "1"]]);
    assert.equal(server.active, 0);
    server.destroy();
  }

  test("one byte at a time", () => check([...traffic].map((byte) => Buffer.from([byte]))));
  test("cut in two at every offset", async () => {
    for (let at = 0; at <= traffic.length; at++) await check([traffic.subarray(0, at), traffic.subarray(at)]);
  });
});

describe("interim responses", () => {
  test("1xx blocks are passed over", async () => {
    const { peer, client } = await rawServer();
    const answer = new Recorder();
    request(client, answer, { end: true });
    peer.send(
      headers(1, [[":status", "100"]]),
      headers(1, [
        [":status", "103"],
        ["link", "x"],
      ]),
    );
    peer.send(headers(1, [[":status", "200"]], { end: true }));
    await answer.over;
    assert.deepEqual(answer.headers, [[":status", "200"]]);
    assert.deepEqual(answer.events, ["headers"]);
    client.destroy();
  });
});
