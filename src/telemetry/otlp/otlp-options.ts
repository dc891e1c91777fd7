// The OTLP target: from the config, then OpenTelemetry's environment variables, then the local collector.
import type { Environment } from "../../kit/runtime.js";
import { trimEndOf } from "../../kit/text/trim.js";

export type OtlpProtocol = "grpc" | "http/protobuf";
export type Signal = "traces" | "metrics";

export interface OtlpOptions {
  /** undefined: by OTEL_EXPORTER_OTLP_ENDPOINT, else the collector on this machine. */
  readonly endpoint: string | undefined;
  /** undefined: by OTEL_EXPORTER_OTLP_PROTOCOL, else by the endpoint's port (4318 is HTTP's), else grpc. */
  readonly protocol: OtlpProtocol | undefined;
}

export interface OtlpTarget {
  readonly protocol: OtlpProtocol;
  /** In the exporter's form: for HTTP with the signal's path. */
  readonly url: string;
}

const LOCAL_COLLECTOR: Readonly<Record<OtlpProtocol, string>> = {
  grpc: "http://127.0.0.1:4317",
  "http/protobuf": "http://127.0.0.1:4318",
};

export function otlpTarget(options: OtlpOptions, signal: Signal, env: Environment): OtlpTarget {
  const own = signal.toUpperCase();
  const ofSignal = env[`OTEL_EXPORTER_OTLP_${own}_ENDPOINT`] || undefined;
  const endpoint = options.endpoint ?? ofSignal ?? (env.OTEL_EXPORTER_OTLP_ENDPOINT || undefined);
  const protocol =
    options.protocol ??
    protocolOf(env[`OTEL_EXPORTER_OTLP_${own}_PROTOCOL`] || env.OTEL_EXPORTER_OTLP_PROTOCOL) ??
    (endpoint !== undefined && portOf(endpoint) === "4318" ? "http/protobuf" : "grpc");
  const base = endpoint ?? LOCAL_COLLECTOR[protocol];
  // The specification of OTLP: a signal's own endpoint is used unchanged, a common one gets the signal's path.
  const whole =
    protocol === "grpc" ||
    (options.endpoint === undefined && endpoint === ofSignal && ofSignal !== undefined);
  return { protocol, url: whole ? base : `${trimEndOf(base, "/")}/v1/${signal}` };
}

/** Whether the environment switches all of OpenTelemetry off. */
export function sdkDisabled(env: Environment): boolean {
  return env.OTEL_SDK_DISABLED?.toLowerCase() === "true";
}

function protocolOf(text: string | undefined): OtlpProtocol | undefined {
  return text === "grpc" || text === "http/protobuf" ? text : undefined;
}

function portOf(endpoint: string): string {
  return URL.canParse(endpoint) ? new URL(endpoint).port : "";
}
