// `limits`: limits per client. Every key but `maxMessage` is a row of a table of limits.
import type * as z from "zod";
import { formatDuration, parseDuration } from "../../config/duration.js";
import type { Kit } from "../../config/kit.js";
import {
  CLIENT_LIMITS,
  type ClientLimits,
  DEFAULT_LISTENER_LIMITS,
  type LISTENER_LIMITS,
} from "../../config/listener-limits.js";
import { section } from "../../config/section.js";
import { formatSize, parseSize } from "../../config/size.js";
import { DEFAULT_LIMITS, type LIMITS, type Limit } from "../../http2/wire/limits.js";
import { type Parsed, parsed, rejected } from "../../kit/text/parsed.js";

const MAX_MESSAGE_BYTES = 4 * 1024 ** 2;
const MAX_MESSAGE_MIN_BYTES = 1_024;
// A message is one Buffer while it is translated, and its JSON one string (V8: 512 Mi characters).
const MAX_MESSAGE_MAX_BYTES = 256 * 1024 ** 2;
/** The largest HEADERS or CONTINUATION frame. */
const FRAME_BYTES = 16 * 1024;

export type LimitsConfig = ClientLimits & {
  /** Bytes of one message, after the gRPC prefix. */
  readonly maxMessageBytes: number;
};

const DEFAULTS: LimitsConfig = {
  ...DEFAULT_LISTENER_LIMITS,
  ...DEFAULT_LIMITS,
  maxMessageBytes: MAX_MESSAGE_BYTES,
};

function size({ z, taking }: Kit, minBytes: number, maxBytes: number) {
  return z
    .union([z.string(), z.number()], { error: "must be a size such as 512KiB or 4MiB" })
    .transform((value, ctx) => taking((text) => parseSize(text, minBytes, maxBytes))(String(value), ctx));
}

function time({ z, taking }: Kit, minMs: number, off: boolean) {
  const parse = (text: string): Parsed<number> => {
    if (off && text === "none") return parsed(Number.POSITIVE_INFINITY);
    const result = parseDuration(text, { minMs });
    return result.ok || !off ? result : rejected(`${result.reason}, or none`);
  };
  return z
    .string({ error: `must be a duration such as 250ms, 15s, 2m or 1h${off ? ", or none" : ""}` })
    .transform(taking(parse));
}

/** A limit's default as a config file writes it: `64KiB`, `10s`, `none`, 256. */
export function limitDefault({ value, unit }: Limit): string | number {
  if (value === Number.POSITIVE_INFINITY) return "none";
  if (unit === "bytes") return formatSize(value);
  return unit === "ms" ? formatDuration(value) : value;
}

function sizeOf(limit: Limit, kit: Kit) {
  return size(kit, limit.min, limit.max)
    .meta({
      examples: [limitDefault(limit)],
      "x-range": `${formatSize(limit.min)} to ${formatSize(limit.max)}`,
    })
    .prefault(limitDefault(limit))
    .describe(limit.reason);
}

function timeOf(limit: Limit, kit: Kit) {
  return time(kit, limit.min, limit.max === Number.POSITIVE_INFINITY)
    .meta({ examples: [String(limitDefault(limit))], "x-range": kit.durationRange(limit.min) })
    .prefault(String(limitDefault(limit)))
    .describe(limit.reason);
}

function countOf(limit: Limit, { wholeNumber }: Kit) {
  return wholeNumber(limit.min, limit.max).prefault(limit.value).describe(limit.reason);
}

type Table = typeof LIMITS & typeof LISTENER_LIMITS;
type KeyOf<L> = L extends { readonly unit: "bytes" }
  ? ReturnType<typeof sizeOf>
  : L extends { readonly unit: "ms" }
    ? ReturnType<typeof timeOf>
    : ReturnType<typeof countOf>;
type Keyed = { [N in keyof Table as Table[N]["key"] & string]: KeyOf<Table[N]> };

function keyed(kit: Kit): Keyed {
  const shape: Record<string, z.ZodType> = {};
  for (const limit of Object.values(CLIENT_LIMITS)) {
    if (limit.key === undefined) continue;
    const of = limit.unit === "bytes" ? sizeOf : limit.unit === "ms" ? timeOf : countOf;
    shape[limit.key] = of(limit, kit);
  }
  return shape as Keyed; // the types say the same of each row
}

const ROWS = Object.entries(CLIENT_LIMITS) as [keyof ClientLimits, Limit][];

export const limitsSection = section({
  defaults: { limits: DEFAULTS },
  restart: ({ limits }) =>
    Object.fromEntries(
      ROWS.flatMap(([name, { key, live }]) =>
        key === undefined || live === true ? [] : [[key, limits[name]]],
      ),
    ),
  schema: (kit) =>
    kit.z
      .strictObject({
        maxMessage: size(kit, MAX_MESSAGE_MIN_BYTES, MAX_MESSAGE_MAX_BYTES)
          .meta({
            examples: ["4MiB"],
            "x-range": `${formatSize(MAX_MESSAGE_MIN_BYTES)} to ${formatSize(MAX_MESSAGE_MAX_BYTES)}`,
          })
          .prefault(formatSize(MAX_MESSAGE_BYTES))
          .describe("The largest message, after decompression, where the hub reads messages (JSON calls)."),
        ...keyed(kit),
      })
      // Reported at the section: the file may leave out either of the two.
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
      .describe("What one client may take; docs/security.md has the sources of these limits."),
  read(file, at) {
    at.needs(["maxAgeGrace"], Number.isFinite(file.maxAge), "limits.maxAge is none");
    const values: Readonly<Record<string, number>> = file;
    const limits: Record<keyof LimitsConfig, number> = { ...DEFAULTS, maxMessageBytes: file.maxMessage };
    for (const [name, { key }] of ROWS)
      limits[name] = (key === undefined ? undefined : values[key]) ?? limits[name];
    return { limits };
  },
});
