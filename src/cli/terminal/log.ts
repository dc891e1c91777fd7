// The hub's log on standard error: levels, as lines for a person or as JSON lines for a machine.

import type { Log } from "../../kit/log.js";
import { didYouMean } from "../../kit/text/nearest.js";
import { cut, printableLine } from "../../kit/text/text.js";
import { UsageError } from "./args.js";
import type { Io } from "./io.js";

export const LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type Level = (typeof LEVELS)[number];
export const FORMATS = ["json", "pretty"] as const;
export type Format = (typeof FORMATS)[number];

/** Characters of one message; it may contain text of a remote peer. */
const MAX_MESSAGE_LENGTH = 4_096;

/**
 * @param write - takes one line without its newline
 * @param now - wall clock, milliseconds
 * @param lost - how many lines `write` could not print
 */
export function createLog(
  level: Level,
  format: Format,
  write: (line: string) => void,
  now = Date.now,
  lost?: () => number,
): Log {
  const least = LEVELS.indexOf(level);
  const log = (severity: Level, message: string): void => {
    if (LEVELS.indexOf(severity) < least) return;
    const time = new Date(now()).toISOString();
    const text = cut(message, MAX_MESSAGE_LENGTH);
    const line =
      format === "json"
        ? JSON.stringify({ time, level: severity, message: text })
        : `${time} ${severity.padEnd(5)} ${text}`;
    // A message may quote remote text: it must not start a new line, or move the cursor.
    write(printableLine(line));
  };
  return {
    info: (message) => log("info", message),
    warn: (message) => log("warn", message),
    error: (message) => log("error", message),
    ...(lost === undefined ? {} : { lost }),
  };
}

/** The log for `--log-level` and `--log-format`. Throws a UsageError for other values. */
export function logOf(
  level: string | undefined,
  format: string | undefined,
  { err, lost }: Pick<Io, "err" | "lost">,
): Log {
  return createLog(
    oneOf(LEVELS, level ?? "info", "--log-level"),
    oneOf(FORMATS, format ?? "pretty", "--log-format"),
    err,
    Date.now,
    lost,
  );
}

function oneOf<T extends string>(allowed: readonly T[], value: string, option: string): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found !== undefined) return found;
  throw new UsageError(
    `${option} is one of ${allowed.join(", ")}, not ${value}${didYouMean(value, allowed)}`,
  );
}
