// The status of a call that a fault ended. Not in faults.ts, so that the command line does not load the descriptors.
import { reportFault } from "../../kit/faults.js";
import { refusal } from "./reasons.js";
import type { Status } from "./status.js";

/** Reports a fault, and returns the status of the call that it ended. */
export function hubFault(what: string, where: string, cause: unknown): Status {
  return refusal("HUB_FAULT", `${what} (fault ${reportFault(where, cause)})`, { cause });
}

/** The status of a call that an interceptor's fault ended. */
export function brokenStep(name: string, path: string, error: unknown): Status {
  return hubFault(
    `the hub's interceptor "${name}" failed`,
    `as interceptor "${name}" failed on ${path}`,
    error,
  );
}
