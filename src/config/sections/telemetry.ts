// The config's part about telemetry: traces, metrics, the access log.
import * as z from "zod";
import type { AddressRange } from "../../kit/net/ip.js";
import { type Parsed, parsed, rejected } from "../../kit/text/parsed.js";
import { DEFAULTS } from "../defaults.js";
import { parseDuration } from "../duration.js";
import { text } from "../values.js";
import { parseRange, RANGE_EXPECTED } from "./edge.js";

/** Where OTLP goes; what is undefined is up to OTEL_* and the exporter's defaults. */
export interface OtlpConfig {
  readonly endpoint: string | undefined;
  readonly protocol: "grpc" | "http/protobuf" | undefined;
}

export interface TracingConfig extends OtlpConfig {
  readonly exporter: "otlp" | "none";
  /** Share of calls, 0..1. */
  readonly sample: number;
  readonly trustedPeers: readonly AddressRange[];
}

export interface MetricsConfig extends OtlpConfig {
  readonly enabled: boolean;
  readonly exporter: "otlp" | "none";
  /** undefined: OTEL_METRIC_EXPORT_INTERVAL, else a minute. */
  readonly intervalMs: number | undefined;
}

export interface AccessLogConfig {
  /** undefined: there is none. */
  readonly destination: "stdout" | "stderr" | { readonly file: string } | undefined;
  /** Share of the calls that ended well, 0..1. */
  readonly sample: number;
}

const MAX_PEERS = 1_000;
const ENDPOINT = "must be a URL such as http://127.0.0.1:4317";
const SHARE = "must be a number from 0 to 1";

function parseOtlpEndpoint(value: string): Parsed<string> {
  if (!URL.canParse(value)) return rejected(ENDPOINT);
  const { protocol, hostname } = new URL(value);
  if ((protocol !== "http:" && protocol !== "https:") || hostname === "") return rejected(ENDPOINT);
  return parsed(value);
}

/** Told at the key: the value, which is quoted otherwise, has a secret in it. */
function noCredentials(value: string, ctx: z.core.$RefinementCtx): void {
  const { username, password } = new URL(value);
  if (username === "" && password === "") return;
  const message = "must have no user and password: put credentials into OTEL_EXPORTER_OTLP_HEADERS";
  ctx.addIssue({ code: "custom", message, params: { atKey: true } });
}

const exporter = z.enum(["otlp", "none"], { error: "must be otlp or none" }).prefault("none");

const OTLP = {
  endpoint: text(parseOtlpEndpoint, ENDPOINT, ["http://127.0.0.1:4317", "http://127.0.0.1:4318"])
    .superRefine(noCredentials)
    .optional()
    .describe("The collector. Left out: OTEL_EXPORTER_OTLP_ENDPOINT, or the collector on this machine.")
    .meta({ default: "http://127.0.0.1:4317" }),
  protocol: z
    .enum(["grpc", "http/protobuf"], { error: "must be grpc or http/protobuf" })
    .optional()
    .describe(
      "Left out: OTEL_EXPORTER_OTLP_PROTOCOL, or http/protobuf where the endpoint's port is 4318, else grpc.",
    )
    .meta({ default: "grpc" }),
};

function share(initial: number) {
  return z.number({ error: SHARE }).min(0, { error: SHARE }).max(1, { error: SHARE }).prefault(initial);
}

export const tracingSection = z
  .strictObject({
    exporter: exporter.describe(
      "otlp: sampled calls are sent to a collector; none: trace headers are passed on, and that is all.",
    ),
    ...OTLP,
    sample: share(DEFAULTS.traceSample).describe(
      "Share of calls that are traced where no trusted caller decides, from 0 to 1.",
    ),
    trustedPeers: z
      .array(text(parseRange, RANGE_EXPECTED, ["10.0.0.0/8"]))
      .max(MAX_PEERS)
      .prefault([...DEFAULTS.trustedPeers])
      .describe(
        "Callers whose decision to trace a call, or not to, is honoured: IP addresses and ranges of them.",
      ),
  })
  .prefault({})
  .describe("Traces: W3C trace context, and spans by OpenTelemetry.");

export const metricsSection = z
  .strictObject({
    enabled: z
      .boolean({ error: "must be true or false" })
      .prefault(DEFAULTS.metrics)
      .describe("Whether calls are measured, for /metrics of the admin listener and for the exporter."),
    exporter: exporter.describe("otlp: the metrics are sent to a collector as well."),
    ...OTLP,
    interval: text(
      (value) => parseDuration(value, { minMs: 1_000 }),
      "must be a duration such as 10s or 1m",
      ["10s", "1m"],
    )
      .optional()
      .describe("How often they are sent. Left out: OTEL_METRIC_EXPORT_INTERVAL, or a minute.")
      .meta({ default: "1m" }),
  })
  .prefault({})
  .describe("Metrics: rate, errors and duration of calls, and what the process takes.");

export const accessLogSection = z
  .strictObject({
    destination: z
      .union([z.string(), z.literal(false)], { error: "must be off, stdout, stderr or a file" })
      .prefault(DEFAULTS.accessLog)
      .meta({ examples: ["stdout", "access.log"] })
      .describe("off, stdout, stderr, or a file that is appended to; relative to this file.")
      .transform((value, ctx) => {
        if (value === false || value === "off") return undefined;
        if (value !== "") return value;
        ctx.issues.push({ code: "custom", message: "must be off, stdout, stderr or a file", input: value });
        return z.NEVER;
      }),
    sample: share(1).describe(
      "Share of the calls that ended well which get a line, from 0 to 1; failures always get one.",
    ),
  })
  .prefault({})
  .describe("The access log: a JSON line for each call.");

export function tracingOf(file: z.output<typeof tracingSection>): TracingConfig {
  const { exporter, endpoint, protocol, sample, trustedPeers } = file;
  return { exporter, endpoint, protocol, sample, trustedPeers };
}

export function metricsOf(file: z.output<typeof metricsSection>): MetricsConfig {
  const { enabled, exporter, endpoint, protocol, interval } = file;
  return { enabled, exporter, endpoint, protocol, intervalMs: interval };
}

/** @param resolve makes a path absolute */
export function accessLogOf(
  file: z.output<typeof accessLogSection>,
  resolve: (path: string) => string,
): AccessLogConfig {
  const { destination, sample } = file;
  if (destination === undefined || destination === "stdout" || destination === "stderr") {
    return { destination, sample };
  }
  return { destination: { file: resolve(destination) }, sample };
}
