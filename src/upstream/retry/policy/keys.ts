// `retries` of an upstream, and of a method, which overrides it.
import { codeName } from "../../../call/status/status.js";
import type { Kit } from "../../../config/kit.js";
import { mapping } from "../../../config/mapping.js";
import { featureKeys, type Place } from "../../../config/section.js";
import { formatSize, parseSize } from "../../../config/size.js";
import { readSmallFile } from "../../../config/small-file.js";
import { BoundedTexts } from "../../../kit/text/bounded-texts.js";
import { type Parsed, parsed, rejected } from "../../../kit/text/parsed.js";
import { UserError } from "../../../kit/text/user-error.js";
import { CODES } from "./codes.js";
import { DEFAULT_RETRIES, type MethodRetries, type RetryBudget, type RetryPolicy } from "./policy.js";
import { readServiceConfig, type ServiceConfig } from "./service-config.js";

/** Every attempt is an extra call for a service in trouble: gRPC clients allow five. */
export const MAX_ATTEMPTS = 10;
const MAX_REPLAY_BYTES = 4 * 1024 ** 2;
const MIN_REPLAY_BYTES = 1024;
const SIZE = "must be a size such as 64KiB";
const BUDGET = "must be a share such as 20%, none, or { share: 20%, perSecond: 10 }";
const SHARE = /^(\d{1,3}(?:\.\d{1,2})?)%$/;

export function parseShare(text: string): Parsed<number> {
  const percent = Number(SHARE.exec(text)?.[1] ?? Number.NaN);
  return percent <= 100 ? parsed(percent / 100) : rejected("must be a share from 0% to 100%, such as 20%");
}

/** What applies if a key is left out, for the documentation; for a method that depends on its upstream. */
type Default = (value: unknown) => { readonly default?: unknown };

function budgetKey({ z, text, orNone, wholeNumber }: Kit, byDefault: Default) {
  const { share, perSecond } = DEFAULT_RETRIES.budget ?? { share: 0, perSecond: 0 };
  const shareText = `${share * 100}%`;
  return z
    .union(
      [
        orNone(parseShare, BUDGET, [shareText, "none"], "0% to 100%"),
        z.strictObject({
          share: text(parseShare, "must be a share such as 20%", [shareText], "0% to 100%")
            .prefault(shareText)
            .describe("Of the upstream's calls that may be sent again, over the last 10 s."),
          perSecond: wholeNumber(0, 1_000_000)
            .prefault(perSecond)
            .describe("Retries per second beside those, on average over 10 s."),
        }),
      ],
      { error: BUDGET },
    )
    .optional()
    .describe(
      "How many retries and hedges all calls to the upstream may have together: a share of them, or { share, perSecond }; none: any number.",
    )
    .meta(byDefault(shareText));
}

function policyKeys(kit: Kit, byDefault: Default) {
  const { z, text, duration, durationText, wholeNumber } = kit;
  const { attempts, on, backoff, replayBytes } = DEFAULT_RETRIES;
  const names = [...CODES.keys()];
  return {
    attempts: wholeNumber(1, MAX_ATTEMPTS)
      .optional()
      .describe("Attempts of a call in all, the first one included; 1: none is made again.")
      .meta(byDefault(attempts)),
    on: z
      .array(z.enum(names, { error: `must be one of ${names.join(", ")}` }))
      .min(1, { error: "must name at least one code" })
      .max(names.length)
      .optional()
      .describe("gRPC codes that are worth another attempt.")
      .meta(byDefault(on.map(codeName))),
    budget: budgetKey(kit, byDefault),
    backoff: z
      .strictObject({
        base: duration(1)
          .optional()
          .describe("Before the second attempt, ±20 %; doubles from one to the next.")
          .meta(byDefault(durationText(backoff.baseMs))),
        max: duration(1)
          .optional()
          .describe("The longest, ±20 %.")
          .meta(byDefault(durationText(backoff.maxMs))),
      })
      .optional()
      .describe(
        "How long the hub waits before another attempt, unless the service says (grpc-retry-pushback-ms).",
      ),
    replay: text(
      (value) => parseSize(value, MIN_REPLAY_BYTES, MAX_REPLAY_BYTES),
      SIZE,
      [formatSize(replayBytes)],
      `${formatSize(MIN_REPLAY_BYTES)} to ${formatSize(MAX_REPLAY_BYTES)}`,
    )
      .optional()
      .describe("How much of a request is kept for another attempt; a larger one is sent once.")
      .meta(byDefault(formatSize(replayBytes))),
    hedge: z
      .strictObject({
        delay: duration(1)
          .describe("After so long without an answer another attempt is made beside those that run.")
          .meta({ examples: ["50ms"] }),
      })
      .optional()
      .describe("Attempts side by side, of which the first answer counts, instead of one after the other."),
  };
}

interface Given {
  readonly attempts?: number | undefined;
  readonly on?: readonly string[] | undefined;
  readonly budget?: number | "none" | RetryBudget | undefined;
  readonly backoff?: { readonly base?: number | undefined; readonly max?: number | undefined } | undefined;
  readonly replay?: number | undefined;
  readonly hedge?: { readonly delay: number } | undefined;
}

/** @param base applies to keys that are not set */
function given({ attempts, on, budget, backoff, replay, hedge }: Given, base: RetryPolicy) {
  const { baseMs, maxMs, multiplier } = base.backoff;
  return {
    ...(attempts === undefined ? {} : { attempts }),
    ...(on === undefined ? {} : { on: on.flatMap((name) => CODES.get(name) ?? []) }),
    ...(budget === undefined ? {} : { budget: budgetOf(budget) }),
    ...(backoff === undefined
      ? {}
      : { backoff: { baseMs: backoff.base ?? baseMs, maxMs: backoff.max ?? maxMs, multiplier } }),
    ...(replay === undefined ? {} : { replayBytes: replay }),
    ...(hedge === undefined ? {} : { hedgeDelayMs: hedge.delay }),
  } satisfies Partial<RetryPolicy>;
}

function budgetOf(budget: number | "none" | RetryBudget): RetryBudget | undefined {
  if (budget === "none") return undefined;
  if (typeof budget !== "number") return budget;
  return { share: budget, perSecond: DEFAULT_RETRIES.budget?.perSecond ?? 0 };
}

const FALSE_OR_MAPPING = "must be false, or { attempts, on, budget, backoff, replay, hedge }";

/** The retry settings of an upstream. */
export interface UpstreamRetriesConfig {
  /** undefined: only transparent retries. */
  readonly retries?: RetryPolicy | undefined;
  /** The settings of its service config file; undefined: there is none. */
  readonly serviceConfig?: ServiceConfig | undefined;
}

export const retryKeys = featureKeys({
  defaults: {} as UpstreamRetriesConfig,
  schema: (kit) => ({
    retries: kit.z
      .union([kit.z.literal(false), kit.z.strictObject(policyKeys(kit, (value) => ({ default: value })))], {
        error: FALSE_OR_MAPPING,
      })
      .optional()
      .describe(
        "Calls that failed are sent again, of methods that are idempotent by their schema (idempotency_level) or by methods. Left out, or false: none is that a service may have seen.",
      )
      .meta({ examples: [{ attempts: 3, on: ["UNAVAILABLE"], budget: "20%" }] }),
    serviceConfig: kit
      .path()
      .optional()
      .describe(
        "A gRPC service config, a JSON file: its retryPolicy, hedgingPolicy, retryThrottling and timeout hold; relative to this file.",
      )
      .meta({ examples: ["service_config.json"] }),
  }),
  read: ({ retries, serviceConfig }, at) => ({
    ...(retries === undefined || retries === false
      ? {}
      : { retries: { ...DEFAULT_RETRIES, ...given(retries, DEFAULT_RETRIES) } }),
    ...(serviceConfig === undefined ? {} : { serviceConfig: serviceConfigOf(serviceConfig, at) }),
  }),
});

/** Further problems are only counted: the first is the one to fix. */
const MAX_TOLD = 20;

function bounded(texts: readonly string[], what: string): readonly string[] {
  const all = new BoundedTexts(MAX_TOLD);
  all.pushAll(texts);
  return all.list(what);
}

function serviceConfigOf(path: string, at: Place): ServiceConfig | undefined {
  const key = ["serviceConfig"];
  const file = at.located(key, path);
  if (!at.readsFiles) return undefined;
  try {
    const { config, problems, warnings } = readServiceConfig(readSmallFile(file, "the service config"));
    for (const problem of bounded(problems, "problems")) at.wrong(key, `${file}: ${problem}`);
    for (const warning of bounded(warnings, "warnings")) at.warn(key, `${file}: ${warning}`);
    return config;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    at.wrong(key, error.message);
    return undefined;
  }
}

/** The retry settings of a method. */
export interface MethodRetriesConfig {
  /** undefined: as the schema says. */
  readonly idempotent: boolean | undefined;
  /** undefined: as its upstream; false: no retries. */
  readonly retries?: MethodRetries | false | undefined;
}

export const retryKeysOfMethods = featureKeys({
  defaults: { idempotent: undefined } as MethodRetriesConfig,
  schema: (kit) => ({
    idempotent: kit.z
      .boolean()
      .optional()
      .describe(
        "true: calling it twice does what calling it once does, so that a failed call may be sent again; false: it may not. Left out: as its idempotency_level says.",
      )
      .meta({ examples: [true] }),
    retries: kit.z
      .union(
        [
          kit.z.literal(false),
          kit.z.strictObject({
            ...policyKeys(kit, () => ({})),
            dangerouslyRepeatAnyCall: kit.z
              .boolean()
              .optional()
              .describe(
                "true: calls are sent again although the method is not idempotent, so that the service may do twice what was asked once.",
              ),
          }),
        ],
        { error: FALSE_OR_MAPPING },
      )
      .optional()
      .describe("Changes what retries of the upstream says; false: none.")
      .meta({ examples: [{ attempts: 2 }] }),
  }),
  read({ idempotent, retries }, at) {
    if (idempotent === true && (retries === false || (retries === undefined && !anyRetries(at))))
      at.warn(["idempotent"], `has no effect: ${retries === false ? "retries is false" : NO_RETRIES}`);
    if (retries === undefined) return { idempotent };
    if (retries === false) return { idempotent, retries };
    const { dangerouslyRepeatAnyCall: anyCall = false, ...keys } = retries;
    at.needs(["retries"], anyCall || idempotent !== false, "idempotent is false");
    return { idempotent, retries: { ...given(keys, DEFAULT_RETRIES), anyCall } };
  },
});

const NO_RETRIES = "no upstream has retries, which are off until they are configured";

function anyRetries({ whole }: Place): boolean {
  return Object.values(mapping(whole.value(["upstreams"]))).some((upstream) => {
    const { retries, serviceConfig } = mapping(upstream);
    return (retries !== undefined && retries !== false) || serviceConfig !== undefined;
  });
}
