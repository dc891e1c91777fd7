// The hub is ready once it listens and every upstream has been learned once and has endpoints, or the wait has passed,
// until it drains.
import type { Clock, Timer } from "../kit/clock.js";
import type { Log } from "../kit/log.js";

export interface ReadinessOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Names of the upstreams that have never been learned. */
  unlearned(): readonly string[];
  /** Names of the upstreams whose source has never provided endpoints. */
  unlocated(): readonly string[];
  /** For the health service: called with each change, and at first with the current state. */
  onChange(ready: boolean): void;
}

export class Readiness {
  #state: "starting" | "learning" | "ready" | "draining" = "starting";
  #timer: Timer | undefined;
  readonly #options: ReadinessOptions;

  constructor(options: ReadinessOptions) {
    this.#options = options;
  }

  get ready(): boolean {
    return this.#state === "ready";
  }

  /** Why it is not ready, a few words each, without names; empty when it is. */
  get reasons(): readonly string[] {
    if (this.#state === "ready") return [];
    if (this.#state !== "learning") return [this.#state];
    const unlocated = this.#options.unlocated();
    // Without endpoints it cannot be learned either: report the endpoints.
    const unlearned = this.#options.unlearned().filter((name) => !unlocated.includes(name));
    return [
      ...(unlocated.length === 0 ? [] : [`finding the endpoints of ${upstreams(unlocated.length)}`]),
      ...(unlearned.length === 0 ? [] : [`learning the services of ${upstreams(unlearned.length)}`]),
    ];
  }

  get #missing(): readonly string[] {
    return [...new Set([...this.#options.unlearned(), ...this.#options.unlocated()])];
  }

  /**
   * The hub accepts calls.
   * @param waitMs how long to wait for upstreams that have not been learned; 0: not at all, undefined: forever
   */
  start(waitMs: number | undefined): void {
    const { clock, log } = this.#options;
    if (waitMs === 0 || this.#missing.length === 0) {
      this.#become("ready");
      return;
    }
    this.#become("learning");
    if (waitMs === undefined) return;
    this.#timer = clock.setTimeout(() => {
      log.warn(`ready after ${waitMs / 1000} s, though not learned yet: ${this.#missing.join(", ")}`);
      this.#become("ready");
    }, waitMs);
  }

  /** An upstream was learned, or removed. */
  check(): void {
    if (this.#state !== "learning" || this.#missing.length > 0) return;
    this.#options.log.info("ready: every upstream has been learned");
    this.#become("ready");
  }

  drain(): void {
    this.#become("draining");
  }

  #become(state: "learning" | "ready" | "draining"): void {
    this.#timer?.cancel();
    this.#state = state;
    this.#options.onChange(state === "ready");
  }
}

function upstreams(count: number): string {
  return `${count} ${count === 1 ? "upstream" : "upstreams"}`;
}
