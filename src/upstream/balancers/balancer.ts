// Which endpoint an attempt goes to: what a balancer is asked, and what it is made with.
import type { Attempt, AttemptEndpoint, AttemptObserver } from "../../call/attempt.js";
import type { CallKey } from "../../call/call-key.js";
import type { Clock } from "../../kit/clock.js";
import type { EndpointTraits } from "../discovery/endpoint-source.js";
import type { EndpointLoad } from "./endpoint-load.js";

/** An endpoint as balancers see it. */
export interface BalancedEndpoint extends AttemptEndpoint {
  readonly traits: EndpointTraits;
  /** Calls that run on it. */
  readonly calls: number;
  /** What balancers know of it: it stays with the endpoint when a reload brings another balancer. */
  readonly load: EndpointLoad;
  /** It can be reached as far as is known, and nothing says that it is unwell. A change is told by `Balancer.changed`. */
  readonly healthy: boolean;
  /** It has no room for a call now, but will have: a connection to it is being made, or can be. */
  readonly filling: boolean;
}

/** Plain data for people: the weight in force, an average in milliseconds. */
export type BalancerView = Readonly<Record<string, number | string | boolean>>;

/**
 * One for each group of endpoints that are equally near (`layers.ts` makes the groups). It observes the cluster's
 * attempts at them by `begin`, `headers` and `end` (all optional: what is left out costs nothing) while the cluster has more
 * endpoints than one; an attempt may end at
 * an endpoint that `update` has taken away, and may have begun under another balancer.
 */
export interface Balancer<E extends BalancedEndpoint> extends AttemptObserver {
  /**
   * Replaces the endpoints; before the first `pick`, and again when a weight in force (`load.weight`) has changed. An
   * endpoint that stays is the same object, its traits may differ.
   */
  update(endpoints: readonly E[]): void;
  /**
   * The endpoint for an attempt, which has not begun. It must be `usable`. undefined: there is none, and the attempt waits.
   * @param usable false for endpoints without room, and for others that this attempt must not have
   */
  pick(attempt: Attempt, usable: (endpoint: E) => boolean): E | undefined;
  /** What calls that belong together have in common, 32 bits; balancers that do not look at calls have none. */
  hash?(attempt: Attempt): number;
  /** `healthy` of an endpoint may have changed. */
  changed?(endpoint: E): void;
  /** What it knows of an endpoint, for /upstreams. */
  describe?(endpoint: E): BalancerView;
  /** It is not asked any more: lets go of its timers. */
  close?(): void;
}

/** The options of all balancers by their names; each has defaults for its own. */
export interface BalancerOptions {
  /** least_request: of how many endpoints, drawn at random, the one with the fewest calls is taken. */
  readonly choices?: number;
  /** peak_ewma: what is expected of an endpoint that has not answered yet, milliseconds. */
  readonly rttMs?: number;
  /** peak_ewma: after so many milliseconds a sample counts for a third (1/e). */
  readonly decayMs?: number;
  /** weighted_round_robin: reports count once they have come for so long, milliseconds. */
  readonly blackoutMs?: number;
  /** weighted_round_robin: a report counts for so long, milliseconds. */
  readonly expiryMs?: number;
  /** weighted_round_robin: how often weights are worked out, milliseconds. */
  readonly updateMs?: number;
  /** weighted_round_robin: how much errors count as load. */
  readonly errorPenalty?: number;
  /** ring_hash, maglev: what is hashed. */
  readonly by?: HashBy;
  /** ring_hash: the fewest and the most points on the ring. */
  readonly minSize?: number;
  readonly maxSize?: number;
  /** maglev: entries of the table, a prime. */
  readonly size?: number;
}

/** What calls of one client, tenant or key have in common. */
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
  /** Where a call's hash is kept, so that it is worked out once. Default: one of the balancer's own. */
  readonly hashes?: CallKey<number>;
  /** A service's load report was of no use. Told for each. */
  readonly onBadReport?: (address: string, reason: string) => void;
  /** Attempts that wait may find an endpoint now. */
  readonly onRoom?: () => void;
}

export type BalancerFactory = <E extends BalancedEndpoint>(context: BalancerContext) => Balancer<E>;
