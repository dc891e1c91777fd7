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
import type { CertificateState } from "../tls/certificate-state.js";
import { HANDSHAKE_FAILURES, type HandshakeFailure } from "../tls/handshake-failure.js";
import type { LearnedUpstream } from "./learned-upstream.js";

const EXPORT_INTERVAL_MS = 60_000;
const MIN_EXPORT_INTERVAL_MS = 1_000;

/** `exporter: otlp`, and OTEL_SDK_DISABLED does not say no. */
function exports(config: { readonly exporter: "otlp" | "none" }, env: Environment): boolean {
  return config.exporter === "otlp" && !sdkDisabled(env);
}

/** RED metrics, or nothing where they are switched off; and their exporter. */
export function metricsOf(
  config: Config["metrics"],
  { clock, lives }: InterceptorContext,
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
  return [metrics(telemetry.calls, clock)];
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

const STATES = ["ready", "connecting", "backoff", "idle"] as const;

/** What a scrape is told of the upstreams. */
export function upstreamFamilies(upstreams: readonly LearnedUpstream[]): Family[] {
  return [
    {
      type: "gauge",
      name: "linchpin.upstream.endpoints",
      unit: "{endpoint}",
      help: "Endpoints of an upstream, by the state of their connections.",
      points: upstreams.flatMap(({ config: { name }, cluster: { endpoints } }) =>
        STATES.map((state) => ({
          labels: { "linchpin.upstream": name, "linchpin.endpoint.state": state },
          value: endpoints.filter((endpoint) => endpoint.state === state).length,
        })),
      ),
    },
    {
      type: "gauge",
      name: "linchpin.upstream.connections",
      unit: "{connection}",
      help: "Connections to an upstream: open ones take calls, draining ones take no more.",
      points: upstreams.flatMap(({ config: { name }, cluster: { endpoints } }) =>
        (["open", "connecting", "draining"] as const).map((state) => ({
          labels: { "linchpin.upstream": name, "linchpin.connection.state": state },
          value: endpoints.reduce((sum, { counts }) => sum + counts[state], 0),
        })),
      ),
    },
    {
      type: "gauge",
      name: "linchpin.upstream.pending",
      unit: "{call}",
      help: "Calls that wait for a connection to an upstream.",
      points: upstreams.map(({ config: { name }, cluster: { pending } }) => ({
        labels: { "linchpin.upstream": name },
        value: pending,
      })),
    },
  ];
}

interface ListenerState {
  readonly open: Readonly<Record<string, number>>;
}

/** What a scrape is told of the clients. */
export function connectionFamilies(listeners: readonly ListenerState[], waitingBytes: number): Family[] {
  const total = new Map<string, number>();
  for (const { open } of listeners) {
    for (const [protocol, count] of Object.entries(open))
      total.set(protocol, (total.get(protocol) ?? 0) + count);
  }
  return [
    {
      type: "gauge",
      name: "linchpin.connections",
      unit: "{connection}",
      help: "Open connections of clients, by protocol.",
      points: [...total].map(([protocol, value]) => ({
        labels: { "network.protocol.name": protocol },
        value,
      })),
    },
    {
      type: "gauge",
      name: "linchpin.http2.waiting",
      unit: "By",
      help: "Data that waits in the hub for clients and services to take it, over HTTP/1.1 as well (limits.maxProcessQueued).",
      points: [{ labels: {}, value: waitingBytes }],
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

/** What a scrape is told of the certificates in use. */
export function certificateFamily(certificates: readonly CertificateState[]): Family {
  return {
    type: "gauge",
    name: "linchpin.tls.certificate.expiry",
    unit: "s",
    help: "When a certificate in use, or one of its file, ends: seconds since 1970.",
    points: certificates.map(({ owner, role, expiresAt }) => ({
      labels: { "linchpin.certificate.owner": owner, "linchpin.certificate.role": role },
      value: Math.floor(expiresAt / 1000),
    })),
  };
}
