// The config's `limits:`: what one client may take. Every key but `maxMessage` is a row of a table of limits.
import * as z from "zod";
import { DEFAULT_LIMITS, type LIMITS, type Limit } from "../../http2/wire/limits.js";
import { type Parsed, parsed, rejected } from "../../kit/text/parsed.js";
import { DEFAULTS } from "../defaults.js";
import { formatDuration, parseDuration } from "../duration.js";
import {
  CLIENT_LIMITS,
  type ClientLimits,
  DEFAULT_LISTENER_LIMITS,
  type LISTENER_LIMITS,
} from "../listener-limits.js";
import { formatSize, parseSize } from "../size.js";
import { wholeNumber } from "../values.js";

const MAX_MESSAGE_MIN_BYTES = 1_024;
// A message is one Buffer while JSON is made of it, and its JSON one string (V8: 512 Mi characters).
const MAX_MESSAGE_MAX_BYTES = 256 * 1024 ** 2;
/** A HEADERS or CONTINUATION frame holds so much. */
const FRAME_BYTES = 16 * 1024;

function size(minBytes: number, maxBytes: number) {
  return z
    .union([z.string(), z.number()], { error: "must be a size such as 512KiB or 4MiB" })
    .transform((value, ctx) => {
      const result = parseSize(String(value), minBytes, maxBytes);
      if (result.ok) return result.value;
      ctx.issues.push({ code: "custom", message: result.reason, input: value });
      return z.NEVER;
    });
}

function time(minMs: number, off: boolean) {
  const parse = (text: string): Parsed<number> => {
    if (off && text === "none") return parsed(Number.POSITIVE_INFINITY);
    const result = parseDuration(text, { minMs });
    return result.ok || !off ? result : rejected(`${result.reason}, or none`);
  };
  return z
    .string({ error: `must be a duration such as 250ms, 15s, 2m or 1h${off ? ", or none" : ""}` })
    .transform((value, ctx) => {
      const result = parse(value);
      if (result.ok) return result.value;
      ctx.issues.push({ code: "custom", message: result.reason, input: value });
      return z.NEVER;
    });
}

/** A limit's default as a config file writes it: `64KiB`, `10s`, `none`, 256. */
export function limitDefault({ value, unit }: Limit): string | number {
  if (value === Number.POSITIVE_INFINITY) return "none";
  if (unit === "bytes") return formatSize(value);
  return unit === "ms" ? formatDuration(value) : value;
}

function sizeOf(limit: Limit) {
  return size(limit.min, limit.max)
    .meta({ examples: [limitDefault(limit)] })
    .prefault(limitDefault(limit))
    .describe(limit.reason);
}

function timeOf(limit: Limit) {
  return time(limit.min, limit.max === Number.POSITIVE_INFINITY)
    .meta({ examples: [String(limitDefault(limit))] })
    .prefault(String(limitDefault(limit)))
    .describe(limit.reason);
}

function countOf(limit: Limit) {
  return wholeNumber(limit.min, limit.max).prefault(limit.value).describe(limit.reason);
}

type Table = typeof LIMITS & typeof LISTENER_LIMITS;
type SchemaOf<L> = L extends { readonly unit: "bytes" }
  ? ReturnType<typeof sizeOf>
  : L extends { readonly unit: "ms" }
    ? ReturnType<typeof timeOf>
    : ReturnType<typeof countOf>;
type Keyed = { [N in keyof Table as Table[N]["key"] & string]: SchemaOf<Table[N]> };

function keyed(table: Readonly<Record<string, Limit>>): Keyed {
  const shape: Record<string, z.ZodType> = {};
  for (const limit of Object.values(table)) {
    if (limit.key === undefined) continue;
    shape[limit.key] =
      limit.unit === "bytes" ? sizeOf(limit) : limit.unit === "ms" ? timeOf(limit) : countOf(limit);
  }
  return shape as Keyed; // the types say the same of each row
}

export const limitsSection = z
  .strictObject({
    maxMessage: size(MAX_MESSAGE_MIN_BYTES, MAX_MESSAGE_MAX_BYTES)
      .meta({ examples: ["4MiB"] })
      .prefault(DEFAULTS.maxMessage)
      .describe("The largest message, after decompression, where the hub reads messages (JSON calls)."),
    ...keyed(CLIENT_LIMITS),
  })
  // Told at the section: either of the two may be the one that the file leaves out.
  .refine((value) => !(value.maxHeaderBlock < value.maxHeaderList), {
    error: "must have a maxHeaderBlock that is not smaller than its maxHeaderList, which it carries",
  })
  .refine((value) => !((1 + value.maxContinuations) * FRAME_BYTES < value.maxHeaderBlock), {
    error: "must have enough maxContinuations for its maxHeaderBlock: each frame carries 16KiB",
  })
  .refine((value) => !(value.maxProcessQueued < value.maxQueued), {
    error: "must have a maxProcessQueued that is not smaller than its maxQueued",
  })
  .prefault({})
  .describe("What one client may take; docs/security.md has the sources of these limits.");

export function limitsOf(file: z.output<typeof limitsSection>): ClientLimits {
  const values: Readonly<Record<string, number>> = file;
  const limits: Record<keyof ClientLimits, number> = { ...DEFAULT_LISTENER_LIMITS, ...DEFAULT_LIMITS };
  for (const name of Object.keys(limits) as (keyof ClientLimits)[]) {
    const { key } = CLIENT_LIMITS[name];
    limits[name] = (key === undefined ? undefined : values[key]) ?? limits[name];
  }
  return limits;
}
