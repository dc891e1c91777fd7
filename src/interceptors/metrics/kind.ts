// RED metrics as one of the hub's interceptors: `interceptors.metrics`, and their export.
import { section } from "../../config/section.js";
import { MetricExport } from "../../telemetry/otlp/otlp-export.js";
import { otlpTarget } from "../../telemetry/otlp/otlp-options.js";
import type { InterceptorKind } from "../kit/kind.js";
import { exports, OTLP_DEFAULTS, type OtlpConfig, otlpKeys, warnWithoutExporter } from "../kit/otlp.js";
import { metrics } from "./metrics.js";

export interface MetricsConfig extends OtlpConfig {
  readonly enabled: boolean;
  /** undefined: OTEL_METRIC_EXPORT_INTERVAL, else a minute. */
  readonly intervalMs: number | undefined;
}

const DEFAULTS: MetricsConfig = { enabled: true, ...OTLP_DEFAULTS, intervalMs: undefined };
const MIN_INTERVAL_MS = 1_000;

export const metricsSection = section({
  defaults: DEFAULTS,
  schema: (kit) =>
    kit.z
      .strictObject({
        enabled: kit.z
          .boolean({ error: "must be true or false" })
          .prefault(DEFAULTS.enabled)
          .describe("Whether calls are measured, for /metrics of the admin listener and for the exporter."),
        ...otlpKeys(kit, "otlp: the metrics are sent to a collector as well."),
        interval: kit
          .duration(MIN_INTERVAL_MS, "must be a duration such as 10s or 1m", ["10s", "1m"])
          .optional()
          .describe("How often they are sent. Left out: OTEL_METRIC_EXPORT_INTERVAL, or a minute.")
          .meta({ default: "1m" }),
      })
      .prefault({})
      .describe("Metrics: rate, errors and duration of calls, and what the process takes."),
  read({ enabled, exporter, endpoint, protocol, interval }, at) {
    const config = { enabled, exporter, endpoint, protocol, intervalMs: interval };
    warnWithoutExporter(["endpoint", "protocol", "interval"], "metrics", config, at);
    at.needs(["exporter"], enabled, "metrics.enabled is false");
    return config;
  },
});

const EXPORT_INTERVAL_MS = 60_000;
const MIN_EXPORT_INTERVAL_MS = 1_000;

export const metricsKind = {
  key: "metrics",
  name: "metrics",
  place: "tracing",
  section: metricsSection,
  make(config, _methods, { retained, telemetry, env }) {
    if (!config.enabled) return undefined;
    if (exports(config, env)) {
      const target = otlpTarget(config, "metrics", env);
      const ofEnv = Number(env.OTEL_METRIC_EXPORT_INTERVAL ?? "");
      const fallback = ofEnv >= MIN_EXPORT_INTERVAL_MS ? ofEnv : EXPORT_INTERVAL_MS;
      const interval = config.intervalMs ?? fallback;
      retained.keep(
        "metric export",
        { target, interval },
        () => new MetricExport(target, interval, telemetry.families, telemetry.exportContext("metrics")),
      );
    }
    return metrics(telemetry.calls);
  },
} as const satisfies InterceptorKind<MetricsConfig>;
