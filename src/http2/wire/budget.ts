// How much of something a peer may do that costs us work and is no call: a burst, a rate, and what its calls earn.
import type { Clock } from "../../kit/clock.js";

/**
 * A token bucket that costs a subtraction per use: time and earnings are looked at only when it has run empty.
 * For that it lets a peer that was quiet for long have its burst twice.
 */
export class Budget {
  private tokens: number;
  private readonly burst: number;
  private readonly perMs: number;
  private readonly maxEarned: number;
  private readonly clock: Clock;
  private filledAt: number;
  private earnedBefore = 0;

  /** `maxEarned`: what is earned counts up to here between two fillings. */
  constructor(burst: number, perSecond: number, clock: Clock, startedAt: number, maxEarned: number = burst) {
    this.tokens = burst;
    this.burst = burst;
    this.perMs = perSecond / 1000;
    this.maxEarned = maxEarned;
    this.clock = clock;
    this.filledAt = startedAt;
  }

  /** Uses one; false when there is none. `earned`: all that was ever earned, a number that only grows. */
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
