// Picks the endpoint of an attempt: the interface of a balancer, and its context.
import type { Attempt, AttemptEndpoint, AttemptObserver } from "../../call/attempt.js";
import type { CallKey } from "../../call/call-key.js";
import type { Clock } from "../../kit/clock.js";
import type { EndpointTraits } from "../discovery/endpoint-source.js";
import type { EndpointLoad } from "./endpoint-load.js";

/** An endpoint as balancers see it. */
export interface BalancedEndpoint extends AttemptEndpoint {
  readonly traits: EndpointTraits;
  /** Running calls. */
  readonly calls: number;
  /** The balancers' data about it: stays with the endpoint when a reload brings another balancer. */
  readonly load: EndpointLoad;
  /** As far as is known it is reachable, and not unhealthy. `Balancer.changed` reports a change. */
  readonly healthy: boolean;
  /** It has no room for a call now, but will have: a connection is being established, or can be. */
  readonly filling: boolean;
}

/** Plain data for people: the effective weight, an average in milliseconds. */
export type BalancerView = Readonly<Record<string, number | string | boolean>>;

/**
 * One for each group of equally near endpoints (`layers.ts` makes the groups). It observes the cluster's attempts at
 * them by `begin`, `headers` and `end` (all optional: what is left out costs nothing) while the cluster has more than
 * one endpoint. An attempt may end at an endpoint that `update` has removed, and may have begun under another balancer.
 */
export interface Balancer<E extends BalancedEndpoint> extends AttemptObserver {
  /**
   * Replaces the endpoints; called before the first `pick`, and again when an effective weight (`load.weight`) has
   * changed. An endpoint that stays is the same object; its traits may differ.
   */
  update(endpoints: readonly E[]): void;
  /**
   * The endpoint for an attempt, which has not begun. It must be `usable`. undefined: there is none, so the attempt
   * waits.
   * @param usable false for endpoints without room, and for those excluded for this attempt
   */
  pick(attempt: Attempt, usable: (endpoint: E) => boolean): E | undefined;
  /** The hash of a call's key, 32 bits; only balancers that use keys implement it. */
  hash?(attempt: Attempt): number;
  /** `healthy` of an endpoint may have changed. */
  changed?(endpoint: E): void;
  /** Data about an endpoint, for /upstreams. */
  describe?(endpoint: E): BalancerView;
  /** It is no longer used: cancels its timers. */
  close?(): void;
}

/** The options of all balancers, by balancer; each has defaults for its own. */
export interface BalancerOptions {
  /** least_request: the number of endpoints drawn at random, of which the one with the fewest calls is picked. */
  readonly choices?: number;
  /** peak_ewma: the expected latency of an endpoint without a response yet, milliseconds. */
  readonly rttMs?: number;
  /** peak_ewma: after this many milliseconds a sample counts for a third (1/e). */
  readonly decayMs?: number;
  /** weighted_round_robin: how long reports must have arrived before they count, milliseconds. */
  readonly blackoutMs?: number;
  /** weighted_round_robin: how long a report counts, milliseconds. */
  readonly expiryMs?: number;
  /** weighted_round_robin: interval of weight updates, milliseconds. */
  readonly updateMs?: number;
  /** weighted_round_robin: how much errors count as load. */
  readonly errorPenalty?: number;
  /** ring_hash, maglev: what is hashed. */
  readonly by?: HashBy;
  /** ring_hash: the minimum and maximum number of points on the ring. */
  readonly minSize?: number;
  readonly maxSize?: number;
  /** maglev: size of the table, a prime. */
  readonly size?: number;
}

/** The hash key that calls of one client, tenant or key share. */
export type HashBy =
  | { readonly kind: "header"; readonly name: string }
  | { readonly kind: "identity" }
  /** `path` as in `book.name`; `field-hash.ts` reads it. */
  | { readonly kind: "field"; readonly path: string };

export interface BalancerContext {
  readonly clock: Clock;
  /** 0 ≤ n < 1 */
  readonly random: () => number;
  readonly options?: BalancerOptions;
  /** Stores a call's hash, so that it is computed once. Default: a key of the balancer's own. */
  readonly hashes?: CallKey<number>;
  /** A service's load report was unusable. Called for each. */
  readonly onBadReport?: (address: string, reason: string) => void;
  /** Waiting attempts may find an endpoint now. */
  readonly onRoom?: () => void;
}

export type BalancerFactory = <E extends BalancedEndpoint>(context: BalancerContext) => Balancer<E>;
