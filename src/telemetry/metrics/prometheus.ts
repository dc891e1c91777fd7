// Metric families as Prometheus text (exposition format 0.0.4). Names follow OpenTelemetry's mapping: dots become
// underscores, the unit and `_total` become suffixes.
import type { Labels } from "../../kit/meters.js";
import type { Family, HistogramFamily } from "./family.js";

export const PROMETHEUS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** UCUM units that have a word in Prometheus; `1` and `{things}` have none. */
const UNITS: Readonly<Record<string, string>> = { s: "_seconds", By: "_bytes" };

export function prometheusText(families: Iterable<Family>): string {
  const lines: string[] = [];
  for (const family of families) {
    const name = prometheusName(family);
    lines.push(`# HELP ${name} ${escapeHelp(family.help)}`, `# TYPE ${name} ${family.type}`);
    if (family.type === "histogram") histogram(lines, name, family);
    else {
      for (const { labels, value } of family.points) {
        lines.push(`${name}${labelText(labels)} ${numberText(value)}`);
      }
    }
  }
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
}

export function prometheusName({ name, unit, type }: Family): string {
  const base = name.replace(/[^a-zA-Z0-9_]/g, "_") + (UNITS[unit] ?? "");
  return type === "counter" ? `${base}_total` : base;
}

function histogram(lines: string[], name: string, { bounds, points }: HistogramFamily): void {
  for (const { labels, value } of points) {
    let below = 0;
    for (let i = 0; i < value.buckets.length; i++) {
      below += value.buckets[i] ?? 0;
      const le = numberText(bounds[i] ?? Number.POSITIVE_INFINITY);
      lines.push(`${name}_bucket${labelText(labels, le)} ${below}`);
    }
    const text = labelText(labels);
    lines.push(`${name}_sum${text} ${numberText(value.sum)}`, `${name}_count${text} ${value.count}`);
  }
}

function labelText(labels: Labels, le?: string): string {
  const parts = Object.entries(labels).map(
    ([label, value]) => `${label.replace(/[^a-zA-Z0-9_]/g, "_")}="${escapeValue(value)}"`,
  );
  if (le !== undefined) parts.push(`le="${le}"`);
  return parts.length === 0 ? "" : `{${parts.join(",")}}`;
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
