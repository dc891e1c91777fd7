// Values with a grammar of their own, as zod schemas: shared by the sections of the config.
import * as z from "zod";
import { type Parsed, parsed, rejected } from "../kit/text/parsed.js";
import { parseDuration } from "./duration.js";

/** Text with a grammar of its own. `expected` is for a value that is no text at all. */
export function text<T>(parse: (text: string) => Parsed<T>, expected: string, examples: string[]) {
  return z
    .string({ error: expected })
    .meta({ examples })
    .transform((value, ctx) => {
      const result = parse(value);
      if (result.ok) return result.value;
      ctx.issues.push({ code: "custom", message: result.reason, input: value });
      return z.NEVER;
    });
}

const DURATION_EXPECTED = "must be a duration such as 250ms, 15s, 2m or 1h";

export function duration(minMs: number) {
  return text((value) => parseDuration(value, { minMs }), DURATION_EXPECTED, ["250ms", "15s", "2m"]);
}

export function durationOrNone(minMs = 1) {
  return text<number | "none">(
    (value) => {
      if (value === "none") return parsed("none");
      const result = parseDuration(value, { minMs });
      return result.ok ? result : rejected(`${result.reason}, or none`);
    },
    `${DURATION_EXPECTED}, or none`,
    ["250ms", "15s", "none"],
  );
}

/** A whole number in a range, with one sentence for whatever else stands there. */
export function wholeNumber(min: number, max: number) {
  const error = `must be a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}

/** When to run a check across keys: even where a value inside is wrong, so that every error is told at once. */
export function isMapping(payload: z.core.ParsePayload): boolean {
  return typeof payload.value === "object" && payload.value !== null;
}
