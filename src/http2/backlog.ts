// The DATA that waits in the streams of a connection: how much it is, and which streams end when it is too much or old.
import type { LimitName, Limits } from "./limits.js";
import { ErrorCode } from "./protocol.js";
import type { Holder, SendMemory } from "./send-memory.js";
import type { StreamTable } from "./stream-table.js";
import type { Streams } from "./streams.js";

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

  /** DATA has come to wait in a stream (`bytes` above 0), or has gone from it. */
  count(bytes: number): void {
    this.queuedBytes += bytes;
    if (bytes > 0) this.memory.add(this, bytes);
    else this.memory.remove(this, -bytes);
  }

  /** Resets the streams of which nothing has gone for too long. */
  resetStalled(now: number): void {
    for (const stream of this.table.values()) {
      if (!stream.hasQueued) continue;
      if (stream.moved) {
        stream.moved = false;
        stream.stillSince = now;
      } else if (now - stream.stillSince >= this.stallMs) {
        const reason = `the peer took no data for ${this.stallMs} ms`;
        this.streams.abort(stream, ErrorCode.CANCEL, reason, "stallMs");
      }
    }
  }

  shed(toBytes: number): void {
    const limit: LimitName =
      this.queuedBytes > this.maxQueuedBytes ? "maxQueuedBytes" : "maxProcessQueuedBytes";
    const holding = this.table.values().filter((stream) => stream.queuedBytes > 0);
    holding.sort((a, b) => {
      const still = Number(b.sendWindow <= 0) - Number(a.sendWindow <= 0);
      return still !== 0 ? still : b.queuedBytes - a.queuedBytes;
    });
    for (const stream of holding) {
      if (this.queuedBytes <= toBytes) return;
      const reason = "too much data waits for the peer to take it";
      this.streams.abort(stream, ErrorCode.ENHANCE_YOUR_CALM, reason, limit);
    }
  }
}
