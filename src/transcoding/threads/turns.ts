// Keeps the messages of a stream in order where some of them are translated in a thread: what comes after one of those
// waits for it.
import type { Cancel } from "./threads.js";

export class Turns {
  readonly #waiting: (() => void)[] = [];
  #cancel: Cancel | undefined = undefined;
  #busy = false;
  #stopped = false;

  /** A job is in a thread, or waits for it. */
  get behind(): boolean {
    return this.#busy || this.#waiting.length > 0;
  }

  /** Does it now, or when all before it is done. */
  add(step: () => void): void {
    this.#waiting.push(step);
    this.#run();
  }

  /** Within a step: its work continues, and `then` is the rest of it. */
  await<T>(begin: (done: (result: T) => void) => Cancel, then: (result: T) => void): void {
    this.#busy = true;
    const cancel = begin((result) => {
      this.#busy = false;
      this.#cancel = undefined;
      if (this.#stopped) return;
      then(result);
      this.#run();
    });
    if (this.#busy) this.#cancel = cancel;
  }

  /** The waiting steps are dropped. */
  stop(): void {
    this.#stopped = true;
    this.#waiting.length = 0;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #run(): void {
    while (!this.#busy && !this.#stopped) {
      const step = this.#waiting.shift();
      if (step === undefined) return;
      step();
    }
  }
}
