// The config's part about the connections to an upstream, and the calls that wait for one.
import * as z from "zod";
import type { PoolLimits } from "../config.js";
import { DEFAULT_POOL } from "../defaults.js";
import { duration, wholeNumber } from "../values.js";

/** More would be more than a hub's machine has ports for. */
const MAX_CONNECTIONS = 60_000;
const MAX_PENDING = 1_000_000;

export const connectionsSection = z
  .strictObject({
    max: wholeNumber(1, MAX_CONNECTIONS)
      .prefault(DEFAULT_POOL.maxPerEndpoint)
      .describe("Connections to one endpoint. A further one is opened when those there are full."),
    total: wholeNumber(1, MAX_CONNECTIONS)
      .prefault(DEFAULT_POOL.maxConnections)
      .describe("Connections to all endpoints together; each endpoint may have its first one all the same."),
    idle: duration(100)
      .prefault(`${DEFAULT_POOL.idleMs / 1000}s`)
      .describe("A connection beyond an endpoint's first is closed when it has had no call for so long."),
  })
  .prefault({})
  .describe("How many connections the hub opens to the services.");

export const pendingSection = z
  .strictObject({
    max: wholeNumber(0, MAX_PENDING)
      .prefault(DEFAULT_POOL.maxPending)
      .describe("Calls that may wait for a connection; more are refused at once."),
    wait: duration(0)
      .prefault(`${DEFAULT_POOL.lostWaitMs / 1000}s`)
      .describe(
        "How long calls wait for an upstream whose every endpoint was lost a moment ago, as when its only instance restarts; counted from the loss. After it they fail at once, until the upstream is back.",
      ),
  })
  .prefault({})
  .describe("Calls that wait for a connection.");

interface ParsedPool {
  readonly connections: z.output<typeof connectionsSection>;
  readonly pending: z.output<typeof pendingSection>;
}

export function poolOf({ connections, pending }: ParsedPool): PoolLimits {
  return {
    maxPerEndpoint: connections.max,
    maxConnections: connections.total,
    idleMs: connections.idle,
    maxPending: pending.max,
    lostWaitMs: pending.wait,
  };
}
