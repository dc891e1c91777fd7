// The answer to a call that a fault ended. Apart from faults.ts, so that the command line loads no descriptors for it.
import { reportFault } from "../../kit/faults.js";
import { refusal } from "./reasons.js";
import type { Status } from "./status.js";

/** Tells of a fault, and returns the answer to the call that it ended. */
export function hubFault(what: string, where: string, cause: unknown): Status {
  return refusal("HUB_FAULT", `${what} (fault ${reportFault(where, cause)})`, { cause });
}

/** The answer to a call that an interceptor's fault ended. */
export function brokenStep(name: string, path: string, error: unknown): Status {
  return hubFault(
    `the hub's interceptor "${name}" failed`,
    `as interceptor "${name}" failed on ${path}`,
    error,
  );
}
