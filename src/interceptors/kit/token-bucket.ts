// The token buckets of one rule, by key: one number per bucket, in flat arrays, bounded by an LRU.

/**
 * Keys of one rule. A bucket takes about 150 bytes with its key, so a full table has 15 MB. The least recently used one
 * is dropped: it is most likely to be full again.
 */
export const MAX_KEYS = 100_000;
/** Tables begin small: most rules have few keys. */
const FIRST_SLOTS = 64;
/**
 * Precision of a microsecond. Sums of fractions of a millisecond have rounding errors of that size; a microsecond of
 * refill gains nobody anything.
 */
const SLACK_MS = 1e-3;
const NONE = -1;

export interface BucketOptions {
  /** Tokens refilled per millisecond. */
  readonly perMs: number;
  /** Tokens of a full bucket. */
  readonly burst: number;
  /** Default MAX_KEYS. */
  readonly maxKeys?: number;
}

/**
 * A bucket is stored as the time at which it will be full again (the "theoretical arrival time" of GCRA, which admits
 * exactly like a token bucket): refilling needs no arithmetic, and taking is one addition.
 *
 * Two phases, so that several rules admit or reject a call as one: `slotOf` and `waitMs` query, `take` takes. A slot is
 * valid until the next `slotOf`: within one turn of the event loop.
 */
export class TokenBuckets {
  readonly burst: number;
  /** Buckets that were dropped for others. */
  evicted = 0;

  private readonly perMs: number;
  private readonly fullMs: number;
  private readonly maxKeys: number;
  private readonly slots = new Map<string, number>();
  private keys: string[] = [];
  private fullAt = new Float64Array(FIRST_SLOTS);
  private newer = new Int32Array(FIRST_SLOTS);
  private older = new Int32Array(FIRST_SLOTS);
  private newest = NONE;
  private oldest = NONE;

  constructor(options: BucketOptions) {
    this.perMs = options.perMs;
    this.burst = options.burst;
    this.fullMs = options.burst / options.perMs;
    this.maxKeys = options.maxKeys ?? MAX_KEYS;
  }

  get size(): number {
    return this.slots.size;
  }

  /** The bucket of a key; a key that is new, or was dropped, has a full one. */
  slotOf(key: string): number {
    const known = this.slots.get(key);
    if (known !== undefined) {
      if (known !== this.newest) {
        this.unlink(known);
        this.link(known);
      }
      return known;
    }
    const slot = this.room();
    this.keys[slot] = key;
    this.fullAt[slot] = Number.NEGATIVE_INFINITY;
    this.slots.set(key, slot);
    this.link(slot);
    return slot;
  }

  /** Milliseconds until the bucket has `cost` tokens; 0: now. Infinity: never, it holds less. */
  waitMs(slot: number, cost: number, now: number): number {
    const full = Math.max(this.fullAt[slot] ?? now, now) + cost / this.perMs;
    const wait = full - now - this.fullMs;
    if (wait <= SLACK_MS) return 0;
    return cost > this.burst ? Number.POSITIVE_INFINITY : Math.round(wait * 1000) / 1000;
  }

  /** Takes `cost` tokens; `waitMs` must have been 0 at the same `now`. */
  take(slot: number, cost: number, now: number): void {
    this.fullAt[slot] = Math.max(this.fullAt[slot] ?? now, now) + cost / this.perMs;
  }

  /** Whole tokens that are there. */
  tokens(slot: number, now: number): number {
    const missing = Math.max(0, (this.fullAt[slot] ?? now) - now) * this.perMs;
    return Math.max(0, Math.floor(this.burst - missing + SLACK_MS * this.perMs));
  }

  /** Milliseconds, to the microsecond, until the bucket is full if nothing is taken. */
  fullInMs(slot: number, now: number): number {
    return Math.max(0, Math.round(((this.fullAt[slot] ?? now) - now) * 1000) / 1000);
  }

  /** No longer wanted. A call that still begins under the rule finds full buckets. */
  close(): void {
    this.slots.clear();
    this.keys = [];
    this.newest = NONE;
    this.oldest = NONE;
  }

  private room(): number {
    const used = this.slots.size;
    if (used >= this.maxKeys) {
      const slot = this.oldest;
      this.unlink(slot);
      this.slots.delete(this.keys[slot] ?? "");
      this.evicted++;
      return slot;
    }
    if (used >= this.fullAt.length) this.grow();
    return used;
  }

  private grow(): void {
    const length = Math.min(this.fullAt.length * 4, Math.max(this.maxKeys, FIRST_SLOTS));
    const fullAt = new Float64Array(length);
    const newer = new Int32Array(length);
    const older = new Int32Array(length);
    fullAt.set(this.fullAt);
    newer.set(this.newer);
    older.set(this.older);
    this.fullAt = fullAt;
    this.newer = newer;
    this.older = older;
  }

  private link(slot: number): void {
    this.older[slot] = this.newest;
    this.newer[slot] = NONE;
    if (this.newest === NONE) this.oldest = slot;
    else this.newer[this.newest] = slot;
    this.newest = slot;
  }

  private unlink(slot: number): void {
    const newer = this.newer[slot] ?? NONE;
    const older = this.older[slot] ?? NONE;
    if (newer === NONE) this.newest = older;
    else this.older[newer] = older;
    if (older === NONE) this.oldest = newer;
    else this.newer[older] = newer;
  }
}
