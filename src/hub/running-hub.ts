// The interface of a hub for the command line and programs, and its options.

import type { Page } from "../admin/pages/page.js";
import type { Runtime } from "../kit/runtime.js";
import type { EmbeddedService } from "../services/embedded-service.js";
import type { Features } from "../settings/features.js";
import type { Config } from "../settings/sections.js";
import type { HubView } from "../view/hub-view.js";
import type { OwnInterceptor } from "./own/own-interceptors.js";

/** Its read model, and its operations. */
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
   * Reads the config again and applies it; all or nothing. Rejects with a UserError that describes the problem;
   * resolves with notes on what needs a restart. Both are logged.
   * @param by the trigger, for the log, as in `SIGHUP`. Default: `reload`.
   */
  reload(by?: string): Promise<readonly string[]>;
  /**
   * Becomes not ready, still accepts for `drain.delay`, then stops accepting, asks clients to leave (GOAWAY), waits for
   * running calls until the grace period is over, and closes.
   * @param graceMs milliseconds for all of it, the delay included. Default: `drain.grace`.
   */
  drain(graceMs?: number): Promise<void>;
  /** Ends at once. */
  close(): Promise<void>;
}

export interface HubOptions {
  /**
   * Reads the config again, for a reload; throws a UserError if it is invalid. undefined: there is nothing to reload.
   */
  readonly readConfig?: (() => Promise<Config>) | undefined;
  /** Interceptors of the program that the hub runs in, among the hub's. */
  readonly use?: readonly OwnInterceptor[] | undefined;
  /** Services of the program that embeds the hub; they have priority over those of upstreams. */
  readonly services?: readonly EmbeddedService[] | undefined;
  /** Pages of the admin listener that the program adds. Throws a UserError if one is invalid. */
  readonly pages?: ((hub: RunningHub) => readonly Page[]) | undefined;
  /** The features of the hub. Default: all. */
  readonly features?: Features | undefined;
  /** Default: that of this process. */
  readonly runtime?: Runtime | undefined;
}
