// An export to a collector with its own lifetime: it loads the SDK a while after it was made, logs once when the
// collector cannot be reached, and sends the rest when it is closed.
import type { Clock, Timer } from "../../kit/clock.js";
import { lateLoad } from "../../kit/files/late-load.js";
import type { Log } from "../../kit/log.js";
import type { Counter } from "../../kit/meters.js";
import type { Closable } from "../../kit/retained.js";
import type { MetricSource } from "../metrics/family.js";
import { SpanBuffer } from "../tracing/span-buffer.js";
import type { SpanRecord, SpanSink } from "../tracing/span-record.js";
import type { OtlpTarget } from "./otlp-options.js";
import type { OnExport, RunningExport } from "./otlp-sdk.js";

/** Calls right after the start are served before the SDK blocks the event loop. */
export const LOAD_DELAY_MS = 1_000;
const RELOAD_DELAY_MS = 10_000;
/** How long the end of the hub, or a reload, waits for a collector. */
export const FLUSH_LIMIT_MS = 3_000;

export interface ExportContext {
  readonly clock: Clock;
  readonly log: Log;
  /** Called with the promise of the last sends; it never rejects. */
  readonly closing: (sent: Promise<void>) => void;
  /** Exports that failed. */
  readonly failures: Counter;
}

/** Loads and runs one export; the SDK is a dynamic import, so that this file costs nothing. */
class LazyExport<Running extends RunningExport> implements Closable {
  private readonly what: string;
  private readonly target: OtlpTarget;
  private readonly context: ExportContext;
  private readonly load: (onExport: OnExport) => Promise<Running>;
  private timer: Timer;
  private loading: Promise<Running | undefined> | undefined = undefined;
  private failing = false;
  private closed = false;

  constructor(
    what: string,
    target: OtlpTarget,
    context: ExportContext,
    load: (onExport: OnExport) => Promise<Running>,
  ) {
    this.what = what;
    this.target = target;
    this.context = context;
    this.load = load;
    this.timer = context.clock.setTimeout(() => void this.start(), LOAD_DELAY_MS);
  }

  private start(): Promise<Running | undefined> {
    try {
      this.loading ??= lateLoad(() => this.loaded());
    } catch {
      // No file descriptor is left: pending data keeps waiting.
      if (!this.closed) this.timer = this.context.clock.setTimeout(() => void this.start(), RELOAD_DELAY_MS);
      return Promise.resolve(undefined);
    }
    return this.loading;
  }

  private loaded(): Promise<Running | undefined> {
    return this.load((problem) => this.exported(problem)).catch((error: unknown) => {
      this.context.log.error(
        `${this.what} cannot be exported: ${error instanceof Error ? error.message : error}`,
      );
      return undefined;
    });
  }

  private exported(problem: string | undefined): void {
    const { url } = this.target;
    if (problem === undefined) {
      if (this.failing) this.context.log.info(`${this.what} reach ${url} again`);
      this.failing = false;
      return;
    }
    this.context.failures.add();
    if (!this.failing) this.context.log.warn(`${this.what} do not reach ${url}: ${problem}`);
    this.failing = true;
  }

  /** @param needed whether there is something to send that justifies loading the SDK */
  close(needed = true): void {
    if (this.closed) return;
    this.closed = true;
    this.timer.cancel();
    if (this.loading === undefined && !needed) return;
    const sent = this.start().then((running) => running?.shutdown());
    this.context.closing(
      within(sent, FLUSH_LIMIT_MS).catch((error: unknown) => {
        this.context.log.warn(
          `not all ${this.what} were sent:  ${error instanceof Error ? error.message : error}`,
        );
      }),
    );
  }
}

/** Spans, sent in batches. */
export class SpanExport implements SpanSink, Closable {
  private readonly buffer: SpanBuffer;
  private readonly lazy: LazyExport<RunningExport & SpanSink>;

  /** @param dropped spans that were lost, because there were too many before the SDK was there */
  constructor(target: OtlpTarget, context: ExportContext, dropped: Counter) {
    this.buffer = new SpanBuffer(dropped);
    this.lazy = new LazyExport("traces", target, context, async (onExport) => {
      try {
        const { exportSpans } = await import("./otlp-sdk.js");
        const running = await exportSpans(target, onExport);
        this.buffer.attach(running);
        return running;
      } catch (error) {
        this.buffer.close();
        throw error;
      }
    });
  }

  take(span: SpanRecord): void {
    this.buffer.take(span);
  }

  close(): void {
    this.lazy.close(this.buffer.size > 0);
  }
}

/** Metrics, sent at intervals. */
export class MetricExport implements Closable {
  private readonly lazy: LazyExport<RunningExport>;

  constructor(target: OtlpTarget, intervalMs: number, source: MetricSource, context: ExportContext) {
    this.lazy = new LazyExport("metrics", target, context, async (onExport) => {
      const { exportMetrics } = await import("./otlp-sdk.js");
      return exportMetrics(target, intervalMs, source, onExport);
    });
  }

  close(): void {
    this.lazy.close();
  }
}

/** The promise, or a rejection after this much time. */
async function within<T>(promise: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the collector took longer than ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
