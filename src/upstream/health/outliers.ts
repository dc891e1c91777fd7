// Outlier detection (gRFC A50, Envoy's of the same name): ejects endpoints for a while that fail more calls than
// others.
import type { Attempt, AttemptEndpoint, AttemptObserver, AttemptOutcome } from "../../call/attempt.js";
import { Code, codeName } from "../../call/status/status.js";
import type { Clock, Timer } from "../../kit/clock.js";
import type { Counter } from "../../kit/meters.js";
import type { EndpointHealth, HealthEndpoint } from "./endpoint-health.js";
import { type FailureCode, judge } from "./failures.js";

export interface OutlierConfig {
  /** Failures in a row; undefined: no ejection by consecutive failures. */
  readonly consecutive: number | undefined;
  /** undefined: success rates are not compared. */
  readonly successRate:
    | { readonly hosts: number; readonly requests: number; readonly deviations: number }
    | undefined;
  /** Statuses of the service that count as failures. */
  readonly codes: readonly FailureCode[];
  readonly intervalMs: number;
  /** Duration of an endpoint's first ejection; the n-th takes n times as long. */
  readonly ejectionMs: number;
  readonly maxEjectionMs: number;
  /** 0..1, of all endpoints; one may always be ejected. */
  readonly maxShare: number;
}

export const EJECTION_REASONS = ["consecutive", "success_rate"] as const;
export type EjectionReason = (typeof EJECTION_REASONS)[number];

/** The health of the cluster, as its outlier detection sees it. */
export interface OutlierOwner<E extends HealthEndpoint> {
  readonly clock: Clock;
  /** Creates it if the endpoint has none. */
  healthOf(endpoint: E): EndpointHealth;
  /** It is ejected, or (by its `health`) no longer. */
  onEjection(endpoint: E): void;
}

/** Calls of one connection that are lost together count as one failure, not as one for each call. */
const ONE_LOSS_MS = 100;

/** The statistics of one endpoint. */
interface Tracked<E> {
  readonly endpoint: E;
  /** Failures since the last success. */
  inARow: number;
  /** Consecutive failures when it could not be ejected: ejection is tried again after as many more. */
  spared: number;
  /** In this interval. */
  succeeded: number;
  failed: number;
  lostAt: number;
  /** How often it was ejected; decreases by one with each interval without an ejection. */
  ejections: number;
  /** When the last ejection ended. */
  backAt: number;
  /** Ends its ejection. */
  timer: Timer | undefined;
}

export class Outliers<E extends HealthEndpoint> implements AttemptObserver {
  private readonly owner: OutlierOwner<E>;
  private readonly ejections: Readonly<Record<EjectionReason, Counter>>;
  private config: OutlierConfig;
  private codes: ReadonlySet<number> = new Set();
  private tracked: ReadonlyMap<AttemptEndpoint, Tracked<E>> = new Map();
  private sweepTimer: Timer | undefined = undefined;

  /** @param ejections counts ejections by reason */
  constructor(
    owner: OutlierOwner<E>,
    config: OutlierConfig,
    ejections: Readonly<Record<EjectionReason, Counter>>,
  ) {
    this.owner = owner;
    this.ejections = ejections;
    this.config = config;
    this.configure(config);
  }

  /** Takes over other settings; current ejections go on unchanged. */
  configure(config: OutlierConfig): void {
    this.config = config;
    this.codes = new Set(config.codes.map((name) => Code[name]));
  }

  /** Endpoints that stay keep their statistics. */
  update(endpoints: readonly E[]): void {
    const before = new Map(this.tracked);
    this.tracked = new Map(
      endpoints.map((endpoint) => {
        const same = before.get(endpoint);
        before.delete(endpoint);
        return [endpoint, same ?? fresh(endpoint)];
      }),
    );
    for (const { timer } of before.values()) timer?.cancel();
  }

  /** Ends all ejections. */
  close(): void {
    this.sweepTimer?.cancel();
    this.sweepTimer = undefined;
    for (const tracked of this.tracked.values()) if (tracked.timer !== undefined) this.bringBack(tracked);
  }

  /** How often an endpoint was ejected recently. */
  ejectionsOf(endpoint: E): number {
    return this.tracked.get(endpoint)?.ejections ?? 0;
  }

  // ---------------------------------------------------------------- AttemptObserver

  /** Present so that outcomes say whether headers arrived. */
  headers(): void {}

  end(attempt: Attempt, outcome: AttemptOutcome): void {
    const tracked = attempt.endpoint && this.tracked.get(attempt.endpoint);
    if (tracked === undefined) return;
    const judgement = judge(attempt, outcome, this.codes);
    if (judgement === undefined) return;
    this.sweepTimer ??= this.owner.clock.setTimeout(this.sweep, this.config.intervalMs);
    if (judgement === "success") {
      tracked.succeeded++;
      tracked.inARow = 0;
      tracked.spared = 0;
      return;
    }
    if (judgement === "lost") {
      const now = this.owner.clock.now();
      if (now - tracked.lostAt < ONE_LOSS_MS) return;
      tracked.lostAt = now;
    }
    this.failed(tracked, outcome.code === Code.CANCELLED ? Code.DEADLINE_EXCEEDED : outcome.code);
  }

  private failed(tracked: Tracked<E>, code: number): void {
    const { consecutive = Number.POSITIVE_INFINITY } = this.config;
    tracked.failed++;
    tracked.inARow++;
    if (tracked.inARow - tracked.spared < consecutive) return;
    tracked.spared = tracked.inARow;
    this.eject(tracked, "consecutive", `${tracked.inARow} failures in a row, the last ${codeName(code)}`);
  }

  // ---------------------------------------------------------------- the sweep

  private readonly sweep = (): void => {
    this.sweepTimer = undefined;
    this.compare();
    let idle = true;
    for (const tracked of this.tracked.values()) {
      if (tracked.succeeded + tracked.failed > 0 || tracked.ejections > 0) idle = false;
      tracked.succeeded = 0;
      tracked.failed = 0;
      const wellMs = this.owner.clock.now() - tracked.backAt;
      if (tracked.timer === undefined && tracked.ejections > 0 && wellMs >= this.config.intervalMs)
        tracked.ejections--;
    }
    // No ejections to decay, and no calls came: the next call starts it again.
    if (!idle) this.sweepTimer = this.owner.clock.setTimeout(this.sweep, this.config.intervalMs);
  };

  private compare(): void {
    const { successRate } = this.config;
    if (successRate === undefined) return;
    const { hosts, requests, deviations } = successRate;
    const rated = [...this.tracked.values()]
      .filter(({ timer, succeeded, failed }) => timer === undefined && succeeded + failed >= requests)
      .map((tracked) => ({ tracked, rate: tracked.succeeded / (tracked.succeeded + tracked.failed) }))
      .sort((a, b) => a.rate - b.rate);
    if (rated.length < hosts) return;
    const mean = rated.reduce((sum, { rate }) => sum + rate, 0) / rated.length;
    const variance = rated.reduce((sum, { rate }) => sum + (rate - mean) ** 2, 0) / rated.length;
    const least = mean - deviations * Math.sqrt(variance);
    for (const { tracked, rate } of rated) {
      if (rate >= least) return;
      const why = `${percent(rate)} of its calls succeeded, ${percent(mean)} on average`;
      this.eject(tracked, "success_rate", why);
    }
  }

  // ---------------------------------------------------------------- ejections

  private eject(tracked: Tracked<E>, reason: EjectionReason, why: string): void {
    if (tracked.timer !== undefined || !this.mayEject(tracked.endpoint)) return;
    const { owner, config } = this;
    const ms = Math.min(config.ejectionMs * ++tracked.ejections, config.maxEjectionMs);
    tracked.timer = owner.clock.setTimeout(() => this.bringBack(tracked), ms);
    tracked.inARow = 0;
    tracked.spared = 0;
    this.ejections[reason].add();
    owner.healthOf(tracked.endpoint).ejection = { why, untilMs: owner.clock.now() + ms };
    owner.onEjection(tracked.endpoint);
  }

  /** Not beyond the share, and not the last one that gets calls: a bad endpoint is better than none. */
  private mayEject(endpoint: E): boolean {
    let ejected = 0;
    let others = 0;
    for (const tracked of this.tracked.values()) {
      if (tracked.timer !== undefined) ejected++;
      const other = tracked.endpoint;
      if (other !== endpoint && other.state === "ready" && other.health?.out !== true) others++;
    }
    if (others === 0) return false;
    return ejected === 0 || (ejected + 1) / this.tracked.size <= this.config.maxShare;
  }

  private bringBack(tracked: Tracked<E>): void {
    tracked.timer?.cancel();
    tracked.timer = undefined;
    tracked.inARow = 0;
    tracked.spared = 0;
    tracked.backAt = this.owner.clock.now();
    const { health } = tracked.endpoint;
    if (health !== undefined) health.ejection = undefined;
    this.owner.onEjection(tracked.endpoint);
  }
}

function fresh<E>(endpoint: E): Tracked<E> {
  return {
    endpoint,
    inARow: 0,
    spared: 0,
    succeeded: 0,
    failed: 0,
    lostAt: Number.NEGATIVE_INFINITY,
    ejections: 0,
    backAt: Number.NEGATIVE_INFINITY,
    timer: undefined,
  };
}

function percent(share: number): string {
  return `${Math.round(share * 1000) / 10} %`;
}
