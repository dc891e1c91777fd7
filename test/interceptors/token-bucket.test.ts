// A table of token buckets admits what one honest bucket for each key would, and stays small.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { TokenBuckets } from "#src/interceptors/kit/token-bucket.js";

/** A bucket as one would write it on a blackboard. */
class NaiveBucket {
  private tokens: number;
  private at = 0;
  private readonly perMs: number;
  private readonly burst: number;

  constructor(perMs: number, burst: number) {
    this.perMs = perMs;
    this.burst = burst;
    this.tokens = burst;
  }

  take(cost: number, now: number): boolean {
    this.tokens = Math.min(this.burst, this.tokens + (now - this.at) * this.perMs);
    this.at = now;
    if (this.tokens < cost) return false;
    this.tokens -= cost;
    return true;
  }
}

function take(buckets: TokenBuckets, key: string, cost: number, now: number): boolean {
  const slot = buckets.slotOf(key);
  if (buckets.waitMs(slot, cost, now) > 0) return false;
  buckets.take(slot, cost, now);
  return true;
}

describe("a token bucket", () => {
  it("gives its burst at once, then its rate", () => {
    const buckets = new TokenBuckets({ perMs: 0.1, burst: 3 });
    const admitted = (now: number): number => [1, 2, 3, 4, 5].filter(() => take(buckets, "a", 1, now)).length;
    assert.equal(admitted(0), 3);
    assert.equal(admitted(9), 0);
    assert.equal(admitted(10), 1);
    assert.equal(admitted(30), 2);
    assert.equal(admitted(100_000), 3);
  });

  it("says how long to wait, and then there is what was waited for", () => {
    const buckets = new TokenBuckets({ perMs: 0.01, burst: 2 });
    assert.ok(take(buckets, "a", 2, 5));
    const slot = buckets.slotOf("a");
    assert.equal(buckets.waitMs(slot, 1, 5), 100);
    assert.equal(buckets.waitMs(slot, 2, 55), 150);
    assert.equal(buckets.waitMs(slot, 1, 104), 1);
    assert.equal(buckets.waitMs(slot, 1, 105), 0);
    assert.equal(buckets.waitMs(slot, 3, 0), Number.POSITIVE_INFINITY);
  });

  it("tells whole tokens, and when it is full", () => {
    const buckets = new TokenBuckets({ perMs: 0.01, burst: 5 });
    const slot = buckets.slotOf("a");
    assert.deepEqual([buckets.tokens(slot, 0), buckets.fullInMs(slot, 0)], [5, 0]);
    buckets.take(slot, 3, 0);
    assert.deepEqual([buckets.tokens(slot, 0), buckets.fullInMs(slot, 0)], [2, 300]);
    assert.deepEqual([buckets.tokens(slot, 50), buckets.fullInMs(slot, 50)], [2, 250]);
    assert.deepEqual([buckets.tokens(slot, 100), buckets.fullInMs(slot, 100)], [3, 200]);
    assert.deepEqual([buckets.tokens(slot, 999), buckets.fullInMs(slot, 999)], [5, 0]);
  });

  it("is forgotten when it was not used for longest and the table is full", () => {
    const buckets = new TokenBuckets({ perMs: 1e-9, burst: 1, maxKeys: 3 });
    for (const key of ["a", "b", "c"]) assert.ok(take(buckets, key, 1, 0));
    assert.ok(!take(buckets, "a", 1, 0)); // used now: "b" is the oldest
    assert.ok(take(buckets, "d", 1, 0));
    assert.deepEqual([buckets.size, buckets.evicted], [3, 1]);
    assert.ok(!take(buckets, "a", 1, 0));
    assert.ok(!take(buckets, "c", 1, 0));
    assert.ok(take(buckets, "b", 1, 0));
    assert.deepEqual([buckets.size, buckets.evicted], [3, 2]);
  });

  it("starts again once the table was closed", () => {
    const buckets = new TokenBuckets({ perMs: 1e-9, burst: 1 });
    for (let i = 0; i < 200; i++) assert.ok(take(buckets, `k${i}`, 1, 0));
    buckets.close();
    assert.equal(buckets.size, 0);
    for (let i = 0; i < 200; i++) assert.ok(take(buckets, `k${i}`, 1, 0));
    assert.equal(buckets.size, 200);
  });
});

// Powers of two, so that the blackboard's sums are exact and the two may differ in nothing.
const exactRate = fc.integer({ min: -10, max: 4 }).map((n) => 2 ** n);

it("admits exactly what a bucket for each key would, whatever comes when", () => {
  const step = fc.record({
    key: fc.constantFrom("a", "b", "c", "d", "e"),
    cost: fc.integer({ min: 1, max: 5 }),
    pauseMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 200 }), fc.integer({ min: 0, max: 100_000 })),
  });
  fc.assert(
    fc.property(
      exactRate,
      fc.integer({ min: 1, max: 64 }),
      fc.array(step, { maxLength: 200 }),
      (perMs, burst, steps) => {
        const buckets = new TokenBuckets({ perMs, burst });
        const naive = new Map<string, NaiveBucket>();
        let now = 1000;
        for (const { key, cost, pauseMs } of steps) {
          now += pauseMs;
          const one = naive.get(key) ?? new NaiveBucket(perMs, burst);
          naive.set(key, one);
          assert.equal(take(buckets, key, cost, now), one.take(cost, now));
        }
      },
    ),
  );
});

it("never forgets a key while it remembers one that was used before it", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 8 }),
      fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 300 }),
      (maxKeys, uses) => {
        const buckets = new TokenBuckets({ perMs: 1e-12, burst: 1e6, maxKeys });
        let lru: { key: number; taken: number }[] = [];
        for (const key of uses) {
          const taken = lru.find((e) => e.key === key)?.taken ?? 0;
          const slot = buckets.slotOf(String(key));
          assert.equal(buckets.tokens(slot, 0), 1e6 - taken);
          buckets.take(slot, 1, 0);
          lru = [...lru.filter((e) => e.key !== key), { key, taken: taken + 1 }].slice(-maxKeys);
          assert.equal(buckets.size, lru.length);
        }
      },
    ),
  );
});
