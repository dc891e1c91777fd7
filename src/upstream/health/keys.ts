// `health`, `outliers`, `panic` and `breakers` of an upstream: which endpoints get no calls, and how many calls may
// run.
import { featureKeys } from "../../config/section.js";
import type { BreakerConfig } from "./breakers.js";
import type { FailureCode } from "./failures.js";
import { FAILURE_CODES } from "./failures.js";
import type { HealthConfig } from "./health-check.js";
import type { OutlierConfig } from "./outliers.js";

export interface HealthFeatures {
  /** undefined: no health checks. */
  readonly health: HealthConfig | undefined;
  /** undefined: no endpoint is ejected. */
  readonly outliers: OutlierConfig | undefined;
  /** 0..1: if a smaller share of the endpoints is healthy, all of them get calls. */
  readonly panicShare: number;
  readonly breakers: BreakerConfig;
}

export const NO_HEALTH: HealthFeatures = {
  // Off by default, as in gRPC (A17): it takes one stream for each endpoint, and the service must report its health
  // truly.
  health: undefined,
  // Off by default in gRPC (A50), in Envoy and in linkerd (failure accrual), and so it is here: an upgrade must not
  // begin to take instances out.
  outliers: undefined,
  // Envoy's default, and so that of most meshes.
  panicShare: 0.5,
  // Envoy's 1,024 fails the 1,025th stream of a service that only has streams (envoyproxy/envoy#9250).
  breakers: { calls: undefined, streams: undefined },
};

const MAX_SERVICE_NAME = 512;
/** Ten times what a machine carries. */
const MAX_ACTIVE = 10_000_000;

export const healthKeys = featureKeys({
  defaults: NO_HEALTH,
  schema: ({ z, duration, wholeNumber, share }) => {
    const numberOrNone = (min: number, max: number) => {
      const error = `must be a whole number from ${min} to ${max}, or none`;
      return z.union(
        [z.int({ error }).min(min, { error }).max(max, { error }), z.literal("none", { error })],
        {
          error,
        },
      );
    };
    const deviations = "must be a number from 0.1 to 10";
    return {
      health: z
        .union(
          [
            z.literal(false),
            z.strictObject({
              service: z
                .string({ error: "must be text" })
                .max(MAX_SERVICE_NAME)
                .prefault("")
                .describe("The service whose health is queried; empty: the server as a whole."),
              timeout: duration(10).prefault("2s").describe("How long the first response may take."),
            }),
          ],
          { error: "must be false, or { service, timeout }; {} takes the defaults" },
        )
        .prefault(false)
        .describe(
          "Watches the health of every endpoint by grpc.health.v1, and sends no calls to those that report anything but SERVING; false: off.",
        )
        .meta({ examples: [{ service: "" }] }),
      outliers: z
        .union(
          [
            z.literal(false),
            z.strictObject({
              consecutive: numberOrNone(1, 1000)
                .prefault(5)
                .describe(
                  "An endpoint is ejected after this many failed calls in a row; none: never for this reason.",
                ),
              successRate: z
                .union(
                  [
                    z.literal(false),
                    z.strictObject({
                      hosts: wholeNumber(2, 1000)
                        .prefault(5)
                        .describe(
                          "Success rates are compared only if at least this many endpoints have enough calls.",
                        ),
                      requests: wholeNumber(1, 1_000_000)
                        .prefault(100)
                        .describe("How many calls within an interval are enough."),
                      deviations: z
                        .number({ error: deviations })
                        .min(0.1, { error: deviations })
                        .max(10, { error: deviations })
                        .prefault(1.9)
                        .describe(
                          "An endpoint is ejected if its success rate is this many standard deviations below the mean.",
                        ),
                    }),
                  ],
                  { error: "must be false, or { hosts, requests, deviations }" },
                )
                .prefault({})
                .describe(
                  "Ejects an endpoint whose share of successful calls is far below that of the others; false: off.",
                ),
              codes: z
                .array(z.enum(FAILURE_CODES, { error: `must be one of ${FAILURE_CODES.join(", ")}` }))
                .min(1, { error: "must name at least one code" })
                .max(FAILURE_CODES.length)
                .prefault(["UNAVAILABLE", "INTERNAL", "DATA_LOSS", "DEADLINE_EXCEEDED"])
                .describe(
                  "Statuses of a service that count as failures. Calls that it broke off, and responses that are not gRPC, always do.",
                ),
              interval: duration(100).prefault("10s").describe("How often success rates are compared."),
              ejection: duration(100)
                .prefault("30s")
                .describe(
                  "How long the first ejection of an endpoint lasts; the second lasts twice as long, and so on.",
                ),
              maxEjection: duration(100).prefault("300s").describe("The longest ejection."),
              maxShare: share()
                .prefault(0.1)
                .describe("Share of the endpoints that may be ejected at a time; one may always be."),
            }),
          ],
          { error: "must be false, or { consecutive, … }; {} takes the defaults" },
        )
        .prefault(false)
        .describe(
          "Outlier detection (gRFC A50): endpoints that fail more calls than others get none for a while; false: off.",
        )
        .meta({ examples: [{ consecutive: 5 }] }),
      panic: share()
        .prefault(NO_HEALTH.panicShare)
        .describe(
          "When a smaller share of the endpoints than this can be reached and is healthy, all that can be reached get calls, ejected or not; 0: never.",
        ),
      breakers: z
        .strictObject({
          calls: numberOrNone(1, MAX_ACTIVE)
            .prefault("none")
            .describe(
              "Unary calls that may run at the upstream at a time; further ones are rejected at once.",
            ),
          streams: numberOrNone(1, MAX_ACTIVE)
            .prefault("none")
            .describe("The same for calls that stream, and for methods without a known schema."),
        })
        .prefault({})
        .describe(
          "Circuit breakers: what may run at the upstream at a time. Connections and calls that wait for one have limits in connections and pending.",
        ),
    };
  },
  read({ health, outliers, panic, breakers: { calls, streams } }, at) {
    if (outliers !== false) {
      const { consecutive, successRate, ejection, maxEjection } = outliers;
      if (consecutive === "none" && successRate === false)
        at.warn(["outliers"], "ejects nothing: consecutive is none, and successRate false");
      at.needs(
        ["outliers", "maxEjection"],
        maxEjection >= ejection,
        "outliers.ejection is longer, and counts",
      );
    }
    return {
      health: health === false ? undefined : { service: health.service, timeoutMs: health.timeout },
      outliers: outliers === false ? undefined : outliersOf(outliers),
      panicShare: panic,
      breakers: { calls: numberOf(calls), streams: numberOf(streams) },
    };
  },
});

function numberOf(value: number | "none"): number | undefined {
  return value === "none" ? undefined : value;
}

interface OutlierKeys {
  readonly consecutive: number | "none";
  readonly successRate:
    | false
    | { readonly hosts: number; readonly requests: number; readonly deviations: number };
  readonly codes: readonly FailureCode[];
  readonly interval: number;
  readonly ejection: number;
  readonly maxEjection: number;
  readonly maxShare: number;
}

function outliersOf(keys: OutlierKeys): OutlierConfig {
  return {
    consecutive: numberOf(keys.consecutive),
    successRate: keys.successRate === false ? undefined : keys.successRate,
    codes: keys.codes,
    intervalMs: keys.interval,
    ejectionMs: keys.ejection,
    maxEjectionMs: Math.max(keys.ejection, keys.maxEjection),
    maxShare: keys.maxShare,
  };
}
