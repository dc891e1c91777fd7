// The refusal of a request for want of something that may be there soon: a thread, a module, a descriptor.
import { refusal } from "../../call/status/reasons.js";
import type { Status } from "../../call/status/status.js";
import { retryInfo } from "../../call/status/status-details.js";
import { errorCode } from "../../kit/text/user-error.js";

/** About what a full queue of large messages takes. */
const RETRY_MS = 1000;

export function notNow(message: string, cause?: unknown): Status {
  return refusal("TRANSLATION_OVERLOADED", message, { details: [retryInfo(RETRY_MS)], cause });
}

/** A thread, or what it loads, finds no descriptor left: no call can do anything about that, and the next may find it over. */
export function isWithoutDescriptors(error: Error): boolean {
  return WITHOUT_DESCRIPTORS.has(errorCode(error) ?? "");
}

const WITHOUT_DESCRIPTORS: ReadonlySet<string> = new Set(["ERR_WORKER_INIT_FAILED", "EMFILE", "ENFILE"]);
