import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { type Direction, frameMessage, MessageSplitter, PREFIX_BYTES } from "#src/call/messages.js";
import { Code, type Status } from "#src/call/status/status.js";

const LIMIT = 1000;

function compressed(bytes: Uint8Array): Buffer {
  const frame = frameMessage(bytes);
  frame[0] = 1;
  return frame;
}

/** Feeds a body cut at the given places; what came out, and what was wrong. */
function split(
  body: Buffer,
  cuts: readonly number[],
  encoding?: string,
  limit = LIMIT,
  direction?: Direction,
): { messages: Buffer[]; problem: Status | undefined; whole: boolean } {
  const splitter = new MessageSplitter(limit, encoding, direction);
  const messages: Buffer[] = [];
  const places = [0, ...cuts.map((c) => Math.min(c, body.length)).sort((a, b) => a - b), body.length];
  // Each piece lies in a buffer of its own, with other bytes around it.
  for (let i = 0; i + 1 < places.length; i++) {
    const piece = Buffer.concat([
      Buffer.from("<<"),
      body.subarray(places[i], places[i + 1]),
      Buffer.from(">>"),
    ]);
    const problem = splitter.push(piece, 2, piece.length - 2, {
      onMessage: (m) => void messages.push(Buffer.from(m)),
    });
    if (problem !== undefined) return { messages, problem, whole: splitter.atBoundary };
  }
  return { messages, problem: undefined, whole: splitter.atBoundary };
}

/** Of the ErrorInfo: the first field, a text. */
function reasonOf({ details }: Status): string {
  const value = Buffer.from(details[0]?.value ?? []);
  return value.toString("latin1", 2, 2 + (value[1] ?? 0));
}

describe("messages in a gRPC body", () => {
  it("frames a message by its length, not compressed", () => {
    assert.deepEqual([...frameMessage(Buffer.from("abc"))], [0, 0, 0, 0, 3, 97, 98, 99]);
    assert.deepEqual([...frameMessage(new Uint8Array(0))], [0, 0, 0, 0, 0]);
    assert.equal(frameMessage(new Uint8Array(70_000)).readUInt32BE(1), 70_000);
  });

  const contents = ["first", "", "third and last"];
  const body = Buffer.concat(contents.map((c) => frameMessage(Buffer.from(c))));

  it("are the same wherever the body is cut", () => {
    for (let a = 0; a <= body.length; a++) {
      for (let b = a; b <= body.length; b++) {
        const { messages, problem, whole } = split(body, [a, b]);
        assert.equal(problem, undefined);
        assert.deepEqual(messages.map(String), contents, `cut at ${a} and ${b}`);
        assert.ok(whole);
      }
    }
  });

  it("are the same byte by byte", () => {
    const everywhere = Array.from({ length: body.length }, (_, i) => i);
    assert.deepEqual(split(body, everywhere).messages.map(String), contents);
  });

  it("that end early are seen to be cut short", () => {
    const boundaries = new Set([0, 10, 15, body.length]);
    for (let end = 0; end <= body.length; end++) {
      assert.equal(split(body.subarray(0, end), []).whole, boundaries.has(end), `${end} bytes`);
    }
  });

  const payload = Buffer.from("the same text, again and again, ".repeat(20));
  for (const [encoding, bytes] of [
    ["gzip", gzipSync(payload)],
    ["deflate", deflateSync(payload)],
  ] as const) {
    it(`are decompressed from ${encoding}, wherever they are cut`, () => {
      const mixed = Buffer.concat([compressed(bytes), frameMessage(Buffer.from("plain")), compressed(bytes)]);
      for (let at = 0; at <= mixed.length; at++) {
        const { messages, problem } = split(mixed, [at], encoding);
        assert.equal(problem, undefined);
        assert.deepEqual(messages.map(String), [String(payload), "plain", String(payload)]);
      }
    });

    it(`in ${encoding} that are broken are INTERNAL`, () => {
      for (const broken of [bytes.subarray(0, 10), Buffer.from("not compressed"), Buffer.alloc(0)]) {
        const { problem } = split(compressed(broken), [], encoding);
        assert.equal(problem?.code, Code.INTERNAL);
        assert.match(problem.message, new RegExp(encoding));
      }
    });

    it(`in ${encoding} are held to the limit after decompression`, () => {
      const { problem, messages } = split(compressed(bytes), [], encoding, payload.length - 1);
      assert.equal(problem?.code, Code.RESOURCE_EXHAUSTED);
      assert.match(problem.message, new RegExp(`limit of ${payload.length - 1} bytes`));
      assert.deepEqual(messages, []);
      assert.equal(split(compressed(bytes), [], encoding, payload.length).problem, undefined);
    });
  }

  it("in gzip cannot be a bomb", () => {
    const bomb = gzipSync(Buffer.alloc(50 * 1024 * 1024));
    const before = process.memoryUsage().rss;
    assert.equal(split(compressed(bomb), [], "gzip", 100_000).problem?.code, Code.RESOURCE_EXHAUSTED);
    assert.ok(process.memoryUsage().rss - before < 40 * 1024 * 1024);
  });

  const refused: [what: string, body: Buffer, encoding: string | undefined, code: number, message: RegExp][] =
    [
      [
        "larger than the limit",
        frameMessage(Buffer.alloc(LIMIT + 1)),
        undefined,
        Code.RESOURCE_EXHAUSTED,
        /1001 bytes.*1000 bytes/,
      ],
      [
        "said to be of 4 GiB",
        Buffer.from([0, 255, 255, 255, 255]),
        undefined,
        Code.RESOURCE_EXHAUSTED,
        /4294967295/,
      ],
      [
        "compressed, though no encoding was named",
        compressed(gzipSync("x")),
        undefined,
        Code.INTERNAL,
        /no grpc-encoding/,
      ],
      [
        "compressed, though the encoding is identity",
        compressed(gzipSync("x")),
        "identity",
        Code.INTERNAL,
        /no grpc-encoding/,
      ],
      [
        "in an encoding that we do not have",
        compressed(Buffer.from("x")),
        "br",
        Code.UNIMPLEMENTED,
        /"br".*gzip/,
      ],
      ["in raw deflate", compressed(deflateRawSync("x")), "deflate", Code.INTERNAL, /deflate/],
      [
        "with a flag that is neither 0 nor 1",
        Buffer.from([2, 0, 0, 0, 0]),
        undefined,
        Code.INTERNAL,
        /flag 2/,
      ],
    ];
  for (const [what, bytes, encoding, code, message] of refused) {
    it(`${what} are refused`, () => {
      const { problem } = split(bytes, [], encoding);
      assert.equal(problem?.code, code);
      assert.match(problem.message, message);
      // Told as the fault of whoever sent them.
      assert.match(reasonOf(problem), /^(?:UPSTREAM_PROTOCOL_ERROR|RESPONSE_TOO_LARGE)$/);
      const sent = split(bytes, [], encoding, LIMIT, "request").problem;
      assert.equal(sent?.code, code);
      assert.match(reasonOf(sent), /^(?:INVALID_GRPC_REQUEST|MESSAGE_TOO_LARGE)$/);
    });
  }

  it("of exactly the limit pass, and what is not compressed passes in any encoding", () => {
    assert.equal(split(frameMessage(Buffer.alloc(LIMIT)), [3]).messages[0]?.length, LIMIT);
    assert.deepEqual(split(frameMessage(Buffer.from("x")), [], "br").messages.map(String), ["x"]);
  });

  it("are unchanged, whatever they are and however they are cut", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ bytes: fc.uint8Array({ maxLength: 300 }), zip: fc.boolean() }), {
          maxLength: 8,
        }),
        fc.array(fc.nat(3000), { maxLength: 12 }),
        (list, cuts) => {
          const frames = list.map((m) => (m.zip ? compressed(gzipSync(m.bytes)) : frameMessage(m.bytes)));
          const { messages, problem, whole } = split(Buffer.concat(frames), cuts, "gzip");
          assert.equal(problem, undefined);
          assert.ok(whole);
          assert.deepEqual(
            messages,
            list.map((m) => Buffer.from(m.bytes)),
          );
        },
      ),
    );
  });

  it("never crash the reader, whatever the bytes", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 400 }),
        fc.array(fc.nat(400), { maxLength: 5 }),
        fc.constantFrom(undefined, "identity", "gzip", "deflate", "zstd"),
        (bytes, cuts, encoding) => {
          // Short lengths, so that most prefixes are plausible.
          const body = Buffer.from(bytes);
          for (let i = 0; i + PREFIX_BYTES <= body.length; i += 37) body.set([body[i] ?? 0 & 1, 0, 0, 0], i);
          const { messages, problem } = split(body, cuts, encoding);
          for (const m of messages) assert.ok(m.length <= LIMIT);
          assert.ok(problem === undefined || problem.code !== Code.OK);
        },
      ),
      { numRuns: 500 },
    );
  });
});
