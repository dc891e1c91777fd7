// The counters that the rest of the hub counts by, with a bound on the series of each name.
import type { Counter, Labels, Meters } from "../../kit/meters.js";
import type { CounterFamily, Family } from "./family.js";

/**
 * Series of one name; beyond it all further ones share one. Labels come from config, so it is not reached in practice.
 */
export const MAX_SERIES = 1_000;
const NAME = /^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$/;

class Series implements Counter {
  readonly labels: Labels;
  value = 0;

  constructor(labels: Labels) {
    this.labels = labels;
  }

  add(by = 1): void {
    if (by > 0) this.value += by;
  }
}

interface Named {
  readonly help: string;
  readonly series: Map<string, Series>;
}

export class Counters implements Meters {
  private readonly named = new Map<string, Named>();
  private readonly maxSeries: number;

  constructor(maxSeries = MAX_SERIES) {
    this.maxSeries = maxSeries;
  }

  counter(name: string, help: string, labels: Labels = {}): Counter {
    if (!NAME.test(name))
      throw new Error(`"${name}" is not a metric name: expected lower case words with dots between them`);
    let named = this.named.get(name);
    if (named === undefined) {
      named = { help, series: new Map() };
      this.named.set(name, named);
    }
    const { series } = named;
    // The order in which the labels were written does not matter.
    const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
    const key = JSON.stringify(sorted);
    const known = series.get(key);
    if (known !== undefined) return known;
    if (series.size >= this.maxSeries - 1 && sorted.some(([, value]) => value !== "_OTHER")) {
      return this.counter(name, help, Object.fromEntries(sorted.map(([label]) => [label, "_OTHER"])));
    }
    const made = new Series(Object.fromEntries(sorted));
    series.set(key, made);
    return made;
  }

  families(): readonly Family[] {
    return [...this.named].map(
      ([name, { help, series }]): CounterFamily => ({
        type: "counter",
        name,
        unit: "1",
        help,
        points: [...series.values()].map(({ labels, value }) => ({ labels, value })),
      }),
    );
  }
}
