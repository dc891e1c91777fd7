// What has been told in the log already: each thing once, and never more than so many in an hour, whoever asks for it.

/** Addresses and messages of strangers are among the keys: they must fill neither the log nor the memory. */
const MAX_TOLD = 100;
const FORGET_MS = 3_600_000;

export class Told {
  private readonly keys = new Set<string>();
  private readonly now: () => number;
  private since: number;

  /** @param now milliseconds */
  constructor(now: () => number) {
    this.now = now;
    this.since = now();
  }

  /** Whether this is to be told: it was not within the hour, and not too many others were. */
  first(key: string): boolean {
    const now = this.now();
    if (now - this.since >= FORGET_MS) {
      this.keys.clear();
      this.since = now;
    }
    if (this.keys.size >= MAX_TOLD || this.keys.has(key)) return false;
    this.keys.add(key);
    return true;
  }
}
