// What downstream/ needs of the hub: the plan of a method, and the REST routes. Replaced as a whole on a reload.

import type { TimerWheel } from "../kit/timer-wheel.js";
import type { Call, Identity, Peer } from "./call.js";
import type { HttpPolicy } from "./http-policy.js";
import type { Plan } from "./pipeline.js";
import type { RestRouter } from "./rest.js";
import type { RunningCalls } from "./running-calls.js";
import type { Status } from "./status/status.js";

/** One consistent state of config and schemas. Immutable: a call keeps the one it began with. */
export interface Snapshot {
  /** The plan for a gRPC path. Every path has one; for unknown paths it rejects the call. */
  planFor(path: string): Plan;
  /** For CORS preflights, which call no method: the steps of the interceptors that are for them. */
  readonly preflight: Plan;
  readonly rest: RestRouter;
  readonly http: HttpPolicy;
}

/** Who receives hints: `auto` is loopback and authenticated callers. */
export type Hints = "auto" | "always" | "never";

/** Whether a caller may learn about internals (addresses, routes). `identity`: the caller, if authenticated. */
export function mayKnowInternals(hints: Hints, peer: Peer, identity: Identity | undefined): boolean {
  if (hints !== "auto") return hints === "always";
  return peer.local === true || identity !== undefined;
}

/** The status as the caller of this call may see it; without a call, as everybody may. */
export function visibleStatus(call: Call | undefined, status: Status, hints: Hints): Status {
  if (status.hint === undefined || call === undefined) return status;
  return mayKnowInternals(hints, call.peer, call.identity) ? status.withHint() : status;
}

/** What the hub's edge allows clients, and which of their claims it trusts. */
export interface Edge {
  /** Whether what this address reports of its clients (x-forwarded-for, …) is trusted. */
  trusts(ip: string): boolean;
  readonly hints: Hints;
  /** Connections per client; those of trusted proxies are not counted. */
  readonly connectionsPerAddress: number;
  /** Sites, besides the hub's own, whose pages may open WebSockets, as in `https://app.example`; undefined: no WebSockets. */
  readonly webSocketOrigins: readonly string[] | undefined;
}

/** What the adapters of downstream/ need to run calls. */
export interface Gateway {
  /** The newest snapshot; read it again for each call. */
  readonly snapshot: Snapshot;
  readonly timers: TimerWheel;
  /** Those that run now. */
  readonly calls: RunningCalls;
  /** Bytes of one message that the hub must buffer whole (REST). */
  readonly maxMessageBytes: number;
  /** How much larger than its compressed size a stream's body may become, as a factor (`limits.maxUnpackRatio`). */
  readonly maxUnpackRatio: number;
  readonly edge: Edge;
}
