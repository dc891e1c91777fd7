// `balancer`, `slowStart` and `zones` of an upstream.
import type * as z from "zod";
import { formatDuration } from "../../config/duration.js";
import type { Kit } from "../../config/kit.js";
import { mapping } from "../../config/mapping.js";
import { featureKeys } from "../../config/section.js";
import type { BalancerOptions, HashBy } from "./balancer.js";
import { BALANCERS, type BalancerName } from "./balancers.js";
import type { LayersOptions, SlowStart } from "./layers.js";
import { CHOICES } from "./least-request.js";
import { TABLE_SIZE } from "./maglev.js";
import { DECAY_MS, RTT_MS } from "./peak-ewma.js";
import { MAX_SIZE, MIN_SIZE } from "./ring-hash.js";
import { BLACKOUT_MS, ERROR_PENALTY, EXPIRY_MS, UPDATE_MS } from "./weighted-round-robin.js";

/** How the endpoints of an upstream are picked. */
export interface BalancerConfig extends LayersOptions {
  /** One of BALANCERS, or of the balancers added by a program. */
  readonly name: string;
  readonly options: BalancerOptions;
}

const DEFAULT: BalancerName = "peak_ewma";
const DEFAULTS: { readonly balancer: BalancerConfig } = { balancer: { name: DEFAULT, options: {} } };

/** Balancers that read properties of calls: they need options, and new endpoints get their share at once. */
const BY_HASH: readonly string[] = ["ring_hash", "maglev"] satisfies BalancerName[];
const BY_NAME = Object.keys(BALANCERS).filter((name) => !BY_HASH.includes(name));

const expected = (names: readonly string[]): string =>
  `must be ${names.join(", ")}, or one of these and ring_hash, maglev with options, as in { ring_hash: { header: x-user } }`;

/** Not 0: an endpoint that gets no calls at first would never warm up. */
const MIN_SHARE = 0.01;

/** The same bound as Envoy's. */
const MAX_CHOICES = 100;
/** As Envoy's; must be a prime, so that each endpoint's steps reach every entry. */
const MAX_TABLE_SIZE = 5_000_011;

function numberFrom({ z }: Kit, min: number, max: number) {
  const error = `must be a number from ${min} to ${max}`;
  return z.number({ error }).min(min, { error }).max(max, { error });
}

const FIELD_EXPECTED = "must be a field of the request, as in book.name";

const hashKeys = ({ z }: Kit) => ({
  header: z
    .string()
    .regex(/^[!#$%&'*+\-.^_`|~0-9a-z]+$/i, { error: "must be the name of a header" })
    .transform((name) => name.toLowerCase())
    .optional()
    .describe("Calls with the same value of this header go to the same endpoint; those without it to any."),
  identity: z
    .literal(true, { error: "must be true" })
    .optional()
    .describe("Calls of the same caller, as authentication knows it, go to the same endpoint."),
  field: z
    .string({ error: FIELD_EXPECTED })
    .regex(/^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*){0,15}$/, { error: FIELD_EXPECTED })
    .optional()
    .describe(
      "Calls with the same value of this field of the request, as in book.name, go to the same endpoint: of the first message, for methods whose schema is known.",
    ),
});

const hasOne = (value: unknown): boolean => {
  const { header, identity, field } = mapping(value);
  return [header, identity, field].filter((one) => one !== undefined).length === 1;
};
const ONE_KEY = "must have exactly one of header, identity and field: what calls go together by";

const choices = (kit: Kit) => {
  const { z, duration, wholeNumber, isMapping } = kit;
  const ms = (value: number) => duration(1).prefault(formatDuration(value));
  return {
    peak_ewma: z
      .strictObject({
        rtt: ms(RTT_MS).describe("Assumed response time of an endpoint that has not responded yet."),
        decay: ms(DECAY_MS).describe("After this time a slow response still counts for a third."),
      })
      .optional()
      .describe("The faster of two endpoints: average response time, times running calls."),
    round_robin: z.strictObject({}).optional().describe("Each in turn."),
    least_request: z
      .strictObject({
        choices: wholeNumber(2, MAX_CHOICES)
          .prefault(CHOICES)
          .describe("How many endpoints are drawn at random; the one with the fewest calls is taken."),
      })
      .optional()
      .describe("The one of two endpoints that has fewer calls."),
    random: z.strictObject({}).optional().describe("Any."),
    weighted_round_robin: z
      .strictObject({
        blackout: duration(0)
          .prefault(formatDuration(BLACKOUT_MS))
          .describe("An endpoint's load reports count once it has sent them for this long."),
        expiry: ms(EXPIRY_MS).describe("How long a report counts."),
        update: duration(100).prefault(formatDuration(UPDATE_MS)).describe("How often weights are computed."),
        errorPenalty: numberFrom(kit, 0, 1000)
          .prefault(ERROR_PENALTY)
          .describe(
            "How much of an endpoint's utilization a rate of errors counts for; 0: errors do not matter.",
          ),
      })
      .optional()
      .describe("In turn, by what services report of their load with each call (gRFC A58)."),
    ring_hash: z
      .strictObject({
        ...hashKeys(kit),
        min: wholeNumber(1, MAX_SIZE).prefault(MIN_SIZE).describe("The fewest points on the ring."),
        max: wholeNumber(1, MAX_SIZE).prefault(MAX_SIZE).describe("The most points on the ring."),
      })
      .refine(hasOne, { error: ONE_KEY, when: isMapping })
      .refine(({ min, max }) => !(min > max), {
        error: "must not be more than max",
        path: ["min"],
        when: isMapping,
      })
      .optional()
      .describe("The same endpoint for the same key; few keys move when endpoints come and go."),
    maglev: z
      .strictObject({
        ...hashKeys(kit),
        size: wholeNumber(2, MAX_TABLE_SIZE)
          .refine(isPrime, { error: "must be a prime number, as 65537 is" })
          .prefault(TABLE_SIZE)
          .describe("Entries of the table, a prime number: some hundred for each endpoint."),
      })
      .refine(hasOne, { error: ONE_KEY, when: isMapping })
      .optional()
      .describe("As ring_hash: shares are evener, more keys move."),
  } satisfies Record<BalancerName, unknown>;
};

/** Balancers added by a program have their options in the program. */
const balancerKey = (kit: Kit) => {
  const names = [...BY_NAME, ...kit.ownBalancers];
  return kit.z
    .union(
      [
        kit.z.enum(names).meta({ "x-open": true }),
        kit.z.strictObject(choices(kit)).refine((value) => Object.keys(value).length === 1, {
          error: "must have exactly one key: the balancer",
          when: kit.isMapping,
        }),
      ],
      { error: expected(names) },
    )
    .prefault(DEFAULT)
    .describe("Which endpoint a call goes to (docs/upstreams.md).");
};

type Chosen = z.output<ReturnType<typeof balancerKey>>;

export const balancerKeys = featureKeys({
  defaults: DEFAULTS,
  schema: (kit) => ({
    balancer: balancerKey(kit),
    slowStart: kit.z
      .strictObject({
        window: kit
          .durationOrNone()
          .prefault("none")
          .describe("After so long a new endpoint, or one that is back, gets its whole share; none: at once.")
          .meta({ examples: ["30s"] }),
        aggression: numberFrom(kit, 0.1, 100)
          .prefault(1)
          .describe(
            "The share grows as (time / window)^(1 / aggression): 1 evenly, more is faster at first.",
          ),
        min: numberFrom(kit, MIN_SHARE, 1).prefault(0.1).describe("The share at the begin."),
      })
      .prefault({})
      .describe("Endpoints that are cold at first get few calls at first."),
    zones: kit.z
      .strictObject({
        prefer: kit.z
          .boolean()
          .prefault(true)
          .describe(
            "Whether calls stay in the hub's own zone (zone), as long as it has its share of the endpoints.",
          ),
      })
      .prefault({})
      .describe("What endpoints' zones are for."),
  }),
  read({ balancer, slowStart, zones }, at) {
    const chosen = nameOf(balancer);
    const zone = at.whole.value(["zone"]) || undefined;
    at.needs(["zones", "prefer"], zone !== undefined, "the hub has no zone");
    const { window, aggression, min } = slowStart;
    const starts = window !== "none";
    for (const key of ["aggression", "min"]) at.needs(["slowStart", key], starts, "slowStart.window is none");
    const byHash = BY_HASH.includes(chosen);
    if (starts) at.needs(["slowStart"], !byHash, `${chosen} would move keys at every step`);
    const slow: SlowStart | undefined = starts && !byHash ? { windowMs: window, aggression, min } : undefined;
    return {
      balancer: {
        name: chosen,
        options: typeof balancer === "string" ? {} : optionsOf(balancer),
        ...(slow === undefined ? {} : { slowStart: slow }),
        ...(typeof zone === "string" && zones.prefer ? { zone } : {}),
      },
    };
  },
});

function nameOf(balancer: Chosen): string {
  return (typeof balancer === "string" ? balancer : Object.keys(balancer)[0]) ?? DEFAULT;
}

function optionsOf(chosen: Exclude<Chosen, string>): BalancerOptions {
  const {
    peak_ewma: ewma,
    least_request: least,
    weighted_round_robin: weighted,
    ring_hash: ring,
    maglev,
  } = chosen;
  return {
    ...(ewma && { rttMs: ewma.rtt, decayMs: ewma.decay }),
    ...least,
    ...(weighted && {
      blackoutMs: weighted.blackout,
      expiryMs: weighted.expiry,
      updateMs: weighted.update,
      errorPenalty: weighted.errorPenalty,
    }),
    ...(ring && { by: hashBy(ring), minSize: ring.min, maxSize: ring.max }),
    ...(maglev && { by: hashBy(maglev), size: maglev.size }),
  };
}

function hashBy({
  header,
  field,
}: {
  readonly header?: string | undefined;
  readonly field?: string | undefined;
}): HashBy {
  if (header !== undefined) return { kind: "header", name: header };
  return field === undefined ? { kind: "identity" } : { kind: "field", path: field };
}

function isPrime(n: number): boolean {
  if (n < 2) return false;
  for (let i = 2; i * i <= n; i++) if (n % i === 0) return false;
  return true;
}
