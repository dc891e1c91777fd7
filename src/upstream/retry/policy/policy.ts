// When the hub retries a failed call: the policy of a method's calls, made when plans are made.
import { Code } from "../../../call/status/status.js";

/**
 * Retries that an upstream allows for all its calls together. `attempts` alone is not enough: a service that fails
 * every call would get three times the load.
 */
export interface RetryBudget {
  /** Share of the calls of the last 10 s: 0..1. */
  readonly share: number;
  /** In addition, so that few calls can be retried too. */
  readonly perSecond: number;
}

/** gRFC A6, "Throttling Retry Attempts and Hedged RPCs". */
export interface RetryThrottling {
  /** Tokens at the start, and at most; a failure takes one, and with half of them or less nothing is retried. */
  readonly maxTokens: number;
  /** Tokens that a successful call gives back. */
  readonly tokenRatio: number;
}

export interface RetryBackoff {
  /** Before the second attempt, milliseconds. */
  readonly baseMs: number;
  readonly maxMs: number;
  /** Factor from one to the next. */
  readonly multiplier: number;
}

export interface RetryPolicy {
  /** Attempts of a call in all, including the first. Transparent retries (gRFC A6) do not count. */
  readonly attempts: number;
  /** Retryable gRPC status codes; with hedging, codes that do not end a call while others run. */
  readonly on: readonly number[];
  /** undefined: no bound for all calls together. */
  readonly budget: RetryBudget | undefined;
  readonly backoff: RetryBackoff;
  /** Request bytes buffered for another attempt. */
  readonly replayBytes: number;
  /** Start another attempt whenever none has had a response for this long. undefined: one after the other. */
  readonly hedgeDelayMs: number | undefined;
  /** undefined: none. */
  readonly throttling: RetryThrottling | undefined;
}

/** gRFC A6; the backoff is gRPC's for connections, scaled to calls; the budget is Finagle's and Linkerd's. */
export const DEFAULT_RETRIES: RetryPolicy = {
  attempts: 3,
  on: [Code.UNAVAILABLE],
  budget: { share: 0.2, perSecond: 10 },
  backoff: { baseMs: 25, maxMs: 1000, multiplier: 2 },
  replayBytes: 64 * 1024,
  hedgeDelayMs: undefined,
  throttling: undefined,
};

/** The config of one method, beside its upstream's policy. */
export interface MethodRetries extends Partial<RetryPolicy> {
  /** Calls are retried although the service may then process a request twice. */
  readonly anyCall: boolean;
}
