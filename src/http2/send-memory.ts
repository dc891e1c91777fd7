// Counts the DATA buffered for peers on all connections of a hub, and resets streams when it is too much.

import { attempt } from "../kit/faults.js";

export interface Holder {
  readonly queuedBytes: number;
  readonly maxQueuedBytes: number;
  /** Of `queuedBytes`, those of peers so slow that the bytes would wait for minutes. */
  slowBytes(): number;
  /** Drops streams, slow ones first, then those without window, then the largest, until this much is left. */
  shed(toBytes: number): void;
}

/** Shed to this share of the limit: looking for whom is dear, and must not be done for each further byte. */
const SHED_TO = 7 / 8;
const WHERE = "while shedding data queued for slow peers";

export class SendMemory {
  private readonly maxBytes: number;
  private readonly holders = new Set<Holder>();
  private readonly over = new Set<Holder>();
  private total = 0;
  private scheduled = false;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** Bytes that wait, of all connections. */
  get bytes(): number {
    return this.total;
  }

  /** A holder has buffered this many more bytes. */
  add(holder: Holder, bytes: number): void {
    this.total += bytes;
    if (holder.queuedBytes === bytes) this.holders.add(holder);
    if (holder.queuedBytes > holder.maxQueuedBytes) this.over.add(holder);
    else if (this.total <= this.maxBytes) return;
    // Not at once: the holder is in the middle of sending.
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(this.shed);
  }

  remove(holder: Holder, bytes: number): void {
    this.total -= bytes;
    if (holder.queuedBytes === 0) this.holders.delete(holder);
  }

  private readonly shed = (): void => {
    this.scheduled = false;
    for (const holder of this.over) {
      attempt(WHERE, () => {
        if (holder.queuedBytes > holder.maxQueuedBytes) holder.shed(holder.maxQueuedBytes * SHED_TO);
      });
    }
    this.over.clear();
    if (this.total <= this.maxBytes) return;
    const target = this.maxBytes * SHED_TO;
    attempt(WHERE, () => this.shedSlow(target));
    attempt(WHERE, () => this.shedLargest(target));
  };

  private shedLargest(target: number): void {
    while (this.total > target) {
      let most: Holder | undefined;
      for (const holder of this.holders) {
        if (most === undefined || holder.queuedBytes > most.queuedBytes) most = holder;
      }
      if (most === undefined) return;
      most.shed(Math.max(most.queuedBytes / 2, most.queuedBytes - (this.total - target)));
    }
  }

  /**
   * Slow readers first, on however many connections: otherwise a thousand that each hold a little, forever, would cause
   * the reset of one that holds more and reads it.
   */
  private shedSlow(target: number): void {
    const slow = [...this.holders].map((holder) => ({ holder, bytes: holder.slowBytes() }));
    slow.sort((a, b) => b.bytes - a.bytes);
    for (const { holder, bytes } of slow) {
      if (bytes === 0 || this.total <= target) return;
      holder.shed(holder.queuedBytes - Math.min(bytes, this.total - target));
    }
  }
}
