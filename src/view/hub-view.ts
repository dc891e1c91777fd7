// The read model of a running hub: the admin listener, the command line, the gauges of /metrics and programs show it.
import type { CertificateState } from "../tls/certificate-state.js";

/** Everything is as of the moment at which it is read. */
export interface HubView {
  /**
   * True once the hub accepts calls and every upstream has been learned, or `readiness.wait` has passed, until it
   * drains.
   */
  readonly ready: boolean;
  /** Why it is not ready, a few words each, e.g. `draining`; empty when it is ready. */
  readonly notReady: readonly string[];
  /** Names of the interceptors that calls pass, outermost first. */
  readonly interceptors: readonly string[];
  /** The config in force, in the keys of the file; its secrets are not masked. */
  readonly written: object;
  /** Paths of its secrets, with `*` for names and for list entries. */
  readonly secrets: readonly (readonly string[])[];
  readonly lastReload: ReloadState;
  /** Bytes that the hub buffers until clients and services read them. */
  readonly waitingBytes: number;
  /** Bytes of requests that are kept for further attempts. */
  readonly replayBytes: number;
  listeners(): readonly ListenerRow[];
  routes(): readonly RouteRow[];
  upstreams(): readonly UpstreamRow[];
  /** The certificates in use: of listeners and of upstreams, and the CAs that they trust by the config. */
  certificates(): readonly CertificateState[];
}

/** Outcome of the last reload of the config; the start counts as one. */
export interface ReloadState {
  readonly succeeded: boolean;
  /** Unix time, milliseconds. */
  readonly at: number;
}

/** An address on which clients call. */
export interface ListenerRow {
  /** As configured: `HOST:PORT` or `unix:PATH`. */
  readonly address: string;
  /** Open connections by protocol: `http` (HTTP/1.1 and WebSockets), `http2`. */
  readonly connections: Readonly<Record<string, number>>;
}

/** One line of `linchpin routes` and of the admin listener's /routes. */
export interface RouteRow {
  /** HTTP method, or `gRPC` */
  readonly verb: string;
  /** Path template, or `/pkg.Service/Method`; `/pkg.Service/*` for a service without a schema, `/*` for all others */
  readonly path: string;
  /** `pkg.Service/Method`, or as in `path` */
  readonly method: string;
  readonly upstream: string;
  /** How its calls are retried, as in `3 attempts on UNAVAILABLE`; left out: only where no service can have seen them. */
  readonly retries?: string;
}

/** As a line of a table for people. */
export function routeCells({ verb, path, method, upstream, retries }: RouteRow): string[] {
  return [verb, path, method, upstream, ...(retries === undefined ? [] : [`retries: ${retries}`])];
}

/**
 * The combined state of an endpoint's connections. Connected endpoints get calls if they are `ready`; `checking` waits for
 * the first answer to a health check, `unhealthy` answered anything but SERVING, `ejected` failed too many calls.
 */
export const ENDPOINT_STATES = [
  "ready",
  "connecting",
  "backoff",
  "idle",
  "checking",
  "unhealthy",
  "ejected",
] as const;

export interface EndpointRow {
  readonly address: string;
  readonly state: (typeof ENDPOINT_STATES)[number];
  /** Connections that accept calls. */
  readonly connections: number;
  readonly connecting: number;
  /** Connections that accept no more calls, until theirs have ended. */
  readonly draining: number;
  /** Calls that are open on all of them. */
  readonly calls: number;
  /** Why it gets no calls; undefined: it does, or is still being connected. */
  readonly why?: string | undefined;
  /** Until when: the end of the ejection, or the next attempt to connect (RFC 3339, UTC); undefined: not known. */
  readonly until?: string | undefined;
  /** As its source gives them; undefined: the default. */
  readonly weight?: number | undefined;
  readonly priority?: number | undefined;
  readonly zone?: string | undefined;
  /** What the balancer knows: the weight in force, an average latency in milliseconds. */
  readonly balancer?: Readonly<Record<string, number | string | boolean>> | undefined;
}

/** A circuit breaker of an upstream. */
export interface BreakerRow {
  readonly name: "calls" | "streams";
  /** Calls that run. */
  readonly active: number;
  /** As many may; one more is rejected. */
  readonly max: number;
}

/** Where the endpoints of an upstream come from. */
export interface SourceRow {
  /** As in the config, user and password masked; `list`: they are listed there. */
  readonly target: string;
  /** Why there is no newer list, or the problem of a part of it; undefined: none. */
  readonly problem: string | undefined;
  /** Since when there is a problem (RFC 3339, UTC). */
  readonly since: string | undefined;
}

export interface UpstreamRow {
  readonly name: string;
  readonly endpoints: readonly EndpointRow[];
  /** undefined: a list in the config, without problems. */
  readonly source?: SourceRow | undefined;
  /** Name of its balancer. */
  readonly balancer?: string | undefined;
  /** Too few endpoints are healthy: all that are connected get calls. */
  readonly panic?: boolean | undefined;
  /** Those that are configured. */
  readonly breakers?: readonly BreakerRow[] | undefined;
  /** Calls that wait for a connection. */
  readonly pending: number;
  /** Where its services are learned; `none`: only gRPC clients can call them. */
  readonly schema: "reflection" | "protoset" | "protos" | "none";
  /** Full names of the services known from it. */
  readonly services: readonly string[];
  /** It gets the calls to all services that no other upstream has. */
  readonly takesOthers: boolean;
  /** When the schema was learned, if it is remembered and could not be learned yet (RFC 3339, UTC). */
  readonly remembered: string | undefined;
  /** Why its schema is unknown, or only remembered. */
  readonly problem: string | undefined;
}
