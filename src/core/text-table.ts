// Lines of aligned columns, for a terminal and for curl.
import { printableLine } from "./text.js";

/** Pads every column but the last to its widest cell; two spaces between columns. */
export function textTable(cells: readonly (readonly string[])[]): string[] {
  // Names and paths come from services.
  const rows = cells.map((row) => row.map(printableLine));
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, cell.length);
    });
  }
  return rows.map((row) =>
    row
      .map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
}
