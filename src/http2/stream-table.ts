// The open streams of a connection by id: open addressing over one array. Not a Map: V8 rebuilds a Map's table as
// entries are added and removed, and each table points to the next, so that one dead table in the old generation keeps
// every later call from being collected young.
import type { Stream } from "./stream.js";

const MIN_SLOTS = 16;

export class StreamTable {
  /** A power of two long, and at most half full. */
  private slots: (Stream | undefined)[] = new Array(MIN_SLOTS).fill(undefined);
  private count = 0;
  /** Entries that are not in their home slot; ids of one side follow each other, so there are seldom any. */
  private displaced = 0;

  get size(): number {
    return this.count;
  }

  get(id: number): Stream | undefined {
    return this.slots[this.find(id)];
  }

  /** `stream.id` must not be in the table. */
  add(stream: Stream): void {
    if ((this.count + 1) * 2 > this.slots.length) this.grow();
    this.put(stream);
    this.count++;
  }

  /** False when there is no such stream. */
  delete(id: number): boolean {
    const { slots } = this;
    const mask = slots.length - 1;
    let hole = this.find(id);
    if (slots[hole] === undefined) return false;
    this.count--;
    if (hole !== home(id, mask)) this.displaced--;
    if (this.displaced === 0) {
      slots[hole] = undefined;
      return true;
    }
    // Those behind it that were pushed on by it move up, so that no search ends at the hole too early.
    for (let at = (hole + 1) & mask; ; at = (at + 1) & mask) {
      const stream = slots[at];
      if (stream === undefined) break;
      const distance = (at - home(stream.id, mask)) & mask;
      if (distance < ((at - hole) & mask)) continue;
      slots[hole] = stream;
      if (hole === home(stream.id, mask)) this.displaced--;
      hole = at;
    }
    slots[hole] = undefined;
    return true;
  }

  /** All of them as they are now, in no order. */
  values(): Stream[] {
    return this.slots.filter((stream) => stream !== undefined);
  }

  clear(): void {
    this.slots = new Array(MIN_SLOTS).fill(undefined);
    this.count = 0;
    this.displaced = 0;
  }

  private put(stream: Stream): void {
    const at = this.find(stream.id);
    this.slots[at] = stream;
    if (at !== home(stream.id, this.slots.length - 1)) this.displaced++;
  }

  /** The slot of the stream, or where it would be. */
  private find(id: number): number {
    const { slots } = this;
    const mask = slots.length - 1;
    let at = home(id, mask);
    for (;;) {
      const stream = slots[at];
      if (stream === undefined || stream.id === id) return at;
      at = (at + 1) & mask;
    }
  }

  private grow(): void {
    const before = this.values();
    this.slots = new Array(this.slots.length * 2).fill(undefined);
    this.displaced = 0;
    for (const stream of before) this.put(stream);
  }
}

/** Ids of one side are every second number. */
function home(id: number, mask: number): number {
  return (id >>> 1) & mask;
}
