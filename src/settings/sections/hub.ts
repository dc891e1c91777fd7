// The sections of the hub itself: trusted proxies, error hints, reflection, the schema cache, readiness and draining.

import type { Hints } from "../../call/gateway.js";
import { mapping } from "../../config/mapping.js";
import { section, type Whole } from "../../config/section.js";
import type { AddressRange } from "../../kit/net/ip.js";

const MAX_RANGES = 1_000;
/** As a label of Kubernetes; names of zones are labels there. */
const MAX_ZONE_CHARS = 63;

export const trustedProxiesSection = section({
  defaults: { trustedProxies: [] } as {
    /** Whose x-forwarded-for, -proto and -host are believed. */
    readonly trustedProxies: readonly AddressRange[];
  },
  schema: ({ addressRanges }) =>
    addressRanges(MAX_RANGES, ["10.0.0.0/8", "192.0.2.7", "fd00::/8"])
      .prefault([])
      .describe(
        "Proxies whose x-forwarded-for, -proto and -host are believed: IP addresses and ranges. What others say there is dropped.",
      )
      .meta({ examples: [["10.0.0.0/8"]] }),
  read: (trustedProxies) => ({ trustedProxies }),
});

export const zoneSection = section({
  defaults: { zone: undefined } as {
    /** Where the hub runs; undefined: it is not known. */
    readonly zone: string | undefined;
  },
  schema: ({ z }) =>
    z
      .string({ error: "must be the name of a zone" })
      .max(MAX_ZONE_CHARS, { error: `must have at most ${MAX_ZONE_CHARS} characters` })
      .prefault("")
      .describe(
        "The zone that the hub runs in: its calls stay there where endpoints have zones (docs/upstreams.md). Empty: all zones are alike.",
      )
      .meta({ examples: ["eu-central-1a", `\${ZONE:-}`] }),
  read: (zone) => ({ zone: zone === "" ? undefined : zone }),
});

const HINTS: Hints = "auto";

export const errorsSection = section({
  defaults: { hints: HINTS },
  schema: ({ z }) =>
    z
      .strictObject({
        hints: z
          .enum(["auto", "always", "never"], { error: "must be auto, always or never" })
          .prefault(HINTS)
          .describe(
            "Who receives hints, which help to find an error, but reveal internals (nearest routes, addresses of endpoints); auto: callers on this machine and those who have proved who they are.",
          ),
      })
      .prefault({})
      .describe("What error messages reveal."),
  read: ({ hints }) => ({ hints }),
});

const REFLECTION = { reflection: true };

export const reflectionSection = section({
  defaults: REFLECTION,
  restart: ({ reflection }) => ({ "": reflection }),
  schema: ({ z }) =>
    z
      .boolean()
      .prefault(REFLECTION.reflection)
      .describe("Whether the hub serves gRPC server reflection for everything behind it."),
  read: (reflection) => ({ reflection }),
});

export const schemaCacheSection = section({
  defaults: { schemaCache: undefined } as {
    /** Folder in which the schemas of upstreams are remembered; undefined: nowhere. */
    readonly schemaCache: string | undefined;
  },
  schema: ({ path }) =>
    path()
      .optional()
      .describe(
        "Folder in which the hub remembers what it learned by reflection, so that it can start while its services are down; relative to this file. It must exist. Left out: nothing is remembered.",
      )
      .meta({ examples: ["/var/cache/linchpin"] }),
  read(folder, at) {
    if (folder === undefined) return { schemaCache: undefined };
    at.needs([], reflects(at.whole), "no upstream is learned by reflection");
    // A hub continues without it; `linchpin check` reports it.
    if (!at.whole.checksSchemaCache) return { schemaCache: at.resolved(folder) };
    return { schemaCache: at.existing([], folder, "writable directory") };
  },
});

/** Whether an upstream is learned by reflection. */
function reflects(whole: Whole): boolean {
  const upstreams = Object.values(mapping(whole.value(["upstreams"])));
  return upstreams.some((upstream) => mapping(upstream).schema === "reflection");
}

const READINESS = {
  /**
   * How long the hub is not ready because of upstreams that were never learned, milliseconds; undefined: until they
   * are.
   */
  readinessWaitMs: 30_000 as number | undefined,
};

export const readinessSection = section({
  defaults: READINESS,
  schema: ({ z, durationOrNone, durationText }) =>
    z
      .strictObject({
        wait: durationOrNone(0)
          .prefault(durationText(READINESS.readinessWaitMs))
          .describe(
            "How long after its start the hub is not ready (readyz, health) because an upstream has never been learned; 0s: not at all, none: until each has been.",
          ),
      })
      .prefault({})
      .describe("When the hub is ready. It takes calls meanwhile."),
  read({ wait }, at) {
    at.needs(["wait"], reflects(at.whole), "no upstream is learned by reflection");
    return { readinessWaitMs: wait === "none" ? undefined : wait };
  },
});

/** How the hub leaves. */
export interface DrainConfig {
  /** How long it still accepts connections and calls, milliseconds; at most `graceMs`. */
  readonly delayMs: number;
  /** Limit of the whole drain, the delay included, milliseconds; then running calls are ended. */
  readonly graceMs: number;
}

// Kubernetes kills 30 s after SIGTERM: end before it.
const DRAIN: DrainConfig = { delayMs: 0, graceMs: 25_000 };

export const drainSection = section({
  defaults: { drain: DRAIN },
  schema: ({ z, duration, durationText, isMapping }) =>
    z
      .strictObject({
        delay: duration(0)
          .prefault(durationText(DRAIN.delayMs))
          .describe(
            "How long the hub still accepts connections and calls after SIGTERM or SIGINT, while its readiness and health say that it is leaving, so that load balancers stop sending to it first.",
          )
          .meta({ examples: ["5s"] }),
        grace: duration(0)
          .prefault(durationText(DRAIN.graceMs))
          .describe(
            "How long all of it may take, the delay included; calls that still run then are cut off. Kubernetes kills after 30 s.",
          ),
      })
      .refine(
        ({ delay, grace }) => !(typeof delay === "number" && typeof grace === "number" && delay > grace),
        {
          error: "must not be longer than drain.grace, which includes it",
          path: ["delay"],
          when: isMapping,
        },
      )
      .prefault({})
      .describe("How the hub leaves."),
  read: ({ delay, grace }) => ({ drain: { delayMs: delay, graceMs: grace } }),
});
