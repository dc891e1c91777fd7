// Applies the first config, and at a reload another one: all of it, or nothing.
import type { Clock } from "../kit/clock.js";
import type { Log } from "../kit/log.js";
import type { Retained } from "../kit/retained.js";
import { UserError } from "../kit/text/user-error.js";
import type { Config } from "../settings/sections.js";
import type { ReloadState } from "../view/hub-view.js";
import type { Generations } from "./generation.js";
import type { Snapshots } from "./snapshots.js";

export interface ReloadsOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly retained: Retained;
  readonly generations: Generations;
  readonly snapshots: Snapshots;
  /** Reads the config again; throws a UserError if it is invalid. undefined: there is nothing to reload. */
  readonly readConfig: (() => Promise<Config>) | undefined;
  /** Changes that a running hub cannot apply, a sentence each. */
  needsRestart(before: Config, after: Config): readonly string[];
  /** Why the hub cannot reload now, as in `the hub is draining`; undefined: it can. */
  obstacle(): string | undefined;
  /** Certificates are watched, but not every file system reports changes at once. */
  reloadCertificates(): void;
}

export class Reloads {
  /** The start counts as one. */
  last: ReloadState;
  readonly #options: ReloadsOptions;
  #running: Promise<readonly string[]> = Promise.resolve([]);

  constructor(options: ReloadsOptions) {
    this.#options = options;
    this.last = this.#ended(true);
  }

  /**
   * Rejects with a UserError if anything is invalid, and the hub continues unchanged. Pools, buckets and caches whose
   * config did not change are retained. Resolves with notes: changes that need a restart.
   * @param by the trigger, for the log, as in `SIGHUP`
   */
  reload(by: string): Promise<readonly string[]> {
    // One after the other: each sees the result of the one before it.
    const reload = (): Promise<readonly string[]> => this.#reload(by);
    this.#running = this.#running.then(reload, reload);
    return this.#running;
  }

  /** Applies the first config. Rejects with a UserError if anything is invalid. */
  async start(config: Config): Promise<void> {
    await this.#take(config);
    this.last = this.#ended(true);
  }

  async #reload(by: string): Promise<readonly string[]> {
    const { log, readConfig, obstacle, reloadCertificates } = this.#options;
    reloadCertificates();
    try {
      if (readConfig === undefined) throw new UserError("there is no config file to reload");
      const why = obstacle();
      if (why !== undefined) throw new UserError(why);
      const notes = await this.#change(await readConfig());
      for (const note of notes) log.warn(note);
      log.info(`${by}: the config was reloaded`);
      this.last = this.#ended(true);
      return notes;
    } catch (error) {
      log.error(`${by}: nothing was changed: ${error instanceof Error ? error.message : String(error)}`);
      this.last = this.#ended(false);
      throw error;
    }
  }

  async #change(config: Config): Promise<readonly string[]> {
    const { snapshots, needsRestart } = this.#options;
    const before = snapshots.generation.config;
    await this.#take(config);
    const { upstreams, schemaCache } = snapshots.generation;
    for (const [i, upstream] of upstreams.entries()) {
      const own = config.upstreams[i];
      if (own !== undefined) upstream.update(own, schemaCache);
    }
    return needsRestart(before, config);
  }

  async #take(config: Config): Promise<void> {
    const { retained, generations, snapshots } = this.#options;
    retained.begin();
    try {
      const next = await generations.make(config);
      await generations.start(next);
      await snapshots.replace(next);
    } catch (error) {
      retained.rollback();
      throw error;
    }
    retained.commit();
  }

  #ended(succeeded: boolean): ReloadState {
    return { succeeded, at: this.#options.clock.wallTime() };
  }
}
