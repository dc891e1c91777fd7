// What the client side asks of the hub: the plan of a method, and the REST routes. Replaced whole on a reload.
import type { Framing } from "./framing.js";
import type { Plan } from "./pipeline.js";
import type { RestRouter } from "./rest.js";
import type { Status } from "./status.js";
import type { TimerWheel } from "./timer-wheel.js";

/** One consistent state of config and schemas. Immutable: a call that has begun keeps the one it began with. */
export interface Snapshot {
  /** The plan for a gRPC path; there is one for every path, if only to refuse it. */
  planFor(path: string): Plan;
  readonly rest: RestRouter;
  /** By the request's Accept, for one message or a stream of them; a Status (406) when it takes none that we have. */
  framing(accept: string | undefined, streaming: boolean): Framing | Status;
}

/** What the adapters of downstream/ run calls on. */
export interface Gateway {
  /** The newest snapshot; to be read anew for each call. */
  readonly snapshot: Snapshot;
  readonly timers: TimerWheel;
  /** Bytes of one message where the hub has to hold it whole (REST). */
  readonly maxMessageBytes: number;
}
