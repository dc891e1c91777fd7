// docs/security.md shows every limit of the engine as it is.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { DEFAULT_LIMITS, LIMITS, type Limit } from "#src/http2/limits.js";

/** e.g. `64 KiB`, `5 min`, `33 per second`, `off` */
function shown({ value, unit }: Limit): string {
  if (value === Number.POSITIVE_INFINITY) return "off";
  const scaled = (steps: readonly (readonly [string, number])[]): string => {
    const [name, size] = steps.find(([, bytes]) => value % bytes === 0) ?? [unit, 1];
    return `${value / size} ${name}`;
  };
  if (unit === "bytes") {
    return scaled([
      ["MiB", 1024 * 1024],
      ["KiB", 1024],
    ]);
  }
  if (unit === "ms") {
    return scaled([
      ["h", 3_600_000],
      ["min", 60_000],
      ["s", 1000],
    ]);
  }
  return unit === "" ? String(value) : `${value} ${unit}`;
}

const expected = Object.entries<Limit>(LIMITS).map(
  ([name, limit]) => `| \`${name}\` | ${shown(limit)} | ${limit.reason} | ${limit.source} |`,
);

describe("the limits of the wire", () => {
  test("are in docs/security.md with default, reason and source", () => {
    const page = readFileSync("docs/security.md", "utf8");
    const rows = page
      .split("\n")
      .filter((line) => /^\| `\w+` +\|/.test(line))
      .map((line) => line.replace(/ +\|/g, " |"));
    assert.deepEqual(rows, expected, `the rows should be:\n${expected.join("\n")}`);
  });

  test("have each a value above 0, a reason and a source", () => {
    for (const [name, limit] of Object.entries<Limit>(LIMITS)) {
      assert.ok(limit.value > 0, name);
      assert.match(limit.reason, /\.$/, name);
      assert.notEqual(limit.source, "", name);
    }
    assert.equal(DEFAULT_LIMITS.maxConcurrentStreams, 256);
  });
});
