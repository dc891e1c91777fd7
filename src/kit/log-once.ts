// Log de-duplication: each key at most once an hour, and at most MAX_KEYS keys an hour.

/** Keys contain addresses and messages of clients: they must fill neither the log nor the memory. */
const MAX_KEYS = 100;
const FORGET_MS = 3_600_000;

export class LogOnce {
  private readonly keys = new Set<string>();
  private readonly now: () => number;
  private since: number;

  /** @param now milliseconds */
  constructor(now: () => number) {
    this.now = now;
    this.since = now();
  }

  /** Whether to log this key now: false if it was logged within the hour, or if MAX_KEYS others were. */
  first(key: string): boolean {
    const now = this.now();
    if (now - this.since >= FORGET_MS) {
      this.keys.clear();
      this.since = now;
    }
    if (this.keys.size >= MAX_KEYS || this.keys.has(key)) return false;
    this.keys.add(key);
    return true;
  }
}
