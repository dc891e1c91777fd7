// Faults: unexpected exceptions of the hub, or of a program's own code in it. Each is logged in one line, with its
// stack and an id; the response of a call that it ended has the same id, so that the two can be matched.
//
// Faults are those of the process: a fault is a place in the code, which all hubs of a program run, and an exception in a
// timer or a socket belongs to no hub. So each hub is notified of every fault, and remembers by itself which it has
// logged: no hub silences another's log.
import { createHash } from "node:crypto";

/** Called for each fault. undefined: its line was logged a moment ago, so this one is only counted. */
export type FaultListener = (line: string | undefined) => void;

/** A repeated fault is logged at most this often: clients may be able to cause it. */
const AGAIN_MS = 60_000;
/** Faults that are remembered, the oldest forgotten first: each is a place in the code. */
const MAX_KNOWN = 1000;
const ID_CHARACTERS = 8;
/** Frames of the stack that distinguish one fault from another. */
const FRAMES = 8;

interface Known {
  toldAt: number;
  /** Since then. */
  again: number;
}

/** One listener, and the faults that it has been notified of. */
class Hearing {
  readonly #listener: FaultListener;
  readonly #known = new Map<string, Known>();

  constructor(listener: FaultListener) {
    this.#listener = listener;
  }

  hear(id: string, where: string, text: string): void {
    try {
      this.#listener(this.#lineOf(id, where, text));
    } catch {
      // The log itself fails: notify the others all the same.
    }
  }

  #lineOf(id: string, where: string, text: string): string | undefined {
    const now = performance.now();
    const before = this.#known.get(id);
    if (before === undefined) {
      this.#known.set(id, { toldAt: now, again: 0 });
      for (const oldest of this.#known.keys()) {
        if (this.#known.size <= MAX_KNOWN) break;
        this.#known.delete(oldest);
      }
      return `fault ${id} of the hub, ${where}: ${text}`;
    }
    before.again++;
    if (now - before.toldAt < AGAIN_MS) return undefined;
    const line = `fault ${id} of the hub occurred again, ${before.again} times since it was last logged`;
    before.toldAt = now;
    before.again = 0;
    return line;
  }
}

const hearings = new Set<Hearing>();
/** Used while no hub runs. */
const nobody = new Hearing((line) => {
  if (line !== undefined) process.emitWarning(line);
});

/** Reports every fault of the process to this listener, until the returned function is called. */
export function listenToFaults(listener: FaultListener): () => void {
  const hearing = new Hearing(listener);
  hearings.add(hearing);
  return () => hearings.delete(hearing);
}

/**
 * Reports a fault, and returns its id: the same for every fault thrown at the same place in the same way. Never throws.
 * Without a listener the line becomes a warning of the process.
 *
 * @param where what the hub was doing, and what ends with it, e.g. `while a call to /a.B/C was served`
 */
export function reportFault(where: string, error: unknown): string {
  let id = "unknown";
  try {
    const text = textOf(error);
    id = idOf(where, text);
    if (hearings.size === 0) nobody.hear(id, where, text);
    for (const hearing of hearings) hearing.hear(id, where, text);
  } catch {
    // For example a value whose message cannot be read. Nothing is left that could report it.
  }
  return id;
}

/** Runs something that must not prevent the next step; an exception is reported, and ignored. */
export function attempt(where: string, step: () => void): void {
  try {
    step();
  } catch (error) {
    reportFault(where, error);
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** By the place of the throw, not by the message: a message may quote a caller. */
function idOf(where: string, text: string): string {
  const frames = text.split("\n").filter((line) => line.startsWith("    at "));
  const shape = frames.length === 0 ? where : frames.slice(0, FRAMES).join("\n");
  return createHash("sha256").update(shape).digest("hex").slice(0, ID_CHARACTERS);
}
