// The table of open streams, beside a Map that is told the same.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Stream } from "#src/http2/stream.js";
import { StreamTable } from "#src/http2/stream-table.js";

/** All that the table looks at. */
function streamOf(id: number): Stream {
  return { id } as Stream;
}

const step = fc.record({
  // Few ids that fall on each other's places, and ids in the order of a connection.
  id: fc.oneof(
    fc.integer({ min: 0, max: 40 }),
    fc.integer({ min: 0, max: 8 }).map((n) => n * 32),
  ),
  add: fc.boolean(),
});

test("holds what a Map holds, whatever is added and deleted", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const table = new StreamTable();
      const map = new Map<number, Stream>();
      for (const { id: n, add } of steps) {
        const id = 2 * n + 1;
        if (add && !map.has(id)) {
          const stream = streamOf(id);
          table.add(stream);
          map.set(id, stream);
        } else if (!add) assert.equal(table.delete(id), map.delete(id));
        assert.equal(table.size, map.size);
        for (let k = 1; k < 600; k += 2) assert.equal(table.get(k), map.get(k));
      }
      const ids = (streams: Iterable<Stream>): number[] =>
        [...streams].map((s) => s.id).sort((a, b) => a - b);
      assert.deepEqual(ids(table.values()), ids(map.values()));
      table.clear();
      assert.deepEqual([table.size, table.values()], [0, []]);
    }),
    { numRuns: 200 },
  );
});

test("a long life of short streams beside one that stays takes no more room", () => {
  const table = new StreamTable();
  const lasting = streamOf(1);
  table.add(lasting);
  for (let id = 3; id < 200_001; id += 2) {
    table.add(streamOf(id));
    assert.equal(table.get(id)?.id, id);
    assert.equal(table.delete(id), true);
  }
  assert.equal(table.get(1), lasting);
  assert.deepEqual(table.values(), [lasting]);
});
