// Where the endpoints of an upstream come from: what a source tells, and how it is followed.
import type { Clock } from "../../kit/clock.js";

/** What a source may know of an endpoint beside its address. Balancers use what they need of it. */
export interface EndpointTraits {
  /** Its share of the calls, beside those of others. Default: 1. */
  readonly weight?: number | undefined;
  /** Endpoints of a lower number come first. Default: 0. */
  readonly priority?: number | undefined;
  readonly zone?: string | undefined;
}

/** An endpoint as a source knows it. */
export interface EndpointInfo extends EndpointTraits {
  /** Host name or IP address. A name is resolved for each connection. */
  readonly host: string;
  readonly port: number;
}

/** Follows a source. */
export interface EndpointWatcher {
  /** All endpoints that take calls now. Those that are missing here end their calls and take no others. */
  endpoints(all: readonly EndpointInfo[]): void;
  /** Why there is no newer list. The last one stays in use. */
  problem(text: string): void;
}

export interface Watch {
  /** Idempotent; the watcher hears nothing more. */
  close(): void;
}

/** Learns the endpoints of one upstream, and goes on learning them. */
export interface EndpointSource {
  /** Once. The watcher may be called before it returns. */
  watch(watcher: EndpointWatcher): Watch;
}

export interface SourceContext {
  readonly clock: Clock;
  /** 0 ≤ n < 1 */
  readonly random: () => number;
}

/** Makes the source of a target, which comes without its scheme. Throws a UserError where it is malformed. */
export type SourceFactory = (target: string, context: SourceContext) => EndpointSource;
