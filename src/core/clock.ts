// Monotonic time, read once per turn of the event loop on the hot path.

/** Where time comes from; tests inject one they move by hand. */
export interface Clock {
  /** Monotonic milliseconds, with fractions. May be the value of this turn's first reading. */
  now(): number;
  setTimeout(callback: () => void, delayMs: number): Timer;
}

export interface Timer {
  cancel(): void;
}

/** The process's clock: one reading serves a whole turn of the event loop. Its timers do not keep the process alive. */
class SystemClock implements Clock {
  #now = 0;
  #fresh = false;
  #stale = (): void => {
    this.#fresh = false;
  };

  now(): number {
    if (!this.#fresh) {
      this.#now = performance.now();
      this.#fresh = true;
      setImmediate(this.#stale);
    }
    return this.#now;
  }

  setTimeout(callback: () => void, delayMs: number): Timer {
    const timer = setTimeout(callback, delayMs);
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  }
}

export const systemClock: Clock = new SystemClock();
