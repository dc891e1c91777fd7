// Limits work that a peer causes beside its calls: a burst, a rate, and what its calls earn.
import type { Clock } from "../../kit/clock.js";

/**
 * A token bucket that costs a subtraction per use: time and earnings are read only when it is empty. In return a peer
 * that was quiet for long may have its burst twice.
 */
export class Budget {
  private tokens: number;
  private readonly burst: number;
  private readonly perMs: number;
  private readonly maxEarned: number;
  private readonly clock: Clock;
  private filledAt: number;
  private earnedBefore = 0;

  /** `maxEarned`: limit of what can be earned between two refills. */
  constructor(burst: number, perSecond: number, clock: Clock, startedAt: number, maxEarned: number = burst) {
    this.tokens = burst;
    this.burst = burst;
    this.perMs = perSecond / 1000;
    this.maxEarned = maxEarned;
    this.clock = clock;
    this.filledAt = startedAt;
  }

  /** Uses one; false if there is none. `earned`: the total ever earned, a number that only grows. */
  take(earned: number): boolean {
    if (this.tokens < 1) {
      const now = this.clock.now();
      this.tokens += Math.min(this.burst, (now - this.filledAt) * this.perMs);
      this.tokens += Math.min(this.maxEarned, earned - this.earnedBefore);
      this.filledAt = now;
      this.earnedBefore = earned;
      if (this.tokens < 1) return false;
    }
    this.tokens -= 1;
    return true;
  }
}
