// The longest block of the event loop, during which no call continues, whatever caused it.
import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import { attempt } from "../../kit/faults.js";

/** A timer of libuv's, without JavaScript: some 0.1 % of a core. Its interval is also its error. */
const RESOLUTION_MS = 10;
/** Half of the recent window. */
const WINDOW_MS = 30_000;
const NS_PER_S = 1e9;

export class BlockWatch {
  readonly #delay: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  readonly #timer: NodeJS.Timeout;
  /** Seconds: in the window before this one, and in all before it. */
  #before = 0;
  #ever = 0;

  constructor() {
    this.#delay.enable();
    const turn = () => attempt("while measuring blocks of the event loop", () => this.turn());
    this.#timer = setInterval(turn, WINDOW_MS).unref();
  }

  /** Seconds, of the last 30 to 60; at most 0.01 more than the block was, never less. */
  get recent(): number {
    return Math.max(this.#before, this.#now);
  }

  /** The same since the start. */
  get ever(): number {
    return Math.max(this.#ever, this.recent);
  }

  get #now(): number {
    return this.#delay.max / NS_PER_S;
  }

  /** The next window begins. */
  turn(): void {
    this.#before = this.#now;
    this.#ever = Math.max(this.#ever, this.#before);
    this.#delay.reset();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#delay.disable();
  }
}
