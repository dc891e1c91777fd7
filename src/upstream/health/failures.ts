// What the outcome of an attempt says about its endpoint: that it works, that it does not, or nothing.
import type { Attempt, AttemptOutcome } from "../../call/attempt.js";
import { Code } from "../../call/status/status.js";

/**
 * Statuses that can count as failures of an instance. Others are part of normal service responses: UNKNOWN too, to
 * which many servers map any error of a handler (grpc-go, grpc-js).
 */
export const FAILURE_CODES = [
  "UNAVAILABLE",
  "INTERNAL",
  "DATA_LOSS",
  "DEADLINE_EXCEEDED",
  "UNKNOWN",
  "RESOURCE_EXHAUSTED",
  "UNIMPLEMENTED",
] as const satisfies readonly (keyof typeof Code)[];
export type FailureCode = (typeof FAILURE_CODES)[number];

/** `lost`: the call was broken off, perhaps with others, for which one event counts once. */
export type Judgement = "success" | "failure" | "lost" | undefined;

/** A timeout of a call with a shorter deadline says nothing about the instance: clients choose their deadlines. */
export const MIN_TIMEOUT_MS = 1000;
/** How much sooner than the hub a client sees its deadline pass. */
const CLIENT_DEADLINE_SLACK_MS = 50;

/**
 * @param codes statuses of the service that count as failures
 * @returns undefined if the outcome says nothing about the endpoint: the client left, or the call never arrived
 */
export function judge(attempt: Attempt, outcome: AttemptOutcome, codes: ReadonlySet<number>): Judgement {
  const { by, code, sent, trailers, durationMs } = outcome;
  // The call was not processed: the endpoint is full, or shuts down gracefully.
  if (sent !== "maybe") return undefined;
  if (by !== "upstream") return hasTimedOut(attempt, outcome) ? timeout(durationMs, codes) : undefined;
  if (code === Code.DEADLINE_EXCEEDED) return timeout(durationMs, codes);
  if (code === Code.CANCELLED) return undefined;
  if (trailers === undefined) return "lost";
  return codes.has(code) ? "failure" : "success";
}

function timeout(durationMs: number, codes: ReadonlySet<number>): Judgement {
  return durationMs >= MIN_TIMEOUT_MS && codes.has(Code.DEADLINE_EXCEEDED) ? "failure" : undefined;
}

/** The deadline passed before the service had sent anything; a stream that runs until its deadline is healthy. */
function hasTimedOut({ call, startedAt }: Attempt, { durationMs, headersMs }: AttemptOutcome): boolean {
  const { deadline } = call;
  if (deadline === undefined || headersMs !== undefined) return false;
  return startedAt + durationMs >= deadline - CLIENT_DEADLINE_SLACK_MS;
}
