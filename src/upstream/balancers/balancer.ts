// Which endpoint an attempt goes to: what a balancer is asked, and what it is made with.
import type { Attempt, AttemptEndpoint, AttemptObserver } from "../../call/attempt.js";
import type { Clock } from "../../kit/clock.js";
import type { EndpointTraits } from "../discovery/endpoint-source.js";

/** An endpoint as balancers see it. */
export interface BalancedEndpoint extends AttemptEndpoint {
  readonly traits: EndpointTraits;
  /** Calls that run on it. */
  readonly calls: number;
}

/**
 * One for each cluster. It observes the cluster's attempts by `begin`, `headers` and `end` (all optional: what is left
 * out costs nothing); an attempt may end at an endpoint that `update` has taken away.
 */
export interface Balancer<E extends BalancedEndpoint> extends AttemptObserver {
  /** Replaces the endpoints; before the first `pick`. An endpoint that stays is the same object, its traits may differ. */
  update(endpoints: readonly E[]): void;
  /**
   * The endpoint for an attempt, which has not begun. It must be `usable`. undefined: there is none, and the attempt waits.
   * @param usable false for endpoints without room, and for others that this attempt must not have
   */
  pick(attempt: Attempt, usable: (endpoint: E) => boolean): E | undefined;
}

export interface BalancerContext {
  readonly clock: Clock;
  /** 0 ≤ n < 1 */
  readonly random: () => number;
}

export type BalancerFactory = <E extends BalancedEndpoint>(context: BalancerContext) => Balancer<E>;
