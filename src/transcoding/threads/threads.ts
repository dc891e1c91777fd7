// Threads for long work, so that no call stalls the others: a few, started on demand, ended after a while without work.
// An idle one does not keep the process alive.
import { Worker } from "node:worker_threads";
import { barrier } from "../../kit/barrier.js";
import { type Clock, systemClock, type Timer } from "../../kit/clock.js";
import { reportFault } from "../../kit/faults.js";

const IDLE_MS = 10_000;
/** Schemas that a thread keeps: each service's file is one, and reloads bring new ones. */
export const MAX_SCHEMAS = 8;

/** A thread's input beside the schema. */
export interface Work {
  /** The part of it that may be large. They must stay as they are. */
  readonly bytes: Uint8Array;
}

export interface ThreadsOptions<J> {
  /** The threads' program: it responds to each JobMessage with one message, in order. */
  readonly script: URL;
  readonly maxThreads: number;
  /** Of one thread. */
  readonly maxHeapMib: number;
  /** Its young generation. */
  readonly maxYoungMib: number;
  /** Bytes of all work that may wait when this arrives. One may always wait, whatever its size. */
  readonly maxWaitingBytes: (job: J) => number;
  /** Timeout of one job, milliseconds; left out: none. Its thread is then ended. */
  readonly maxMs?: number;
  /** Cancelling a running job ends its thread. Default: it runs to its end, and its result is dropped. */
  readonly endsCancelled?: boolean;
  /** Default: the system's. */
  readonly clock?: Clock;
}

/** To a thread. `schema` only where it does not have that number yet. */
export interface JobMessage<S, J> {
  readonly job: J;
  readonly schemaId: number;
  readonly schema: S | undefined;
}

/** A job's thread died, or could not be started. */
export interface ThreadLost {
  readonly lost: Error;
  readonly outOfMemory: boolean;
  readonly tookTooLong: boolean;
}

/** The outcome is not wanted any more: `done` will not be called. */
export type Cancel = () => void;

interface Waiting<S, J, R> {
  readonly schema: S;
  readonly job: J;
  readonly running: Running<R>;
}

interface Running<R> {
  /** undefined: cancelled. */
  done: ((outcome: R | ThreadLost) => void) | undefined;
}

class Thread<R> {
  readonly worker: Worker;
  /** Numbers of the schemas that it has, the oldest first; it forgets in the same order. */
  readonly schemas: number[] = [];
  current: Running<R> | undefined;
  isOnline = false;
  /** Hands over the current job, once it is online. */
  begin: (() => void) | undefined;
  /** Until it is ended: because it is idle, or its job takes too long. */
  limit: Timer | undefined;

  constructor({ script, maxHeapMib, maxYoungMib }: ThreadsOptions<never>) {
    // Flags of the program that embeds the hub, such as --input-type, may not fit.
    const resourceLimits = { maxOldGenerationSizeMb: maxHeapMib, maxYoungGenerationSizeMb: maxYoungMib };
    this.worker = new Worker(script, { execArgv: [], resourceLimits });
  }
}

/** `S` is the schema of a job, `J` the job, `R` its result. */
export class Threads<S extends object, J extends Work, R extends object> {
  readonly #options: ThreadsOptions<J>;
  readonly #threads = new Set<Thread<R>>();
  readonly #queue: Waiting<S, J, R>[] = [];
  #waitingBytes = 0;
  readonly #ids = new WeakMap<S, number>();
  readonly #clock: Clock;
  #lastId = 0;

  constructor(options: ThreadsOptions<J>) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** How many threads there are now. */
  get size(): number {
    return this.#threads.size;
  }

  /** Jobs that wait for a thread. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** Calls `done` once, later. undefined: too much waits already, and nothing is done. `bytes` must stay as they are. */
  run(schema: S, job: J, done: (outcome: R | ThreadLost) => void): Cancel | undefined {
    const bytes = job.bytes.length;
    const max = this.#options.maxWaitingBytes(job);
    if (this.#queue.length > 0 && this.#waitingBytes + bytes > max) return undefined;
    const running: Running<R> = { done };
    this.#queue.push({ schema, job, running });
    this.#waitingBytes += bytes;
    // Not within this call: `done` is called later, even if no thread can be started.
    this.#dispatch();
    return () => {
      running.done = undefined;
      const at = this.#queue.findIndex((waiting) => waiting.running === running);
      if (at === -1) {
        if (this.#options.endsCancelled === true) this.#endThreadOf(running);
        return;
      }
      this.#queue.splice(at, 1);
      this.#waitingBytes -= bytes;
    };
  }

  #dispatch(): void {
    while (this.#queue.length > 0) {
      let thread: Thread<R> | undefined;
      let lost: Error | undefined;
      try {
        thread = this.#free();
      } catch (error) {
        // No file descriptor or memory is left for another thread. A busy one will take the waiting job.
        for (const { current } of this.#threads) if (current !== undefined) return;
        lost = asError(error);
      }
      if (thread === undefined && lost === undefined) return;
      const next = this.#queue.shift();
      if (next === undefined) return;
      this.#waitingBytes -= next.job.bytes.length;
      if (thread !== undefined) lost = this.#tryGive(thread, next);
      if (lost !== undefined) loseLater(next.running, lost);
    }
  }

  /** Why it could not be passed on. */
  #tryGive(thread: Thread<R>, next: Waiting<S, J, R>): Error | undefined {
    try {
      this.#give(thread, next);
      return undefined;
    } catch (error) {
      thread.current = undefined;
      this.#end(thread);
      return asError(error);
    }
  }

  #free(): Thread<R> | undefined {
    for (const thread of this.#threads) if (thread.current === undefined) return thread;
    if (this.#threads.size >= this.#options.maxThreads) return undefined;
    const thread = new Thread<R>(this.#options);
    this.#threads.add(thread);
    const onFault = (error: unknown): void => {
      reportFault("while a thread's message was taken", error);
      this.#died(thread, asError(error));
      this.#end(thread);
    };
    const onOnline = (): void => {
      const { begin, current } = thread;
      thread.isOnline = true;
      thread.begin = undefined;
      if (current?.done === undefined) this.#freed(thread);
      else begin?.();
    };
    thread.worker.on("online", barrier(onOnline, onFault));
    thread.worker.on(
      "message",
      barrier((result: R) => this.#done(thread, result), onFault),
    );
    thread.worker.on(
      "error",
      barrier((error: Error) => this.#died(thread, error), onFault),
    );
    // Its response cannot be read: the waiting job would wait forever.
    thread.worker.on("messageerror", onFault);
    thread.worker.on(
      "exit",
      barrier(() => this.#died(thread, new Error("the thread has ended")), onFault),
    );
    return thread;
  }

  #give(thread: Thread<R>, next: Waiting<S, J, R>): void {
    thread.limit?.cancel();
    thread.current = next.running;
    thread.worker.ref();
    // Starting a thread and passing it a large schema takes some milliseconds each: not in one turn.
    if (thread.isOnline) this.#post(thread, next);
    else thread.begin = () => this.#post(thread, next);
    const { maxMs } = this.#options;
    if (maxMs === undefined) return;
    const end = (): void => {
      this.#died(thread, new TookTooLong(`it took more than ${maxMs / 1000} s`));
      this.#end(thread);
    };
    thread.limit = this.#clock.setTimeout(end, maxMs);
  }

  #post(thread: Thread<R>, { schema, job }: Waiting<S, J, R>): void {
    const schemaId = this.#idOf(schema);
    const known = thread.schemas.includes(schemaId);
    if (!known && thread.schemas.push(schemaId) > MAX_SCHEMAS) thread.schemas.shift();
    const { bytes } = job;
    // The whole buffer of the bytes is sent.
    const alone = bytes.length * 2 > bytes.buffer.byteLength ? bytes : Uint8Array.prototype.slice.call(bytes);
    const message: JobMessage<S, J> = {
      job: { ...job, bytes: alone },
      schemaId,
      schema: known ? undefined : schema,
    };
    thread.worker.postMessage(message);
  }

  #idOf(schema: S): number {
    const id = this.#ids.get(schema) ?? ++this.#lastId;
    this.#ids.set(schema, id);
    return id;
  }

  #done(thread: Thread<R>, result: R): void {
    const { current } = thread;
    // The thread continues while its last result is handled.
    this.#freed(thread);
    current?.done?.(result);
  }

  /** It has nothing to do. */
  #freed(thread: Thread<R>): void {
    thread.current = undefined;
    thread.worker.unref();
    thread.limit?.cancel();
    thread.limit = this.#clock.setTimeout(() => this.#end(thread), IDLE_MS);
    this.#dispatch();
  }

  #endThreadOf(running: Running<R>): void {
    for (const thread of this.#threads) if (thread.current === running) this.#end(thread);
    this.#dispatch();
  }

  #end(thread: Thread<R>): void {
    this.#threads.delete(thread);
    thread.limit?.cancel();
    thread.worker.removeAllListeners();
    void thread.worker.terminate();
  }

  #died(thread: Thread<R>, lost: Error): void {
    if (!this.#threads.delete(thread)) return;
    thread.limit?.cancel();
    this.#dispatch();
    const outOfMemory = "code" in lost && lost.code === "ERR_WORKER_OUT_OF_MEMORY";
    thread.current?.done?.({ lost, outOfMemory, tookTooLong: lost instanceof TookTooLong });
  }
}

class TookTooLong extends Error {}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** In its own turn, as all outcomes. */
function loseLater<R>(running: Running<R>, lost: Error): void {
  setImmediate(() => running.done?.({ lost, outOfMemory: false, tookTooLong: false }));
}
