// The retry budget of an upstream: a share of its calls over 10 s, and some per second (Finagle's RetryBudget).
import type { Clock } from "../../kit/clock.js";
import type { RetryBudget } from "./policy/policy.js";

const SECONDS = 10;

/** Counts over the last 10 s, second by second. The limits are the policy's: counts survive a change of them. */
export class BudgetCounts {
  private readonly clock: Clock;
  private readonly calls = new Array<number>(SECONDS).fill(0);
  private readonly retries = new Array<number>(SECONDS).fill(0);
  private callsInAll = 0;
  private retriesInAll = 0;
  private second: number;

  constructor(clock: Clock) {
    this.clock = clock;
    this.second = this.now();
  }

  private now(): number {
    return Math.floor(this.clock.now() / 1000);
  }

  /** A retryable call has begun. */
  call(): void {
    const slot = this.slot();
    this.calls[slot] = (this.calls[slot] ?? 0) + 1;
    this.callsInAll++;
  }

  /** Takes one retry from the budget, if one is left. */
  take({ share, perSecond }: RetryBudget): boolean {
    const slot = this.slot();
    if (this.retriesInAll + 1 > share * this.callsInAll + perSecond * SECONDS) return false;
    this.retries[slot] = (this.retries[slot] ?? 0) + 1;
    this.retriesInAll++;
    return true;
  }

  /** The slot of this second; forgets slots that are 10 s old. */
  private slot(): number {
    const now = this.now();
    for (let left = Math.min(now - this.second, SECONDS); left > 0; left--) {
      const slot = (now - left + 1) % SECONDS;
      this.callsInAll -= this.calls[slot] ?? 0;
      this.retriesInAll -= this.retries[slot] ?? 0;
      this.calls[slot] = 0;
      this.retries[slot] = 0;
    }
    this.second = now;
    return now % SECONDS;
  }
}
