// A hub as the program that it runs in sees it, and what the program adds to its admin listener.
import type { RouteRow, UpstreamRow } from "../../view/hub-view.js";

/** A hub that accepts calls. */
export interface Hub {
  /** The first listener in the form that gRPC clients take: `HOST:PORT` as bound, or `unix:/PATH`. */
  readonly address: string;
  /** The first listener, e.g. `http://127.0.0.1:8080`, `https://[::1]:8443`, `unix:/run/linchpin.sock`. */
  readonly url: string;
  /** Every listener, in the order of the config. */
  readonly urls: readonly string[];
  /** The admin listener; undefined when it is off. */
  readonly adminUrl: string | undefined;
  /** True once every upstream has been learned, or `readiness.wait` has passed, until the hub drains. */
  readonly ready: boolean;
  /** Names of the interceptors that calls pass, outermost first. */
  readonly interceptors: readonly string[];
  /** The current routes, as `linchpin routes` shows them. */
  routes(): readonly RouteRow[];
  /** The upstreams with their endpoints, as of now. */
  upstreams(): readonly UpstreamRow[];
  /**
   * Reads the config file again and applies it; all or nothing. Resolves with notes on what needs a restart, which are
   * logged too.
   * @param by the trigger, for the log, as in `SIGHUP`. Default: `reload`
   * @throws UserError (rejects) that describes the problem: the hub continues unchanged. Without a config file there is
   * nothing to reload.
   */
  reload(by?: string): Promise<readonly string[]>;
  /**
   * Becomes not ready, still accepts for `drain.delay`, then stops accepting, asks clients to leave, waits for running
   * calls until the grace period is over, and closes.
   * @param graceMs milliseconds for all of it. Default: `drain.grace`
   */
  drain(graceMs?: number): Promise<void>;
  /** Ends at once: running calls get UNAVAILABLE. */
  close(): Promise<void>;
}

/**
 * A page of the admin listener that a program adds.
 *
 * @example
 * import type { AdminPage } from "linchpin-hub";
 *
 * export const ready: AdminPage = {
 *   path: "/upstreams/count",
 *   about: "how many upstreams there are",
 *   respond: (hub) => ({ body: { upstreams: hub.upstreams().length } }),
 * };
 */
export interface AdminPage {
  /** e.g. `/tenants`: letters, digits, `.`, `_`, `~`, `-` and slashes; none of the hub's own. */
  readonly path: string;
  /** For the index, a few words. */
  readonly about: string;
  /** Pages that change something accept only POST. Default: GET and HEAD. */
  readonly method?: "POST";
  /** Called for each request. An exception becomes 500, a UserError 409 with its message. */
  respond(hub: Hub): AdminResponse | Promise<AdminResponse>;
}

export interface AdminResponse {
  /** HTTP status. Default: 200. */
  readonly status?: number;
  /** Sent as JSON. */
  readonly body: unknown;
  /** The same for people, if Accept asks for text. Default: always JSON. */
  readonly text?: () => string;
}
