// The faster one of two endpoints drawn at random: its average latency times its running calls (Finagle's and Linkerd's
// "peak EWMA"). An endpoint that slows down gets few calls from its first slow response on.
import type { Attempt, AttemptOutcome } from "../../call/attempt.js";
import { Code } from "../../call/status/status.js";
import type { Clock } from "../../kit/clock.js";
import type { BalancedEndpoint, Balancer, BalancerContext, BalancerView } from "./balancer.js";
import { type EndpointLoad, loadOf } from "./endpoint-load.js";
import { LeastOf } from "./least-of.js";

export const RTT_MS = 30;
export const DECAY_MS = 10_000;
/** Averages decay while there are no responses, but not below this, so that running calls still count. */
const LEAST_MS = 0.01;

/** Averages decay a little between two responses: a smaller difference must not override the choice by weight. */
const MARGIN = 0.95;

/** Failures caused by the service's own state. One that fails fast is not fast. */
const FAILURES = new Set<number>([
  Code.UNKNOWN,
  Code.DEADLINE_EXCEEDED,
  Code.RESOURCE_EXHAUSTED,
  Code.UNIMPLEMENTED,
  Code.INTERNAL,
  Code.UNAVAILABLE,
  Code.DATA_LOSS,
]);

/**
 * Samples are the times from a unary call's begin to its response headers: the first response of a stream depends on
 * its client as much as on its service. A higher sample replaces the average, a lower one pulls it down; without
 * responses the average decays, so that a slow endpoint is tried again.
 */
class PeakEwma<E extends BalancedEndpoint> extends LeastOf<E> {
  private readonly clock: Clock;
  private readonly rttMs: number;
  private readonly decayMs: number;

  constructor(context: BalancerContext) {
    super(context, 2, MARGIN);
    this.clock = context.clock;
    this.rttMs = context.options?.rttMs ?? RTT_MS;
    this.decayMs = context.options?.decayMs ?? DECAY_MS;
  }

  override update(endpoints: readonly E[]): void {
    const now = this.clock.now();
    for (const { load } of endpoints) {
      if (!Number.isNaN(load.rttAt)) continue;
      load.rttAt = now;
      load.rttMs = this.rttMs;
    }
    super.update(endpoints);
  }

  protected now(): number {
    return this.clock.now();
  }

  protected cost(endpoint: E, now: number): number {
    return this.estimate(endpoint.load, now) * this.callsFor(endpoint);
  }

  /** Expected latency of a response, milliseconds. */
  private estimate(load: EndpointLoad, now: number): number {
    const { rttMs, rttAt, waitingSince } = load;
    const average = rttMs * Math.exp((rttAt - now) / this.decayMs);
    // An endpoint that has stopped responding gives no samples: it counts as slow as its calls have waited.
    return Math.max(average, now - waitingSince, LEAST_MS);
  }

  private sample(load: EndpointLoad, ms: number, now: number): void {
    const share = Math.exp((load.rttAt - now) / this.decayMs);
    const left = load.rttMs * share;
    load.rttMs = ms > left ? ms : left + ms * (1 - share);
    load.rttAt = now;
  }

  begin(attempt: Attempt): void {
    if (attempt.call.method.kind !== "unary") return;
    const load = loadOf(attempt);
    if (load !== undefined && load.waitingSince === Number.POSITIVE_INFINITY)
      load.waitingSince = attempt.startedAt;
  }

  /** Present so that the outcome has its time. */
  headers(attempt: Attempt): void {
    const load = loadOf(attempt);
    if (load !== undefined) load.waitingSince = Number.POSITIVE_INFINITY;
  }

  end(attempt: Attempt, { code, headersMs, durationMs }: AttemptOutcome): void {
    const { kind } = attempt.call.method;
    if (kind !== "unary" && !(kind === "unknown" && isWhole(headersMs, durationMs))) return;
    const load = loadOf(attempt);
    if (load === undefined) return;
    const now = attempt.startedAt + durationMs;
    const answered = headersMs !== undefined;
    if (!answered) load.waitingSince = Number.POSITIVE_INFINITY;
    const ms = headersMs ?? durationMs;
    // A call that failed, or had no response when it was given up, took at least this long.
    if (!answered || FAILURES.has(code)) this.sample(load, Math.max(ms, this.estimate(load, now)), now);
    else this.sample(load, ms, now);
  }

  describe({ load }: E): BalancerView {
    return { ewmaMs: Math.round(this.estimate(load, this.clock.now()) * 100) / 100 };
  }
}

/** A response that ends as soon as it begins: for a method without a schema, most likely a unary one. */
function isWhole(headersMs: number | undefined, durationMs: number): boolean {
  return headersMs !== undefined && durationMs - headersMs <= 1 + headersMs / 10;
}

export function peakEwma<E extends BalancedEndpoint>(context: BalancerContext): Balancer<E> {
  return new PeakEwma(context);
}
