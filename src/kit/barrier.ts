// The barrier at an entry from outside: a callback of a socket, of zlib, of a thread, of a timer, of node:http. What
// throws behind it is the end of one call or of one connection, as its owner says, and never of the process.
import { reportFault } from "./faults.js";

/**
 * The callback with its barrier. `onFault` tells of the fault and ends what it has to do with; should it throw as well,
 * that is told. Where something comes for each frame, entries have their `try` in place instead: no closure, no rest
 * parameters.
 */
export function barrier<A extends readonly unknown[]>(
  entry: (...args: A) => void,
  onFault: (error: unknown) => void,
): (...args: A) => void {
  return (...args) => {
    try {
      entry(...args);
    } catch (error) {
      contain(error, onFault);
    }
  };
}

/** Ends what a fault has to do with. */
export function contain(error: unknown, onFault: (error: unknown) => void): void {
  try {
    onFault(error);
  } catch (second) {
    reportFault("while handling another fault", second);
  }
}
