// The reader alone: the frames that it makes of bytes, however the bytes are cut.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { FrameReader, type FrameSink } from "#src/http2/frames/frame-reader.js";
import { HeaderAssembler } from "#src/http2/frames/header-assembler.js";
import { DEFAULT_LIMITS } from "#src/http2/wire/limits.js";
import { Flag, FrameType, PREFACE } from "#src/http2/wire/protocol.js";
import { data, frame, padded, SETTINGS_ACK, settings } from "../support/frames.js";

/** What a frame says, in one line. DATA in pieces is one line, as is one that comes whole. */
class Lines implements FrameSink {
  readonly lines: string[] = [];
  private body: Buffer[] = [];

  onFrame(type: number, flags: number, id: number, b: Buffer, start: number, end: number): void {
    this.lines.push(`${type} ${flags} ${id} ${b.toString("hex", start, end)}`);
  }

  onDataBegin(flags: number, id: number, length: number): void {
    this.lines.push(`begin ${flags} ${id} ${length}`);
  }

  onPadding(bytes: number, only: boolean): void {
    this.lines.push(`padding ${bytes}${only ? " only" : ""}`);
  }

  onData(chunk: Buffer, start: number, end: number, complete: boolean): void {
    this.body.push(Buffer.from(chunk.subarray(start, end)));
    if (!complete) return;
    this.lines.push(`data ${Buffer.concat(this.body).toString("hex")}`);
    this.body = [];
  }
}

function reading(role: "server" | "client"): { reader: FrameReader; sink: Lines } {
  const sink = new Lines();
  return { sink, reader: new FrameReader(role, sink, new HeaderAssembler(DEFAULT_LIMITS)) };
}

function read(role: "server" | "client", pieces: readonly Buffer[]): string[] {
  const { reader, sink } = reading(role);
  for (const piece of pieces) reader.read(piece);
  assert.equal(reader.unfinished, -1, "nothing is left of the last frame");
  return sink.lines;
}

describe("a frame reader", () => {
  test("passes on each frame with its type, flags, stream and payload", () => {
    const bytes = Buffer.concat([
      PREFACE,
      settings([3, 100]),
      frame(FrameType.HEADERS, Flag.END_HEADERS, 1, "abc"),
      data(1, Buffer.from("xyz"), true),
      frame(0xee, 0xff, 0x7fffffff, "?"),
      padded(FrameType.DATA, 0, 3, Buffer.from("p"), 4),
      padded(FrameType.DATA, 0, 3, Buffer.alloc(0), 255),
    ]);
    assert.deepEqual(read("server", [bytes]), [
      "4 0 0 000300000064",
      "1 4 1 616263",
      "begin 1 1 3",
      "data 78797a",
      "238 255 2147483647 3f",
      "begin 8 3 6",
      "padding 5",
      "data 70",
      "begin 8 3 256",
      "padding 256 only",
      "data ",
    ]);
  });

  test("makes the same of bytes however they are cut", () => {
    const bytes = fc.uint8Array({ maxLength: 30 }).map((b) => Buffer.from(b));
    const id = fc.nat(9);
    const any = fc.oneof(
      fc.tuple(fc.integer({ min: 1, max: 20 }), fc.nat(255), id, bytes).map((f) => frame(...f)),
      fc.tuple(id, bytes, fc.boolean()).map((d) => data(...d)),
      fc.tuple(id, bytes, fc.nat(255)).map(([i, b, pad]) => padded(FrameType.DATA, 0, i, b, pad)),
    );
    fc.assert(
      fc.property(fc.array(any, { maxLength: 12 }), fc.array(fc.nat(40)), (frames, cuts) => {
        const whole = Buffer.concat([PREFACE, SETTINGS_ACK, ...frames]);
        const pieces: Buffer[] = [];
        let at = 0;
        for (const cut of cuts) {
          pieces.push(whole.subarray(at, at + cut));
          at += cut;
        }
        pieces.push(whole.subarray(at));
        assert.deepEqual(read("server", pieces), read("server", [whole]));
      }),
    );
  });

  test("identifies an incomplete frame by a number of its own; not DATA", () => {
    const { reader } = reading("client");
    assert.equal(reader.unfinished, -1);
    reader.read(settings().subarray(0, 4));
    const first = reader.unfinished;
    assert.notEqual(first, -1);
    reader.read(
      Buffer.concat([settings().subarray(4), frame(FrameType.PING, 0, 0, "12345678").subarray(0, 12)]),
    );
    assert.notEqual(reader.unfinished, -1);
    assert.notEqual(reader.unfinished, first);
    reader.read(Buffer.concat([Buffer.from("45678"), data(1, Buffer.from("abc")).subarray(0, 10)]));
    assert.equal(reader.unfinished, -1);
  });

  test("reads nothing behind the frame at which it is stopped", () => {
    const { reader, sink } = reading("client");
    sink.onDataBegin = () => reader.stop();
    reader.read(
      Buffer.concat([settings(), data(1, Buffer.from("abc")), frame(FrameType.PING, 0, 0, "12345678")]),
    );
    assert.deepEqual(sink.lines, ["4 0 0 "]);
  });
});
