// When the hub sends a call again that failed: what holds for the calls of a method, made when plans are made.
import { Code } from "../../../call/status/status.js";

/** Retries that an upstream allows for all its calls together: why not only `attempts`? Since a service that fails every call would get three times as many. */
export interface RetryBudget {
  /** Of the calls of the last 10 s: 0..1. */
  readonly share: number;
  /** Beside those, so that few calls can be tried again too. */
  readonly perSecond: number;
}

/** gRFC A6, "Throttling Retry Attempts and Hedged RPCs". */
export interface RetryThrottling {
  /** Tokens at the start, and at most; a failure takes one, and with half of them or less nothing is tried again. */
  readonly maxTokens: number;
  /** What a call that succeeds gives back. */
  readonly tokenRatio: number;
}

export interface RetryBackoff {
  /** Before the second attempt, milliseconds. */
  readonly baseMs: number;
  readonly maxMs: number;
  /** From one to the next. */
  readonly multiplier: number;
}

export interface RetryPolicy {
  /** Attempts of a call in all, the first one included. Transparent retries (gRFC A6) do not count. */
  readonly attempts: number;
  /** gRPC status codes that are worth another attempt; with hedging, those that end no call while others run. */
  readonly on: readonly number[];
  /** undefined: no bound for all calls together. */
  readonly budget: RetryBudget | undefined;
  readonly backoff: RetryBackoff;
  /** Bytes of a request that are kept for another attempt. */
  readonly replayBytes: number;
  /** Another attempt beside those that run, whenever none has answered for so long. undefined: one after the other. */
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

/** What the config says of one method, beside its upstream's policy. */
export interface MethodRetries extends Partial<RetryPolicy> {
  /** Its calls are sent again although the service may do twice what was asked once. */
  readonly anyCall: boolean;
}
