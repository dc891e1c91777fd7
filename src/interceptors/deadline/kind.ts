// Deadlines as one of the hub's interceptors: `interceptors.deadline`, and `deadline` of methods.
import { formatDuration } from "../../config/duration.js";
import { methodConfig } from "../../config/method-config.js";
import { featureKeys, section } from "../../config/section.js";
import type { InterceptorKind } from "../kit/kind.js";
import { deadline } from "./deadline.js";

export interface DeadlineConfig {
  /** Milliseconds; for unary methods without their own deadline. undefined: none. */
  readonly defaultMs: number | undefined;
  /** Milliseconds; the maximum for callers' deadlines and the default. undefined: none. */
  readonly maxMs: number | undefined;
}

export interface MethodDeadline {
  /** Milliseconds; undefined: as the section says. */
  readonly deadlineMs: number | "none" | undefined;
}

const DEFAULTS = { defaultMs: 15_000, maxMs: undefined };

export const deadlineSection = section({
  defaults: DEFAULTS as DeadlineConfig,
  schema: ({ z, durationOrNone, durationText, isMapping }) =>
    z
      .strictObject({
        // Filled in later: the built-in default is lowered to the maximum, a configured one must not exceed it.
        default: durationOrNone()
          .optional()
          .describe("For a unary call whose caller names no deadline; none: it may run for ever.")
          .meta({ default: durationText(DEFAULTS.defaultMs) }),
        max: durationOrNone()
          .prefault(durationText(DEFAULTS.maxMs))
          .describe(
            "Cap on what the caller asks for and on every other deadline of this file; none: no cap.",
          ),
      })
      .refine((value) => !exceeds(value.default, value.max), {
        error: "must not be longer than deadline.max",
        path: ["default"],
        when: isMapping,
      })
      .prefault({})
      .describe("How long a call may take. The time left is passed on to the service."),
  read(file) {
    const maxMs = noneAsUndefined(file.max);
    if (file.default !== undefined) return { defaultMs: noneAsUndefined(file.default), maxMs };
    const { defaultMs } = DEFAULTS;
    return { defaultMs: maxMs === undefined ? defaultMs : Math.min(defaultMs, maxMs), maxMs };
  },
});

export const deadlineOfMethods = featureKeys({
  defaults: { deadlineMs: undefined } as MethodDeadline,
  schema: ({ durationOrNone }) => ({
    deadline: durationOrNone()
      .optional()
      .describe("For a call whose caller names no deadline; none: it may run for ever."),
  }),
  read({ deadline }, at) {
    const max = at.whole.value(["interceptors", "deadline", "max"]);
    if (typeof max === "number" && (deadline === "none" || (deadline ?? 0) > max)) {
      at.warn(["deadline"], `has no effect: deadline.max caps it at ${formatDuration(max)}`);
    }
    return { deadlineMs: deadline };
  },
});

function noneAsUndefined(value: number | "none"): number | undefined {
  return value === "none" ? undefined : value;
}

function exceeds(a: unknown, b: unknown): boolean {
  return typeof a === "number" && typeof b === "number" && a > b;
}

export const deadlineKind = {
  key: "deadline",
  name: "deadline",
  place: "deadline",
  section: deadlineSection,
  methodKeys: deadlineOfMethods,
  make(config, methods) {
    return deadline({ ...config, forMethod: methodConfig(methods)((own) => own?.deadlineMs) });
  },
} as const satisfies InterceptorKind<DeadlineConfig, MethodDeadline>;
