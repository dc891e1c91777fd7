// Lines of aligned columns, for a terminal and for curl.
import { completed } from "./in-slices.js";
import { printableLine } from "./text/text.js";

/** Rows in one step of a slice: a fraction of a millisecond. */
const ROWS_PER_STEP = 100;

/** Pads every column but the last to its widest cell; two spaces between columns. */
export function textTable(cells: readonly (readonly string[])[]): string[] {
  return completed(makingTextTable(cells));
}

/** As textTable; yields now and then, so that who has other things to do can do them. */
export function* makingTextTable(cells: readonly (readonly string[])[]): Generator<void, string[]> {
  const rows: string[][] = [];
  const widths: number[] = [];
  for (const [i, row] of cells.entries()) {
    // Names and paths come from services.
    const own = row.map(printableLine);
    rows.push(own);
    own.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
    if (i % ROWS_PER_STEP === ROWS_PER_STEP - 1) yield;
  }
  const lines: string[] = [];
  for (const [i, row] of rows.entries()) {
    const padded = row.map((cell, column) =>
      column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0),
    );
    lines.push(padded.join("  ").trimEnd());
    if (i % ROWS_PER_STEP === ROWS_PER_STEP - 1) yield;
  }
  return lines;
}
