// Polls a source: when a response expires, sooner if an endpoint is unreachable, and with backoff while there is no
// response.
import type { Timer } from "../../kit/clock.js";
import { reportFault } from "../../kit/faults.js";
import type { SourceContext, Watch } from "./endpoint-source.js";

/** Minimum interval between a failed connection's poll and the one before. */
const MIN_REFRESH_MS = 5_000;
const MIN_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 30_000;

/** There is no response; the message is for people. */
export class NoAnswer extends Error {}

export interface Polled {
  /** Resolves with the milliseconds until the next poll; rejects with NoAnswer. */
  ask(): Promise<number>;
  onNoAnswer(problem: string): void;
  close?(): void;
}

export class Polling implements Watch {
  readonly #context: SourceContext;
  readonly #polled: Polled;
  #timer: Timer | undefined;
  #asking = false;
  #askedAt = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #closed = false;

  /** Polls at once. */
  constructor(context: SourceContext, polled: Polled) {
    this.#context = context;
    this.#polled = polled;
    this.#ask();
  }

  refresh(): void {
    if (this.#asking || this.#closed) return;
    const waitMs = this.#askedAt + MIN_REFRESH_MS - this.#context.clock.now();
    if (waitMs <= 0) this.#ask();
    else if (this.#failures === 0) this.#again(waitMs);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#polled.close?.();
  }

  /** When the timer fires, in milliseconds of the clock; it is only ever moved forward to an earlier time. */
  #dueAt = Number.POSITIVE_INFINITY;

  #again(delayMs: number): void {
    const { clock } = this.#context;
    const dueAt = clock.now() + delayMs;
    if (this.#timer !== undefined && dueAt >= this.#dueAt) return;
    this.#timer?.cancel();
    this.#dueAt = dueAt;
    this.#timer = clock.setTimeout(() => this.#ask(), delayMs);
  }

  #ask(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#asking = true;
    this.#askedAt = this.#context.clock.now();
    this.#polled
      .ask()
      .then(
        (delayMs) => {
          this.#failures = 0;
          return delayMs;
        },
        (error: unknown) => {
          if (this.#closed) return 0;
          if (!(error instanceof NoAnswer)) reportFault("while endpoints were looked for", error);
          this.#polled.onNoAnswer(
            error instanceof NoAnswer ? error.message : "the hub failed to look for them",
          );
          const backoffMs = Math.min(MIN_BACKOFF_MS * 2 ** this.#failures, MAX_BACKOFF_MS);
          this.#failures++;
          return backoffMs * (0.8 + 0.4 * this.#context.random());
        },
      )
      .then((delayMs) => {
        this.#asking = false;
        if (!this.#closed) this.#again(delayMs);
      })
      .catch((error: unknown) => reportFault("while endpoints were taken over", error));
  }
}
