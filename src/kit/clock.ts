// The source of time, so that tests can move it by hand.
import { reportFault } from "./faults.js";

export interface Clock {
  /** Monotonic milliseconds, with fractions. */
  now(): number;
  /** Unix time in milliseconds: for display, storage, and comparison with dates from outside. It may jump. */
  wallTime(): number;
  /** The timer does not keep the process alive. An exception of its callback is reported, and ends nothing else. */
  setTimeout(callback: () => void, delayMs: number): Timer;
}

export interface Timer {
  cancel(): void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  setTimeout(callback, delayMs) {
    const timer = setTimeout(fire, delayMs, callback);
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

function fire(callback: () => void): void {
  try {
    callback();
  } catch (error) {
    reportFault("in a timer", error);
  }
}
