// What an attempt says of the endpoint that it went to: that it works, that it does not, or nothing.
import type { Attempt, AttemptOutcome } from "../../call/attempt.js";
import { Code } from "../../call/status/status.js";

/**
 * Statuses that can count as failures of an instance. Others are what services answer in the course of their business:
 * UNKNOWN too, which many a server makes of any error of its handler (grpc-go, grpc-js).
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

/** A call that was given less says nothing of the instance: clients choose their deadlines. */
export const MIN_TIMEOUT_MS = 1000;
/** How much sooner than we a client sees its deadline pass. */
const CLIENT_DEADLINE_SLACK_MS = 50;

/**
 * @param codes statuses of the service that count as failures
 * @returns undefined where the endpoint is not to blame, nor to be praised: the client left, or the call never arrived
 */
export function judge(attempt: Attempt, outcome: AttemptOutcome, codes: ReadonlySet<number>): Judgement {
  const { by, code, sent, trailers, durationMs } = outcome;
  // It was not looked at: the endpoint is full, or leaves in an orderly way.
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

/** The deadline passed before the service had said anything; a stream that runs to its deadline is well. */
function hasTimedOut({ call, startedAt }: Attempt, { durationMs, headersMs }: AttemptOutcome): boolean {
  const { deadline } = call;
  if (deadline === undefined || headersMs !== undefined) return false;
  return startedAt + durationMs >= deadline - CLIENT_DEADLINE_SLACK_MS;
}
