// The same endpoint for the same hash, by one lookup in a table where each endpoint has its exact share of entries
// (Eisenbud et al., "Maglev", 2016, §3.4). More even and faster than a ring; when endpoints come or go, some more calls
// move.
import type { Attempt } from "../../call/attempt.js";
import type { BalancedEndpoint, Balancer, BalancerContext } from "./balancer.js";
import { fromIndex, HashKey, seedsOf } from "./hash-key.js";
import { mixed } from "./parts/murmur3.js";

export const TABLE_SIZE = 65_537;
/** Table entries tried before falling back to a search by index. */
const LOOKS = 8;

class Maglev<E extends BalancedEndpoint> implements Balancer<E> {
  private readonly size: number;
  private endpoints: readonly E[] = [];
  private table = new Int32Array(0);
  readonly hash: (attempt: Attempt) => number;

  constructor(context: BalancerContext) {
    this.size = context.options?.size ?? TABLE_SIZE;
    this.hash = new HashKey(context).of;
  }

  update(endpoints: readonly E[]): void {
    // Sources may list the same endpoints in another order: the order of choice must not depend on it.
    const sorted = endpoints.toSorted((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
    this.endpoints = sorted;
    const { size } = this;
    const count = sorted.length;
    if (count === 0) return;
    const seeds = seedsOf(sorted);
    const place = Uint32Array.from(seeds, (seed) => seed % size);
    const skip = Uint32Array.from(seeds, (seed) => (mixed(seed ^ 0x5bd1e995) % (size - 1)) + 1);
    let heaviest = 0;
    for (const { load } of sorted) heaviest = Math.max(heaviest, load.base);
    const turn = Float64Array.from(sorted, ({ load }) => load.base / heaviest);
    const credit = new Float64Array(count);
    const table = new Int32Array(size).fill(-1);
    for (let filled = 0; filled < size; ) {
      for (let i = 0; i < count && filled < size; i++) {
        const has = (credit[i] ?? 0) + (turn[i] ?? 1);
        credit[i] = has < 1 ? has : has - 1;
        if (has < 1) continue;
        let at = place[i] ?? 0;
        const step = skip[i] ?? 1;
        while (table[at] !== -1) at = at + step < size ? at + step : at + step - size;
        table[at] = i;
        filled++;
        place[i] = at;
      }
    }
    this.table = table;
  }

  pick(attempt: Attempt, usable: (endpoint: E) => boolean): E | undefined {
    const { endpoints, table, size } = this;
    if (endpoints.length === 0) return undefined;
    const hash = this.hash(attempt);
    let at = hash;
    for (let i = 0; i < LOOKS; i++) {
      const endpoint = endpoints[table[at % size] ?? 0];
      if (endpoint !== undefined && usable(endpoint)) return endpoint;
      at = mixed(at + 1);
    }
    return fromIndex(endpoints, hash, usable);
  }
}

export function maglev<E extends BalancedEndpoint>(context: BalancerContext): Balancer<E> {
  return new Maglev(context);
}
