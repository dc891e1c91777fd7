// Histograms in flat arrays: what goes in comes out, bounded.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DURATION_BOUNDS, Durations } from "#src/telemetry/metrics/durations.js";

const COLUMNS = [{ code: "OK" }, { code: "BAD" }];
const OTHER = { method: "_OTHER" };
const make = (maxRows?: number): Durations =>
  new Durations({
    name: "d",
    help: "h",
    columns: COLUMNS,
    other: OTHER,
    ...(maxRows === undefined ? {} : { maxRows }),
  });

test("every record is in one bucket of its own series, and in its sum", () => {
  const record = fc.tuple(fc.nat(70), fc.nat(1), fc.double({ min: 0, max: 200_000, noNaN: true }));
  fc.assert(
    fc.property(fc.array(record, { maxLength: 300 }), (records) => {
      const durations = make();
      for (const [method, column, ms] of records) {
        durations.record(durations.row({ method: `m${method}` }), column, ms);
      }
      const family = durations.family();
      const keys = new Set(records.map(([method, column]) => `m${method} ${COLUMNS[column]?.code}`));
      assert.equal(family.points.length, keys.size);
      for (const { labels, value } of family.points) {
        const own = records
          .filter(
            ([method, column]) => labels.method === `m${method}` && labels.code === COLUMNS[column]?.code,
          )
          .map(([, , ms]) => ms / 1000);
        assert.equal(value.count, own.length);
        const sum = own.reduce((a, b) => a + b, 0);
        assert.ok(Math.abs(value.sum - sum) <= 1e-9 * Math.max(1, sum));
        for (const [i, count] of value.buckets.entries()) {
          const low = DURATION_BOUNDS[i - 1] ?? -1;
          const high = DURATION_BOUNDS[i] ?? Number.POSITIVE_INFINITY;
          assert.equal(count, own.filter((s) => s > low && s <= high).length);
        }
      }
    }),
    { numRuns: 200 },
  );
});

test("bounds are inclusive, as in Prometheus", () => {
  const durations = make();
  durations.record(durations.row({ method: "a" }), 0, 5);
  assert.equal(durations.family().points[0]?.value.buckets[DURATION_BOUNDS.indexOf(0.005)], 1);
});

test("the same labels are the same row", () => {
  const durations = make();
  assert.equal(durations.row({ method: "a" }), durations.row({ method: "a" }));
});

test("beyond the bound, further rows are one", () => {
  const durations = make(3);
  for (let i = 0; i < 10; i++) durations.record(durations.row({ method: `m${i}` }), 0, 1);
  assert.deepEqual(
    durations.family().points.map(({ labels, value }) => [labels.method, value.count]),
    [
      ["m0", 1],
      ["m1", 1],
      ["_OTHER", 8],
    ],
  );
});
