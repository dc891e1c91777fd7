// A hub as the command line and programs have it, and what it is started with.

import type { Runtime } from "../kit/runtime.js";
import type { EmbeddedService } from "../services/hub-services.js";
import type { Features } from "../settings/features.js";
import type { Config } from "../settings/sections.js";
import type { HubView } from "../view/hub-view.js";
import type { OwnInterceptor } from "./own/own-interceptors.js";

/** What is to be read of it, and what can be done to it. */
export interface RunningHub extends HubView {
  /** The first bound address, e.g. `http://127.0.0.1:8080`, `https://[::1]:8443`, `unix:/run/linchpin.sock`. */
  readonly url: string;
  /** Every bound address, in the order of the config. */
  readonly urls: readonly string[];
  /** Bound admin address; undefined when admin is off. */
  readonly adminUrl: string | undefined;
  /** What is in force now. */
  readonly config: Config;
  /**
   * Reads the config anew and serves by it; all or nothing. Rejects with a UserError that says what is wrong;
   * resolves with notes on what needs a restart. Both are in the log.
   * @param by who asks, for the log, as in `SIGHUP`. Default: `reload`.
   */
  reload(by?: string): Promise<readonly string[]>;
  /**
   * Is not ready any more, still accepts for `drain.delay`, then stops accepting, tells clients to leave (GOAWAY), waits
   * for running calls until the grace time is over, and closes.
   * @param graceMs milliseconds for all of it, the delay included. Default: `drain.grace`.
   */
  drain(graceMs?: number): Promise<void>;
  /** Ends at once. */
  close(): Promise<void>;
}

export interface HubOptions {
  /** Reads the config anew, for a reload; throws a UserError when it is wrong. undefined: there is nothing to reload. */
  readonly readConfig?: (() => Promise<Config>) | undefined;
  /** Interceptors of the program that the hub runs in, among the hub's. */
  readonly use?: readonly OwnInterceptor[] | undefined;
  /** Services of the program that the hub runs in; they come before those of upstreams. */
  readonly services?: readonly EmbeddedService[] | undefined;
  /** What the hub is made of. Default: what it has. */
  readonly features?: Features | undefined;
  /** Default: that of this process. */
  readonly runtime?: Runtime | undefined;
}
