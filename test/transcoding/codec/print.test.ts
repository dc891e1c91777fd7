// Values print as JavaScript and JSON have them, whichever of the ways for short and long ones they take.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { BytesOut } from "#src/transcoding/codec/bytes-out.js";
import { printDouble, printString, viewOf } from "#src/transcoding/codec/print.js";
import { writeTimestamp } from "#src/transcoding/codec/times.js";

const out = new BytesOut();

function printed(print: (to: BytesOut) => void): string {
  print(out);
  return out.take().toString();
}

function stringOf(bytes: Buffer): string {
  // With bytes around it that are not its own.
  const around = Buffer.concat([Buffer.from('"\n'), bytes, Buffer.from('\\\xff"', "latin1")]);
  return printed((to) => printString(around, viewOf(around), 2, 2 + bytes.length, true, to));
}

describe("printing values", () => {
  it("escapes what JSON escapes, wherever it stands", () => {
    for (const char of ['"', "\\", "\n", "\0", "\x1f", "\x7f", " ", "é", "€", "📚", "!", "#", "[", "]"]) {
      for (let before = 0; before < 13; before++) {
        for (let after = 0; after < 9; after++) {
          const text = "x".repeat(before) + char + "~".repeat(after);
          assert.equal(stringOf(Buffer.from(text)), JSON.stringify(text));
        }
      }
    }
  });

  it("prints any text as JSON.stringify does", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 60 }), (text) => {
        assert.equal(stringOf(Buffer.from(text)), JSON.stringify(text));
      }),
    );
  });

  it("prints a double with as few digits as tell it from others", () => {
    const decimals = fc
      .tuple(fc.integer({ min: -(2 ** 31), max: 2 ** 31 }), fc.integer({ min: 0, max: 9 }))
      .map(([digits, places]) => digits / 10 ** places);
    const products = fc.tuple(decimals, decimals).map(([a, b]) => a * b);
    fc.assert(
      fc.property(fc.oneof(fc.double(), decimals, products), (value) => {
        const text = Number.isFinite(value)
          ? Object.is(value, -0)
            ? "-0"
            : String(value)
          : JSON.stringify(String(value));
        const ours = printed((to) => printDouble(value, to));
        assert.equal(ours, text);
      }),
      { numRuns: 20_000 },
    );
  });

  it("prints a Timestamp as Date does", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -62_135_596_800, max: 253_402_300_799 }),
        fc.integer({ min: 0, max: 999 }),
        (seconds, millis) => {
          const iso = new Date(seconds * 1000 + millis).toISOString();
          const text = millis === 0 ? iso.replace(".000Z", "Z") : iso;
          const ours = printed((to) => assert.equal(writeTimestamp(seconds, millis * 1e6, to), undefined));
          assert.equal(ours, JSON.stringify(text));
        },
      ),
      { numRuns: 5000 },
    );
  });
});
