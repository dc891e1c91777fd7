// The keys that traces and metrics share: whether they are exported to a collector, and its address.
import type { Kit } from "../../config/kit.js";
import type { Place } from "../../config/section.js";
import { type Parsed, parsed, rejected } from "../../kit/text/parsed.js";
import { sdkDisabled } from "../../telemetry/otlp/otlp-options.js";

export interface OtlpConfig {
  readonly exporter: "otlp" | "none";
  /** The OTLP target; undefined parts are left to OTEL_* and the exporter's defaults. */
  readonly endpoint: string | undefined;
  readonly protocol: "grpc" | "http/protobuf" | undefined;
}

export const OTLP_DEFAULTS: OtlpConfig = { exporter: "none", endpoint: undefined, protocol: undefined };

const ENDPOINT = "must be a URL such as http://127.0.0.1:4317";

/** @param what the description of `exporter` */
export function otlpKeys({ z, text }: Kit, what: string) {
  return {
    exporter: z
      .enum(["otlp", "none"], { error: "must be otlp or none" })
      .prefault(OTLP_DEFAULTS.exporter)
      .describe(what),
    endpoint: text(parseEndpoint, ENDPOINT, ["http://127.0.0.1:4317", "http://127.0.0.1:4318"])
      // Reported at the key: reporting at the value would quote it, and it contains a secret.
      .superRefine((value, ctx) => {
        const { username, password } = new URL(value);
        if (username === "" && password === "") return;
        const message = "must have no user and password: put credentials into OTEL_EXPORTER_OTLP_HEADERS";
        ctx.addIssue({ code: "custom", message, params: { atKey: true } });
      })
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
}

function parseEndpoint(value: string): Parsed<string> {
  if (!URL.canParse(value)) return rejected(ENDPOINT);
  const { protocol, hostname } = new URL(value);
  if ((protocol !== "http:" && protocol !== "https:") || hostname === "") return rejected(ENDPOINT);
  return parsed(value);
}

/** Warns of keys for the exporter if there is none. */
export function warnWithoutExporter(
  keys: readonly string[],
  section: string,
  config: OtlpConfig,
  at: Place,
): void {
  for (const key of keys) at.needs([key], config.exporter === "otlp", `${section}.exporter is none`);
}

/** `exporter: otlp`, unless OTEL_SDK_DISABLED is set. */
export function exports(config: OtlpConfig, env: Readonly<Record<string, string | undefined>>): boolean {
  return config.exporter === "otlp" && !sdkDisabled(env);
}
