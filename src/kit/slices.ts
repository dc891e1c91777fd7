// Keeps each turn of the event loop short: one read of a socket can bring a thousand small messages, or end a hundred
// calls at once, each with a message to translate. What does not fit into a turn continues in the next, after work that
// has arrived meanwhile.

import { reportFault } from "./faults.js";

/**
 * Budget of a turn, in bytes of JSON or protobuf that are read or printed: usually 1 to 5 ms, and some 20 ms for the
 * most expensive bytes.
 */
export const TURN_BYTES = 256 * 1024;
/** Cost of a message beside its bytes: about 5 µs. */
export const MESSAGE_BYTES = 512;

const WHERE = "in work deferred to another turn of the event loop";

export class Slices {
  #left = TURN_BYTES;
  #scheduled = false;
  #waiting: (() => void)[] = [];
  /** How many turns have had work; for tests. */
  turns = 0;

  /** Whether this turn has budget left. */
  get room(): boolean {
    return this.#left > 0;
  }

  /** Counts work done in this turn. It may exceed the budget: the last piece always fits. */
  spend(bytes: number): void {
    this.#left -= bytes;
    this.#schedule();
  }

  /** Calls `step` in the next turn with budget. Work that it does not finish it enqueues again. */
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
      // All messages of all calls pass here: after an exception there must be further turns.
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
    // Those that found no budget come before those that were enqueued again: each gets its turn.
    if (done < steps.length) this.#waiting = [...steps.slice(done), ...this.#waiting];
    if (this.#waiting.length > 0) this.#schedule();
  }
}

/** There is one event loop. */
export const SLICES = new Slices();
