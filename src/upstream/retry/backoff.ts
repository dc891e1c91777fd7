// How long until a call is tried again: by the policy, or by what the service said.
import type { RetryBackoff } from "./policy/policy.js";

/** ±20 %, so that calls which failed together do not come again together. */
const JITTER = 0.2;

/**
 * Milliseconds before the next attempt.
 * @param before retries since the first attempt, or since the service last said when to come again
 * @param random 0 ≤ n < 1
 */
export function backoffMs(
  { baseMs, maxMs, multiplier }: RetryBackoff,
  before: number,
  random: number,
): number {
  return Math.min(baseMs * multiplier ** before, maxMs) * (1 - JITTER + 2 * JITTER * random);
}

/** Nobody is kept waiting for longer than this because a service says so: the client may know something better to do. */
const MAX_PUSHBACK_MS = 60_000;

/**
 * `grpc-retry-pushback-ms` of a response: milliseconds, or `never` where the service wants no other attempt. What is
 * negative, no number, or there twice means never (gRFC A6, "Pushback"), and so does more than a minute.
 */
export function pushbackOf(values: readonly string[]): number | "never" | undefined {
  const [value] = values;
  if (value === undefined) return undefined;
  if (values.length > 1 || !/^\d{1,10}$/.test(value)) return "never";
  const ms = Number(value);
  return ms > MAX_PUSHBACK_MS ? "never" : ms;
}
