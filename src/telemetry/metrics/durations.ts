// Histograms of durations in flat arrays: a row for each method, a column for each outcome.
import type { Labels } from "../../kit/meters.js";
import type { HistogramFamily, Point } from "./family.js";

/**
 * Upper bounds, seconds: those of OpenTelemetry's conventions for calls (5 ms to 10 s), smaller ones, because a call
 * between neighbours takes less than a millisecond, and larger ones, for streams.
 */
export const DURATION_BOUNDS: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 60,
];
const BUCKETS = DURATION_BOUNDS.length + 1;
const BOUNDS = Float64Array.from(DURATION_BOUNDS);
/** A series: its buckets, then its sum. */
const SERIES = BUCKETS + 1;
const FIRST_SERIES = 64;
/** Methods, routes: beyond it all further ones share one row. A series is 160 bytes, and made at its first use. */
export const MAX_ROWS = 10_000;

export interface DurationsInit {
  readonly name: string;
  readonly help: string;
  /** Labels of a column; as many as there are columns. */
  readonly columns: readonly Labels[];
  /** Labels of the row for everything beyond the bound. */
  readonly other: Labels;
  readonly maxRows?: number;
}

export class Durations {
  private readonly init: DurationsInit;
  private readonly columns: number;
  private readonly rows = new Map<string, number>();
  private readonly labels: Labels[] = [];
  /** Index of a row and column's series in `values`; -1: nothing recorded yet. */
  private offsets = new Int32Array(0);
  private values = new Float64Array(FIRST_SERIES * SERIES);
  private used = 0;

  constructor(init: DurationsInit) {
    this.init = init;
    this.columns = init.columns.length;
  }

  /** The row with these labels, made if it is missing. */
  row(labels: Labels): number {
    const key = JSON.stringify(labels);
    const known = this.rows.get(key);
    if (known !== undefined) return known;
    const full = this.labels.length >= (this.init.maxRows ?? MAX_ROWS) - 1;
    if (full && labels !== this.init.other) return this.row(this.init.other);
    const row = this.labels.length;
    this.labels.push(labels);
    this.rows.set(key, row);
    const needed = this.labels.length * this.columns;
    if (needed > this.offsets.length) {
      const grown = new Int32Array(Math.max(needed, this.offsets.length * 2)).fill(-1);
      grown.set(this.offsets);
      this.offsets = grown;
    }
    return row;
  }

  /** The hot path: two array reads and two writes. */
  record(row: number, column: number, milliseconds: number): void {
    const cell = row * this.columns + column;
    let offset = this.offsets[cell] ?? -1;
    if (offset < 0) offset = this.newSeries(cell);
    const seconds = milliseconds / 1000;
    const values = this.values;
    let bucket = 0;
    while (bucket < BUCKETS - 1 && seconds > (BOUNDS[bucket] ?? 0)) bucket++;
    values[offset + bucket] = (values[offset + bucket] ?? 0) + 1;
    values[offset + BUCKETS] = (values[offset + BUCKETS] ?? 0) + seconds;
  }

  private newSeries(cell: number): number {
    const offset = this.used;
    this.used += SERIES;
    if (this.used > this.values.length) {
      const grown = new Float64Array(this.values.length * 2);
      grown.set(this.values);
      this.values = grown;
    }
    this.offsets[cell] = offset;
    return offset;
  }

  family(): HistogramFamily {
    const points: Point<HistogramFamily["points"][number]["value"]>[] = [];
    for (let row = 0; row < this.labels.length; row++) {
      for (let column = 0; column < this.columns; column++) {
        const offset = this.offsets[row * this.columns + column] ?? -1;
        if (offset < 0) continue;
        // A loop: to spread a typed array costs several times as much.
        const buckets: number[] = [];
        let count = 0;
        for (let i = 0; i < BUCKETS; i++) {
          const hits = this.values[offset + i] ?? 0;
          buckets.push(hits);
          count += hits;
        }
        points.push({
          labels: { ...this.labels[row], ...this.init.columns[column] },
          value: {
            buckets,
            sum: this.values[offset + BUCKETS] ?? 0,
            count,
          },
        });
      }
    }
    const { name, help } = this.init;
    return { type: "histogram", name, unit: "s", help, bounds: DURATION_BOUNDS, points };
  }
}
