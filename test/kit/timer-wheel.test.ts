import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Timed, TimerWheel } from "#src/kit/timer-wheel.js";
import { FakeClock } from "../support/fake-clock.js";

/** A slot is 4 ms wide, and timers count whole milliseconds. */
const LATE_MS = 5;
const TURN_MS = 4096 * 4;

class Entry implements Timed {
  timerSlot = -1;
  timerNext: Timed | undefined = undefined;
  timerPrevious: Timed | undefined = undefined;
  expiresAt: number;
  firedAt: number[] = [];
  /** When it can fire at the soonest. */
  due = 0;
  whenFired: () => void = () => {};
  private readonly clock: FakeClock;

  constructor(clock: FakeClock, expiresAt: number) {
    this.clock = clock;
    this.expiresAt = expiresAt;
  }

  onExpired(): void {
    this.firedAt.push(this.clock.now());
    this.whenFired();
  }
}

function setup(start = 0): { clock: FakeClock; wheel: TimerWheel; at: (ms: number) => Entry } {
  const clock = new FakeClock(start);
  const wheel = new TimerWheel(clock);
  const at = (ms: number): Entry => {
    const entry = new Entry(clock, ms);
    wheel.add(entry);
    return entry;
  };
  return { clock, wheel, at };
}

function assertInTime(entry: Entry): void {
  assert.equal(entry.firedAt.length, 1);
  const late = (entry.firedAt[0] ?? 0) - entry.expiresAt;
  assert.ok(late >= 0, `fired ${-late} ms early`);
  assert.ok(late <= LATE_MS, `fired ${late} ms late`);
}

describe("the timer wheel", () => {
  for (const start of [0, 1.37, 123_456_789.25]) {
    for (const delay of [
      0.01,
      1,
      3.99,
      4,
      4.01,
      100,
      999.5,
      TURN_MS - 1,
      TURN_MS,
      TURN_MS + 1,
      100_000,
      3_600_000,
    ]) {
      it(`fires once, never early and at most a slot late: ${delay} ms from ${start}`, () => {
        const { clock, wheel, at } = setup(start);
        const entry = at(start + delay);
        clock.advance(delay - 0.005);
        assert.equal(entry.firedAt.length, 0);
        clock.advance(LATE_MS + 1);
        assertInTime(entry);
        assert.equal(wheel.size, 0);
      });
    }
  }

  it("fires a deadline that has passed already, but not from within add", () => {
    const { clock, at } = setup(1000);
    const entry = at(10);
    assert.equal(entry.firedAt.length, 0);
    clock.advance(LATE_MS);
    assert.equal(entry.firedAt.length, 1);
  });

  it("keeps its promise after long idleness", () => {
    const { clock, at } = setup(0);
    clock.advance(10 * TURN_MS + 3);
    const entry = at(clock.now() + 50);
    clock.advance(100);
    assertInTime(entry);
  });

  it("does not fire what was cancelled, and cancelling twice does nothing", () => {
    const { clock, wheel, at } = setup();
    const entry = at(50);
    const other = at(50);
    wheel.cancel(entry);
    wheel.cancel(entry);
    assert.equal(wheel.size, 1);
    clock.advance(100);
    assert.equal(entry.firedAt.length, 0);
    assertInTime(other);
  });

  it("lets one that fires cancel another of the same slot", () => {
    const { clock, wheel, at } = setup();
    const a = at(50);
    const b = at(50);
    a.whenFired = () => wheel.cancel(b);
    b.whenFired = () => wheel.cancel(a);
    clock.advance(100);
    assert.equal(a.firedAt.length + b.firedAt.length, 1);
    assert.equal(wheel.size, 0);
  });

  it("lets one that fires put another of the same slot off", () => {
    const { clock, wheel, at } = setup();
    const entries = [at(50), at(50)];
    for (const [i, entry] of entries.entries()) {
      const other = entries[1 - i];
      entry.whenFired = () => {
        if (other === undefined || other.timerSlot < 0) return;
        wheel.cancel(other);
        other.expiresAt = 500;
        wheel.add(other);
      };
    }
    clock.advance(100);
    assert.equal(wheel.size, 1);
    clock.advance(500);
    for (const entry of entries) assertInTime(entry);
  });

  it("lets one that fires add another, due at once or later", () => {
    const { clock, wheel, at } = setup();
    const added: Entry[] = [];
    at(50).whenFired = () => added.push(at(clock.now()), at(clock.now() + 7));
    clock.advance(100);
    assert.equal(added.length, 2);
    for (const entry of added) assertInTime(entry);
    assert.equal(wheel.size, 0);
  });

  it("keeps no timer once it is empty", () => {
    const { clock, wheel, at } = setup();
    const fired = at(20);
    const cancelled = at(2000);
    clock.advance(30);
    assertInTime(fired);
    assert.equal(clock.pending, 1);
    wheel.cancel(cancelled);
    // Clearing a timer for each call that ends would cost more than one empty wake-up.
    clock.advance(2000);
    assert.equal(clock.pending, 0);
    assert.equal(wheel.size, 0);
  });

  it("wakes no more often than there are deadlines", () => {
    const { clock, at } = setup();
    let wakes = 0;
    const set = clock.setTimeout.bind(clock);
    clock.setTimeout = (callback, ms) =>
      set(() => {
        wakes++;
        callback();
      }, ms);
    for (let i = 1; i <= 10; i++) at(i * 1000);
    clock.advance(20_000);
    assert.ok(wakes <= 12, `woke ${wakes} times for 10 deadlines`);
  });

  it("agrees with a naive list under any order of adding, cancelling and waiting", () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ add: fc.double({ min: -10, max: 40_000, noNaN: true }) }) },
      { weight: 3, arbitrary: fc.record({ cancel: fc.nat(1000) }) },
      { weight: 2, arbitrary: fc.record({ wait: fc.double({ min: 0, max: 9_000, noNaN: true }) }) },
      { weight: 1, arbitrary: fc.record({ wait: fc.double({ min: 0, max: 100_000, noNaN: true }) }) },
    );
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1e6, noNaN: true }),
        fc.array(step, { maxLength: 200 }),
        (start, steps) => {
          const { clock, wheel, at } = setup(start);
          const live: Entry[] = [];
          const check = (entry: Entry, addedAt: number): void => {
            const due = Math.max(entry.expiresAt, addedAt);
            entry.whenFired = () => {
              const late = clock.now() - due;
              assert.ok(clock.now() >= entry.expiresAt && late <= LATE_MS, `${late} ms late`);
              live.splice(live.indexOf(entry), 1);
            };
            entry.due = due;
          };
          for (const s of steps) {
            if ("add" in s) {
              const entry = at(clock.now() + s.add);
              check(entry, clock.now());
              live.push(entry);
            } else if ("cancel" in s) {
              const [entry] = live.splice(s.cancel % Math.max(1, live.length), 1);
              if (entry !== undefined) wheel.cancel(entry);
            } else {
              clock.advance(s.wait);
              for (const entry of live) assert.ok(entry.due + LATE_MS >= clock.now(), "one was forgotten");
            }
            assert.equal(wheel.size, live.length);
          }
          clock.advance(200_000);
          assert.equal(live.length, 0);
          assert.equal(clock.pending, 0);
        },
      ),
      { numRuns: 200 },
    );
  });
});
