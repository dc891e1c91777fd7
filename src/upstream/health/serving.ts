// Whether there is a healthy endpoint, for the hub's own health: true while the first connections are being made, and for
// a while after the last healthy one was lost, as long as calls wait for it: what its clients do not notice is not told.
import type { Clock, Timer } from "../../kit/clock.js";
import type { HealthEndpoint } from "./endpoint-health.js";

export interface ServingOwner {
  readonly clock: Clock;
  readonly endpoints: readonly HealthEndpoint[];
  /** How long a loss is waited out, milliseconds. */
  readonly limits: { readonly lostWaitMs: number };
}

export class Serving {
  value = false;
  private readonly owner: ServingOwner;
  private readonly onChange: () => void;
  /** An endpoint was healthy, or all have failed. */
  private known = false;
  private timer: Timer | undefined = undefined;

  /** @param onChange it is another */
  constructor(owner: ServingOwner, onChange: () => void) {
    this.owner = owner;
    this.onChange = onChange;
  }

  /** An endpoint may have become healthy, or not be any more. */
  check(endpoint: HealthEndpoint): void {
    if (isHealthy(endpoint)) {
      this.known = true;
      this.become(true);
    } else if (this.value) this.recheck();
  }

  /** The endpoints may be others. */
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

/** It is connected to for the first time, or asked. */
function isNew({ state, health }: HealthEndpoint): boolean {
  return state === "idle" || state === "connecting" || health?.checking === true;
}
