// An interceptor of the hub's own kind, as one that is added would be: one file, with its keys, its reason and its step.
import type { Interceptor } from "#src/call/interceptor.js";
import { ownReasons } from "#src/call/status/reasons.js";
import { methodConfig } from "#src/config/method-config.js";
import { featureKeys, section } from "#src/config/section.js";
import type { InterceptorKind } from "#src/interceptors/kit/kind.js";

interface Maintenance {
  readonly on: boolean;
  /** Of callers who may call all the same. */
  readonly pass: string | undefined;
  readonly retryAfterMs: number;
}

interface OfMethod {
  readonly maintained: boolean | undefined;
}

const DEFAULTS: Maintenance = { on: false, pass: undefined, retryAfterMs: 60_000 };

const { table, refuser } = ownReasons({
  UNDER_MAINTENANCE: {
    code: "UNAVAILABLE",
    when: "The hub is under maintenance (`interceptors.maintenance`).",
    remedy: "Try again later.",
  },
});

export const maintenanceKind = {
  key: "maintenance",
  name: "maintenance",
  place: "maintenance",
  reasons: table,
  section: section({
    defaults: DEFAULTS,
    secrets: ["pass"],
    restart: ({ retryAfterMs }) => ({ retryAfter: retryAfterMs }),
    schema: ({ z, duration, durationText }) =>
      z
        .strictObject({
          on: z.boolean().prefault(DEFAULTS.on).describe("true: calls are refused."),
          pass: z
            .string()
            .min(4, { error: "must have 4 characters" })
            .optional()
            .describe("Who sends it in x-pass may call.")
            .meta({ examples: ["sesame"] }),
          retryAfter: duration(1_000)
            .prefault(durationText(DEFAULTS.retryAfterMs))
            .describe("What refused callers are told."),
        })
        .prefault({})
        .describe("A time in which calls are refused."),
    read({ on, pass, retryAfter }, at) {
      at.needs(["pass"], on, "maintenance.on is false");
      return { on, pass, retryAfterMs: retryAfter };
    },
  }),
  methodKeys: featureKeys({
    defaults: { maintained: undefined } as OfMethod,
    schema: ({ z }) => ({
      maintained: z.boolean().optional().describe("false: it may be called all the time."),
    }),
    read: ({ maintained }) => ({ maintained }),
  }),
  make({ on, pass }, methods, { meters }): Interceptor | undefined {
    if (!on) return undefined;
    const refused = meters.counter("toy.maintenance.refusals", "Calls refused for maintenance.", {});
    const refuse = refuser("UNDER_MAINTENANCE");
    const own = methodConfig(methods)((method) => method?.maintained);
    return {
      name: "maintenance",
      plan: (method) =>
        own(method) === false
          ? undefined
          : {
              name: "maintenance",
              start({ headers }) {
                if (pass !== undefined && headers.get("x-pass") === pass) return undefined;
                refused.add();
                return refuse("the hub is under maintenance");
              },
            },
    };
  },
} as const satisfies InterceptorKind<Maintenance, OfMethod>;
