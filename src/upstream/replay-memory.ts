// What the requests that are kept for another attempt take, of all calls of a hub together.
import { type Meters, NO_METERS } from "../kit/meters.js";

/** As much as a thousand calls of 64 KiB keep. Beyond it calls are served as ever, and cannot be sent again. */
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

  /** Bytes that are kept. */
  get bytes(): number {
    return this.total;
  }

  /** False: there is no room for so many more. */
  take(bytes: number): boolean {
    if (this.total + bytes > this.maxBytes) {
      this.refused.add();
      return false;
    }
    this.total += bytes;
    return true;
  }

  /** Counts what has to be kept, room or not. */
  add(bytes: number): void {
    this.total += bytes;
  }

  release(bytes: number): void {
    this.total -= bytes;
  }
}
