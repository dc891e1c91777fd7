// Where the endpoints of an upstream come from: what a source tells, and how it is followed.
import type { ListenAddress, UnixAddress } from "../../config/address.js";
import type { Clock } from "../../kit/clock.js";
import type { Environment } from "../../kit/runtime.js";

/** What a source may know of an endpoint beside its address. Balancers use what they need of it. */
export interface EndpointTraits {
  /** Its share of the calls, beside those of others; 0: none. Default: 1. */
  readonly weight?: number | undefined;
  /** Endpoints of a lower number come first. Default: 0. */
  readonly priority?: number | undefined;
  readonly zone?: string | undefined;
}

/** A port of a host. */
export interface TcpEndpoint extends EndpointTraits, ListenAddress {
  /** Host name or IP address. A name is resolved for each connection. */
  readonly host: string;
  /** The name that `host` is an address of: the service's certificate is for it. */
  readonly name?: string | undefined;
}

/** A socket of the file system. */
export interface UnixEndpoint extends EndpointTraits, UnixAddress {}

/** An endpoint as a source knows it. */
export type EndpointInfo = TcpEndpoint | UnixEndpoint;

/** Of one upstream. More is a mistake, or the work of somebody else. */
export const MAX_ENDPOINTS = 10_000;

/** Follows a source. */
export interface EndpointWatcher {
  /**
   * All endpoints that take calls now. Those that are missing here end their calls and take no others.
   * @param problem what is wrong with a part of the list, which is left out; the rest is in use
   */
  endpoints(all: readonly EndpointInfo[], problem?: string): void;
  /** Why there is no newer list. The last one stays in use. */
  problem(text: string): void;
}

export interface Watch {
  /** Idempotent; the watcher hears nothing more. */
  close(): void;
  /** An endpoint cannot be reached: there may be a newer list. Called for each failure; left out: changes are heard of anyway. */
  refresh?(): void;
}

/** Learns the endpoints of one upstream, and goes on learning them. */
export interface EndpointSource {
  /** Once. The watcher may be called before it returns. */
  watch(watcher: EndpointWatcher): Watch;
}

/** What a source logs in with. */
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
  /** Addresses of the names in a list, as they were last known: they outlive a source. */
  readonly names?: Map<string, readonly string[]> | undefined;
}

/**
 * Makes the source of a target, which comes without its scheme; nothing is read or called before `watch`. Throws a
 * UserError where the target is malformed.
 */
export type SourceFactory = (target: string, context: SourceContext) => EndpointSource;
