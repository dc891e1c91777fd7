// Durations of config and flags.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatDuration, MAX_DURATION_MS, parseDuration } from "#src/config/duration.js";

const TABLE: readonly (readonly [string, number | RegExp])[] = [
  ["250ms", 250],
  ["15s", 15_000],
  ["2m", 120_000],
  ["1h", 3_600_000],
  ["0s", 0],
  ["1.5s", 1_500],
  ["0.1s", 100],
  ["0.001s", 1],
  ["576h", MAX_DURATION_MS],
  ["577h", /from 0s to 576h/],
  ["0.5ms", /whole number of milliseconds/],
  ["15", /must have a unit: 15ms, 15s, 15m or 15h/],
  ["", /such as 250ms/],
  ["s", /such as/],
  ["-1s", /such as/],
  ["1 s", /such as/],
  ["1S", /such as/],
  ["1m30s", /such as/],
  ["١s", /such as/],
  ["1e3s", /such as/],
  ["15s\n", /such as/],
  ["9999999999999999s", /such as/],
];

for (const [text, expected] of TABLE) {
  test(`${JSON.stringify(text)} is ${expected}`, () => {
    const result = parseDuration(text);
    if (typeof expected === "number") assert.deepEqual(result, { ok: true, value: expected });
    else assert.match(result.ok ? "accepted" : result.reason, expected);
  });
}

test("a lower bound is inclusive, and named in the refusal", () => {
  assert.deepEqual(parseDuration("1ms", { minMs: 1 }), { ok: true, value: 1 });
  const zero = parseDuration("0s", { minMs: 1 });
  assert.match(zero.ok ? "accepted" : zero.reason, /from 1ms to/);
});

test("what is formatted parses to the same duration", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: MAX_DURATION_MS }), (ms) => {
      assert.deepEqual(parseDuration(formatDuration(ms)), { ok: true, value: ms });
    }),
  );
});

test("no text makes it throw, and what it accepts is whole and in range", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[\d.]{0,8}(ms|s|m|h)?$/)), (text) => {
      const result = parseDuration(text);
      if (result.ok)
        assert.ok(Number.isInteger(result.value) && result.value >= 0 && result.value <= MAX_DURATION_MS);
    }),
  );
});
