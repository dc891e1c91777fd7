// The memory of buffered requests, for all calls of a hub together.
import { type Meters, NO_METERS } from "../kit/meters.js";

/** As much as a thousand calls of 64 KiB. Beyond it calls are served normally, but cannot be retried. */
export const MAX_REPLAY_MEMORY_BYTES = 64 * 1024 * 1024;

export class ReplayMemory {
  private readonly maxBytes: number;
  private readonly refused: { add(): void };
  private total = 0;

  constructor(meters: Meters = NO_METERS, maxBytes = MAX_REPLAY_MEMORY_BYTES) {
    this.maxBytes = maxBytes;
    this.refused = meters.counter(
      "linchpin.replay.refusals",
      "Requests that were not kept for another attempt because those that are take all the memory for it.",
    );
  }

  /** Buffered bytes. */
  get bytes(): number {
    return this.total;
  }

  /** False: there is no room for this many more. */
  take(bytes: number): boolean {
    if (this.total + bytes > this.maxBytes) {
      this.refused.add();
      return false;
    }
    this.total += bytes;
    return true;
  }

  /** Counts what must be buffered, room or not. */
  add(bytes: number): void {
    this.total += bytes;
  }

  release(bytes: number): void {
    this.total -= bytes;
  }
}
