// Quotas as one of the hub's interceptors: `interceptors.quota`, and `quota` of methods.
import type { Kit } from "../../config/kit.js";
import { methodConfig } from "../../config/method-config.js";
import { isMethodSelector, METHOD_SELECTOR_EXPECTED } from "../../config/names.js";
import { parseRate, RATE_EXPECTED, type Rate } from "../../config/rate.js";
import { featureKeys, type Place, section } from "../../config/section.js";
import { type Parsed, parsed, rejected } from "../../kit/text/parsed.js";
import type { InterceptorKind } from "../kit/kind.js";
import { quota } from "./quota.js";

/** The key by which calls are counted. */
export type QuotaKey =
  | { readonly by: "identity" | "apiKey" | "ip" | "method" }
  /** Name in lower case. */
  | { readonly by: "header"; readonly name: string };

export interface QuotaConfig {
  readonly name: string;
  /** Empty: one bucket for all calls. */
  readonly key: readonly QuotaKey[];
  readonly rate: Rate;
  /** Burst: calls at once after a pause. */
  readonly burst: number;
  /** Cost of a call. */
  readonly cost: number;
  /** `pkg.Service` or `pkg.Service/Method`; empty: every method. */
  readonly methods: readonly string[];
  /** Counts and reports, but rejects nothing (shadow mode). */
  readonly shadow: boolean;
  /** Sends the remaining quota in header fields of successful responses too. */
  readonly headers: boolean;
}

/** A method's own setting: `none` exempts it. */
export type MethodQuota = "none" | { readonly cost: number };

export interface QuotaOfMethod {
  /** undefined: as the rules say. */
  readonly quota: MethodQuota | undefined;
}

const MAX_RULES = 100;
const MAX_KEYS = 8;
const MAX_SELECTORS = 1_000;
const MAX_COST = 1_000_000;
const MAX_BURST = 1_000_000_000;

const KEY_EXPECTED = "must be identity, apiKey, ip, method or header:NAME";
/** RFC 9110 §5.6.2, in either case. */
const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$/;

export function parseQuotaKey(value: string): Parsed<QuotaKey> {
  if (value === "identity" || value === "apiKey" || value === "ip" || value === "method") {
    return parsed({ by: value });
  }
  const name = value.startsWith("header:") ? value.slice("header:".length) : "";
  if (!HEADER_NAME.test(name)) return rejected(KEY_EXPECTED);
  return parsed({ by: "header", name: name.toLowerCase() });
}

function rule({ z, text, wholeNumber, isMapping }: Kit) {
  return z
    .strictObject({
      name: z
        .string({ error: "must be a name" })
        // It appears in header fields, metrics and logs.
        .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, {
          error: "must be a name of 1 to 63 letters, digits, dots, dashes and underscores",
        })
        .describe("Name of the quota in responses, metrics and logs."),
      key: z
        .array(text(parseQuotaKey, KEY_EXPECTED, ["identity", "apiKey", "ip", "method", "header:x-tenant"]))
        .max(MAX_KEYS)
        .describe(
          "What calls are counted by; []: one count for all. identity and apiKey count callers who have none by their ip.",
        ),
      rate: text(parseRate, RATE_EXPECTED, ["100/s", "60000/min", "5/h"]).describe(
        "How many calls in how much time, on average.",
      ),
      burst: wholeNumber(1, MAX_BURST)
        .optional()
        .describe("Burst: how many calls may come at once after a pause; left out: the number of the rate."),
      cost: wholeNumber(1, MAX_COST).prefault(1).describe("Cost of a call."),
      methods: z
        .array(
          text(
            (value) => (isMethodSelector(value) ? parsed(value) : rejected(METHOD_SELECTOR_EXPECTED)),
            METHOD_SELECTOR_EXPECTED,
            ["library.v1.LibraryService"],
          ),
        )
        .max(MAX_SELECTORS)
        .prefault([])
        .describe(
          "The methods it is for, pkg.Service/Method, pkg.Service or pkg.*; left out: all but health checks of the hub.",
        ),
      scope: z
        .literal("local", {
          error: "must be local: each hub counts for itself, and one count for several hubs is not there yet",
        })
        .prefault("local")
        .describe("Where calls are counted; local: in this process."),
      shadow: z.boolean().prefault(false).describe("true: counts and reports, and rejects nothing."),
      headers: z
        .boolean()
        .prefault(true)
        .describe(
          "Whether answers say how much is left (RateLimit, RateLimit-Policy); refusals always say it.",
        ),
    })
    .refine(({ burst, rate, cost }) => !exceeds(cost, burst ?? rate?.count), {
      error: "must not be more than the quota's burst: no call could ever pass",
      path: ["cost"],
      when: isMapping,
    });
}

export const quotaSection = section({
  defaults: [] as readonly QuotaConfig[],
  schema: (kit) =>
    kit.z
      .array(rule(kit))
      .max(MAX_RULES)
      .superRefine(
        (rules, ctx) => {
          const seen = new Set<unknown>();
          for (const [i, rule] of rules.entries()) {
            // Other errors of a rule have been reported already.
            if (rule?.name === undefined) continue;
            if (seen.has(rule.name)) {
              ctx.addIssue({
                code: "custom",
                message: "must not be the name of a quota before it",
                path: [i, "name"],
              });
            }
            seen.add(rule.name);
          }
        },
        { when: ({ value }) => Array.isArray(value) },
      )
      .prefault([])
      .describe(
        "How often whom may call what: token buckets. A call must be admitted by all that are for it.",
      )
      .meta({ examples: [[{ name: "per-consumer", key: ["identity"], rate: "100/s", burst: 200 }]] }),
  read(rules, at) {
    if (!at.whole.ownInterceptors) checkKeys(rules, at);
    return rules.map(({ scope: _, burst, ...rest }) => ({ ...rest, burst: burst ?? rest.rate.count }));
  },
});

/** A config that asks for protection which nothing in the file provides would look safe, and be open. */
function checkKeys(rules: readonly { readonly key: readonly QuotaKey[] }[], at: Place): void {
  const auth = ["interceptors", "auth"];
  if (!at.whole.intact(auth)) return;
  for (const [i, { key }] of rules.entries())
    for (const [j, { by }] of key.entries()) {
      if (by === "identity" && at.whole.value(auth) === undefined)
        at.wrong(
          [i, "key", j],
          "needs interceptors.auth: without it nobody has an identity; ip counts by address",
        );
      if (by === "apiKey" && at.whole.value([...auth, "apiKeys"]) === undefined)
        at.wrong(
          [i, "key", j],
          "needs interceptors.auth.apiKeys: without it nobody has a key; ip counts by address",
        );
    }
}

export const quotaOfMethods = featureKeys({
  defaults: { quota: undefined } as QuotaOfMethod,
  schema: ({ z, wholeNumber }) => ({
    quota: z
      .union(
        [
          z.literal("none"),
          z.strictObject({
            cost: wholeNumber(1, MAX_COST).describe("Cost of its calls, in every quota."),
          }),
        ],
        { error: "must be none or { cost: N }" },
      )
      .optional()
      .describe("none: no quota counts its calls; { cost: N }: cost of a call.")
      .meta({ examples: [{ cost: 10 }] }),
  }),
  read({ quota }, at) {
    const rules = ["interceptors", "quota"];
    if (quota !== undefined && quota !== "none" && at.whole.intact(rules) && isEmpty(at.whole.value(rules)))
      at.wrong(["quota"], "needs interceptors.quota: without it nothing counts the calls");
    return { quota };
  },
});

function isEmpty(list: unknown): boolean {
  return !Array.isArray(list) || list.length === 0;
}

function exceeds(a: unknown, b: unknown): boolean {
  return typeof a === "number" && typeof b === "number" && b >= 1 && a > b;
}

export const quotaKind = {
  key: "quota",
  name: "quota",
  place: "quota",
  section: quotaSection,
  methodKeys: quotaOfMethods,
  make: (rules, methods, context) =>
    quota({ rules, forMethod: methodConfig(methods)((own) => own?.quota) }, context),
} as const satisfies InterceptorKind<readonly QuotaConfig[], QuotaOfMethod>;
