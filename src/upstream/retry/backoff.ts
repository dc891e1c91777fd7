// The delay before the next attempt of a call: by the policy, or as the service asked.
import type { RetryBackoff } from "./policy/policy.js";

/** ±20 %, so that calls that failed together do not retry together. */
const JITTER = 0.2;

/**
 * Milliseconds before the next attempt.
 * @param before retries since the first attempt, or since the last pushback of the service
 * @param random 0 ≤ n < 1
 */
export function backoffMs(
  { baseMs, maxMs, multiplier }: RetryBackoff,
  before: number,
  random: number,
): number {
  return Math.min(baseMs * multiplier ** before, maxMs) * (1 - JITTER + 2 * JITTER * random);
}

/** Longer pushbacks are not obeyed: the client must not be kept waiting, and may have a better alternative. */
const MAX_PUSHBACK_MS = 60_000;

/**
 * `grpc-retry-pushback-ms` of a response: milliseconds, or `never` if the service allows no further attempt. A
 * negative, malformed or repeated value means never (gRFC A6, "Pushback"), and so does more than a minute.
 */
export function pushbackOf(values: readonly string[]): number | "never" | undefined {
  const [value] = values;
  if (value === undefined) return undefined;
  if (values.length > 1 || !/^\d{1,10}$/.test(value)) return "never";
  const ms = Number(value);
  return ms > MAX_PUSHBACK_MS ? "never" : ms;
}
