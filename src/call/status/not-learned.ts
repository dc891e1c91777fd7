// The refusal of gRPC and HTTP alike while an upstream that was never learned may have what is asked for.
import { Headers } from "../../kit/headers.js";
import { refusal } from "./reasons.js";
import type { Status } from "./status.js";

/** A service that is learned is tried again about as often, at first. */
const LEARNING_RETRY_SECONDS = 1;

/** What is asked for is not known, but an upstream that was never learned may have it. `why`: for those who may know. */
export function notLearned(message: string, why: string): Status {
  return refusal("SERVICE_NOT_LEARNED", message, {
    hint: `: ${why}`,
    metadata: Headers.of(["retry-after", String(LEARNING_RETRY_SECONDS)]),
  });
}
