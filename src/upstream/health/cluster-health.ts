// Which endpoints of a cluster get calls, apart from room and connections: those that outlier detection has not taken
// out, or all of them where too few are left (panic).
import type { AttemptObserver } from "../../call/attempt.js";
import type { Clock } from "../../kit/clock.js";
import type { Counter, Labels } from "../../kit/meters.js";
import { Breakers } from "./breakers.js";
import { EndpointHealth, type HealthEndpoint } from "./endpoint-health.js";
import type { HealthFeatures } from "./keys.js";
import { type EjectionReason, type OutlierOwner, Outliers } from "./outliers.js";

/** The cluster, as its health sees it. */
export interface HealthOwner<E extends HealthEndpoint> {
  readonly name: string;
  readonly clock: Clock;
  readonly endpoints: readonly E[];
  counter(name: string, help: string, labels?: Labels): Counter;
  /** Its health has changed, and with it perhaps who gets calls. */
  onHealth(endpoint: E): void;
}

export class ClusterHealth<E extends HealthEndpoint> implements OutlierOwner<E> {
  readonly clock: Clock;
  breakers: Breakers | undefined = undefined;
  private readonly owner: HealthOwner<E>;
  private outliers: Outliers<E> | undefined = undefined;
  private panicShare = 0;
  /** undefined: to be counted. */
  private panic: boolean | undefined = undefined;

  constructor(owner: HealthOwner<E>) {
    this.owner = owner;
    this.clock = owner.clock;
  }

  /** Takes over what a config says; what goes on being watched keeps what is known. */
  configure({ outliers, panicShare, breakers }: HealthFeatures): void {
    this.panicShare = panicShare;
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
    this.onChange();
  }

  /** Of every attempt; none where nothing is configured that needs to know of them. */
  get observers(): readonly AttemptObserver[] {
    return [this.outliers, this.breakers].filter((one) => one !== undefined);
  }

  /** The endpoints are others. */
  update(endpoints: readonly E[]): void {
    this.outliers?.update(endpoints);
    this.onChange();
  }

  /** An endpoint can be reached, or not any more. */
  onChange(): void {
    this.panic = undefined;
  }

  /** Whether an endpoint gets calls, if it can be reached. */
  allows({ health }: E): boolean {
    return health === undefined || !health.out || this.panics;
  }

  /** Too few endpoints can be reached and are healthy: all of them get calls. Asked only where one is out. */
  get panics(): boolean {
    this.panic ??= this.isTooFew();
    return this.panic;
  }

  private isTooFew(): boolean {
    const { endpoints } = this.owner;
    let healthy = 0;
    let out = false;
    for (const { state, health } of endpoints) {
      if (health?.out === true) out = true;
      else if (state === "ready") healthy++;
    }
    return out && healthy < this.panicShare * endpoints.length;
  }

  ejectionsOf(endpoint: E): number {
    return this.outliers?.ejectionsOf(endpoint) ?? 0;
  }

  close(): void {
    this.outliers?.close();
  }

  // ---------------------------------------------------------------- OutlierOwner

  healthOf(endpoint: E): EndpointHealth {
    endpoint.health ??= new EndpointHealth();
    return endpoint.health;
  }

  onEjection(endpoint: E): void {
    this.onChange();
    this.owner.onHealth(endpoint);
  }
}
