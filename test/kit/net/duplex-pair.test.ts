import assert from "node:assert/strict";
import { once } from "node:events";
import type { Duplex } from "node:stream";
import { describe, it } from "node:test";
import { duplexPair } from "#src/kit/net/duplex-pair.js";

/** What comes until the end. (The helpers of node:stream destroy a stream that they have read to its end.) */
function text(stream: Duplex): Promise<string> {
  return new Promise((resolve, reject) => {
    let all = "";
    stream.on("data", (chunk: Buffer) => {
      all += String(chunk);
    });
    stream.on("end", () => resolve(all));
    stream.on("close", () => reject(new Error("closed before its end")));
  });
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn();
}

describe("a pair of streams", () => {
  it("carries bytes both ways, in order, and ends each way on its own", async () => {
    const [a, b] = duplexPair();
    a.write("one ");
    a.write("two");
    a.end();
    assert.equal(await text(b), "one two");
    b.write("answer after the other way's end");
    b.end();
    assert.equal(await text(a), "answer after the other way's end");
    await turns(3);
    assert.ok(a.destroyed && b.destroyed, "nothing is left open");
  });

  it("does not let the writer's buffer be reused under the reader", async () => {
    const [a, b] = duplexPair();
    const buffer = Buffer.from("before");
    await new Promise((resolve) => a.write(buffer, resolve));
    buffer.fill("x");
    assert.equal(String(b.read()), "before");
  });

  it("holds the writer back while the other side does not read", async () => {
    const [a, b] = duplexPair();
    const chunk = Buffer.alloc(16 * 1024);
    let written = 0;
    for (let i = 0; i < 64; i++) a.write(chunk, () => written++);
    await turns(5);
    assert.ok(
      written * chunk.length <= b.readableHighWaterMark + chunk.length,
      `${written} chunks were taken unread`,
    );
    assert.ok(a.writableNeedDrain);
    let got = 0;
    b.on("data", (bytes: Buffer) => {
      got += bytes.length;
    });
    await once(a, "drain");
    await turns(20);
    assert.equal(got, 64 * chunk.length);
    assert.equal(written, 64);
  });

  it("keeps what was written before the end for a reader that comes late", async () => {
    const [a, b] = duplexPair();
    b.end("from b");
    a.end("from a");
    assert.equal(await text(a), "from b");
    // a is now done both ways, and closes; what it wrote before is still to be read.
    await turns(5);
    assert.equal(await text(b), "from a");
  });

  const ways: [how: string, break_: (a: Duplex) => void][] = [
    ["destroyed", (a) => a.destroy()],
    ["destroyed with an error", (a) => a.on("error", () => {}).destroy(new Error("broken"))],
  ];
  for (const [how, breakIt] of ways) {
    it(`closes the other when one is ${how}, without an error there`, async () => {
      const [a, b] = duplexPair();
      const errors: Error[] = [];
      b.on("error", (e) => errors.push(e));
      b.resume();
      breakIt(a);
      await once(b, "close");
      assert.ok(b.destroyed);
      assert.deepEqual(errors, []);
    });

    it(`lets go of a writer that waited when the other is ${how}`, async () => {
      const [a, b] = duplexPair();
      b.on("error", () => {});
      const ended: unknown[] = [];
      for (let i = 0; i < 8; i++) b.write(Buffer.alloc(64 * 1024), (error) => ended.push(error));
      breakIt(a);
      await once(b, "close");
      await turns(2);
      assert.equal(ended.length, 8);
    });
  }
});
