// The telemetry of one hub: independent of its config, for its lifetime.
import type { Clock } from "../kit/clock.js";
import type { Log } from "../kit/log.js";
import type { AccessLogContext } from "./log/access-log.js";
import { CallMetrics } from "./metrics/call-metrics.js";
import { Counters } from "./metrics/counters.js";
import type { Family, MetricSource } from "./metrics/family.js";
import { ProcessMetrics } from "./metrics/process-metrics.js";
import { PROMETHEUS_CONTENT_TYPE, prometheusPieces } from "./metrics/prometheus.js";
import { standardProcessFamilies } from "./metrics/standard-process.js";
import type { ExportContext } from "./otlp/otlp-export.js";

export class Telemetry {
  readonly calls = new CallMetrics();
  readonly counters = new Counters();
  private readonly process = new ProcessMetrics();
  private readonly sources: readonly MetricSource[];
  private readonly ends = new Set<Promise<void>>();
  private readonly clock: Clock;
  private readonly log: Log;

  /** @param hub the hub's own metrics: its upstreams, its connections */
  constructor(clock: Clock, log: Log, hub: MetricSource) {
    this.clock = clock;
    this.log = log;
    this.sources = [
      () => this.calls.families(),
      hub,
      () => this.counters.families(),
      () => this.process.families(),
    ];
  }

  readonly families: MetricSource = () => this.sources.flatMap((source): readonly Family[] => source());

  /** In a scrape's format: the text in pieces, each made on demand. */
  prometheus(): { readonly contentType: string; readonly pieces: Iterable<string> } {
    return { contentType: PROMETHEUS_CONTENT_TYPE, pieces: prometheusPieces(this.scraped()) };
  }

  private *scraped(): Generator<Family> {
    for (const source of this.sources) yield* source();
    yield* standardProcessFamilies();
  }

  exportContext(signal: "traces" | "metrics"): ExportContext {
    const failures = this.counters.counter(
      "linchpin.telemetry.export.failures",
      "Failed exports to the collector.",
      { signal },
    );
    return { clock: this.clock, log: this.log, closing: this.closing, failures };
  }

  accessLogContext(): AccessLogContext {
    const dropped = this.counters.counter("linchpin.access_log.dropped", "Lost lines of the access log.");
    return { closing: this.closing, dropped };
  }

  private readonly closing = (end: Promise<void>): void => {
    this.ends.add(end);
    void end.then(() => this.ends.delete(end));
  };

  /** Resolves once everything that was closed has sent or written its data; each has its own limit. */
  async settled(): Promise<void> {
    while (this.ends.size > 0) await Promise.all(this.ends);
  }

  close(): void {
    this.process.close();
  }
}
