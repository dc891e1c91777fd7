// The DATA that waits in the streams of a connection: how much it is, and which streams end when it is too much or old.

import type { Holder, SendMemory } from "./send-memory.js";
import type { Stream } from "./stream.js";
import type { StreamTable } from "./stream-table.js";
import type { Streams } from "./streams.js";
import type { LimitName, Limits } from "./wire/limits.js";
import { ErrorCode } from "./wire/protocol.js";

/**
 * A stream is slow if, at its rate between the last two checks of the watch, it would need more checks than this for
 * its backlog: with the defaults a minute, or 4 KiB per second for a whole window.
 */
const SLOW_LOOKS = 12;

export class Backlog implements Holder {
  /** Bytes of DATA that wait in streams. */
  queuedBytes = 0;
  readonly maxQueuedBytes: number;
  private readonly stallMs: number;
  private readonly streams: Streams;
  private readonly table: StreamTable;
  private readonly memory: SendMemory;

  constructor(streams: Streams, table: StreamTable, limits: Limits, memory: SendMemory) {
    this.streams = streams;
    this.table = table;
    this.memory = memory;
    this.maxQueuedBytes = limits.maxQueuedBytes;
    this.stallMs = limits.stallMs;
  }

  /** DATA of a stream was buffered (`bytes` above 0), or was sent. */
  count(bytes: number): void {
    this.queuedBytes += bytes;
    if (bytes > 0) this.memory.add(this, bytes);
    else this.memory.remove(this, -bytes);
  }

  /** Resets the streams of which nothing was sent for too long. */
  resetStalled(now: number): void {
    for (const stream of this.table.values()) {
      if (!stream.hasQueued) continue;
      stream.takenBefore = stream.taken;
      stream.taken = 0;
      if (stream.moved) {
        stream.moved = false;
        stream.stillSince = now;
      } else if (now - stream.stillSince >= this.stallMs) {
        const reason = `the peer took no data for ${this.stallMs} ms`;
        this.streams.abort(stream, ErrorCode.CANCEL, reason, "stallMs");
      }
    }
  }

  slowBytes(): number {
    let bytes = 0;
    for (const stream of this.table.values()) if (isSlow(stream)) bytes += stream.queuedBytes;
    return bytes;
  }

  shed(toBytes: number): void {
    const limit: LimitName =
      this.queuedBytes > this.maxQueuedBytes ? "maxQueuedBytes" : "maxProcessQueuedBytes";
    const holding = this.table.values().filter((stream) => stream.queuedBytes > 0);
    holding.sort((a, b) => {
      const slow = Number(isSlow(b)) - Number(isSlow(a));
      if (slow !== 0) return slow;
      const still = Number(b.sendWindow <= 0) - Number(a.sendWindow <= 0);
      return still !== 0 ? still : b.queuedBytes - a.queuedBytes;
    });
    for (const stream of holding) {
      if (this.queuedBytes <= toBytes) return;
      const reason = "too much data is queued for the peer";
      this.streams.abort(stream, ErrorCode.ENHANCE_YOUR_CALM, reason, limit);
    }
  }
}

function isSlow(stream: Stream): boolean {
  return stream.queuedBytes > SLOW_LOOKS * Math.max(stream.taken, stream.takenBefore);
}
