// Rates as people write them in the config: 100/s, 60000/min, 5/h.
import { type Parsed, parsed, rejected } from "../kit/text/parsed.js";

export interface Rate {
  readonly count: number;
  /** Milliseconds in which `count` are refilled. */
  readonly perMs: number;
}

const UNITS_MS: Readonly<Record<string, number>> = { s: 1_000, min: 60_000, h: 3_600_000 };
const RATE = /^(\d{1,12})\/(s|min|h)$/;
export const MAX_RATE_COUNT = 1_000_000_000;
export const RATE_EXPECTED = "must be a rate such as 100/s, 60000/min or 5/h";

export function parseRate(text: string): Parsed<Rate> {
  const match = RATE.exec(text);
  if (match === null) return rejected(RATE_EXPECTED);
  const count = Number(match[1]);
  if (count < 1 || count > MAX_RATE_COUNT) {
    return rejected(`must count from 1 to ${MAX_RATE_COUNT} in its unit of time`);
  }
  return parsed({ count, perMs: UNITS_MS[match[2] ?? ""] ?? Number.NaN });
}

/** The text that parses to `rate` again. */
export function formatRate({ count, perMs }: Rate): string {
  const unit = Object.entries(UNITS_MS).find(([, ms]) => ms === perMs)?.[0] ?? `${perMs}ms`;
  return `${count}/${unit}`;
}
