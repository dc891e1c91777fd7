// A metric family as the writers see it: the same numbers become Prometheus text and OTLP.
import type { Labels } from "../../kit/meters.js";

export interface HistogramValue {
  /** One per bound, and one more for values above the last; not cumulative. */
  readonly buckets: readonly number[];
  readonly sum: number;
  readonly count: number;
}

export interface Point<Value> {
  readonly labels: Labels;
  readonly value: Value;
}

interface FamilyHead {
  /** OpenTelemetry's name, in dots: `rpc.server.call.duration` */
  readonly name: string;
  /** UCUM: `s`, `By`, `{call}`, `1` */
  readonly unit: string;
  readonly help: string;
}

export interface CounterFamily extends FamilyHead {
  readonly type: "counter";
  readonly points: readonly Point<number>[];
}

export interface GaugeFamily extends FamilyHead {
  readonly type: "gauge";
  readonly points: readonly Point<number>[];
}

export interface HistogramFamily extends FamilyHead {
  readonly type: "histogram";
  /** Upper bounds, inclusive, ascending; without the last one, infinity. */
  readonly bounds: readonly number[];
  readonly points: readonly Point<HistogramValue>[];
}

export type Family = CounterFamily | GaugeFamily | HistogramFamily;

/** A source of metrics; read at each scrape or export. */
export type MetricSource = () => readonly Family[];
