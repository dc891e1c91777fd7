// What is left in memory once nobody needs the rest: without it, a test of memory measures when V8 last collected.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const gc: unknown = runInNewContext("gc");

/** Collects all garbage of this thread, at once, and that of buffers too. */
export function collectGarbage(): void {
  if (typeof gc !== "function") throw new Error("this Node has no garbage collection to ask for");
  gc();
  // V8 frees the memory of dead buffers beside the program, and waits for that before it collects again.
  gc();
}
