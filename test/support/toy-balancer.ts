// A balancer that a test adds to the hub's list: one file.
import type { Attempt, AttemptEndpoint, AttemptOutcome } from "#src/call/attempt.js";
import type { BalancedEndpoint, Balancer } from "#src/upstream/balancers/balancer.js";

/** The endpoint whose load, as it last reported it, is the least for its weight. */
export class LeastReported<E extends BalancedEndpoint> implements Balancer<E> {
  private endpoints: readonly E[] = [];
  private loads = new Map<AttemptEndpoint, number>();

  update(endpoints: readonly E[]): void {
    this.endpoints = endpoints;
    this.loads = new Map(endpoints.map((endpoint) => [endpoint, this.loads.get(endpoint) ?? 0]));
  }

  pick(_attempt: Attempt, usable: (endpoint: E) => boolean): E | undefined {
    let best: E | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const endpoint of this.endpoints) {
      const load = (this.loads.get(endpoint) ?? 0) / (endpoint.traits.weight ?? 1);
      if (load >= least || !usable(endpoint)) continue;
      best = endpoint;
      least = load;
    }
    return best;
  }

  end({ endpoint }: Attempt, { trailers }: AttemptOutcome): void {
    const load = Number(trailers?.get("x-load"));
    if (endpoint !== undefined && this.loads.has(endpoint)) this.loads.set(endpoint, load);
  }
}
