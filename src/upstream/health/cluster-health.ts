// Which endpoints of a cluster get calls, apart from room and connections: those that outlier detection has not ejected
// and whose health checks pass, or all of them if too few are left (panic).
import type { AttemptObserver } from "../../call/attempt.js";
import type { Clock } from "../../kit/clock.js";
import type { Counter, Labels } from "../../kit/meters.js";
import { Breakers } from "./breakers.js";
import { EndpointHealth, type HealthEndpoint } from "./endpoint-health.js";
import { HealthCheck, type HealthCheckOwner, type HealthConfig, type Verdict } from "./health-check.js";
import type { HealthFeatures } from "./keys.js";
import { type EjectionReason, type OutlierOwner, Outliers } from "./outliers.js";

/** The cluster, as its health sees it. */
export interface HealthOwner<E extends HealthEndpoint> {
  readonly name: string;
  readonly clock: Clock;
  /** 0 ≤ n < 1 */
  readonly random: () => number;
  readonly endpoints: readonly E[];
  counter(name: string, help: string, labels?: Labels): Counter;
  /** Its health has changed, and with it perhaps which endpoints get calls. */
  onHealth(endpoint: E): void;
}

export class ClusterHealth<E extends HealthEndpoint> implements OutlierOwner<E> {
  readonly clock: Clock;
  breakers: Breakers | undefined = undefined;
  private readonly owner: HealthOwner<E>;
  private outliers: Outliers<E> | undefined = undefined;
  /** By endpoint; undefined: no health checks. */
  private checks: Map<E, HealthCheck> | undefined = undefined;
  private readonly asking: { -readonly [K in keyof HealthCheckOwner]: HealthCheckOwner[K] };
  private verdicts: { readonly healthy: Counter; readonly unhealthy: Counter } | undefined = undefined;
  private panicShare = 0;
  /** undefined: must be counted again. */
  private panic: boolean | undefined = undefined;

  constructor(owner: HealthOwner<E>) {
    this.owner = owner;
    this.clock = owner.clock;
    this.asking = { clock: owner.clock, random: owner.random, config: { service: "", timeoutMs: 0 } };
  }

  /** Takes over the config; parts that stay configured keep their state. */
  configure({ health, outliers, panicShare, breakers }: HealthFeatures): void {
    this.panicShare = panicShare;
    this.configureChecks(health);
    if (outliers === undefined) {
      this.outliers?.close();
      this.outliers = undefined;
    } else if (this.outliers === undefined) {
      const counter = (reason: EjectionReason): Counter =>
        this.owner.counter("ejections", "Endpoints that were taken out for failing calls.", {
          "linchpin.reason": reason,
        });
      this.outliers = new Outliers<E>(this, outliers, {
        consecutive: counter("consecutive"),
        success_rate: counter("success_rate"),
      });
      this.outliers.update(this.owner.endpoints);
    } else this.outliers.configure(outliers);
    if (breakers.calls === undefined && breakers.streams === undefined) this.breakers = undefined;
    else if (this.breakers !== undefined) this.breakers.configure(breakers);
    else {
      const { owner } = this;
      this.breakers = new Breakers(owner.name, breakers, (name) =>
        owner.counter("breaker.refusals", "Calls refused because as many as may were running.", {
          "linchpin.breaker": name,
        }),
      );
    }
    this.panic = undefined;
  }

  private configureChecks(config: HealthConfig | undefined): void {
    if (config === undefined) {
      for (const [endpoint, check] of this.checks ?? []) {
        check.close();
        this.take(endpoint, "serving");
      }
      this.checks = undefined;
      return;
    }
    const { service } = this.asking.config;
    this.asking.config = config;
    if (this.checks !== undefined) {
      if (service !== config.service) for (const check of this.checks.values()) check.restart();
      return;
    }
    const changes = (health: string): Counter =>
      this.owner.counter("health.changes", "Endpoints that became healthy or unhealthy by what they say.", {
        "linchpin.health": health,
      });
    this.verdicts ??= { healthy: changes("healthy"), unhealthy: changes("unhealthy") };
    this.checks = new Map();
    this.updateChecks(this.owner.endpoints);
  }

  private updateChecks(endpoints: readonly E[]): void {
    const { checks } = this;
    if (checks === undefined) return;
    const gone = new Set(checks.keys());
    for (const endpoint of endpoints) {
      gone.delete(endpoint);
      if (checks.has(endpoint)) continue;
      checks.set(
        endpoint,
        new HealthCheck(this.asking, endpoint.address, (verdict) => this.take(endpoint, verdict)),
      );
      // An endpoint that serves already continues during its first check.
      this.healthOf(endpoint).verdict = endpoint.state === "ready" ? "serving" : "checking";
      checks.get(endpoint)?.attend(endpoint.firstLink);
    }
    for (const endpoint of gone) {
      checks.get(endpoint)?.close();
      checks.delete(endpoint);
    }
  }

  private take(endpoint: E, verdict: Verdict): void {
    const health = this.healthOf(endpoint);
    const before = health.verdict;
    health.verdict = verdict;
    const wasWell = typeof before !== "object";
    const isWell = typeof verdict !== "object";
    if (wasWell !== isWell) this.verdicts?.[isWell ? "healthy" : "unhealthy"].add();
    if (wasWell === isWell && before === verdict) return;
    this.panic = undefined;
    this.owner.onHealth(endpoint);
  }

  /** Observers of every attempt; none if nothing configured needs them. */
  get observers(): readonly AttemptObserver[] {
    return [this.outliers, this.breakers].filter((one) => one !== undefined);
  }

  /** The endpoints have changed. */
  update(endpoints: readonly E[]): void {
    this.outliers?.update(endpoints);
    this.updateChecks(endpoints);
    this.panic = undefined;
  }

  /** An endpoint has become reachable or unreachable, or has another connection. */
  onChange(endpoint: E): void {
    this.panic = undefined;
    this.checks?.get(endpoint)?.attend(endpoint.firstLink);
  }

  /** Whether an endpoint gets calls, if it is reachable. */
  allows({ health }: E): boolean {
    return health === undefined || !health.out || this.panics;
  }

  /** Too few endpoints are reachable and healthy: all of them get calls. Evaluated only if one is out. */
  get panics(): boolean {
    this.panic ??= this.isTooFew();
    return this.panic;
  }

  private isTooFew(): boolean {
    const { endpoints } = this.owner;
    let healthy = 0;
    let out = false;
    for (const { state, health } of endpoints) {
      if (health?.checking === true) healthy++;
      else if (health?.out === true) out = true;
      else if (state === "ready") healthy++;
    }
    return out && healthy < this.panicShare * endpoints.length;
  }

  ejectionsOf(endpoint: E): number {
    return this.outliers?.ejectionsOf(endpoint) ?? 0;
  }

  close(): void {
    this.outliers?.close();
    for (const check of this.checks?.values() ?? []) check.close();
  }

  // ---------------------------------------------------------------- OutlierOwner

  healthOf(endpoint: E): EndpointHealth {
    endpoint.health ??= new EndpointHealth();
    return endpoint.health;
  }

  onEjection(endpoint: E): void {
    this.panic = undefined;
    this.owner.onHealth(endpoint);
  }
}
