// The limits of an upstream's connections and of the calls that wait for one: its keys `connections` and `pending`.
// Each limit is one row: its key, default, range and documentation.

export interface PoolRow {
  /** The default. */
  readonly value: number;
  readonly unit: "" | "ms";
  /** `GROUP.KEY` of an upstream. */
  readonly key: readonly ["connections" | "pending", string];
  readonly min: number;
  /** Of counts; durations have the general bound of durations. */
  readonly max?: number;
  readonly doc: string;
}

/** More connections than a machine has ports. */
const MAX_CONNECTIONS = 60_000;
const MAX_PENDING = 1_000_000;

export const POOL = {
  maxPerEndpoint: {
    // A service that allows 100 streams per connection, as many do, can have 10,000 calls.
    value: 100,
    unit: "",
    key: ["connections", "max"],
    min: 1,
    max: MAX_CONNECTIONS,
    doc: "Connections to one endpoint. A further one is opened when those there are full.",
  },
  maxConnections: {
    // Envoy's circuit breakers: connections and pending requests.
    value: 1024,
    unit: "",
    key: ["connections", "total"],
    min: 1,
    max: MAX_CONNECTIONS,
    doc: "Connections to all endpoints together; each endpoint may have its first one all the same.",
  },
  idleMs: {
    value: 60_000,
    unit: "ms",
    key: ["connections", "idle"],
    min: 100,
    doc: "A connection beyond an endpoint's first is closed when it has had no call for so long.",
  },
  maxPending: {
    value: 1024,
    unit: "",
    key: ["pending", "max"],
    min: 0,
    max: MAX_PENDING,
    doc: "Calls that may wait for a connection; more are refused at once.",
  },
  lostWaitMs: {
    // A restart takes a second or two; a service that is away longer is down, and callers should know.
    value: 5_000,
    unit: "ms",
    key: ["pending", "wait"],
    min: 0,
    doc: "How long calls wait for an upstream whose every endpoint was lost a moment ago, as when its only instance restarts; counted from the loss. After it they fail at once, until the upstream is back.",
  },
} as const satisfies Readonly<Record<string, PoolRow>>;

/** The bounds of an upstream's connections, and how long calls wait for them; in the unit of the row. */
export type PoolLimits = { readonly [K in keyof typeof POOL]: number };

export const DEFAULT_POOL: PoolLimits = poolOf(({ value }) => value);

/** One value for each row. */
export function poolOf(of: (row: PoolRow) => number): PoolLimits {
  return Object.fromEntries(Object.entries(POOL).map(([name, row]) => [name, of(row)])) as Record<
    keyof PoolLimits,
    number
  >;
}
