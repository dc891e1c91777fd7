// Exceptions that escape every barrier of a serving hub: they are logged, and the hub drains as on SIGTERM and exits
// with its own code, so that its supervisor starts another. A program that embeds a hub decides about them itself.
import { reportFault } from "../../kit/faults.js";

/** EX_SOFTWARE of sysexits.h: an internal error was detected. */
export const FAULT_EXIT_CODE = 70;

let take: ((error: unknown) => void) | undefined;

/** From now on, uncaught exceptions of the process come here. Resolves with the first. */
export function escapes(): Promise<"fault"> {
  return new Promise((resolve) => {
    take = (error) => {
      reportFault("outside of any call or connection", error);
      resolve("fault");
    };
  });
}

/** Handles an `uncaughtException` or `unhandledRejection`. False: no hub serves, and the command has failed. */
export function takeEscape(error: unknown): boolean {
  take?.(error);
  return take !== undefined;
}
