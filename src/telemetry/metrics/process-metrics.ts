// Metrics of the process: event-loop lag, garbage collection, CPU, memory. Names are OpenTelemetry's.
import {
  constants,
  type IntervalHistogram,
  monitorEventLoopDelay,
  PerformanceObserver,
} from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";
import { attempt } from "../../kit/faults.js";
import { BlockWatch } from "./block-watch.js";
import type { Family, GaugeFamily, HistogramValue, Point } from "./family.js";

/** Wakes the process 20 times a second: fine enough to see lag that callers feel, cheap enough to leave on. */
const RESOLUTION_MS = 50;
const NS_PER_S = 1e9;
/** Seconds; the bounds that the conventions advise for v8js.gc.duration. */
const GC_BOUNDS = [0.01, 0.1, 1, 10] as const;
const GC_KINDS: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MAJOR]: "major",
  [constants.NODE_PERFORMANCE_GC_MINOR]: "minor",
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: "incremental",
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: "weakcb",
};

export class ProcessMetrics {
  private readonly delay: IntervalHistogram;
  private readonly blocks = new BlockWatch();
  private readonly gc = new Map<string, { buckets: number[]; sum: number; count: number }>();
  private readonly observer: PerformanceObserver;

  constructor() {
    this.delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    this.delay.enable();
    this.observer = new PerformanceObserver((list) => {
      attempt("while counting garbage collections", () => {
        for (const entry of list.getEntries()) this.onCollection(kindOf(entry), entry.duration / 1000);
      });
    });
    this.observer.observe({ entryTypes: ["gc"] });
  }

  close(): void {
    this.delay.disable();
    this.blocks.close();
    this.observer.disconnect();
  }

  private onCollection(kind: string, seconds: number): void {
    let value = this.gc.get(kind);
    if (value === undefined) {
      value = { buckets: GC_BOUNDS.map(() => 0).concat(0), sum: 0, count: 0 };
      this.gc.set(kind, value);
    }
    const at = GC_BOUNDS.findIndex((bound) => seconds <= bound);
    const bucket = at < 0 ? GC_BOUNDS.length : at;
    value.buckets[bucket] = (value.buckets[bucket] ?? 0) + 1;
    value.sum += seconds;
    value.count++;
  }

  families(): readonly Family[] {
    const cpu = process.cpuUsage();
    const memory = process.memoryUsage();
    const gc = [...this.gc].map(
      ([kind, { buckets, sum, count }]): Point<HistogramValue> => ({
        labels: { "v8js.gc.type": kind },
        value: { buckets: [...buckets], sum, count },
      }),
    );
    return [
      lag("mean", "mean", this.delay.mean),
      lag("max", "greatest", this.delay.max),
      {
        type: "gauge",
        name: "linchpin.eventloop.block.max",
        unit: "s",
        help: "The longest block of the event loop: in the last minute, and since the start.",
        points: [
          { labels: { "linchpin.window": "minute" }, value: this.blocks.recent },
          { labels: { "linchpin.window": "process" }, value: this.blocks.ever },
        ],
      },
      lag("p50", "median", this.delay.percentile(50)),
      lag("p99", "99th percentile", this.delay.percentile(99)),
      {
        type: "counter",
        name: "process.cpu.time",
        unit: "s",
        help: "CPU time of the process, by mode.",
        points: [
          { labels: { "cpu.mode": "user" }, value: cpu.user / 1e6 },
          { labels: { "cpu.mode": "system" }, value: cpu.system / 1e6 },
        ],
      },
      gauge("process.memory.usage", "By", "Resident memory of the process.", memory.rss),
      gauge(
        "v8js.memory.heap.used",
        "By",
        "Heap memory in use, objects not yet collected included.",
        memory.heapUsed,
      ),
      gauge("v8js.memory.heap.limit", "By", "Size limit of the heap.", getHeapStatistics().heap_size_limit),
      gauge("process.uptime", "s", "Uptime of the process.", process.uptime()),
      {
        type: "histogram",
        name: "v8js.gc.duration",
        unit: "s",
        help: "Duration of garbage collections, by kind.",
        bounds: GC_BOUNDS,
        points: gc,
      },
    ];
  }
}

function kindOf(entry: object): string {
  const detail: unknown = "detail" in entry ? entry.detail : undefined;
  const kind = typeof detail === "object" && detail !== null && "kind" in detail ? detail.kind : undefined;
  return (typeof kind === "number" ? GC_KINDS[kind] : undefined) ?? "other";
}

/** The histogram has the time between two of its own timers: the part beyond its resolution is lag. */
function lag(suffix: string, what: string, nanoseconds: number): GaugeFamily {
  const seconds = nanoseconds / NS_PER_S - RESOLUTION_MS / 1000;
  const value = Number.isFinite(seconds) && seconds > 0 ? seconds : 0;
  return gauge(`nodejs.eventloop.delay.${suffix}`, "s", `Event-loop lag since the start: ${what}.`, value);
}

function gauge(name: string, unit: string, help: string, value: number): GaugeFamily {
  return { type: "gauge", name, unit, help, points: [{ labels: {}, value }] };
}
