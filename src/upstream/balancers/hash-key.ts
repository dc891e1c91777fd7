// The key of ring_hash and maglev: the hash of what calls have in common, computed once for each call.
import type { Attempt } from "../../call/attempt.js";
import type { Call } from "../../call/call.js";
import { CallKey } from "../../call/call-key.js";
import type { BalancerContext, HashBy } from "./balancer.js";
import { hashOf } from "./parts/murmur3.js";

export class HashKey {
  private readonly by: HashBy | undefined;
  private readonly random: () => number;
  private readonly kept: CallKey<number>;

  constructor({ random, options, hashes }: BalancerContext) {
    this.by = options?.by;
    this.random = random;
    this.kept = hashes ?? new CallKey("balancer hash");
  }

  /** 32 bits. A call without a key gets a random hash, and keeps it for its further attempts. */
  readonly of = ({ call }: Attempt): number => {
    const known = this.kept.get(call);
    if (known !== undefined) return known;
    const text = this.textOf(call);
    const hash = text === undefined ? Math.floor(this.random() * 2 ** 32) : hashOf(text);
    this.kept.set(call, hash);
    return hash;
  };

  private textOf({ headers, identity }: Call): string | undefined {
    const { by } = this;
    if (by?.kind === "identity") return identity && `${identity.kind} ${identity.name}`;
    if (by?.kind !== "header" || headers.get(by.name) === undefined) return undefined;
    return headers.getAll(by.name).join(",");
  }
}

/** Seeds that place endpoints: hashes of the address; an address listed twice has two places. */
export function seedsOf(endpoints: readonly { readonly address: string }[]): Uint32Array {
  const seen = new Map<string, number>();
  return Uint32Array.from(endpoints, ({ address }) => {
    const times = seen.get(address) ?? 0;
    seen.set(address, times + 1);
    return hashOf(address, times);
  });
}

/** The endpoint at an index, or the next usable one: the same one for the same hash. */
export function fromIndex<E>(
  endpoints: readonly E[],
  hash: number,
  usable: (endpoint: E) => boolean,
): E | undefined {
  const count = endpoints.length;
  for (let i = 0, at = hash % count; i < count; i++) {
    const endpoint = endpoints[at];
    if (endpoint !== undefined && usable(endpoint)) return endpoint;
    at = at + 1 < count ? at + 1 : 0;
  }
  return undefined;
}
