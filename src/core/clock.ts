// Where time comes from, so that tests can move it by hand.

export interface Clock {
  /** Monotonic milliseconds, with fractions. */
  now(): number;
  /** The timer does not keep the process alive. */
  setTimeout(callback: () => void, delayMs: number): Timer;
}

export interface Timer {
  cancel(): void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  setTimeout(callback, delayMs) {
    const timer = setTimeout(callback, delayMs);
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};
