// Sizes in bytes as people write them: 512KiB, 4MiB, 65536.
import { type Parsed, parsed, rejected } from "../kit/text/parsed.js";

const UNITS_BYTES: Readonly<Record<string, number>> = {
  "": 1,
  B: 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};
const SIZE = /^(\d{1,12})(|B|KiB|MiB|GiB)$/;

/** Parses a size into bytes; both bounds are inclusive. A bare number counts bytes. */
export function parseSize(text: string, minBytes: number, maxBytes: number): Parsed<number> {
  const match = SIZE.exec(text);
  if (match === null) return rejected("must be a size such as 512KiB or 4MiB, or a number of bytes");
  const bytes = Number(match[1]) * (UNITS_BYTES[match[2] ?? ""] ?? Number.NaN);
  if (bytes < minBytes || bytes > maxBytes) {
    return rejected(`must be from ${formatSize(minBytes)} to ${formatSize(maxBytes)}`);
  }
  return parsed(bytes);
}

/** The shortest text that parses to `bytes` again. */
export function formatSize(bytes: number): string {
  for (const [unit, factor] of [
    ["GiB", 1024 ** 3],
    ["MiB", 1024 ** 2],
    ["KiB", 1024],
  ] as const) {
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return String(bytes);
}
