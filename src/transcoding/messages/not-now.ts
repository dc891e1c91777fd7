// The error for a resource that may be available soon: a thread, a module, a file descriptor.
import { refusal } from "../../call/status/reasons.js";
import type { Status } from "../../call/status/status.js";
import { retryInfo } from "../../call/status/status-details.js";
import { errorCode } from "../../kit/text/user-error.js";

/** About the time in which a full queue of large messages is processed. */
const RETRY_MS = 1000;

export function notNow(message: string, cause?: unknown): Status {
  return refusal("TRANSLATION_OVERLOADED", message, { details: [retryInfo(RETRY_MS)], cause });
}

/** A thread, or what it loads, has no file descriptor left: no call can change that, and the next may succeed. */
export function isWithoutDescriptors(error: Error): boolean {
  return WITHOUT_DESCRIPTORS.has(errorCode(error) ?? "");
}

const WITHOUT_DESCRIPTORS: ReadonlySet<string> = new Set(["ERR_WORKER_INIT_FAILED", "EMFILE", "ENFILE"]);
