// Faults, and the streams and timers that must not let one end the process.
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { describe, it } from "node:test";
import { hubFault } from "#src/call/status/hub-fault.js";
import { barrier } from "#src/kit/barrier.js";
import { systemClock } from "#src/kit/clock.js";
import { attempt, listenToFaults, reportFault } from "#src/kit/faults.js";
import { guarded } from "#src/kit/net/guarded.js";
import { type Timed, TimerWheel } from "#src/kit/timer-wheel.js";
import { FakeClock } from "../support/fake-clock.js";

/** What was told while this ran; undefined: counted alone. */
async function told(run: () => void | Promise<void>): Promise<(string | undefined)[]> {
  const lines: (string | undefined)[] = [];
  const stop = listenToFaults((line) => lines.push(line));
  await run();
  stop();
  return lines;
}

const bug = (message: string): Error => new Error(message);

describe("a fault", () => {
  it("is logged in one line with its stack, and has the id of its caller's error", async () => {
    let message = "";
    const lines = await told(() => {
      message = hubFault("the hub failed", "while it was tested", bug("one")).message;
    });
    const [, id] = /^the hub failed \(fault ([0-9a-f]{8})\)$/.exec(message) ?? assert.fail(message);
    assert.equal(lines.length, 1);
    assert.match(
      lines[0] ?? "",
      new RegExp(`^fault ${id} of the hub, while it was tested: Error: one\\n +at bug`),
    );
  });

  it("that is repeated has the same id, whatever it quotes, and is logged once a minute with its count", async (t) => {
    let now = 0;
    t.mock.method(performance, "now", () => now);
    const ids = new Set<string>();
    const lines = await told(() => {
      for (let i = 0; i < 101; i++) {
        if (i === 100) now = 60_000;
        ids.add(reportFault("while it was tested", bug(`what client ${i} sent`)));
      }
    });
    const [id] = ids;
    assert.equal(ids.size, 1);
    assert.equal(lines.length, 101);
    assert.deepEqual(lines.slice(1, 100), Array(99).fill(undefined));
    assert.equal(lines[100], `fault ${id} of the hub occurred again, 100 times since it was last logged`);
  });

  it("is reported in full to each hub of a program, whatever another has logged before", async () => {
    const error = bug("two hubs");
    const fault = (): string => reportFault("while it was tested", error);
    const first: (string | undefined)[] = [];
    const stop = listenToFaults((line) => first.push(line));
    fault();
    const second = await told(() => void fault());
    stop();
    assert.deepEqual([first.length, first[1], second.length], [2, undefined, 1]);
    assert.equal(second[0], first[0]);
  });

  it("that is not an Error, or cannot be read, is reported too; a log that fails does not prevent others", async () => {
    const unreadable = {
      toString() {
        throw new Error("no");
      },
    };
    const stop = listenToFaults(() => assert.fail("the log is broken"));
    const lines = await told(() => {
      reportFault("while it was tested", "a text");
      reportFault("while it was tested", unreadable);
      attempt("while it was tested", () => assert.fail("tried"));
    });
    stop();
    assert.match(lines[0] ?? "", /a text$/);
    assert.match(lines.at(-1) ?? "", /tried/);
  });

  it("behind a barrier ends what its owner says; if that throws, it is reported", async () => {
    const ended: unknown[] = [];
    const error = bug("one");
    barrier(
      () => {
        throw error;
      },
      (fault) => ended.push(fault),
    )();
    assert.deepEqual(ended, [error]);
    const lines = await told(() =>
      barrier(
        () => assert.fail("first"),
        () => assert.fail("second"),
      )(),
    );
    assert.match(lines[0] ?? "", /second/);
  });
});

describe("a timer that throws", () => {
  it("is reported, and the process continues", async () => {
    const lines = await told(
      () =>
        new Promise((resolve) => {
          systemClock.setTimeout(() => assert.fail("in a timer"), 0);
          setTimeout(resolve, 20);
        }),
    );
    assert.match(lines[0] ?? "", /in a timer/);
  });

  it("does not keep other entries of its wheel from firing", async () => {
    const clock = new FakeClock(0);
    const wheel = new TimerWheel(clock);
    const fired: string[] = [];
    const entry = (name: string, onExpired: () => void, onFault?: (error: unknown) => void): Timed => ({
      timerSlot: -1,
      timerNext: undefined,
      timerPrevious: undefined,
      expiresAt: 10,
      onExpired: () => {
        fired.push(name);
        onExpired();
      },
      ...(onFault === undefined ? {} : { onFault }),
    });
    const fails = (): void => assert.fail("late");
    const later = { ...entry("later", () => {}), expiresAt: 50 };
    for (const timed of [
      entry("a", () => {}),
      entry("b", fails),
      entry("c", fails, () => fired.push("c's end")),
    ])
      wheel.add(timed);
    wheel.add(later);
    const lines = await told(() => clock.advance(100));
    assert.deepEqual(fired.toSorted(), ["a", "b", "c", "c's end", "later"]);
    assert.equal(lines.length, 1);
  });
});

describe("a stream that is guarded", () => {
  it("is destroyed by its error, and nothing else is; it is guarded once", () => {
    class Stream extends EventEmitter {
      destroyed = 0;
      destroy(): void {
        this.destroyed++;
      }
    }
    const stream = guarded(guarded(new Stream()));
    assert.equal(stream.listenerCount("error"), 1);
    stream.emit("error", new Error("ECONNRESET"));
    assert.equal(stream.destroyed, 1);
  });
});
