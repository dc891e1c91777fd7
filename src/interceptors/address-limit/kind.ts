// The limits of one address as one of the hub's interceptors: `interceptors.addressLimit`.
import { parseRate, RATE_EXPECTED, type Rate } from "../../config/rate.js";
import { section } from "../../config/section.js";
import type { InterceptorKind } from "../kit/kind.js";
import { addressLimit } from "./address-limit.js";

export interface AddressLimitConfig {
  /** Rate of calls of one address, with a burst; undefined: unlimited. */
  readonly rate: Rate | undefined;
  /** Concurrent calls of one address; undefined: unlimited. */
  readonly concurrent: number | undefined;
}

const MAX_COUNT = 1_000_000_000;

export const addressLimitSection = section({
  // An unknown proxy has one address for all its clients.
  defaults: { rate: undefined, concurrent: undefined } as AddressLimitConfig,
  schema: ({ z, orNone, wholeNumber }) =>
    z
      .strictObject({
        rate: orNone(parseRate, RATE_EXPECTED, ["1000/s", "none"])
          .prefault("none")
          .describe("How many calls one address may make, as many of them at once; none: any number."),
        concurrent: z
          .union([z.literal("none"), wholeNumber(1, MAX_COUNT)], {
            error: `must be a whole number from 1 to ${MAX_COUNT}, or none`,
          })
          .prefault("none")
          .describe("How many calls of one address may run at once; none: any number.")
          .meta({ examples: [100, "none"] }),
      })
      .prefault({})
      .describe(
        "What one client address may take before anybody asks who it is; an IPv6 address counts with its /64. No limit by default: a proxy in front of the hub that is not in trustedProxies has one address for everybody.",
      ),
  read: ({ rate, concurrent }) => ({
    rate: rate === "none" ? undefined : rate,
    concurrent: concurrent === "none" ? undefined : concurrent,
  }),
});

export const addressLimitKind = {
  key: "addressLimit",
  name: "address-limit",
  place: "address-limit",
  section: addressLimitSection,
  make: (config, _methods, context) => addressLimit(config, context),
} as const satisfies InterceptorKind<AddressLimitConfig>;
