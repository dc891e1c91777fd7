// The same endpoint for the same hash: each has points on a ring, and a call goes to the next point from its own. When
// endpoints come or go, only the calls of their points move (Karger et al., "Consistent Hashing", 1997).
import type { Attempt } from "../../call/attempt.js";
import type { BalancedEndpoint, Balancer, BalancerContext } from "./balancer.js";
import { fromIndex, HashKey, seedsOf } from "./hash-key.js";
import { mixed } from "./parts/murmur3.js";

export const MIN_SIZE = 1024;
export const MAX_SIZE = 8 * 1024 ** 2;

/**
 * Points of an endpoint of average weight: its share of the calls deviates by some 5 %. The same number for 2 endpoints
 * as for 500: a number that depended on theirs would move keys of those that stay.
 */
const POINTS = 512;
/** Up to here the ring grows automatically with its endpoints: building it takes some 20 ms. */
const GROWS_TO = 2 ** 18;
/** 2³² divided by the golden ratio, odd: steps of this size visit every number. */
const STEP = 0x9e3779b1;
/** Points tried before falling back to a search by index. */
const STEPS = 32;

class RingHash<E extends BalancedEndpoint> implements Balancer<E> {
  private readonly minSize: number;
  private readonly maxSize: number;
  private endpoints: readonly E[] = [];
  /** The points in ascending order, and the endpoint of each. */
  private points = new Uint32Array(0);
  private owners = new Uint32Array(0);
  /** As many hash buckets as points: the end index of each bucket's points. */
  private ends = new Uint32Array(0);
  readonly hash: (attempt: Attempt) => number;

  constructor(context: BalancerContext) {
    this.minSize = context.options?.minSize ?? MIN_SIZE;
    this.maxSize = context.options?.maxSize ?? MAX_SIZE;
    this.hash = new HashKey(context).of;
  }

  update(endpoints: readonly E[]): void {
    this.endpoints = endpoints;
    let sum = 0;
    for (const { load } of endpoints) sum += load.base;
    const size = Math.min(
      this.maxSize,
      Math.max(this.minSize, Math.min(GROWS_TO, endpoints.length * POINTS)),
    );
    const shares = Uint32Array.from(endpoints, ({ load }) =>
      Math.max(1, Math.round((load.base / sum) * size)),
    );
    const seeds = seedsOf(endpoints);
    const total = shares.reduce((sum, share) => sum + share, 0);
    const points = new Uint32Array(total);
    const owners = new Uint32Array(total);
    for (let i = 0, at = 0; i < shares.length; i++) {
      let seed = seeds[i] ?? 0;
      for (let n = shares[i] ?? 0; n > 0; n--, at++) {
        seed = (seed + STEP) | 0;
        points[at] = mixed(seed);
        owners[at] = i;
      }
    }
    this.order(points, owners);
  }

  /** Ascending. Points are evenly distributed, so a bucket sort is some ten times as fast as a comparison sort. */
  private order(points: Uint32Array, owners: Uint32Array): void {
    const count = points.length;
    const bucketOf = (point: number): number => Math.floor((point * count) / 2 ** 32);
    const starts = new Uint32Array(count + 1);
    for (let i = 0; i < count; i++) {
      const bucket = bucketOf(points[i] ?? 0) + 1;
      starts[bucket] = (starts[bucket] ?? 0) + 1;
    }
    for (let i = 1; i <= count; i++) starts[i] = (starts[i] ?? 0) + (starts[i - 1] ?? 0);
    this.points = new Uint32Array(count);
    this.owners = new Uint32Array(count);
    for (let i = 0; i < count; i++) {
      const point = points[i] ?? 0;
      const bucket = bucketOf(point);
      const at = starts[bucket] ?? 0;
      starts[bucket] = at + 1;
      this.points[at] = point;
      this.owners[at] = owners[i] ?? 0;
    }
    this.ends = starts;
    for (let i = 1; i < count; i++) {
      const point = this.points[i] ?? 0;
      const owner = this.owners[i] ?? 0;
      let at = i;
      for (; at > 0 && (this.points[at - 1] ?? 0) > point; at--) {
        this.points[at] = this.points[at - 1] ?? 0;
        this.owners[at] = this.owners[at - 1] ?? 0;
      }
      this.points[at] = point;
      this.owners[at] = owner;
    }
  }

  pick(attempt: Attempt, usable: (endpoint: E) => boolean): E | undefined {
    const { endpoints, owners } = this;
    const size = owners.length;
    if (size === 0) return undefined;
    const hash = this.hash(attempt);
    let at = this.firstFrom(hash);
    let last = -1;
    for (let i = Math.min(STEPS, size); i > 0; i--) {
      const owner = owners[at] ?? 0;
      at = at + 1 < size ? at + 1 : 0;
      if (owner === last) continue;
      last = owner;
      const endpoint = endpoints[owner];
      if (endpoint !== undefined && usable(endpoint)) return endpoint;
    }
    return fromIndex(endpoints, hash, usable);
  }

  /** Index of the first point at or after a hash. */
  private firstFrom(hash: number): number {
    const { points, ends } = this;
    const count = points.length;
    const bucket = Math.floor((hash * count) / 2 ** 32);
    let at = bucket === 0 ? 0 : (ends[bucket - 1] ?? 0);
    while (at < count && (points[at] ?? 0) < hash) at++;
    return at < count ? at : 0;
  }
}

export function ringHash<E extends BalancedEndpoint>(context: BalancerContext): Balancer<E> {
  return new RingHash(context);
}
