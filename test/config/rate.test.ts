// Rates of the config.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatRate, MAX_RATE_COUNT, parseRate } from "#src/config/rate.js";

const TABLE: readonly (readonly [string, readonly [number, number] | RegExp])[] = [
  ["100/s", [100, 1_000]],
  ["60000/min", [60_000, 60_000]],
  ["5/h", [5, 3_600_000]],
  ["1000000000/s", [1_000_000_000, 1_000]],
  ["1000000001/s", /from 1 to 1000000000/],
  ["0/s", /from 1 to/],
  ["100", /such as 100\/s/],
  ["100/m", /such as/],
  ["100 / s", /such as/],
  ["1.5/s", /such as/],
  ["-1/s", /such as/],
  ["100/s\n", /such as/],
  ["", /such as/],
];

for (const [text, expected] of TABLE) {
  test(`${JSON.stringify(text)} is ${expected}`, () => {
    const result = parseRate(text);
    if (expected instanceof RegExp) assert.ok(!result.ok && expected.test(result.reason));
    else assert.deepEqual(result, { ok: true, value: { count: expected[0], perMs: expected[1] } });
  });
}

test("any rate prints as what parses to it; any text is read or refused", () => {
  const unit = fc.constantFrom("s", "min", "h");
  fc.assert(
    fc.property(fc.integer({ min: 1, max: MAX_RATE_COUNT }), unit, (count, per) => {
      const result = parseRate(`${count}/${per}`);
      assert.ok(result.ok);
      assert.equal(formatRate(result.value), `${count}/${per}`);
    }),
  );
  fc.assert(fc.property(fc.string(), (text) => typeof parseRate(text).ok === "boolean"));
});
