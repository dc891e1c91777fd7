// What is kept on disk of one upstream's schema: read when the hub starts, written when it was learned.
import type { Clock } from "../../kit/clock.js";
import { reportFault } from "../../kit/faults.js";
import type { Owner, RememberedSchema, SchemaCache } from "../../schema/sources/schema-cache.js";
import type { Schema } from "../../schema/types/schema.js";

/**
 * A schema that does not change is written again so often: what is remembered says when it was last known to be right,
 * and a file that somebody deleted comes back.
 */
const REWRITE_MS = 3_600_000;

export class SchemaMemory {
  readonly #owner: () => Owner;
  readonly #now: () => number;
  #cache: SchemaCache | undefined;
  /** What lies in the folder by now. */
  #kept: { readonly hash: string; readonly at: number } | undefined;
  #writing = false;
  /** Learned while another one was written. */
  #next: Schema | undefined;
  #closed = false;

  /**
   * @param owner whose schema it is now
   * @param clock for when it was learned
   */
  constructor(owner: () => Owner, cache: SchemaCache | undefined, clock: Pick<Clock, "wallTime">) {
    this.#owner = owner;
    this.#cache = cache;
    this.#now = () => clock.wallTime();
  }

  /** Another folder, or none; also said where the endpoints are others: what is kept names them. */
  moved(cache: SchemaCache | undefined): void {
    this.#cache = cache;
    this.#kept = undefined;
  }

  /** Never rejects. */
  async read(): Promise<RememberedSchema | undefined> {
    return this.#cache?.read(this.#owner());
  }

  /** It was learned just now. Nobody waits for the disk; of what comes while it is written the last is written next. */
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
