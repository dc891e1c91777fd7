// Any usable endpoint, by weight.
import type { Attempt } from "../../call/attempt.js";
import type { BalancedEndpoint, Balancer, BalancerContext } from "./balancer.js";
import { Candidates, DRAWS } from "./candidates.js";

class Random<E extends BalancedEndpoint> implements Balancer<E> {
  private readonly candidates: Candidates<E>;

  constructor({ random }: BalancerContext) {
    this.candidates = new Candidates(random);
  }

  update(endpoints: readonly E[]): void {
    this.candidates.update(endpoints);
  }

  pick(_attempt: Attempt, usable: (endpoint: E) => boolean): E | undefined {
    const { candidates } = this;
    for (let i = 0; i < DRAWS; i++) {
      const endpoint = candidates.all[candidates.draw()];
      if (endpoint !== undefined && usable(endpoint)) return endpoint;
    }
    return candidates.search(usable);
  }
}

export function random<E extends BalancedEndpoint>(context: BalancerContext): Balancer<E> {
  return new Random(context);
}
