// The tools with which sections build their checks: zod, and values with their own grammar. Passed as a parameter, so
// that a hub that reads no file does not load zod.
import * as z from "zod";
import type { AddressRange } from "../kit/net/ip.js";
import { type Parsed, parsed, rejected } from "../kit/text/parsed.js";
import { formatDuration, MAX_DURATION_MS, parseDuration } from "./duration.js";
import { parseRange, RANGE_EXPECTED } from "./range.js";

/** Text with a grammar of its own. `expected` is for a value that is no text at all. */
function text<T>(parse: (text: string) => Parsed<T>, expected: string, examples: string[], range?: string) {
  const meta = range === undefined ? { examples } : { examples, "x-range": range };
  return z.string({ error: expected }).meta(meta).transform(taking(parse));
}

/** A parser as a step of a schema. */
function taking<T>(parse: (text: string) => Parsed<T>) {
  return (value: string, ctx: z.RefinementCtx): T => {
    const result = parse(value);
    if (result.ok) return result.value;
    ctx.issues.push({ code: "custom", message: result.reason, input: value });
    return z.NEVER;
  };
}

/** The values of a parser, or `none`. */
function orNone<T>(parse: (text: string) => Parsed<T>, expected: string, examples: string[], range?: string) {
  return text<T | "none">(
    (value) => {
      if (value === "none") return parsed("none");
      const result = parse(value);
      return result.ok ? result : rejected(`${result.reason}, or none`);
    },
    `${expected}, or none`,
    examples,
    range,
  );
}

const DURATION_EXPECTED = "must be a duration such as 250ms, 15s, 2m or 1h";

function duration(minMs: number, expected = DURATION_EXPECTED, examples = ["250ms", "15s", "2m"]) {
  return text((value) => parseDuration(value, { minMs }), expected, examples, durationRange(minMs));
}

function durationOrNone(minMs = 1) {
  const examples = ["250ms", "15s", "none"];
  return orNone(
    (value) => parseDuration(value, { minMs }),
    DURATION_EXPECTED,
    examples,
    durationRange(minMs),
  );
}

function durationRange(minMs: number): string {
  return `${formatDuration(minMs)} to ${formatDuration(MAX_DURATION_MS)}`;
}

/** A whole number in a range, with one message for everything else. */
function wholeNumber(min: number, max: number) {
  const error = `must be a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}

/** A number from 0 to 1. */
function share() {
  const error = "must be a number from 0 to 1";
  return z.number({ error }).min(0, { error }).max(1, { error });
}

/** The path of a file or folder. */
function path() {
  return z.string({ error: "must be a path" }).min(1, { error: "must be a path" });
}

function addressRanges(max: number, examples: string[]) {
  return z.array(text<AddressRange>(parseRange, RANGE_EXPECTED, examples)).max(max);
}

/** When to run a check across keys: even if a value inside is invalid, so that every error is reported at once. */
function isMapping(payload: z.core.ParsePayload): boolean {
  return typeof payload.value === "object" && payload.value !== null;
}

/** A mapping whose keys have a grammar; each invalid key is reported at its own position. */
function keyed<T extends z.ZodRecord>(
  record: T,
  wrong: (key: string) => string | undefined,
  maxKeys: number,
): T {
  const check = (value: object, ctx: z.core.$RefinementCtx): void => {
    const keys = Object.keys(value);
    if (keys.length > maxKeys) ctx.addIssue({ code: "custom", message: `must have at most ${maxKeys} keys` });
    for (const key of keys) {
      const message = wrong(key);
      if (message !== undefined) {
        ctx.addIssue({ code: "custom", message, path: [key], params: { atKey: true } });
      }
    }
  };
  return record.superRefine(check, { when: isMapping });
}

/** As written in a file: `15s`; `none` for undefined. */
function durationText(ms: number | undefined): string {
  return ms === undefined ? "none" : formatDuration(ms);
}

export const KIT = {
  z,
  text,
  taking,
  orNone,
  duration,
  durationOrNone,
  durationRange,
  durationText,
  wholeNumber,
  share,
  path,
  addressRanges,
  isMapping,
  keyed,
  /** Names of balancers that a program adds. */
  ownBalancers: [] as readonly string[],
};

export type Kit = typeof KIT;
