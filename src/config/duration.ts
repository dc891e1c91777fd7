// Durations as people write them in config and flags: 250ms, 15s, 1.5m, 2h.
import { type Parsed, parsed, rejected } from "../kit/text/parsed.js";

/** 24 days, in milliseconds: timers of the platform count to 2^31 - 1 ms and wrap to 1 ms beyond. */
export const MAX_DURATION_MS = 24 * 24 * 3_600_000;

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const DURATION = /^(\d{1,12}(?:\.\d{1,6})?)(ms|s|m|h)$/;

export interface DurationRange {
  /** Smallest allowed, milliseconds. Default 0. */
  readonly minMs?: number;
}

/** Parses a duration into whole milliseconds. */
export function parseDuration(text: string, range: DurationRange = {}): Parsed<number> {
  const match = DURATION.exec(text);
  if (match === null) {
    return rejected(
      /^\d+$/.test(text)
        ? `must have a unit: ${text}ms, ${text}s, ${text}m or ${text}h`
        : "must be a duration such as 250ms, 15s, 2m or 1h",
    );
  }
  const exact = Number(match[1]) * (UNITS_MS[match[2] ?? ""] ?? Number.NaN);
  const ms = Math.round(exact);
  // A fraction of a millisecond is a slip; the tolerance is for binary fractions such as 0.1.
  if (Math.abs(exact - ms) > 1e-6) return rejected("must be a whole number of milliseconds");
  const minMs = range.minMs ?? 0;
  if (ms < minMs || ms > MAX_DURATION_MS) {
    return rejected(`must be from ${formatDuration(minMs)} to ${formatDuration(MAX_DURATION_MS)}`);
  }
  return parsed(ms);
}

/** The shortest text that parses to `ms` again, with the largest unit that divides it. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0s";
  if (ms % 3_600_000 === 0) return `${ms / 3_600_000}h`;
  if (ms % 60_000 === 0) return `${ms / 60_000}m`;
  if (ms % 1_000 === 0) return `${ms / 1_000}s`;
  return `${ms}ms`;
}
