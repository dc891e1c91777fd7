// Of two endpoints drawn at random, the one with fewer calls.
import type { BalancedEndpoint, Balancer, BalancerContext } from "./balancer.js";
import { LeastOf } from "./least-of.js";

export const CHOICES = 2;

class LeastRequest<E extends BalancedEndpoint> extends LeastOf<E> {
  constructor(context: BalancerContext) {
    super(context, context.options?.choices ?? CHOICES);
  }

  protected now(): number {
    return 0;
  }

  protected cost(endpoint: E): number {
    return this.callsFor(endpoint);
  }
}

export function leastRequest<E extends BalancedEndpoint>(context: BalancerContext): Balancer<E> {
  return new LeastRequest(context);
}
