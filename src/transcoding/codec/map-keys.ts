// The keys of the maps being printed, by their positions in the text: of a duplicate the last counts.
import type { BytesOut } from "./bytes-out.js";

/** Up to this many are compared with each other; more are kept in a Set. */
const FEW_KEYS = 8;

export class MapKeys {
  /** For nested maps, one after the other: start and end of each key. */
  #ranges = new Int32Array(16 * FEW_KEYS);
  #top = 0;
  /** For larger maps, by where their keys begin in `#ranges`. */
  readonly #many = new Map<number, Set<string>>();

  /** A message begins. */
  clear(): void {
    this.#top = 0;
    if (this.#many.size > 0) this.#many.clear();
  }

  /** A map begins; returns its handle. */
  begin(): number {
    return this.#top;
  }

  /** False: the key in from..to of the output is a duplicate. */
  add(map: number, out: BytesOut, from: number, to: number): boolean {
    const top = this.#top;
    if (top - map >= 2 * FEW_KEYS) return this.#addToMany(map, out, from, to);
    const { buf } = out;
    const ranges = this.#ranges;
    for (let i = map; i < top; i += 2) {
      const start = ranges[i] ?? 0;
      if ((ranges[i + 1] ?? 0) - start !== to - from) continue;
      let k = 0;
      while (from + k < to && buf[start + k] === buf[from + k]) k++;
      if (from + k === to) return false;
    }
    if (top === ranges.length) this.#grow();
    this.#ranges[top] = from;
    this.#ranges[top + 1] = to;
    this.#top = top + 2;
    return true;
  }

  end(map: number): void {
    this.#top = map;
    if (this.#many.size > 0) this.#many.delete(map);
  }

  #addToMany(map: number, { buf }: BytesOut, from: number, to: number): boolean {
    let keys = this.#many.get(map);
    if (keys === undefined) {
      keys = new Set();
      for (let i = map; i < this.#top; i += 2)
        keys.add(buf.toString("latin1", this.#ranges[i], this.#ranges[i + 1]));
      this.#many.set(map, keys);
    }
    const before = keys.size;
    return keys.add(buf.toString("latin1", from, to)).size > before;
  }

  #grow(): void {
    const ranges = new Int32Array(2 * this.#ranges.length);
    ranges.set(this.#ranges);
    this.#ranges = ranges;
  }
}
