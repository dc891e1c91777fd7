// Each usable endpoint in turn.
import type { Attempt } from "../../call/attempt.js";
import type { BalancedEndpoint, Balancer } from "./balancer.js";

class RoundRobin<E extends BalancedEndpoint> implements Balancer<E> {
  private endpoints: readonly E[] = [];
  private next = 0;

  update(endpoints: readonly E[]): void {
    this.endpoints = endpoints;
  }

  pick(_attempt: Attempt, usable: (endpoint: E) => boolean): E | undefined {
    const { endpoints } = this;
    const count = endpoints.length;
    for (let i = 0; i < count; i++) {
      const at = (this.next + i) % count;
      const endpoint = endpoints[at];
      if (endpoint === undefined || !usable(endpoint)) continue;
      this.next = at + 1;
      return endpoint;
    }
    return undefined;
  }
}

export function roundRobin<E extends BalancedEndpoint>(): Balancer<E> {
  return new RoundRobin();
}
