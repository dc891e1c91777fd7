// Sizes of config and flags.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatSize, parseSize } from "#src/config/size.js";

const MIN = 1;
const MAX = 4 * 1024 ** 3;

const TABLE: readonly (readonly [string, number | RegExp])[] = [
  ["1", 1],
  ["65536", 65_536],
  ["100B", 100],
  ["512KiB", 524_288],
  ["4MiB", 4_194_304],
  ["4GiB", MAX],
  ["5GiB", /from 1 to 4GiB/],
  ["0", /from 1 to 4GiB/],
  ["4MB", /such as 512KiB or 4MiB/],
  ["4 MiB", /such as/],
  ["4mib", /such as/],
  ["1.5MiB", /such as/],
  ["-1", /such as/],
  ["", /such as/],
  ["KiB", /such as/],
  ["1\n", /such as/],
];

for (const [text, expected] of TABLE) {
  test(`${JSON.stringify(text)} is ${expected}`, () => {
    const result = parseSize(text, MIN, MAX);
    if (typeof expected === "number") assert.deepEqual(result, { ok: true, value: expected });
    else assert.match(result.ok ? "accepted" : result.reason, expected);
  });
}

test("what is formatted parses to the same size", () => {
  const bytes = fc.oneof(
    fc.integer({ min: MIN, max: MAX }),
    fc
      .tuple(fc.integer({ min: 1, max: 4 }), fc.constantFrom(1024, 1024 ** 2, 1024 ** 3))
      .map(([n, unit]) => n * unit),
  );
  fc.assert(
    fc.property(bytes, (n) => assert.deepEqual(parseSize(formatSize(n), MIN, MAX), { ok: true, value: n })),
  );
});
