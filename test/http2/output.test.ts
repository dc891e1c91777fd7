// The way out: a buffer handed to the socket stays as it is until the socket is done with it, and few writes carry much.
import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { describe, test } from "node:test";
import { Connection } from "#src/http2/connection.js";
import { FrameType } from "#src/http2/wire/protocol.js";
import { headers, REQUEST } from "../support/frames.js";
import { echo, Owner, Recorder, rawClient, request, respond, trailersOf } from "../support/wire.js";

type Done = (error?: Error | null) => void;

/** One half of a transport that reads what it was given late, as a kernel with a full buffer does. */
class LateHalf extends Duplex {
  other: LateHalf | undefined = undefined;
  changed = 0;
  writes = 0;

  override _read(): void {}

  override _writev(chunks: { chunk: Buffer }[], done: Done): void {
    this.writes++;
    const before = chunks.map(({ chunk }) => Buffer.from(chunk));
    let turns = 4;
    const later = (): void => {
      if (turns-- > 0) {
        setImmediate(later);
        return;
      }
      chunks.forEach(({ chunk }, i) => {
        if (before[i]?.equals(chunk) !== true) this.changed++;
      });
      for (const chunk of before) this.other?.push(chunk);
      done();
    };
    later();
  }

  override _final(done: Done): void {
    this.other?.push(null);
    done();
  }
}

function latePair(): [LateHalf, LateHalf] {
  const a = new LateHalf();
  const b = new LateHalf();
  a.other = b;
  b.other = a;
  return [a, b];
}

describe("pooled buffers", () => {
  test("do not change while the socket may still read them, among many connections that share the pool", async () => {
    const halves: LateHalf[] = [];
    await Promise.all(
      Array.from({ length: 8 }, async (_, n) => {
        const [a, b] = latePair();
        halves.push(a, b);
        const owner = new Owner();
        const client = new Connection(a, { role: "client" }, owner);
        new Connection(b, { role: "server" }, new Owner(echo));
        await owner.ready;
        for (let round = 0; round < 10; round++) {
          const calls = Array.from({ length: 20 }, (_, i) => {
            const answer = new Recorder();
            const body = Buffer.alloc(
              ((i * 613 + n * 131 + round) % 7000) + (i === 3 ? 40_000 : 0),
              n * 20 + i,
            );
            request(client, answer).sendData(body, 0, body.length, true);
            return { answer, body };
          });
          for (const { answer, body } of calls) {
            await answer.over;
            assert.ok(answer.body.equals(body));
          }
        }
        client.destroy();
      }),
    );
    for (const half of halves) assert.equal(half.changed, 0);
  });

  test("are not reused when their connection is destroyed in the middle of a write", async () => {
    const [a, b] = latePair();
    const owner = new Owner();
    const client = new Connection(a, { role: "client" }, owner);
    new Connection(b, { role: "server" }, new Owner(echo));
    await owner.ready;
    for (let i = 0; i < 50; i++) request(client, new Recorder(), { end: true });
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(a.writableLength > 0, "a write is under way");
    a.destroy();
    const { peer, server } = await rawClient((stream) => {
      respond(stream, [[":status", "200"]], false);
      stream.sendTrailers(trailersOf(["x-a", "b".repeat(5000)]));
    });
    for (let i = 0; i < 20; i++) peer.send(headers(2 * i + 1, REQUEST, { end: true }));
    await peer.roundTrip();
    for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(a.changed, 0);
    server.destroy();
  });
});

test("what one turn answers leaves in one write", async () => {
  const { peer, server, socket } = await rawClient((stream) => {
    respond(stream, [[":status", "200"]], false);
    stream.sendData(Buffer.from("abc"), 0, 3, false);
    stream.sendTrailers(trailersOf(["grpc-status", "0"]));
  });
  let writes = 0;
  const write = socket.write.bind(socket);
  socket.write = (...args: unknown[]): boolean => {
    writes++;
    return Reflect.apply(write, socket, args);
  };
  peer.send(...Array.from({ length: 50 }, (_, i) => headers(2 * i + 1, REQUEST, { end: true })));
  await peer.until("all answers", () =>
    peer.frames.filter((f) => f.type === FrameType.DATA).length === 50 ? true : undefined,
  );
  assert.equal(writes, 1);
  server.destroy();
});

test("a very large header block goes out in frames of the peer's size, and leaves no large buffer behind", async () => {
  const value = "v".repeat(300_000);
  const { peer, server } = await rawClient((stream) => {
    respond(
      stream,
      [
        [":status", "200"],
        ["x-large", stream.id === 1 ? value : "small"],
      ],
      true,
    );
  });
  peer.send(headers(1, REQUEST, { end: true }), headers(3, REQUEST, { end: true }));
  await peer.frame(FrameType.HEADERS, 3);
  const parts = peer.frames.filter((f) => f.id === 1);
  assert.equal(parts[0]?.type, FrameType.HEADERS);
  assert.ok(parts.slice(1).every((f) => f.type === FrameType.CONTINUATION));
  assert.ok(parts.every((f) => f.payload.length <= 16_384));
  assert.deepEqual(
    parts.map((f) => f.flags & 4),
    [...parts.slice(1).map(() => 0), 4],
  );
  assert.ok(Buffer.concat(parts.map((f) => f.payload)).includes(value));
  server.destroy();
});
