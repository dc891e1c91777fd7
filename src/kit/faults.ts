// Faults: what the hub, or a program's own code in it, threw where nothing should throw. Each is told in one line, with
// its stack, under an id; a call that it ended carries the id in its answer, so that the two can be brought together.
import { createHash } from "node:crypto";

/** Called for each fault. undefined: its line was told a moment ago, so that this one is only to be counted. */
export type FaultListener = (line: string | undefined) => void;

/** A fault that comes again is told so often, at most: strangers may be able to bring it about. */
const AGAIN_MS = 60_000;
/** Faults that are remembered, the oldest forgotten first: each is a place in the code. */
const MAX_KNOWN = 1000;
const ID_CHARACTERS = 8;
/** Frames of the stack that tell one fault from another. */
const FRAMES = 8;

interface Known {
  toldAt: number;
  /** Since then. */
  again: number;
}

const listeners = new Set<FaultListener>();
const known = new Map<string, Known>();

/** Tells every fault of the process to this listener, until the returned function is called. */
export function listenToFaults(listener: FaultListener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/**
 * Tells of a fault, and returns its id: the same for each that was thrown at the same place in the same way. Never
 * throws. Without a listener the line becomes a warning of the process.
 *
 * @param where what the hub was doing, and what ends with it, e.g. `while a call to /a.B/C was served`
 */
export function reportFault(where: string, error: unknown): string {
  let id = "unknown";
  try {
    const text = textOf(error);
    id = idOf(where, text);
    const now = performance.now();
    const before = known.get(id);
    if (before === undefined) {
      known.set(id, { toldAt: now, again: 0 });
      for (const oldest of known.keys()) {
        if (known.size <= MAX_KNOWN) break;
        known.delete(oldest);
      }
      tell(`fault ${id} of the hub, ${where}: ${text}`);
    } else {
      before.again++;
      if (now - before.toldAt >= AGAIN_MS) {
        before.toldAt = now;
        tell(`fault ${id} of the hub occurred again, ${before.again} times since it was last logged`);
        before.again = 0;
      } else tell(undefined);
    }
  } catch {
    // A value whose message cannot be read, say. There is nobody left to tell.
  }
  return id;
}

/** Runs what must not keep others from being run; a throw is told, and that is all. */
export function attempt(where: string, step: () => void): void {
  try {
    step();
  } catch (error) {
    reportFault(where, error);
  }
}

function tell(line: string | undefined): void {
  if (listeners.size === 0 && line !== undefined) process.emitWarning(line);
  for (const listener of listeners) {
    try {
      listener(line);
    } catch {
      // The log itself fails: the others are told all the same.
    }
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** By where it was thrown, not by what it says: a message may quote a caller, and callers may say anything. */
function idOf(where: string, text: string): string {
  const frames = text.split("\n").filter((line) => line.startsWith("    at "));
  const shape = frames.length === 0 ? where : frames.slice(0, FRAMES).join("\n");
  return createHash("sha256").update(shape).digest("hex").slice(0, ID_CHARACTERS);
}
