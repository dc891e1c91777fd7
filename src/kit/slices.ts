// The work of one turn of the event loop, kept short: one read of a socket can bring a thousand small messages, or end
// a hundred calls at once, each with a message to translate. What does not fit in a turn goes on in the next, behind
// what came meanwhile.

import { reportFault } from "./faults.js";

/**
 * What a turn has room for, in bytes of JSON or protobuf that are read or printed: 1 to 5 ms as a rule, and some 20
 * where each byte takes as long as it can.
 */
export const TURN_BYTES = 256 * 1024;
/** What a message costs beside its bytes: about 5 µs. */
export const MESSAGE_BYTES = 512;

const WHERE = "in work deferred to another turn of the event loop";

export class Slices {
  #left = TURN_BYTES;
  #scheduled = false;
  #waiting: (() => void)[] = [];
  /** How many turns have had work; for tests. */
  turns = 0;

  /** There is room in this turn. */
  get room(): boolean {
    return this.#left > 0;
  }

  /** Work that is done in this turn. It may be more than there was room for: the last piece always fits. */
  spend(bytes: number): void {
    this.#left -= bytes;
    this.#schedule();
  }

  /** Calls `step` in the next turn that has room. What it does not get done it puts here again. */
  later(step: () => void): void {
    this.#waiting.push(step);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#next);
  }

  readonly #next = (): void => {
    try {
      this.#turn();
    } catch (error) {
      reportFault(WHERE, error);
      // All messages of all calls come by here: whatever threw, there are further turns.
      this.#scheduled = false;
      this.#left = TURN_BYTES;
      if (this.#waiting.length > 0) this.#schedule();
    }
  };

  #turn(): void {
    this.#scheduled = false;
    this.#left = TURN_BYTES;
    this.turns++;
    const steps = this.#waiting;
    if (steps.length === 0) return;
    this.#waiting = [];
    let done = 0;
    for (; done < steps.length && this.room; done++) {
      try {
        steps[done]?.();
      } catch (error) {
        reportFault(WHERE, error);
      }
    }
    // Those that had no room stand before those that were put back: each gets its turn.
    if (done < steps.length) this.#waiting = [...steps.slice(done), ...this.#waiting];
    if (this.#waiting.length > 0) this.#schedule();
  }
}

/** There is one event loop. */
export const SLICES = new Slices();
