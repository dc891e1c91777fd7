// Lines of aligned columns, for a terminal and for curl.
import { completed } from "./in-slices.js";
import { printableLine } from "./text/text.js";

/** Rows per step of a slice: a fraction of a millisecond. */
const ROWS_PER_STEP = 100;

/** Pads every column but the last to its widest cell; two spaces between columns. */
export function textTable(cells: readonly (readonly string[])[]): string[] {
  return completed(makingTextTable(cells));
}

/** The same as one text, in pieces; some are empty, since the widths are computed first. */
export function* textTablePieces(cells: readonly (readonly string[])[]): Generator<string> {
  const making = makingTextTable(cells);
  let step = making.next();
  for (; step.done !== true; step = making.next()) yield "";
  const lines = step.value;
  for (let from = 0; from < lines.length; from += ROWS_PER_STEP) {
    const piece = lines.slice(from, from + ROWS_PER_STEP).join("\n");
    yield from === 0 ? piece : `\n${piece}`;
  }
}

/** Like textTable, in slices: other work runs in between. */
export function* makingTextTable(cells: readonly (readonly string[])[]): Generator<void, string[]> {
  const rows: string[][] = [];
  const widths: number[] = [];
  for (const [i, row] of cells.entries()) {
    // Names and paths are chosen by services.
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
