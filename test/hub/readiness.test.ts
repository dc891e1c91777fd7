// When the hub says that it is ready, on a fake clock.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Readiness } from "#src/hub/readiness.js";
import { FakeClock } from "../support/fake-clock.js";

function setUp(...missing: string[]) {
  const unlocated: string[] = [];
  const clock = new FakeClock();
  const lines: string[] = [];
  const add = (line: string) => lines.push(line);
  const changes: boolean[] = [];
  const learned = (name: string) => {
    missing.splice(missing.indexOf(name), 1);
    readiness.check();
  };
  const readiness = new Readiness({
    clock,
    log: { info: add, warn: add, error: add },
    unlearned: () => missing,
    unlocated: () => unlocated,
    onChange: (ready) => changes.push(ready),
  });
  return { readiness, clock, lines, changes, learned, unlocated };
}

describe("readiness", () => {
  test("is not there before the hub listens", () => {
    const { readiness } = setUp();
    assert.equal(readiness.ready, false);
    assert.deepEqual(readiness.reasons, ["starting"]);
  });

  for (const [name, missing, waitMs] of [
    ["nothing is to be learned", [], undefined],
    ["the config does not wait", ["a"], 0],
  ] as const)
    test(`comes at once where ${name}`, () => {
      const { readiness, clock, changes } = setUp(...missing);
      readiness.start(waitMs);
      assert.deepEqual([readiness.ready, readiness.reasons, changes], [true, [], [true]]);
      assert.equal(clock.pending, 0);
    });

  for (const waitMs of [undefined, 60_000])
    test(`comes with the last upstream that is learned, where the wait is ${waitMs ?? "for ever"}`, () => {
      const { readiness, clock, lines, changes, learned } = setUp("a", "b");
      readiness.start(waitMs);
      assert.deepEqual(readiness.reasons, ["learning the services of 2 upstreams"]);
      learned("b");
      assert.deepEqual(readiness.reasons, ["learning the services of 1 upstream"]);
      clock.advance(59_999);
      assert.equal(readiness.ready, false);
      learned("a");
      assert.deepEqual([readiness.ready, readiness.reasons], [true, []]);
      clock.advance(60_000);
      assert.deepEqual(changes, [false, true]);
      assert.deepEqual(lines, ["ready: every upstream has been learned"]);
    });

  test("waits for endpoints, and says of one upstream only what comes first", () => {
    const { readiness, lines, learned, unlocated } = setUp("a", "b");
    unlocated.push("b", "c");
    readiness.start(60_000);
    assert.deepEqual(readiness.reasons, [
      "finding the endpoints of 2 upstreams",
      "learning the services of 1 upstream",
    ]);
    learned("a");
    assert.deepEqual(readiness.reasons, ["finding the endpoints of 2 upstreams"]);
    unlocated.length = 0;
    assert.deepEqual(readiness.reasons, ["learning the services of 1 upstream"]);
    learned("b");
    assert.deepEqual([readiness.ready, lines], [true, ["ready: every upstream has been learned"]]);
  });

  test("comes without an upstream once the wait is over, and the log names it", () => {
    const { readiness, clock, lines, learned } = setUp("a", "b");
    readiness.start(30_000);
    learned("a");
    clock.advance(30_000);
    assert.equal(readiness.ready, true);
    assert.deepEqual(lines, ["ready after 30 s, though not learned yet: b"]);
  });

  test("ends with the drain, and does not come back", () => {
    for (const drainAtMs of [10_000, 40_000]) {
      const { readiness, clock, lines, learned } = setUp("a");
      readiness.start(30_000);
      clock.advance(drainAtMs);
      readiness.drain();
      const before = lines.length;
      learned("a");
      clock.advance(60_000);
      assert.deepEqual([readiness.ready, readiness.reasons], [false, ["draining"]]);
      assert.equal(lines.length, before);
    }
  });
});
