// Decides when to learn a schema again. Reflection reports no changes, so: when an endpoint connects, and periodically.
import type { Clock, Timer } from "../../kit/clock.js";
import { reasonOf } from "../descriptors/file-descriptor.js";
import type { Schema } from "../types/schema.js";

export interface SchemaWatcherOptions {
  /**
   * Learns once. Must stop when the signal fires. Calls `answered` when the server has sent everything: reading it may
   * take longer than a server may be silent.
   */
  learn(signal: AbortSignal, answered: () => void): Promise<Schema>;
  /** A schema that differs from the last one. An exception is reported as a problem, and retried. */
  onSchema(schema: Schema): void;
  /**
   * One sentence, if it differs from the last problem since the last success. The last schema stays in use. `first`: it
   * was not reported since the last success.
   */
  onProblem(message: string, first: boolean): void;
  readonly clock: Clock;
  /** 0 ≤ x < 1; default Math.random. */
  readonly random?: () => number;
}

const REFRESH_MS = 60_000;
const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;
/** Many endpoints that connect at once, or one that flaps, cost one learning per second. */
const MIN_INTERVAL_MS = 1_000;
const LEARN_TIMEOUT_MS = 10_000;
/**
 * Timeout after everything was received. Longer than the reading itself may take: other upstreams may be read first.
 */
const READ_TIMEOUT_MS = 120_000;
/** ±20 %, so that hubs that lost the same upstream do not retry in step. */
const JITTER_RATIO = 0.2;
/** Different problems between two successes. */
const MAX_LOGGED = 16;

/** Keeps one upstream's schema up to date: from start() to close(), never two learnings at once. */
export class SchemaWatcher {
  readonly #options: SchemaWatcherOptions;
  readonly #random: () => number;
  /** Of the running learning. */
  #abort: AbortController | undefined;
  #timer: Timer | undefined;
  #closed = false;
  #poked = false;
  #failures = 0;
  #startedAt = Number.NEGATIVE_INFINITY;
  #hash: string | undefined;
  #problem: string | undefined;
  /** Problems since the last success. */
  readonly #logged = new Set<string>();

  constructor(options: SchemaWatcherOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
  }

  /** Learns for the first time. */
  start(): void {
    this.poke();
  }

  /** An endpoint connected, or a client asks for something unknown: learns now, or a second after the last start. */
  poke(): void {
    if (this.#closed) return;
    if (this.#abort !== undefined) {
      // The running learning may see the old build.
      this.#poked = true;
      return;
    }
    this.#failures = 0;
    const wait = this.#startedAt + MIN_INTERVAL_MS - this.#options.clock.now();
    if (wait > 0) this.#schedule(wait);
    else void this.#learn();
  }

  /** Stops; nothing is called back any more. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#abort?.abort();
  }

  #schedule(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.setTimeout(() => void this.#learn(), delayMs);
  }

  async #learn(): Promise<void> {
    if (this.#closed || this.#abort !== undefined) return;
    this.#timer?.cancel();
    this.#startedAt = this.#options.clock.now();
    const abort = new AbortController();
    this.#abort = abort;
    this.#poked = false;
    let problem: string | undefined;
    try {
      const schema = await this.#withTimeout(abort);
      if (this.#closed) return;
      if (schema.hash !== this.#hash) {
        this.#options.onSchema(schema);
        this.#hash = schema.hash;
      }
    } catch (error) {
      problem = reasonOf(error);
    } finally {
      this.#abort = undefined;
    }
    if (!this.#closed) this.#settled(problem);
  }

  #withTimeout(abort: AbortController): Promise<Schema> {
    return new Promise((resolve, reject) => {
      const within = (ms: number): Timer =>
        this.#options.clock.setTimeout(() => {
          reject(new Error(`the schema could not be learned within ${ms / 1000} s`));
          abort.abort();
        }, ms);
      let timer = within(LEARN_TIMEOUT_MS);
      const answered = (): void => {
        timer.cancel();
        if (!abort.signal.aborted) timer = within(READ_TIMEOUT_MS);
      };
      abort.signal.addEventListener("abort", () => reject(new Error("closed")), { once: true });
      // In a then, so that an exception of learn() is a failure like any other.
      Promise.resolve()
        .then(() => this.#options.learn(abort.signal, answered))
        .then(resolve, reject)
        .finally(() => timer.cancel());
    });
  }

  #settled(problem: string | undefined): void {
    this.#failures = problem === undefined ? 0 : this.#failures + 1;
    const before = this.#problem;
    this.#problem = problem;
    // The next learning is scheduled before callbacks run, which may poke or close.
    if (this.#poked) {
      this.#poked = false;
      this.#failures = 0;
      this.#schedule(Math.max(0, this.#startedAt + MIN_INTERVAL_MS - this.#options.clock.now()));
    } else {
      this.#schedule(problem === undefined ? REFRESH_MS : this.#backoffMs());
    }
    if (problem === undefined) this.#logged.clear();
    else if (problem !== before) this.#options.onProblem(problem, this.#isFirst(problem));
  }

  /** A server that closes connections is seen now as closed, now as reset: the two must not fill a log in turns. */
  #isFirst(problem: string): boolean {
    if (this.#logged.has(problem) || this.#logged.size >= MAX_LOGGED) return false;
    this.#logged.add(problem);
    return true;
  }

  #backoffMs(): number {
    const base = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** (this.#failures - 1));
    return base * (1 - JITTER_RATIO + 2 * JITTER_RATIO * this.#random());
  }
}
