// Random blocks through encoder and decoder, and random bytes into the decoder.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { HpackDecoder, HpackError } from "#src/http2/hpack/decoder.js";
import { HpackEncoder, MAX_BEGIN_BYTES, maxFieldBytes } from "#src/http2/hpack/encoder.js";

interface Sent {
  readonly name: string;
  readonly value: string;
  readonly sensitive: boolean;
}

const latin1 = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  maxLength: 60,
});
// Few names and values, so that they come again, and now and then something else.
const name = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom(
      ":path",
      ":status",
      "te",
      "grpc-timeout",
      "x-a",
      "x-b",
      "date",
      "authorization",
      "accept-encoding",
    ),
  },
  { weight: 1, arbitrary: latin1 },
);
const value = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom(
      "",
      "0",
      "200",
      "/a.B/C",
      "/v1/x?y=z",
      "trailers",
      "gzip, deflate",
      "a longer value that is sent again",
    ),
  },
  { weight: 2, arbitrary: latin1 },
  { weight: 1, arbitrary: fc.integer({ min: 100, max: 700 }).map((length) => "long".repeat(length)) },
);
const field: fc.Arbitrary<Sent> = fc.record({
  name,
  value,
  sensitive: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
});
const tableSize = fc.constantFrom(0, 33, 64, 100, 300, 4096, 8192);
const block = fc.record({
  peerSizes: fc.oneof(
    { weight: 5, arbitrary: fc.constant<number[]>([]) },
    { weight: 1, arbitrary: fc.array(tableSize, { maxLength: 3 }) },
  ),
  fields: fc.array(field, { maxLength: 12 }),
  times: fc.integer({ min: 1, max: 4 }),
});

function encode(encoder: HpackEncoder, fields: readonly Sent[]): Buffer {
  const out = Buffer.alloc(fields.reduce((sum, f) => sum + maxFieldBytes(f.name, f.value), MAX_BEGIN_BYTES));
  let at = encoder.begin(out, 0);
  for (const f of fields) {
    const next = encoder.field(out, at, f.name, f.value, f.sensitive);
    assert.ok(next - at <= maxFieldBytes(f.name, f.value));
    at = next;
  }
  return out.subarray(0, at);
}

const CREDENTIALS = new Set(["authorization"]);

describe("HPACK as a whole", () => {
  it("gives every block back, whatever came before it and however the table's size moved", () => {
    fc.assert(
      fc.property(fc.array(block, { maxLength: 30 }), tableSize, (blocks, own) => {
        const encoder = new HpackEncoder({ maxTableBytes: own });
        const decoder = new HpackDecoder({ maxTableBytes: 8192, maxListBytes: 1 << 20 });
        for (const { peerSizes, fields, times } of blocks) {
          for (const bytes of peerSizes) encoder.setPeerTableSize(bytes);
          for (let i = 0; i < times; i++) {
            const bytes = encode(encoder, fields);
            const decoded = decoder.decode(bytes, 0, bytes.length);
            assert.deepEqual(
              decoded.fields.map((f) => [f.name, f.value, f.sensitive]),
              fields.map((f) => [f.name, f.value, f.sensitive || CREDENTIALS.has(f.name)]),
            );
            assert.equal(decoder.tableBytes, encoder.tableBytes);
            assert.ok(encoder.tableBytes <= own);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it("decodes a block from memory to what it decodes to without", () => {
    // A literal of 1152 bytes at the end makes a block too large to be remembered.
    const padding = Buffer.from(`0001707f8108${"78".repeat(1152)}`, "hex");
    fc.assert(
      fc.property(fc.array(block, { maxLength: 20 }), (blocks) => {
        const encoder = new HpackEncoder();
        const remembering = new HpackDecoder({ maxListBytes: 1 << 20 });
        const plain = new HpackDecoder({ maxListBytes: 1 << 20 });
        for (const { fields, times } of blocks) {
          for (let i = 0; i < times + 2; i++) {
            const bytes = encode(encoder, fields);
            const padded = Buffer.concat([bytes, padding]);
            assert.deepEqual(
              remembering.decode(bytes, 0, bytes.length).fields,
              plain.decode(padded, 0, padded.length).fields.slice(0, -1),
            );
            assert.equal(remembering.tableBytes, plain.tableBytes);
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  /** Decodes until it throws, which must be HpackError; the table must stay within its bound. */
  function feed(decoder: HpackDecoder, bytes: Buffer): boolean {
    try {
      const decoded = decoder.decode(bytes, 0, bytes.length);
      assert.ok(decoded.fields.length <= 128);
      assert.ok(decoder.tableBytes <= 4096);
      return true;
    } catch (error) {
      assert.ok(error instanceof HpackError, String(error));
      return false;
    }
  }

  it("answers random bytes with fields or HpackError", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 }), (blocks) => {
        const decoder = new HpackDecoder();
        for (const bytes of blocks) if (!feed(decoder, Buffer.from(bytes))) break;
      }),
      { numRuns: 3000 },
    );
  });

  it("answers real blocks with bytes changed, cut or doubled with fields or HpackError", () => {
    const change = fc.record({
      at: fc.nat(),
      byte: fc.integer({ min: 0, max: 255 }),
      kind: fc.constantFrom("set", "cut", "insert"),
    });
    fc.assert(
      fc.property(
        fc.array(fc.record({ fields: fc.array(field, { maxLength: 8 }), change }), { maxLength: 12 }),
        (blocks) => {
          const encoder = new HpackEncoder();
          const decoder = new HpackDecoder();
          for (const { fields, change } of blocks) {
            let bytes = Buffer.from(encode(encoder, fields));
            const at = bytes.length === 0 ? 0 : change.at % bytes.length;
            if (change.kind === "set" && bytes.length > 0) bytes[at] = change.byte;
            else if (change.kind === "cut") bytes = bytes.subarray(0, at);
            else bytes = Buffer.concat([bytes.subarray(0, at), Buffer.of(change.byte), bytes.subarray(at)]);
            if (!feed(decoder, bytes)) break;
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});
