// The dynamic table of RFC 7541 §2.3.2 as a ring; the decoder and the encoder hold one each.
import type { Field } from "../../kit/headers.js";

/** What an entry costs besides its two strings (RFC 7541 §4.1). */
export const ENTRY_OVERHEAD_BYTES = 32;

/** The table's size before any setting or update says otherwise (RFC 9113 §6.5.2). */
export const INITIAL_TABLE_BYTES = 4096;

const FIRST_RING_LENGTH = 16;

export class DynamicTable {
  /** How many entries there are. Read only, as the next four are: plain fields, being read for every header. */
  length = 0;
  /** The entries' size, as RFC 7541 §4.1 counts it. */
  bytes = 0;
  /** `bytes` never exceeds it. */
  maxBytes: number;
  /** How many entries were ever inserted: an entry's own number, counted from 1, which stays the same. */
  inserted = 0;
  /** Counts every event that changes the meaning of an index. */
  changes = 0;
  #ring: (Field | undefined)[] = new Array<Field | undefined>(FIRST_RING_LENGTH).fill(undefined);
  #mask = FIRST_RING_LENGTH - 1;
  #next = 0;

  constructor(maxBytes = INITIAL_TABLE_BYTES) {
    this.maxBytes = maxBytes;
  }

  /** The entry after which `age` others were inserted: 0 is the newest. Undefined outside the table. */
  get(age: number): Field | undefined {
    return age < this.length ? this.#ring[(this.#next - 1 - age) & this.#mask] : undefined;
  }

  /** Inserts; an entry that is larger than the table only empties it (RFC 7541 §4.4). */
  insert(field: Field): void {
    const size = field.name.length + field.value.length + ENTRY_OVERHEAD_BYTES;
    this.changes++;
    this.#evictTo(this.maxBytes - size);
    if (size > this.maxBytes) return;
    if (this.length > this.#mask) this.#grow();
    this.#ring[this.#next] = field;
    this.#next = (this.#next + 1) & this.#mask;
    this.length++;
    this.bytes += size;
    this.inserted++;
  }

  /** A dynamic table size update (RFC 7541 §4.3). */
  resize(maxBytes: number): void {
    this.changes++;
    this.maxBytes = maxBytes;
    this.#evictTo(maxBytes);
  }

  #evictTo(bytes: number): void {
    while (this.bytes > bytes && this.length > 0) {
      const at = (this.#next - this.length) & this.#mask;
      const oldest = this.#ring[at];
      this.#ring[at] = undefined;
      this.length--;
      if (oldest !== undefined) {
        this.bytes -= oldest.name.length + oldest.value.length + ENTRY_OVERHEAD_BYTES;
      }
    }
  }

  #grow(): void {
    const ring = new Array<Field | undefined>(2 * this.length).fill(undefined);
    for (let i = 0; i < this.length; i++) ring[i] = this.get(this.length - 1 - i);
    this.#ring = ring;
    this.#mask = ring.length - 1;
    this.#next = this.length;
  }
}
