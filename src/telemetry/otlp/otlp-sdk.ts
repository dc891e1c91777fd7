// The OpenTelemetry SDK, loaded on demand and in parts: loading it whole would block the event loop for up to a second.
// Nothing is registered globally: a program that embeds hubs keeps its own OpenTelemetry.
import type { PushMetricExporter } from "@opentelemetry/sdk-metrics";
import type { IdGenerator, SpanExporter } from "@opentelemetry/sdk-trace-base";
import type { MetricSource } from "../metrics/family.js";
import { producerOf } from "../metrics/metric-producer.js";
import type { SpanRecord, SpanSink } from "../tracing/span-record.js";
import type { OtlpTarget } from "./otlp-options.js";

const SCOPE = "linchpin";

/** Called for each export: undefined for success, otherwise the reason. */
export type OnExport = (problem: string | undefined) => void;

export interface RunningExport {
  /** Sends the rest, and ends. */
  shutdown(): Promise<void>;
}

/** One turn of the event loop, so that calls run between the parts. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function loadSdk() {
  // Each of these is a part of the last one, which then finds it loaded.
  await import("@opentelemetry/api");
  await turn();
  await import("@opentelemetry/resources");
  await turn();
  await import("@opentelemetry/sdk-trace-base");
  await turn();
  await import("@opentelemetry/sdk-metrics");
  await turn();
  await import("@opentelemetry/exporter-trace-otlp-proto");
  await turn();
  await import("@opentelemetry/exporter-trace-otlp-grpc");
  await turn();
  const sdk = await import("@opentelemetry/sdk-node");
  await turn();
  return sdk;
}

type Sdk = Awaited<ReturnType<typeof loadSdk>>;

/** `service.name` is linchpin unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES set it. */
function resourceOf({ resources }: Sdk) {
  const { envDetector, serviceInstanceIdDetector } = resources;
  return resources
    .resourceFromAttributes({ "service.name": "linchpin" })
    .merge(resources.detectResources({ detectors: [serviceInstanceIdDetector, envDetector] }));
}

interface ExportResult {
  readonly code: number;
  readonly error?: Error;
}

/** Lets `onExport` see how each export went. */
function watch<Items>(
  exporter: { export(items: Items, done: (result: ExportResult) => void): void },
  onExport: OnExport,
): void {
  const send = exporter.export.bind(exporter);
  exporter.export = (items, done) =>
    send(items, (result) => {
      onExport(result.code === 0 ? undefined : (result.error?.message ?? "it failed"));
      done(result);
    });
}

/** The span has its identifiers: the upstream has already received them. */
class GivenIds implements IdGenerator {
  traceId = "";
  spanId = "";
  generateTraceId(): string {
    return this.traceId;
  }
  generateSpanId(): string {
    return this.spanId;
  }
}

/** Sends spans by OTLP, in batches (OTEL_BSP_* are honoured). */
export async function exportSpans(target: OtlpTarget, onExport: OnExport): Promise<RunningExport & SpanSink> {
  const sdk = await loadSdk();
  const { api, tracing } = sdk;
  const exporter = await spanExporter(target);
  watch(exporter, onExport);
  const ids = new GivenIds();
  const provider = new tracing.BasicTracerProvider({
    resource: resourceOf(sdk),
    // Everything here has been sampled.
    sampler: new tracing.AlwaysOnSampler(),
    idGenerator: ids,
    spanProcessors: [new tracing.BatchSpanProcessor(exporter)],
  });
  const tracer = provider.getTracer(SCOPE);
  const { ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, createTraceState, trace } = api;

  const take = (span: SpanRecord): void => {
    ids.traceId = span.traceId;
    ids.spanId = span.spanId;
    const parent =
      span.parentSpanId === undefined
        ? ROOT_CONTEXT
        : trace.setSpanContext(ROOT_CONTEXT, {
            traceId: span.traceId,
            spanId: span.parentSpanId,
            traceFlags: TraceFlags.SAMPLED,
            isRemote: span.parentRemote,
            ...(span.traceState === undefined ? {} : { traceState: createTraceState(span.traceState) }),
          });
    const kind = span.kind === "server" ? SpanKind.SERVER : SpanKind.CLIENT;
    const options = { kind, startTime: time(span.startMs), attributes: { ...span.attributes } };
    const recorded = tracer.startSpan(span.name, options, parent);
    if (span.error !== undefined) recorded.setStatus({ code: SpanStatusCode.ERROR, message: span.error });
    recorded.end(time(span.endMs));
  };
  return { take, shutdown: () => provider.shutdown() };
}

async function spanExporter({ protocol, url }: OtlpTarget): Promise<SpanExporter> {
  if (protocol === "grpc") {
    const { OTLPTraceExporter } = await import("@opentelemetry/exporter-trace-otlp-grpc");
    return new OTLPTraceExporter({ url });
  }
  const { OTLPTraceExporter } = await import("@opentelemetry/exporter-trace-otlp-proto");
  return new OTLPTraceExporter({ url });
}

/** Sends metrics by OTLP, at this interval in milliseconds, and once more at the end. */
export async function exportMetrics(
  target: OtlpTarget,
  intervalMs: number,
  source: MetricSource,
  onExport: OnExport,
): Promise<RunningExport> {
  const sdk = await loadSdk();
  const { metrics } = sdk;
  const exporter = await metricExporter(target);
  watch(exporter, onExport);
  const resource = resourceOf(sdk);
  const reader = new metrics.PeriodicExportingMetricReader({
    exporter,
    exportIntervalMillis: intervalMs,
    // A collector that does not respond must not make exports overlap.
    exportTimeoutMillis: Math.min(intervalMs, 10_000),
    metricProducers: [producerOf(metrics, resource, SCOPE, source)],
  });
  const provider = new metrics.MeterProvider({ resource, readers: [reader] });
  return { shutdown: () => provider.shutdown() };
}

async function metricExporter({ protocol, url }: OtlpTarget): Promise<PushMetricExporter> {
  if (protocol === "grpc") {
    const { OTLPMetricExporter } = await import("@opentelemetry/exporter-metrics-otlp-grpc");
    return new OTLPMetricExporter({ url });
  }
  const { OTLPMetricExporter } = await import("@opentelemetry/exporter-metrics-otlp-proto");
  return new OTLPMetricExporter({ url });
}

/** Seconds and nanoseconds: unlike a number, never mistaken for a time since the start of the process. */
function time(epochMs: number): [number, number] {
  const seconds = Math.floor(epochMs / 1000);
  return [seconds, Math.round((epochMs - seconds * 1000) * 1e6)];
}
