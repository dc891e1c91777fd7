// The barrier at an entry from outside: a callback of a socket, of zlib, of a thread, of a timer, of node:http. An
// exception behind it ends one call or one connection, as its owner says, and never the process.
import { reportFault } from "./faults.js";

/**
 * Wraps the callback in its barrier. `onFault` reports the fault and ends what it affects; if it throws too, that is
 * reported. Entries that run for each frame have their own `try` instead: no closure, no rest parameters.
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

/** Ends what a fault affects. */
export function contain(error: unknown, onFault: (error: unknown) => void): void {
  try {
    onFault(error);
  } catch (second) {
    reportFault("while handling another fault", second);
  }
}
