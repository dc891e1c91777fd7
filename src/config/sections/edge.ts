// The config's part about clients at the edge: whose word on addresses counts, what one address may take, who gets hints.
import { isIP } from "node:net";
import * as z from "zod";
import type { AddressRange } from "../../kit/net/ip.js";
import { type Parsed, parsed, rejected } from "../../kit/text/parsed.js";
import { DEFAULTS } from "../defaults.js";
import { parseRate, RATE_EXPECTED, type Rate } from "../rate.js";
import { text, wholeNumber } from "../values.js";

export interface AddressLimitConfig {
  /** Calls of one address, as many of them at once; undefined: any number. */
  readonly rate: Rate | undefined;
  /** Calls of one address that may run at once; undefined: any number. */
  readonly concurrent: number | undefined;
}

const MAX_RANGES = 1_000;
const MAX_COUNT = 1_000_000_000;
export const RANGE_EXPECTED = "must be an IP address or a range of them, as in 10.0.0.0/8 or fd00::/8";

export function parseRange(value: string): Parsed<AddressRange> {
  const [address = "", prefix, ...rest] = value.split("/");
  const bits = isIP(address) === 4 ? 32 : 128;
  if (isIP(address) === 0 || rest.length > 0) return rejected(RANGE_EXPECTED);
  if (prefix === undefined) return parsed({ address, prefix: bits });
  if (!/^\d{1,3}$/.test(prefix) || Number(prefix) > bits) {
    return rejected(`must have a prefix from 0 to ${bits} after the slash`);
  }
  return parsed({ address, prefix: Number(prefix) });
}

export const trustedProxies = z
  .array(text(parseRange, RANGE_EXPECTED, ["10.0.0.0/8", "192.0.2.7", "fd00::/8"]))
  .max(MAX_RANGES)
  .prefault([])
  .describe(
    "Proxies whose x-forwarded-for, -proto and -host are believed: IP addresses and ranges. What others say there is dropped.",
  )
  .meta({ examples: [["10.0.0.0/8"]] });

export const errorsSection = z
  .strictObject({
    hints: z
      .enum(["auto", "always", "never"], { error: "must be auto, always or never" })
      .prefault(DEFAULTS.hints)
      .describe(
        "Who is told what helps to find an error, but also how things are inside (nearest routes, addresses of endpoints); auto: callers on this machine and those who have proved who they are.",
      ),
  })
  .prefault({})
  .describe("What refusals tell.");

function orNone<T>(parse: (text: string) => Parsed<T>, expected: string, examples: string[]) {
  return text<T | "none">(
    (value) => {
      if (value === "none") return parsed("none");
      const result = parse(value);
      return result.ok ? result : rejected(`${result.reason}, or none`);
    },
    `${expected}, or none`,
    examples,
  );
}

export const addressLimit = z
  .strictObject({
    rate: orNone(parseRate, RATE_EXPECTED, ["1000/s", "none"])
      .prefault(DEFAULTS.addressRate)
      .describe("How many calls one address may make, as many of them at once; none: any number."),
    concurrent: z
      .union([z.literal("none"), wholeNumber(1, MAX_COUNT)], {
        error: `must be a whole number from 1 to ${MAX_COUNT}, or none`,
      })
      .prefault(DEFAULTS.addressConcurrent)
      .describe("How many calls of one address may run at once; none: any number.")
      .meta({ examples: [100, "none"] }),
  })
  .prefault({})
  .describe(
    "What one client address may take before anybody asks who it is; an IPv6 address counts with its /64. No limit by default: a proxy in front of the hub that is not in trustedProxies has one address for everybody.",
  );

export function addressLimitOf({ rate, concurrent }: z.output<typeof addressLimit>): AddressLimitConfig {
  return {
    rate: rate === "none" ? undefined : rate,
    concurrent: concurrent === "none" ? undefined : concurrent,
  };
}
