import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Clock, Timer } from "#src/kit/clock.js";
import { SchemaWatcher } from "#src/schema/sources/relearn.js";
import { type Schema, schemaFromFiles } from "#src/schema/types/schema.js";
import { echoFile, filesOf } from "./support/files.js";

const A = schemaFromFiles(filesOf(echoFile("a")));
const B = schemaFromFiles(filesOf(echoFile("b")));

/** Time moved by hand. */
class HandClock implements Clock {
  wallTime(): number {
    return this.now();
  }

  #now = 0;
  #timers = new Set<{ at: number; callback: () => void }>();
  now(): number {
    return this.#now;
  }
  setTimeout(callback: () => void, delayMs: number): Timer {
    const timer = { at: this.#now + delayMs, callback };
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer) };
  }
  get pending(): number {
    return this.#timers.size;
  }
  /** Moves on, firing timers in order, and lets promises settle after each. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (;;) {
      const next = [...this.#timers].filter((timer) => timer.at <= end).sort((x, y) => x.at - y.at)[0];
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#now = next.at;
      next.callback();
      await settle();
    }
    this.#now = end;
  }
}
const settle = () => new Promise((resolve) => setImmediate(resolve));

function watch(learn: (signal: AbortSignal, n: number) => Promise<Schema>, random = 0.5) {
  const clock = new HandClock();
  const events: string[] = [];
  let n = 0;
  const watcher = new SchemaWatcher({
    learn: (signal) => {
      events.push(`learn@${clock.now()}`);
      return learn(signal, n++);
    },
    onSchema: (schema) => events.push(schema === A ? "A" : "B"),
    onProblem: (message) => events.push(message),
    clock,
    random: () => random,
  });
  watcher.start();
  const take = () => events.splice(0);
  return { clock, watcher, take };
}

describe("learning a schema again", () => {
  it("happens every 60 s, and reports only a schema that differs", async () => {
    const { clock, take } = watch(async (_, n) => (n < 2 ? A : B));
    await clock.advance(180_000);
    assert.deepEqual(take(), ["learn@0", "A", "learn@60000", "learn@120000", "B", "learn@180000"]);
  });

  it("waits longer after each failure, up to 60 s, and reports one problem once", async () => {
    const { clock, take } = watch(async () => {
      throw new Error("refused");
    });
    await clock.advance(190_000);
    const at = [0, 1, 3, 7, 15, 31, 63, 123, 183].map((s) => `learn@${s * 1000}`);
    assert.deepEqual(take(), [at[0], "refused", ...at.slice(1)]);
  });

  for (const [random, at] of [
    [0, 800],
    [0.999999, 1200],
  ] as const) {
    it(`spreads retries by a fifth: ${at} ms`, async () => {
      const { clock, take } = watch(() => Promise.reject(new Error("refused")), random);
      await clock.advance(at - 1);
      assert.deepEqual(take(), ["learn@0", "refused"]);
      await clock.advance(1);
      assert.equal(take().length, 1);
    });
  }

  it("reports another problem, and the same one again after it was gone", async () => {
    const { clock, take } = watch(async (_, n) => {
      if (n === 2) return A;
      throw new Error(n === 1 ? "other" : "refused");
    });
    await clock.advance(63_000);
    assert.deepEqual(
      take().filter((event) => !event.startsWith("learn")),
      ["refused", "other", "A", "refused"],
    );
  });

  it("reports problems that are new since the last success, and recurring ones", async () => {
    const clock = new HandClock();
    const told: [string, boolean][] = [];
    let learnings = 0;
    const watcher = new SchemaWatcher({
      clock,
      random: () => 0.5,
      learn: async () => {
        const n = learnings++;
        if (n === 4) return A;
        throw new Error(n % 2 === 0 ? "closed" : "reset");
      },
      onSchema: () => {},
      onProblem: (message, first) => told.push([message, first]),
    });
    watcher.start();
    await clock.advance(75_500);
    watcher.close();
    assert.deepEqual(told, [
      ["closed", true],
      ["reset", true],
      ["closed", false],
      ["reset", false],
      ["reset", true],
    ]);
  });

  it("happens at once when an endpoint reconnects, but at most once a second", async () => {
    const { clock, watcher, take } = watch(async () => A);
    await clock.advance(5_000);
    watcher.poke();
    await clock.advance(100);
    watcher.poke();
    watcher.poke();
    await clock.advance(10_000);
    assert.deepEqual(take(), ["learn@0", "A", "learn@5000", "learn@6000"]);
  });

  it("never runs twice at once: an endpoint that connects meanwhile waits", async () => {
    const running: ((schema: Schema) => void)[] = [];
    const { clock, watcher, take } = watch(() => new Promise((resolve) => running.push(resolve)));
    await clock.advance(2_000);
    watcher.poke();
    watcher.poke();
    await clock.advance(1_000);
    assert.equal(running.length, 1);
    running[0]?.(A);
    await clock.advance(0);
    assert.deepEqual(take(), ["learn@0", "A", "learn@3000"]);
  });

  it("is given up after 10 s", async () => {
    let aborted = false;
    const { clock, take } = watch(
      (signal) =>
        new Promise(() => {
          signal.addEventListener("abort", () => {
            aborted = true;
          });
        }),
    );
    await clock.advance(9_999);
    assert.equal(aborted, false);
    await clock.advance(1_001);
    assert.equal(aborted, true);
    assert.deepEqual(take(), ["learn@0", "the schema could not be learned within 10 s", "learn@11000"]);
  });

  it("reports what the receiver of the schema throws, and offers it again", async () => {
    const clock = new HandClock();
    const events: string[] = [];
    let taken = 0;
    const watcher = new SchemaWatcher({
      learn: async () => A,
      onSchema: () => {
        if (taken++ === 0) throw new Error("two routes are the same");
        events.push("taken");
      },
      onProblem: (message) => events.push(message),
      clock,
    });
    watcher.start();
    await clock.advance(2_000);
    assert.deepEqual(events, ["two routes are the same", "taken"]);
  });

  it("ends with close: the running learning is aborted, nothing is reported, no timer stays", async () => {
    let signal: AbortSignal | undefined;
    let finish = (_: Schema): void => {};
    const { clock, watcher, take } = watch((given) => {
      signal = given;
      return new Promise((resolve) => {
        finish = resolve;
      });
    });
    await clock.advance(1_000);
    watcher.close();
    finish(A);
    watcher.poke();
    await clock.advance(100_000);
    assert.equal(signal?.aborted, true);
    assert.deepEqual(take(), ["learn@0"]);
    assert.equal(clock.pending, 0);
  });
});
