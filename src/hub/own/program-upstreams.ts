// What a program adds to upstreams, in the terms of a program: balancers and sources of endpoints.
import type { Attempt, AttemptEndpoint, AttemptObserver } from "../../call/attempt.js";
import type { Clock } from "../../kit/clock.js";
import type {
  EndpointSource,
  EndpointTraits,
  SourceContext,
} from "../../upstream/discovery/endpoint-source.js";

/** An endpoint as a program's balancer sees it; one object for as long as the upstream has the endpoint. */
export interface BalancerEndpoint extends AttemptEndpoint {
  /** Weight, priority and zone, as the config or the source has them. */
  readonly traits: EndpointTraits;
  /** Calls that run on it. */
  readonly calls: number;
  /** It is reachable as far as is known, and no health check or outlier detection objects. */
  readonly healthy: boolean;
}

/**
 * Picks endpoints for the attempts of one upstream; of a group of its endpoints where priorities or zones make several.
 * `begin`, `headers` and `end` observe the attempts while the upstream has more endpoints than one; what is left out costs
 * nothing. An exception fails the call.
 *
 * @example
 * import type { BalancerMaker, BalancerEndpoint } from "linchpin-hub";
 *
 * // Always the first that can take the call. In the config: `balancer: first`.
 * export const first: BalancerMaker = () => {
 *   let all: readonly BalancerEndpoint[] = [];
 *   return {
 *     update: (endpoints) => {
 *       all = endpoints;
 *     },
 *     pick: (_attempt, usable) => all.find(usable),
 *   };
 * };
 */
export interface ProgramBalancer extends AttemptObserver {
  /** Replaces the endpoints; before the first `pick`, and whenever they or their weights change. */
  update(endpoints: readonly BalancerEndpoint[]): void;
  /**
   * The endpoint for an attempt: one of the last `update` for which `usable` is true. undefined: there is none, and the
   * attempt waits. It runs for each call: keep it short.
   */
  pick(attempt: Attempt, usable: (endpoint: BalancerEndpoint) => boolean): BalancerEndpoint | undefined;
  /** It is not needed any more: lets go of its timers. */
  close?(): void;
}

/** Makes a balancer, for each upstream whose config names it. */
export type BalancerMaker = (context: {
  readonly clock: Clock;
  /** 0 ≤ n < 1 */
  readonly random: () => number;
}) => ProgramBalancer;

/**
 * Makes the source of a target, such as `consul:library`, which comes without its scheme. Nothing is opened before
 * `watch`: it is called to check a config as well. Throws a UserError if the target is malformed.
 *
 * @example
 * import { type SourceMaker, UserError } from "linchpin-hub";
 *
 * // In the config: `endpoints: "ports:50051-50053"`.
 * export const ports: SourceMaker = (target) => {
 *   const [, first, last] = /^(\d+)-(\d+)$/.exec(target) ?? [];
 *   if (first === undefined) throw new UserError("ports: must be FIRST-LAST");
 *   const count = Number(last) - Number(first) + 1;
 *   const all = Array.from({ length: count }, (_, i) => ({ host: "127.0.0.1", port: Number(first) + i }));
 *   return {
 *     watch(watcher) {
 *       watcher.endpoints(all);
 *       return { close() {} };
 *     },
 *   };
 * };
 */
export type SourceMaker = (
  target: string,
  context: Pick<SourceContext, "clock" | "random">,
) => EndpointSource;
