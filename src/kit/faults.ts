// Faults: what the hub, or a program's own code in it, threw where nothing should throw. Each is told in one line, with
// its stack, under an id; a call that it ended carries the id in its answer, so that the two can be brought together.
//
// They are those of the process: a fault is a place in the code, which all hubs of a program run, and what throws in a timer
// or a socket belongs to none of them. So each hub hears of every fault, and remembers for itself what it has heard: none
// silences another's log.
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

/** Who listens, and what was heard before. */
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
      // The log itself fails: the others are told all the same.
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
/** Where no hub runs, or none any more. */
const nobody = new Hearing((line) => {
  if (line !== undefined) process.emitWarning(line);
});

/** Tells every fault of the process to this listener, until the returned function is called. */
export function listenToFaults(listener: FaultListener): () => void {
  const hearing = new Hearing(listener);
  hearings.add(hearing);
  return () => hearings.delete(hearing);
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
    if (hearings.size === 0) nobody.hear(id, where, text);
    for (const hearing of hearings) hearing.hear(id, where, text);
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

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** By where it was thrown, not by what it says: a message may quote a caller, and callers may say anything. */
function idOf(where: string, text: string): string {
  const frames = text.split("\n").filter((line) => line.startsWith("    at "));
  const shape = frames.length === 0 ? where : frames.slice(0, FRAMES).join("\n");
  return createHash("sha256").update(shape).digest("hex").slice(0, ID_CHARACTERS);
}
