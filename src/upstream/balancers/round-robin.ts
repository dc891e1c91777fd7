// Each usable endpoint in turn; with different weights, by weight.
import type { Attempt } from "../../call/attempt.js";
import type { BalancedEndpoint, Balancer, BalancerContext } from "./balancer.js";
import { Schedule } from "./parts/schedule.js";

/** Unusable endpoints that are skipped in turn before all are searched. */
const TURNS = 32;

export class RoundRobin<E extends BalancedEndpoint> implements Balancer<E> {
  protected endpoints: readonly E[] = [];
  private next = 0;
  private readonly schedule: Schedule;
  /** Weights differ. */
  private weighs = false;

  constructor({ random }: Pick<BalancerContext, "random">) {
    this.schedule = new Schedule(random);
  }

  update(endpoints: readonly E[]): void {
    const same = alike(this.endpoints, endpoints);
    this.endpoints = endpoints;
    this.weigh(this.weights(), same);
  }

  protected weights(): Float64Array {
    return Float64Array.from(this.endpoints, ({ load }) => load.weight);
  }

  /** @param same the endpoints are unchanged, in the same order */
  protected weigh(weights: Float64Array, same: boolean): void {
    const weighed = this.weighs;
    this.weighs = weights.some((weight) => weight !== weights[0]);
    if (!this.weighs) return;
    if (same && weighed) this.schedule.change(weights);
    else this.schedule.set(weights);
  }

  pick(_attempt: Attempt, usable: (endpoint: E) => boolean): E | undefined {
    const { endpoints } = this;
    const count = endpoints.length;
    if (this.weighs) {
      for (let turn = Math.min(TURNS, count); turn > 0; turn--) {
        const endpoint = endpoints[this.schedule.next()];
        if (endpoint !== undefined && usable(endpoint)) return endpoint;
      }
    }
    let at = this.next < count ? this.next : 0;
    for (let i = 0; i < count; i++) {
      const endpoint = endpoints[at];
      at = at + 1 < count ? at + 1 : 0;
      if (endpoint === undefined || !usable(endpoint)) continue;
      this.next = at;
      return endpoint;
    }
    return undefined;
  }
}

function alike<E>(a: readonly E[], b: readonly E[]): boolean {
  return a.length === b.length && a.every((one, i) => one === b[i]);
}

export function roundRobin<E extends BalancedEndpoint>(
  context: Pick<BalancerContext, "random"> = { random: Math.random },
): Balancer<E> {
  return new RoundRobin(context);
}
