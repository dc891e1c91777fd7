// Telemetry as the config asks for it: the three interceptors, what they write to, and what the hub shows of itself.

import type { Interceptor, InterceptorContext } from "../call/interceptor.js";
import type { Config } from "../config/config.js";
import { accessLog } from "../interceptors/access-log.js";
import { metrics } from "../interceptors/metrics.js";
import { tracing } from "../interceptors/tracing.js";
import type { Log } from "../kit/log.js";
import type { Meters } from "../kit/meters.js";
import { AccessLogDestination } from "../telemetry/log/access-log.js";
import type { Family } from "../telemetry/metrics/family.js";
import { MetricExport, SpanExport } from "../telemetry/otlp/otlp-export.js";
import { type Environment, otlpTarget, sdkDisabled } from "../telemetry/otlp/otlp-options.js";
import type { Telemetry } from "../telemetry/telemetry.js";
import { HANDSHAKE_FAILURES, type HandshakeFailure } from "../tls/handshake-failure.js";

const EXPORT_INTERVAL_MS = 60_000;
const MIN_EXPORT_INTERVAL_MS = 1_000;

/** `exporter: otlp`, and OTEL_SDK_DISABLED does not say no. */
function exports(config: { readonly exporter: "otlp" | "none" }, env: Environment): boolean {
  return config.exporter === "otlp" && !sdkDisabled(env);
}

/** RED metrics, or nothing where they are switched off; and their exporter. */
export function metricsOf(
  config: Config["metrics"],
  { lives }: InterceptorContext,
  telemetry: Telemetry,
  env: Environment,
): Interceptor[] {
  if (!config.enabled) return [];
  if (exports(config, env)) {
    const target = otlpTarget(config, "metrics", env);
    const ofEnv = Number(env.OTEL_METRIC_EXPORT_INTERVAL ?? "");
    const fallback = ofEnv >= MIN_EXPORT_INTERVAL_MS ? ofEnv : EXPORT_INTERVAL_MS;
    const interval = config.intervalMs ?? fallback;
    lives.keep(
      "metric export",
      { target, interval },
      () => new MetricExport(target, interval, telemetry.families, telemetry.exportContext("metrics")),
    );
  }
  return [metrics(telemetry.calls)];
}

export function tracingOf(
  config: Config["tracing"],
  { clock, lives }: InterceptorContext,
  telemetry: Telemetry,
  env: Environment,
): Interceptor {
  const { sample: ratio, trustedPeers } = config;
  if (!exports(config, env)) return tracing({ ratio: 0, trustedPeers, spans: undefined, clock });
  const target = otlpTarget(config, "traces", env);
  const dropped = telemetry.counters.counter(
    "linchpin.trace.spans.dropped",
    "Spans that were lost because there were too many of them before the exporter was ready.",
  );
  const spans = lives.keep(
    "span export",
    target,
    () => new SpanExport(target, telemetry.exportContext("traces"), dropped),
  );
  return tracing({ ratio, trustedPeers, spans, clock });
}

/** Throws a UserError when the log's file cannot be opened. */
export function accessLogOf(
  { destination, sample }: Config["accessLog"],
  { lives }: InterceptorContext,
  telemetry: Telemetry,
): Interceptor[] {
  if (destination === undefined) return [];
  const name = typeof destination === "string" ? destination : destination.file;
  const log = lives.keep(
    "access log",
    destination,
    () => new AccessLogDestination(name, telemetry.accessLogContext()),
  );
  return [accessLog({ sample, write: (level, record) => log.write(level, record) })];
}

/** What a scrape is told of the hub's own log; nothing where the log does not know. */
export function logFamilies({ lost }: Log): Family[] {
  if (lost === undefined) return [];
  const help = "Lines of the hub's own log that were lost, since nobody could take them.";
  return [
    {
      type: "counter",
      name: "linchpin.log.dropped",
      unit: "1",
      help,
      points: [{ labels: {}, value: lost() }],
    },
  ];
}

/** Counts the TLS handshakes of a listener that failed; all reasons from the start. */
export function handshakeFailures(listener: string, meters: Meters): (why: HandshakeFailure) => void {
  const counters = new Map(
    HANDSHAKE_FAILURES.map((why) => [
      why,
      meters.counter("linchpin.tls.handshake.failures", "TLS handshakes of clients that failed, by why.", {
        "linchpin.listener": listener,
        "linchpin.reason": why,
      }),
    ]),
  );
  return (why) => counters.get(why)?.add();
}
