// The tables of docs/security.md, made from the limits: `node tools/write-limits.mjs`.

import { formatDuration, MAX_DURATION_MS } from "../config/duration.js";
import { LISTENER_LIMITS } from "../config/listener-limits.js";
import { LIMITS, type Limit } from "../http2/wire/limits.js";
import { limitDefault } from "./sections/limits.js";

/** Position of the tables in the page. */
export const TABLES_BEGIN = "<!-- made by tools/write-limits.mjs -->\n";
export const TABLES_END = "<!-- end of what is made -->\n";

function cells(name: string, limit: Limit): readonly string[] {
  const { key, min, max, reason, source } = limit;
  const value = `\`${limitDefault(limit)}\``;
  if (key === undefined) return [`(\`${name}\`)`, value, "fixed", reason, source];
  const shown = (n: number): string => String(limitDefault({ ...limit, value: n }));
  const top = limit.unit === "ms" ? formatDuration(MAX_DURATION_MS) : shown(max);
  const off = max === Number.POSITIVE_INFINITY ? ", `none`" : "";
  return [`\`${key}\``, value, `\`${shown(min)}\` to \`${top}\`${off}`, reason, source];
}

function table(limits: Readonly<Record<string, Limit>>): string {
  const rows = [
    ["key", "default", "may be", "reason, and what happens past it", "source"],
    ["---", "---", "---", "---", "---"],
    ...Object.entries(limits).map(([name, limit]) => cells(name, limit)),
  ];
  return rows.map((row) => `| ${row.join(" | ")} |\n`).join("");
}

/** The text between the two markers. */
export function limitTables(): string {
  return `
### Of a listener

${table(LISTENER_LIMITS)}
### Of an HTTP/2 connection

\`headersTimeout\`, \`stallTimeout\`, \`maxProcessQueued\`, \`maxHeaderList\` and \`maxHeaderFields\` hold for HTTP/1.1 as well.

${table(LIMITS)}
`;
}
