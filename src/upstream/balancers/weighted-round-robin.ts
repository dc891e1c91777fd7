// Endpoints in turn, weighted by their load reports (gRFC A58, with reports per call). Those without reports get the
// average; if hardly any report, the configured weights apply, as with round_robin.
import type { Attempt, AttemptOutcome } from "../../call/attempt.js";
import type { Timer } from "../../kit/clock.js";
import type { BalancedEndpoint, Balancer, BalancerContext, BalancerView } from "./balancer.js";
import { type EndpointLoad, loadOf } from "./endpoint-load.js";
import { LOAD_REPORT, readLoadReport, weightOf } from "./parts/load-report.js";
import { RoundRobin } from "./round-robin.js";

export const BLACKOUT_MS = 10_000;
export const EXPIRY_MS = 180_000;
export const UPDATE_MS = 1000;
export const ERROR_PENALTY = 1;

/** With fewer reporting endpoints the weights are not meaningful: all count alike (A58). */
const MIN_REPORTING = 2;
/** Bounds of an endpoint's weight relative to the median, whatever it reports. */
const MAX_SHARE = 10;
const MIN_SHARE = 0.01;

class WeightedRoundRobin<E extends BalancedEndpoint> extends RoundRobin<E> {
  private readonly context: BalancerContext;
  private timer: Timer | undefined = undefined;
  /** Endpoints with a report that counts now. */
  private counted = 0;
  /** A report has arrived since weights were computed. */
  private heard = false;

  constructor(context: BalancerContext) {
    super(context);
    this.context = context;
  }

  override update(endpoints: readonly E[]): void {
    super.update(endpoints);
    if (endpoints.length < 2) this.close();
    else this.timer ??= this.later();
  }

  close(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  private later(): Timer {
    const { clock, options } = this.context;
    return clock.setTimeout(() => {
      this.timer = this.later();
      // Without new reports, existing ones can only expire.
      if (this.heard || this.counted > 0) this.weigh(this.weights(), true);
    }, options?.updateMs ?? UPDATE_MS);
  }

  protected override weights(): Float64Array {
    const { endpoints } = this;
    const now = this.context.clock.now();
    const reported = Float64Array.from(endpoints, ({ load }) => this.reportedBy(load, now));
    const known = reported.filter((weight) => weight > 0).sort();
    this.counted = known.length;
    // In its blackout period: it will count later.
    this.heard = endpoints.some(({ load }, i) => load.reported > 0 && reported[i] === 0);
    if (this.counted < MIN_REPORTING) return super.weights();
    // Relative to the median, which a few false reports cannot move.
    const middle = known[known.length >> 1] ?? 1;
    const within = (weight: number) => Math.min(middle * MAX_SHARE, Math.max(middle * MIN_SHARE, weight));
    let sum = 0;
    for (const weight of known) sum += within(weight);
    const mean = sum / known.length;
    return reported.map((weight, i) => {
      const { load } = endpoints[i] ?? {};
      return (weight > 0 ? within(weight) : mean) * (load === undefined ? 1 : load.weight / load.base);
    });
  }

  /** 0: no report counts. */
  private reportedBy(load: EndpointLoad, now: number): number {
    if (load.reported === 0) return 0;
    const { options } = this.context;
    if (now - load.reportedAt >= (options?.expiryMs ?? EXPIRY_MS)) {
      load.reported = 0;
      load.reportedSince = Number.POSITIVE_INFINITY;
      return 0;
    }
    return now - load.reportedSince < (options?.blackoutMs ?? BLACKOUT_MS) ? 0 : load.reported;
  }

  end(attempt: Attempt, { trailers, durationMs }: AttemptOutcome): void {
    const value = trailers?.get(LOAD_REPORT);
    if (value === undefined) return;
    const load = loadOf(attempt);
    if (load === undefined) return;
    const { options, onBadReport } = this.context;
    const report = readLoadReport(value);
    if (typeof report === "string") {
      onBadReport?.(attempt.endpoint?.address ?? "", report);
      return;
    }
    const weight = weightOf(report, options?.errorPenalty ?? ERROR_PENALTY);
    if (weight === 0) return;
    const now = attempt.startedAt + durationMs;
    if (load.reportedSince > now) load.reportedSince = now;
    load.reported = weight;
    load.reportedAt = now;
    this.heard = true;
  }

  describe({ load }: E): BalancerView {
    const reported = this.reportedBy(load, this.context.clock.now());
    return reported > 0 ? { reported: Math.round(reported * 100) / 100 } : {};
  }
}

export function weightedRoundRobin<E extends BalancedEndpoint>(context: BalancerContext): Balancer<E> {
  return new WeightedRoundRobin(context);
}
