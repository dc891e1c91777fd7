// The composition root: builds a hub out of a Config, and starts it.
import type { Config } from "./config/config.js";

/** Where the hub says what it does; the text is for a person. */
export interface Log {
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** One line of `linchpin routes` and of the admin listener's /routes. */
export interface RouteRow {
  /** HTTP method, or `gRPC` */
  readonly verb: string;
  /** Path template, or `/pkg.Service/Method` */
  readonly path: string;
  /** `pkg.Service/Method` */
  readonly method: string;
  readonly upstream: string;
}

export interface UpstreamRow {
  readonly name: string;
  readonly endpoints: readonly { readonly address: string; readonly state: "idle" | "connecting" | "ready" | "backoff" }[];
  /** Full names of the services known from it. */
  readonly services: readonly string[];
  /** Why its schema is not known, if it is not. */
  readonly problem: string | undefined;
}

export interface RunningHub {
  /** Bound address, e.g. `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Bound admin address; undefined when admin is off. */
  readonly adminUrl: string | undefined;
  /** True from the first complete start until drain. */
  readonly ready: boolean;
  routes(): readonly RouteRow[];
  upstreams(): readonly UpstreamRow[];
  /** Stops accepting, tells clients to leave (GOAWAY), waits for running calls up to the grace time, closes. */
  drain(graceMs?: number): Promise<void>;
  /** Ends at once. */
  close(): Promise<void>;
}

/** Starts a hub. Rejects with a UserError (one sentence) when it cannot listen; an upstream that is down is no failure. */
export async function startHub(_config: Config, _log: Log): Promise<RunningHub> {
  throw new Error("not yet composed");
}
