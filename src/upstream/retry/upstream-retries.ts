// Retry state shared by all calls of an upstream and retained across reloads: the budget, the tokens, the counts.
import type { Clock } from "../../kit/clock.js";
import { type Counter, type Meters, NO_METERS } from "../../kit/meters.js";
import { BudgetCounts } from "./budget.js";
import type { RetryPolicy, RetryThrottling } from "./policy/policy.js";

export class UpstreamRetries {
  private readonly counts: BudgetCounts;
  private readonly overBudget: Counter;
  private readonly throttled: Counter;
  /** gRFC A6's token_count; undefined: not read yet, so it is full. */
  private tokens: number | undefined = undefined;

  /** @param name of the upstream */
  constructor(name: string, clock: Clock, meters: Meters = NO_METERS) {
    this.counts = new BudgetCounts(clock);
    const refused = (reason: string): Counter =>
      meters.counter(
        "linchpin.upstream.retries.refused",
        "Calls that were not sent again because too many of the upstream's were: the budget is used up, or too many fail (throttling).",
        { "linchpin.upstream": name, "linchpin.reason": reason },
      );
    this.overBudget = refused("budget");
    this.throttled = refused("throttling");
  }

  /** A retryable call has begun. */
  call(): void {
    this.counts.call();
  }

  /** Whether another attempt may be made; if so, it is counted. */
  allow({ budget, throttling }: RetryPolicy): boolean {
    if (throttling !== undefined && this.tokensOf(throttling) <= throttling.maxTokens / 2) {
      this.throttled.add();
      return false;
    }
    if (budget === undefined || this.counts.take(budget)) return true;
    this.overBudget.add();
    return false;
  }

  /** An attempt has ended. @param failed with a retryable code, or the service allows no retry */
  ended(throttling: RetryThrottling, failed: boolean): void {
    const tokens = this.tokensOf(throttling) + (failed ? -1 : throttling.tokenRatio);
    this.tokens = Math.max(0, Math.min(throttling.maxTokens, tokens));
  }

  private tokensOf({ maxTokens }: RetryThrottling): number {
    return Math.min(this.tokens ?? maxTokens, maxTokens);
  }
}
