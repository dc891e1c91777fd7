// Whether there is a healthy endpoint, for the hub's own health: true while the first connections are being made, and
// for a while after the last healthy one was lost, as long as calls wait for it: an outage that clients do not notice
// is not reported.
import type { Clock, Timer } from "../../kit/clock.js";
import type { HealthEndpoint } from "./endpoint-health.js";

export interface ServingOwner {
  readonly clock: Clock;
  readonly endpoints: readonly HealthEndpoint[];
  /** How long a loss is tolerated, milliseconds. */
  readonly limits: { readonly lostWaitMs: number };
}

export class Serving {
  value = false;
  private readonly owner: ServingOwner;
  private readonly onChange: () => void;
  /** An endpoint was healthy, or all have failed. */
  private known = false;
  private timer: Timer | undefined = undefined;

  /** @param onChange the value has changed */
  constructor(owner: ServingOwner, onChange: () => void) {
    this.owner = owner;
    this.onChange = onChange;
  }

  /** An endpoint may have become healthy, or be no longer healthy. */
  check(endpoint: HealthEndpoint): void {
    if (isHealthy(endpoint)) {
      this.known = true;
      this.become(true);
    } else if (this.value) this.recheck();
  }

  /** The endpoints may have changed. */
  recheck(): void {
    const { endpoints, clock, limits } = this.owner;
    const healthy = endpoints.find(isHealthy);
    if (healthy !== undefined) this.check(healthy);
    else if (!this.known) {
      const value = endpoints.some(isNew);
      this.become(value);
      this.known = !value && endpoints.length > 0;
    } else if (this.value) this.timer ??= clock.setTimeout(() => this.become(false), limits.lostWaitMs);
  }

  private become(value: boolean): void {
    this.close();
    if (value === this.value) return;
    this.value = value;
    this.onChange();
  }

  close(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }
}

function isHealthy({ state, health }: HealthEndpoint): boolean {
  return state === "ready" && health?.out !== true;
}

/** It is connecting for the first time, or its health check is pending. */
function isNew({ state, health }: HealthEndpoint): boolean {
  return state === "idle" || state === "connecting" || health?.checking === true;
}
