// The remembered schema of one upstream on disk: read when the hub starts, written when it was learned.
import type { Clock } from "../../kit/clock.js";
import { reportFault } from "../../kit/faults.js";
import type { Owner, RememberedSchema, SchemaCache } from "../../schema/sources/schema-cache.js";
import type { Schema } from "../../schema/types/schema.js";

/**
 * How often an unchanged schema is written again: its time says when it was last known to be correct, and a deleted
 * file comes back.
 */
const REWRITE_MS = 3_600_000;

export class SchemaMemory {
  readonly #owner: () => Owner;
  readonly #now: () => number;
  #cache: SchemaCache | undefined;
  /** The current content of the folder. */
  #kept: { readonly hash: string; readonly at: number } | undefined;
  #writing = false;
  /** Learned while another one was written. */
  #next: Schema | undefined;
  #closed = false;

  /**
   * @param owner the current owner of the schema
   * @param clock for the time at which it was learned
   */
  constructor(owner: () => Owner, cache: SchemaCache | undefined, clock: Pick<Clock, "wallTime">) {
    this.#owner = owner;
    this.#cache = cache;
    this.#now = () => clock.wallTime();
  }

  /** The folder has changed, or there is none; also called if the endpoints have changed: what is stored names them. */
  moved(cache: SchemaCache | undefined): void {
    this.#cache = cache;
    this.#kept = undefined;
  }

  /** Never rejects. */
  async read(): Promise<RememberedSchema | undefined> {
    return this.#cache?.read(this.#owner());
  }

  /** It was just learned. Does not wait for the disk; of schemas learned during a write, only the last is written. */
  keep(schema: Schema): void {
    const [cache, kept, now] = [this.#cache, this.#kept, this.#now()];
    if (cache === undefined || this.#closed) return;
    if (this.#writing) {
      this.#next = schema;
      return;
    }
    if (kept?.hash === schema.hash && now - kept.at < REWRITE_MS) return;
    this.#writing = true;
    cache
      .write(this.#owner(), schema, now)
      .then((written) => {
        if (written && cache === this.#cache) this.#kept = { hash: schema.hash, at: now };
      })
      .catch((error: unknown) => reportFault("while a schema was kept", error))
      .finally(() => {
        this.#writing = false;
        const next = this.#next;
        this.#next = undefined;
        if (next !== undefined) this.keep(next);
      });
  }

  close(): void {
    this.#closed = true;
  }
}
