// Finished spans on their way to the exporter: buffered while the SDK is loading, bounded, and counted if dropped.
import type { Counter } from "../../kit/meters.js";
import type { SpanRecord, SpanSink } from "./span-record.js";

/** As many as the SDK's own queue has by default (OTEL_BSP_MAX_QUEUE_SIZE). */
export const MAX_BUFFERED_SPANS = 2048;

export class SpanBuffer implements SpanSink {
  private readonly dropped: Counter;
  private buffered: SpanRecord[] = [];
  private target: SpanSink | undefined = undefined;
  private closed = false;

  constructor(dropped: Counter) {
    this.dropped = dropped;
  }

  get size(): number {
    return this.buffered.length;
  }

  take(span: SpanRecord): void {
    if (this.target !== undefined) this.target.take(span);
    else if (this.closed || this.buffered.length >= MAX_BUFFERED_SPANS) this.dropped.add();
    else this.buffered.push(span);
  }

  /** From now on spans go to `target`, first the buffered ones. */
  attach(target: SpanSink): void {
    const waiting = this.buffered;
    this.buffered = [];
    this.target = target;
    for (const span of waiting) target.take(span);
  }

  /** The spans will never be exported: buffered and further ones are counted as dropped. */
  close(): void {
    this.closed = true;
    this.target = undefined;
    if (this.buffered.length > 0) this.dropped.add(this.buffered.length);
    this.buffered = [];
  }
}
