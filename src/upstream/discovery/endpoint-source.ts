// Where the endpoints of an upstream come from: what a source reports, and how it is followed.
import type { ListenAddress, UnixAddress } from "../../config/address.js";
import type { Clock } from "../../kit/clock.js";
import type { Environment } from "../../kit/runtime.js";

/** What a source may know of an endpoint beside its address. Balancers use what they need. */
export interface EndpointTraits {
  /** Its share of the calls, relative to others; 0: none. Default: 1. */
  readonly weight?: number | undefined;
  /** Endpoints of a lower number come first. Default: 0. */
  readonly priority?: number | undefined;
  readonly zone?: string | undefined;
}

/** A port of a host. */
export interface TcpEndpoint extends EndpointTraits, ListenAddress {
  /** Host name or IP address. A name is resolved for each connection. */
  readonly host: string;
  /** The name that `host` was resolved from: the service's certificate is for it. */
  readonly name?: string | undefined;
}

/** A Unix domain socket. */
export interface UnixEndpoint extends EndpointTraits, UnixAddress {}

/** An endpoint as a source reports it. */
export type EndpointInfo = TcpEndpoint | UnixEndpoint;

/** Endpoints of one upstream. More is a mistake, or an attack. */
export const MAX_ENDPOINTS = 10_000;

/** Follows a source. */
export interface EndpointWatcher {
  /**
   * All endpoints that take calls now. Missing ones finish their running calls and get no others.
   * @param problem what is wrong with a part of the list, which is left out; the rest is used
   */
  endpoints(all: readonly EndpointInfo[], problem?: string): void;
  /** Why there is no newer list. The last one stays in use. */
  problem(text: string): void;
}

export interface Watch {
  /** Idempotent; the watcher gets no further notifications. */
  close(): void;
  /** An endpoint is unreachable: there may be a newer list. Called for each failure; optional if changes are pushed. */
  refresh?(): void;
}

/** Discovers the endpoints of one upstream, and follows changes. */
export interface EndpointSource {
  /** Called once. The watcher may be called before it returns. */
  watch(watcher: EndpointWatcher): Watch;
}

/** The credentials of a source. */
export interface SourceLogin {
  readonly user?: string | undefined;
  readonly passwordFile?: string | undefined;
  /** Paths of PEM files; undefined: clear text. */
  readonly tls?:
    | {
        readonly ca?: string | undefined;
        readonly cert?: string | undefined;
        readonly key?: string | undefined;
        readonly serverName?: string | undefined;
      }
    | undefined;
  /** Path of a kubeconfig. */
  readonly kubeconfig?: string | undefined;
  /** One of its contexts. */
  readonly context?: string | undefined;
}

export interface SourceContext {
  readonly clock: Clock;
  /** 0 ≤ n < 1 */
  readonly random: () => number;
  readonly env?: Environment | undefined;
  readonly login?: SourceLogin | undefined;
  /** Last known addresses of the names in a list: they outlive a source. */
  readonly names?: Map<string, readonly string[]> | undefined;
}

/**
 * Makes the source of a target, given without its scheme; nothing is read or called before `watch`. Throws a UserError
 * if the target is malformed.
 */
export type SourceFactory = (target: string, context: SourceContext) => EndpointSource;
