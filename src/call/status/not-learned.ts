// The status for gRPC and HTTP alike if an upstream that was never learned may have the requested method.
import { Headers } from "../../kit/headers.js";
import { refusal } from "./reasons.js";
import type { Status } from "./status.js";

/** About how often a service is tried again at first. */
const LEARNING_RETRY_SECONDS = 1;

/**
 * The requested method is unknown, but an upstream that was never learned may have it. `why`: for callers who may see
 * it.
 */
export function notLearned(message: string, why: string): Status {
  return refusal("SERVICE_NOT_LEARNED", message, {
    hint: `: ${why}`,
    metadata: Headers.of(["retry-after", String(LEARNING_RETRY_SECONDS)]),
  });
}
