// What there is to tell of an upstream at one moment, for the admin listener, the summary of `serve`, and programs.
import type { SchemaSource } from "../config/config.js";
import type { EndpointState } from "../upstream/endpoint.js";
import { takesOthers } from "./assembly.js";
import type { LearnedUpstream } from "./learned-upstream.js";
import { timeOf } from "./upstream-log.js";

export interface EndpointRow {
  readonly address: string;
  readonly state: EndpointState;
  /** Connections that take calls. */
  readonly connections: number;
  readonly connecting: number;
  /** Connections that take no more calls, until theirs have ended. */
  readonly draining: number;
  /** Calls that are open on all of them. */
  readonly calls: number;
}

export interface UpstreamRow {
  readonly name: string;
  readonly endpoints: readonly EndpointRow[];
  /** Calls that wait for a connection. */
  readonly pending: number;
  /** Where its services are learned; `none`: gRPC clients alone can call them. */
  readonly schema: SchemaSource["kind"];
  /** Full names of the services known from it. */
  readonly services: readonly string[];
  /** It gets the calls to all services that no other upstream has. */
  readonly takesOthers: boolean;
  /** When the schema was learned, if it is one that is remembered and could not be learned yet (RFC 3339, UTC). */
  readonly remembered: string | undefined;
  /** Why its schema is not known, or only remembered. */
  readonly problem: string | undefined;
}

export function upstreamRow(upstream: LearnedUpstream): UpstreamRow {
  const { config, cluster, schema, remembered, problem, unlearned } = upstream;
  return {
    name: config.name,
    endpoints: cluster.endpoints.map(({ address, state, counts: { open, ...others } }) => ({
      address,
      state,
      connections: open,
      ...others,
    })),
    pending: cluster.pending,
    schema: config.schema.kind,
    services: [...(schema?.services.map(({ typeName }) => typeName) ?? []), ...(schema?.undescribed ?? [])],
    takesOthers: takesOthers(upstream),
    remembered: remembered === undefined ? undefined : timeOf(remembered),
    problem: problem ?? unlearned,
  };
}
