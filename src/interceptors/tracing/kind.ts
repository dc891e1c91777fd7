// Traces as one of the hub's interceptors: `interceptors.tracing`, and the export of spans.
import { formatRange } from "../../config/range.js";
import { section } from "../../config/section.js";
import { type AddressRange, LOOPBACK } from "../../kit/net/ip.js";
import { SpanExport } from "../../telemetry/otlp/otlp-export.js";
import { otlpTarget } from "../../telemetry/otlp/otlp-options.js";
import type { InterceptorKind } from "../kit/kind.js";
import { exports, OTLP_DEFAULTS, type OtlpConfig, otlpKeys, warnWithoutExporter } from "../kit/otlp.js";
import { tracing } from "./tracing.js";

export interface TracingConfig extends OtlpConfig {
  /** Share of calls, 0..1. */
  readonly sample: number;
  readonly trustedPeers: readonly AddressRange[];
}

const MAX_PEERS = 1_000;
const DEFAULTS: TracingConfig = { ...OTLP_DEFAULTS, sample: 0.01, trustedPeers: LOOPBACK };

export const tracingSection = section({
  defaults: DEFAULTS,
  schema: (kit) =>
    kit.z
      .strictObject({
        ...otlpKeys(
          kit,
          "otlp: sampled calls are sent to a collector; none: trace headers are passed on, and that is all.",
        ),
        sample: kit
          .share()
          .prefault(DEFAULTS.sample)
          .describe("Share of calls that are traced where no trusted caller decides, from 0 to 1."),
        trustedPeers: kit
          .addressRanges(MAX_PEERS, ["10.0.0.0/8"])
          .prefault(DEFAULTS.trustedPeers.map(formatRange))
          .describe(
            "Callers whose decision to trace a call, or not to, is honoured: IP addresses and ranges of them.",
          ),
      })
      .prefault({})
      .describe("Traces: W3C trace context, and spans by OpenTelemetry."),
  read({ exporter, endpoint, protocol, sample, trustedPeers }, at) {
    const config = { exporter, endpoint, protocol, sample, trustedPeers };
    warnWithoutExporter(["endpoint", "protocol"], "tracing", config, at);
    return config;
  },
});

export const tracingKind = {
  key: "tracing",
  name: "tracing",
  place: "tracing",
  section: tracingSection,
  make(config, _methods, { clock, retained, telemetry, env }) {
    const { sample: ratio, trustedPeers } = config;
    if (!exports(config, env)) return tracing({ ratio: 0, trustedPeers, spans: undefined, clock });
    const target = otlpTarget(config, "traces", env);
    const dropped = telemetry.counters.counter(
      "linchpin.trace.spans.dropped",
      "Spans that were lost because there were too many of them before the exporter was ready.",
    );
    const spans = retained.keep(
      "span export",
      target,
      () => new SpanExport(target, telemetry.exportContext("traces"), dropped),
    );
    return tracing({ ratio, trustedPeers, spans, clock });
  },
} as const satisfies InterceptorKind<TracingConfig>;
