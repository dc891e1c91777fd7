// What one read brings is looked at in slices: a turn of the event loop takes no more than it has room for, whatever
// came; credit goes back for what was taken. Counted in turns and messages, not in time.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { frameMessage } from "#src/call/messages.js";
import { Code, type Status } from "#src/call/status/status.js";
import type { BodyForm } from "#src/call/transcoding.js";
import { BodySlices } from "#src/downstream/protocols/transcoded/body-slices.js";
import { ResponseMessages } from "#src/downstream/protocols/transcoded/response-messages.js";
import { MESSAGE_BYTES, Slices, TURN_BYTES } from "#src/kit/slices.js";
import { until } from "../../../support/until.js";

const KIB = 1024;

class Answer {
  readonly slices = new Slices();
  holdsService = false;
  readonly sizes: number[] = [];
  taken = 0;
  broken: Status | undefined = undefined;
  whole: boolean | undefined = undefined;
  /** Holds after each message. */
  slow = false;
  readonly messages: ResponseMessages;

  constructor(encoding?: string, maxBytes = 4 * KIB * KIB) {
    this.messages = new ResponseMessages(this, maxBytes, encoding, this.slices);
  }

  onMessage(message: Buffer): void {
    this.sizes.push(message.length);
    if (this.slow) this.holdsService = true;
  }
  onTaken(bytes: number): void {
    this.taken += bytes;
  }
  onBroken(status: Status): void {
    this.broken = status;
  }
  onFault(error: unknown): void {
    throw error;
  }
  onAllMessages(whole: boolean): void {
    this.whole = whole;
  }

  push(bytes: Buffer): void {
    this.messages.push(bytes, 0, bytes.length);
  }
  release(): void {
    this.holdsService = false;
    this.messages.soon();
  }
}

function packed(message: Buffer): Buffer {
  const frame = frameMessage(gzipSync(message));
  frame[0] = 1;
  return frame;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("an answer's messages", () => {
  it("of a usual size come at once, and so does their end", () => {
    const answer = new Answer();
    answer.push(Buffer.concat([frameMessage(Buffer.alloc(100)), frameMessage(Buffer.alloc(2000))]));
    answer.messages.end();
    assert.deepEqual([answer.sizes, answer.taken, answer.whole], [[100, 2000], 2110, true]);
  });

  it("that are thousands in one read take many turns, and their bytes are given back after the last", async () => {
    const answer = new Answer();
    const chunk = Buffer.alloc(65_535);
    answer.push(chunk);
    answer.messages.end();
    const perTurn = TURN_BYTES / MESSAGE_BYTES;
    for (let turns = 1; answer.whole === undefined; turns++) {
      assert.ok(answer.sizes.length <= turns * (perTurn + 1), `${answer.sizes.length} in ${turns} turns`);
      assert.equal(answer.taken, 0);
      await turn();
    }
    assert.deepEqual([answer.sizes.length, answer.taken, answer.whole], [13_107, 65_535, true]);
    assert.ok(answer.slices.turns >= 25, `${answer.slices.turns} turns`);
  });

  it("that end in the same turn on many calls share that turn", async () => {
    const slices = new Slices();
    let done = 0;
    const calls = Array.from({ length: 100 }, () => {
      const owner = {
        holdsService: false,
        onMessage: () => {},
        onTaken: () => {},
        onBroken: () => assert.fail(),
        onFault: () => assert.fail(),
      };
      return new ResponseMessages(
        { ...owner, onAllMessages: () => void done++ },
        KIB * KIB,
        undefined,
        slices,
      );
    });
    const frame = frameMessage(Buffer.alloc(60_000));
    for (const call of calls) call.push(frame.subarray(0, 60_000), 0, 60_000);
    for (const call of calls) {
      call.push(frame.subarray(60_000), 0, 5);
      call.end();
    }
    for (let turns = 1; done < 100; turns++) {
      assert.ok(done <= 6 * turns, `${done} in ${turns} turns`);
      await turn();
    }
  });

  it("that unpack a thousandfold are unpacked one at a time, as the client takes them", async () => {
    const answer = new Answer("gzip");
    answer.slow = true;
    const bomb = packed(Buffer.alloc(KIB * KIB));
    const count = Math.floor(65_536 / bomb.length);
    assert.ok(count > 50);
    answer.push(Buffer.concat(Array.from({ length: count }, () => bomb)));
    answer.messages.end();
    for (let n = 1; n <= count; n++) {
      await until(() => answer.sizes.length >= n, `message ${n}`);
      await turn();
      assert.equal(answer.sizes.length, n);
      if (n < count) assert.equal(answer.taken, 0);
      answer.release();
    }
    await until(() => answer.whole === true, "the end");
    assert.equal(answer.taken, count * bomb.length);
  });

  it("keep their order, packed small or large or not at all", async () => {
    const sizes = [10, 100_000, 20, 0, 300_000, 5];
    const answer = new Answer("gzip");
    answer.push(Buffer.concat(sizes.map((n, i) => (i % 3 === 2 ? frameMessage : packed)(Buffer.alloc(n)))));
    answer.messages.end();
    await until(() => answer.whole === true, "the end");
    assert.deepEqual(answer.sizes, sizes);
  });

  it("are refused where they unpack to more than a message may have, or are no gzip", async () => {
    for (const [bytes, code] of [
      [packed(Buffer.alloc(KIB * KIB + 1)), Code.RESOURCE_EXHAUSTED],
      [Buffer.from("\x01\0\0\0\x03abc", "latin1"), Code.INTERNAL],
    ] as const) {
      const answer = new Answer("gzip", KIB * KIB);
      answer.push(bytes);
      await until(() => answer.broken !== undefined, "the refusal");
      assert.equal(answer.broken?.code, code);
    }
  });

  it("are dropped once the call has ended, in a thread of zlib too", async () => {
    const answer = new Answer("gzip");
    answer.push(packed(Buffer.alloc(KIB * KIB)));
    answer.messages.stop();
    await until(() => process.getActiveResourcesInfo().every((name) => !/ZLIB/i.test(name)), "zlib's end");
    assert.deepEqual([answer.sizes, answer.whole], [[], undefined]);
  });
});

class Body {
  holdsClient = false;
  bytes = 0;
  ended = false;
  readonly pieces: number[] = [];
  readonly body: BodySlices;
  readonly slices: Slices;

  constructor(form: BodyForm, slices = new Slices()) {
    this.slices = slices;
    this.body = new BodySlices(this, form, slices);
  }

  onFault(error: unknown): void {
    throw error;
  }

  onSlice(_chunk: Buffer, start: number, end: number, last: boolean): void {
    this.pieces.push(end - start);
    this.bytes += end - start;
    // As if each two bytes were a message.
    if (this.body !== undefined && !this.ended) this.slices.spend(((end - start) / 2) * MESSAGE_BYTES);
    this.ended = last;
  }
}

describe("a request's body", () => {
  it("of small messages is read by pieces, a turn for each that has work enough", async () => {
    const stream = new Body("stream");
    stream.body.push(Buffer.alloc(64 * KIB), 0, 64 * KIB, true);
    for (let turns = 1; !stream.ended; turns++) {
      assert.ok(stream.pieces.length <= turns, `${stream.pieces.length} pieces in ${turns} turns`);
      await turn();
    }
    assert.deepEqual([stream.bytes, Math.max(...stream.pieces)], [64 * KIB, 4 * KIB]);
  });

  it("waits while the client is held, and continues", async () => {
    const stream = new Body("stream");
    stream.holdsClient = true;
    stream.body.push(Buffer.alloc(5000), 0, 5000, true);
    await turn();
    assert.deepEqual([stream.bytes, stream.body.behind], [0, true]);
    stream.holdsClient = false;
    stream.body.soon();
    assert.equal(stream.bytes, 0, "not within the call");
    await until(() => stream.ended, "its end");
    assert.equal(stream.bytes, 5000);
  });

  it("that is a frame is not cut, and dropped bytes are counted", () => {
    const frames = new Body("pieces");
    frames.body.push(Buffer.alloc(50_000), 0, 50_000, false);
    assert.deepEqual(frames.pieces, [50_000]);
    frames.body.push(Buffer.alloc(300), 0, 300, false);
    assert.equal(frames.body.stop(), 300);
    frames.body.push(Buffer.alloc(300), 0, 300, true);
    assert.deepEqual(frames.pieces, [50_000]);
  });

  it("that is collected shares a turn with others only at its end", async () => {
    const slices = new Slices();
    const bodies = Array.from({ length: 100 }, () => new Body("collected", new Slices()));
    const all = bodies.map((body) => new BodySlices(body, "collected", slices));
    const done = (): number => bodies.filter(({ ended }) => ended).length;
    for (const body of all) body.push(Buffer.alloc(60_000), 0, 60_000, false);
    assert.ok(
      bodies.every(({ bytes }) => bytes === 60_000),
      "nothing waits before",
    );
    for (const body of all) body.push(Buffer.alloc(1), 0, 1, true);
    for (let turns = 1; done() < 100; turns++) {
      assert.ok(done() <= 6 * turns, `${done()} in ${turns} turns`);
      await turn();
    }
  });
});
