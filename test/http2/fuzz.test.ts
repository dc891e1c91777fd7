// Whatever bytes come, in whatever pieces: no crash, no hang, no event after the end, and other connections live on.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { FrameType, PREFACE, Setting } from "#src/http2/wire/protocol.js";
import {
  data,
  type Fields,
  FrameReader,
  frame,
  goaway,
  headers,
  padded,
  ping,
  REQUEST,
  rst,
  SETTINGS_ACK,
  settings,
  u32,
  windowUpdate,
} from "../support/frames.js";
import { type Owner, Recorder, rawClient, rawServer, request, respond, trailersOf } from "../support/wire.js";

const RUNS = Number(process.env.FUZZ_RUNS ?? 500);

const id = fc.constantFrom(0, 1, 1, 1, 3, 3, 5, 7, 2, 0x7fffffff);
const small = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
const number = fc.oneof(fc.constantFrom(0, 1, 100, 65_535, 0x7fffffff), fc.nat());
const RESPONSE: Fields = [
  [":status", "200"],
  ["content-type", "text/plain"],
];
const fields = fc.constantFrom<Fields>(
  REQUEST,
  REQUEST,
  RESPONSE,
  RESPONSE,
  [["grpc-status", "0"]],
  [...REQUEST, ["content-length", "5"]],
  [["X", "y"]],
  [],
);

/** Frames that make sense about half of the time. */
const anyFrame = fc.oneof(
  fc.tuple(id, fields, fc.boolean()).map(([i, f, end]) => headers(i, f, { end })),
  fc.tuple(id, fields, fc.boolean()).map(([i, f, end]) => headers(i, f, { end, flags: 0 })),
  fc.tuple(id, fc.nat(5)).map(([i, flags]) => frame(FrameType.CONTINUATION, flags, i)),
  fc.tuple(id, small, fc.boolean()).map(([i, b, end]) => data(i, b, end)),
  fc.tuple(id, fc.nat(20_000)).map(([i, n]) => data(i, Buffer.alloc(n))),
  fc.tuple(id, small, fc.nat(255)).map(([i, b, pad]) => padded(FrameType.DATA, 0, i, b, pad)),
  fc.tuple(id, number).map(([i, n]) => windowUpdate(i, n)),
  fc.tuple(id, fc.nat(14)).map(([i, code]) => rst(i, code)),
  fc.tuple(fc.nat(8), number).map(([s, n]) => settings([s, n])),
  fc.constantFrom(
    ping(),
    SETTINGS_ACK,
    goaway(1),
    goaway(0x7fffffff),
    settings([Setting.INITIAL_WINDOW_SIZE, 10]),
  ),
  fc
    .tuple(id, number)
    .map(([i, n]) => frame(FrameType.PRIORITY, 0, i, Buffer.concat([u32(n), Buffer.from([1])]))),
  fc.tuple(fc.nat(255), fc.nat(255), id, small).map(([type, flags, i, b]) => frame(type, flags, i, b)),
);

interface Mutation {
  at: number;
  byte: number;
}

/** A conversation: frames, some bytes of them changed, cut into pieces. */
const conversation = fc.record({
  /** Requests that stand before the rest, so that more of it makes sense. */
  opened: fc.constantFrom(Buffer.alloc(0), headers(1), Buffer.concat([headers(1), headers(3), headers(5)])),
  frames: fc.array(anyFrame, { maxLength: 30 }),
  mutations: fc.array(fc.record({ at: fc.nat(2000), byte: fc.nat(255) }), { maxLength: 3 }),
  cuts: fc.array(fc.nat(300), { maxLength: 20 }),
});

function mutate(bytes: Buffer, mutations: readonly Mutation[]): Buffer {
  const b = Buffer.from(bytes);
  for (const { at, byte } of mutations) if (at < b.length) b[at] = byte;
  return b;
}

function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const parts: Buffer[] = [];
  let at = 0;
  for (const cut of cuts) {
    parts.push(bytes.subarray(at, at + cut));
    at += cut;
  }
  parts.push(bytes.subarray(at));
  return parts.filter((part) => part.length > 0);
}

/** What the engine promises its owner, whatever came. */
function checkEvents(recorders: readonly Recorder[], owner: Owner): void {
  for (const { events } of recorders) {
    const reset = events.indexOf("reset");
    assert.ok(reset === -1 || reset === events.length - 1, `nothing follows a reset: ${events}`);
    const trailers = events.indexOf("trailers");
    assert.ok(trailers === -1 || events.slice(trailers + 1).every((e) => e === "reset"), `${events}`);
    assert.ok(events.filter((e) => e === "headers").length <= 1);
  }
  assert.ok(owner.events.filter((e) => e === "close").length <= 1);
}

const quiet = async (turns: number): Promise<void> => {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
};

describe("the engine takes any bytes", () => {
  test("as a server", async () => {
    await fc.assert(
      fc.asyncProperty(conversation, fc.boolean(), async ({ opened, frames, mutations, cuts }, greets) => {
        const { peer, server, owner } = await rawClient(
          (stream) => {
            respond(stream, [[":status", "200"]], false);
            stream.sendData(Buffer.alloc(3000), 0, 3000, false);
            if (stream.id % 4 === 1) stream.sendTrailers(trailersOf(["grpc-status", "0"]));
            else stream.stopPeer();
          },
          { silent: true },
        );
        const faults: unknown[] = [];
        Object.assign(owner, { onFault: (error: unknown) => faults.push(error) });
        const hello = greets ? Buffer.concat([PREFACE, settings()]) : PREFACE;
        const bytes = Buffer.concat([hello, mutate(Buffer.concat([opened, ...frames]), mutations)]);
        for (const piece of pieces(bytes, cuts)) {
          peer.socket.write(piece);
          await quiet(1);
        }
        await quiet(4);
        server.destroy();
        await quiet(4);
        assert.deepEqual(faults, []);
        assert.equal(server.active, 0);
        assert.equal(await owner.closed, owner.closedBecause);
        checkEvents(owner.requests, owner);
        // All that it sent was whole frames.
        const sent = Buffer.concat(peer.frames.map((f) => frame(f.type, f.flags, f.id, f.payload)));
        assert.equal(new FrameReader(false).read(sent).length, peer.frames.length);
      }),
      { numRuns: RUNS },
    );
  });

  test("as a client", async () => {
    await fc.assert(
      fc.asyncProperty(conversation, async ({ frames, mutations, cuts }) => {
        const { peer, client, owner } = await rawServer();
        const faults: unknown[] = [];
        Object.assign(owner, { onFault: (error: unknown) => faults.push(error) });
        const recorders = Array.from({ length: 4 }, () => new Recorder());
        recorders.forEach((recorder, i) => {
          const stream = request(client, recorder);
          stream.sendData(Buffer.alloc(i * 20_000), 0, i * 20_000, i % 2 === 0);
        });
        for (const piece of pieces(mutate(Buffer.concat(frames), mutations), cuts)) {
          peer.socket.write(piece);
          await quiet(1);
        }
        await quiet(4);
        client.destroy();
        assert.deepEqual(faults, []);
        assert.equal(client.active, 0);
        await owner.closed;
        checkEvents(recorders, owner);
        for (const recorder of recorders) {
          assert.ok(recorder.ended || recorder.reset !== undefined, "every stream comes to an end");
        }
      }),
      { numRuns: RUNS },
    );
  });

  test("in any pieces with the same result", async () => {
    await fc.assert(
      fc.asyncProperty(conversation, async ({ opened, frames, mutations, cuts }) => {
        const bytes = Buffer.concat([
          PREFACE,
          settings(),
          mutate(Buffer.concat([opened, ...frames]), mutations),
        ]);
        const results: string[] = [];
        for (const parts of [[bytes], pieces(bytes, cuts)]) {
          const { peer, server, owner } = await rawClient(() => {}, { silent: true });
          for (const part of parts) peer.socket.write(part);
          await quiet(4);
          const bodies = owner.requests.map((r) => [
            r.headers,
            r.body.toString("hex"),
            r.trailers,
            r.ended,
            r.reset,
          ]);
          results.push(JSON.stringify([bodies, owner.closedBecause]));
          server.destroy();
        }
        assert.equal(results[1], results[0]);
      }),
      { numRuns: RUNS },
    );
  });
});
