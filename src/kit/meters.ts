// Named counters of the hub: steps and clusters count; telemetry/ keeps the counts and shows them at /metrics.

/** e.g. `{ "linchpin.quota": "per-consumer" }`: names in dots, values from a bounded set (never what a client made up). */
export type Labels = Readonly<Record<string, string>>;

/** One series of a counter. It only goes up, across reloads too. */
export interface Counter {
  /** `by` defaults to 1, and is not negative. */
  add(by?: number): void;
}

export interface Meters {
  /**
   * The counter of that name and those labels; the same one for the same arguments, so take it at plan time.
   * Beyond the bound on series per name, all further ones share a series whose label values are `_OTHER`.
   * @param name e.g. `linchpin.quota.refusals`: lower case, in dots, without a unit
   * @param help one sentence for the reader of /metrics
   */
  counter(name: string, help: string, labels?: Labels): Counter;
}

/** Counts nothing: for tests, and for users without telemetry. */
export const NO_METERS: Meters = { counter: () => ({ add() {} }) };
