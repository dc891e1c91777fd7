// What the client side asks of the hub: the plan of a method, and the REST routes. Replaced whole on a reload.

import type { TimerWheel } from "../kit/timer-wheel.js";
import type { Call, Identity, Peer } from "./call.js";
import type { HttpPolicy } from "./http-policy.js";
import type { Plan } from "./pipeline.js";
import type { RestRouter } from "./rest.js";
import type { RunningCalls } from "./running-calls.js";
import type { Status } from "./status/status.js";

/** One consistent state of config and schemas. Immutable: a call that has begun keeps the one it began with. */
export interface Snapshot {
  /** The plan for a gRPC path; there is one for every path, if only to refuse it. */
  planFor(path: string): Plan;
  /** For CORS preflights, which call no method: the steps of the interceptors that are for them. */
  readonly preflight: Plan;
  readonly rest: RestRouter;
  readonly http: HttpPolicy;
}

/** To whom hints are told: `auto` is loopback and authenticated callers. */
export type Hints = "auto" | "always" | "never";

/** Whether a caller may know how things are inside. `identity`: who it proved to be, if it did. */
export function mayKnowInternals(hints: Hints, peer: Peer, identity: Identity | undefined): boolean {
  if (hints !== "auto") return hints === "always";
  return peer.local === true || identity !== undefined;
}

/** The status as the caller of this call may see it; before there was a call, as anybody may. */
export function visibleStatus(call: Call | undefined, status: Status, hints: Hints): Status {
  if (status.hint === undefined || call === undefined) return status;
  return mayKnowInternals(hints, call.peer, call.identity) ? status.withHint() : status;
}

/** What the hub's edge allows clients, and believes of them. */
export interface Edge {
  /** Whether what this address says of its clients (x-forwarded-for, …) counts. */
  trusts(ip: string): boolean;
  readonly hints: Hints;
  /** Connections that one client may have; those of trusted proxies are not counted. */
  readonly connectionsPerAddress: number;
  /** Sites, besides the hub's own, whose pages may open WebSockets, as in `https://app.example`; undefined: no WebSockets. */
  readonly webSocketOrigins: readonly string[] | undefined;
}

/** What the adapters of downstream/ run calls on. */
export interface Gateway {
  /** The newest snapshot; to be read anew for each call. */
  readonly snapshot: Snapshot;
  readonly timers: TimerWheel;
  /** Those that run now. */
  readonly calls: RunningCalls;
  /** Bytes of one message where the hub has to hold it whole (REST). */
  readonly maxMessageBytes: number;
  /** How many times its packed size a stream's body may come to (`limits.maxUnpackRatio`). */
  readonly maxUnpackRatio: number;
  readonly edge: Edge;
}
