import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BytesOut } from "#src/transcoding/codec/bytes-out.js";

describe("unsigned integers of 64 bits", () => {
  const out = new BytesOut();
  const digits = (value: bigint): string => {
    out.uint64(Number(value & 0xffffffffn), Number(value >> 32n));
    return out.take().toString("latin1");
  };

  it("around each power of two and of ten", () => {
    const edges = Array.from({ length: 64 }, (_, i) => 1n << BigInt(i));
    for (let ten = 1n; ten < 1n << 64n; ten *= 10n) edges.push(ten);
    for (const edge of edges) {
      for (const value of [edge - 1n, edge, edge + 1n]) assert.equal(digits(value), String(value));
    }
    assert.equal(digits((1n << 64n) - 1n), "18446744073709551615");
  });

  it("of any digits", () => {
    let value = 1n;
    for (let i = 0; i < 20_000; i++) {
      // Knuth's MMIX generator, and fewer bits of it in turn.
      value = BigInt.asUintN(64, value * 6364136223846793005n + 1442695040888963407n);
      const some = value >> BigInt(i % 64);
      assert.equal(digits(some), String(some));
    }
  });
});
