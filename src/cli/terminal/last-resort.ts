// What escapes every barrier of a serving hub: it is told, and the hub drains as on SIGTERM and ends with a code of its
// own, so that whoever runs it starts another. A program that embeds a hub decides about such things itself.
import { reportFault } from "../../kit/faults.js";

/** EX_SOFTWARE of sysexits.h: an internal error was detected. */
export const FAULT_EXIT_CODE = 70;

let take: ((error: unknown) => void) | undefined;

/** From now on, what nothing in the process has caught comes here. Resolves with the first. */
export function escapes(): Promise<"fault"> {
  return new Promise((resolve) => {
    take = (error) => {
      reportFault("outside of any call or connection", error);
      resolve("fault");
    };
  });
}

/** Takes an `uncaughtException` or `unhandledRejection`. False: no hub serves, and the command has failed. */
export function takeEscape(error: unknown): boolean {
  take?.(error);
  return take !== undefined;
}
