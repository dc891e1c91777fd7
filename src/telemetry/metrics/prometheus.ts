// Metric families as Prometheus text (exposition format 0.0.4). Names follow OpenTelemetry's mapping: dots become
// underscores, the unit and `_total` become suffixes.
import type { Labels } from "../../kit/meters.js";
import type { Family, HistogramValue, Point } from "./family.js";

export const PROMETHEUS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** UCUM units with a word in Prometheus; `1` and `{things}` have none. */
const UNITS: Readonly<Record<string, string>> = { s: "_seconds", By: "_bytes" };

/** Series in one piece: a fraction of a millisecond. */
const POINTS_PER_PIECE = 50;

export function prometheusText(families: Iterable<Family>): string {
  return [...prometheusPieces(families)].join("");
}

/** The same piece by piece: thousands of methods have megabytes. */
export function* prometheusPieces(families: Iterable<Family>): Generator<string> {
  for (const family of families) {
    const name = prometheusName(family);
    const { points } = family;
    yield `# HELP ${name} ${escapeHelp(family.help)}\n# TYPE ${name} ${family.type}\n`;
    for (let from = 0; from < points.length; from += POINTS_PER_PIECE)
      yield pieceOf(name, family, from, Math.min(from + POINTS_PER_PIECE, points.length));
  }
}

/** Points from..to, a line or more each. */
function pieceOf(name: string, family: Family, from: number, to: number): string {
  const lines: string[] = [];
  if (family.type === "histogram")
    for (const point of family.points.slice(from, to)) histogram(lines, name, family.bounds, point);
  else
    for (const { labels, value } of family.points.slice(from, to))
      lines.push(`${name}${inBraces(labelText(labels))} ${numberText(value)}\n`);
  return lines.join("");
}

export function prometheusName({ name, unit, type }: Family): string {
  const base = name.replace(/[^a-zA-Z0-9_]/g, "_") + (UNITS[unit] ?? "");
  return type === "counter" ? `${base}_total` : base;
}

function histogram(
  lines: string[],
  name: string,
  bounds: readonly number[],
  { labels, value }: Point<HistogramValue>,
): void {
  const text = labelText(labels);
  const bucket = `${name}_bucket{${text === "" ? "" : `${text},`}le="`;
  let below = 0;
  for (let i = 0; i < value.buckets.length; i++) {
    below += value.buckets[i] ?? 0;
    lines.push(`${bucket}${numberText(bounds[i] ?? Number.POSITIVE_INFINITY)}"} ${below}\n`);
  }
  const own = inBraces(text);
  lines.push(`${name}_sum${own} ${numberText(value.sum)}\n`, `${name}_count${own} ${value.count}\n`);
}

function inBraces(text: string): string {
  return text === "" ? "" : `{${text}}`;
}

function labelText(labels: Labels): string {
  return Object.entries(labels)
    .map(([label, value]) => `${label.replace(/[^a-zA-Z0-9_]/g, "_")}="${escapeValue(value)}"`)
    .join(",");
}

function escapeValue(value: string): string {
  return value.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");
}

function escapeHelp(help: string): string {
  return help.replace(/\\/g, "\\\\").replace(/\n/g, "\\n");
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value);
}
