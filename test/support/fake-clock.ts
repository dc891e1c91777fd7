// A clock that only moves when told to, so that tests of time neither sleep nor flake.
import type { Clock, Timer } from "#src/kit/clock.js";

interface Scheduled extends Timer {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

export class FakeClock implements Clock {
  private time: number;
  private readonly timers = new Set<Scheduled>();
  private order = 0;

  constructor(start = 0) {
    this.time = start;
  }

  now(): number {
    return this.time;
  }

  /** Unix time: the clock began at 2025-01-01T00:00:00Z. */
  wallTime(): number {
    return Date.UTC(2025, 0, 1) + this.time;
  }

  /** Timers that have neither fired nor been cancelled. */
  get pending(): number {
    return this.timers.size;
  }

  /** When the next timer fires; undefined: none is set. */
  get nextAt(): number | undefined {
    return this.next()?.at;
  }

  setTimeout(callback: () => void, delayMs: number): Timer {
    const timer: Scheduled = {
      at: this.time + Math.max(0, delayMs),
      order: this.order++,
      callback,
      cancel: () => this.timers.delete(timer),
    };
    this.timers.add(timer);
    return timer;
  }

  /** Moves time on by so many milliseconds, and fires what falls due, each at its own time. */
  advance(ms: number): void {
    const until = this.time + ms;
    for (let next = this.next(); next !== undefined && next.at <= until; next = this.next()) {
      this.time = Math.max(this.time, next.at);
      this.timers.delete(next);
      next.callback();
    }
    this.time = until;
  }

  private next(): Scheduled | undefined {
    let first: Scheduled | undefined;
    for (const timer of this.timers) {
      if (
        first === undefined ||
        timer.at < first.at ||
        (timer.at === first.at && timer.order < first.order)
      ) {
        first = timer;
      }
    }
    return first;
  }
}
