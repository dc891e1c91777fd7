// Threads for large messages, so that no call stalls the others: a few for the whole process, started when the first
// large message comes, ended when none came for a while. An idle one keeps no process alive.
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { barrier } from "../../core/barrier.js";
import { reportFault } from "../../core/faults.js";
import type { Job, JobMessage, JobResult } from "./job.js";
import type { ThreadSchema } from "./schema.js";

const MIB = 1024 * 1024;
/** Large messages are rare; one core is left to the event loop. */
const MAX_THREADS = Math.max(1, Math.min(4, availableParallelism() - 1));
const IDLE_MS = 10_000;
/** Schemas that a thread keeps: each service's file is one, and reloads bring new ones. */
export const MAX_SCHEMAS = 8;
/**
 * Heap of one thread, in MiB: far more than the tree of a body of the default limit takes, so that it is met only
 * where `limits.maxMessage` is raised far: V8 may abort the whole process while it takes down a thread without memory
 * (Node 20: CppHeap::DetachIsolate collects garbage once more).
 */
const MAX_HEAP_MIB = 4096;
/** For what is young in it, in MiB. V8's own 48 would keep the bytes of some hundred messages that nobody uses any more. */
const MAX_YOUNG_MIB = 4;
/**
 * Bytes that may wait for a thread: 32 messages of the default limit, about a second of work. Answers may be twice that,
 * so that a burst of uploads, which can be sent again, does not cost calls that the services have done already.
 */
const MAX_WAITING_BYTES = { request: 128 * MIB, answer: 256 * MIB };

export interface PoolOptions {
  /** Of requests and of answers, in bytes. One message may always wait, be it as large as it may. */
  readonly maxWaitingBytes?: { readonly request: number; readonly answer: number };
}

/** What a job came to; `lost`: its thread died. */
export type Outcome = JobResult | { readonly lost: Error; readonly outOfMemory: boolean };

/** The outcome is not wanted any more: `done` will not be called. */
export type Cancel = () => void;

interface Waiting {
  readonly schema: ThreadSchema;
  readonly job: Job;
  readonly running: Running;
}

interface Running {
  /** undefined: nobody wants to know any more. */
  done: ((outcome: Outcome) => void) | undefined;
}

class CodecThread {
  readonly worker: Worker;
  /** Numbers of the schemas that it has, the oldest first; it forgets in the same order. */
  readonly schemas: number[] = [];
  current: Running | undefined;
  idle: NodeJS.Timeout | undefined;

  constructor() {
    // Flags of the program that embeds the hub, such as --input-type, may not fit.
    const options = {
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MIB, maxYoungGenerationSizeMb: MAX_YOUNG_MIB },
    };
    this.worker = new Worker(new URL("./worker.js", import.meta.url), options);
  }
}

/** The threads of this process. */
export class ThreadPool {
  readonly #maxWaitingBytes: { readonly request: number; readonly answer: number };
  readonly #threads = new Set<CodecThread>();
  readonly #queue: Waiting[] = [];
  #waitingBytes = 0;
  readonly #ids = new WeakMap<ThreadSchema, number>();
  #lastId = 0;

  constructor(options: PoolOptions = {}) {
    this.#maxWaitingBytes = options.maxWaitingBytes ?? MAX_WAITING_BYTES;
  }

  /** How many threads there are now. */
  get size(): number {
    return this.#threads.size;
  }

  /** Messages that wait for a thread. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** Calls `done` once, later. undefined: too much waits already, and nothing is done. `bytes` must stay as they are. */
  run(schema: ThreadSchema, job: Job, done: (outcome: Outcome) => void): Cancel | undefined {
    const bytes = job.bytes.length;
    const max = this.#maxWaitingBytes[job.kind === "answer" ? "answer" : "request"];
    if (this.#queue.length > 0 && this.#waitingBytes + bytes > max) return undefined;
    const running: Running = { done };
    this.#queue.push({ schema, job, running });
    this.#waitingBytes += bytes;
    // Not within this call: `done` comes later, also where no thread can be started.
    this.#dispatch();
    return () => {
      running.done = undefined;
      const at = this.#queue.findIndex((waiting) => waiting.running === running);
      if (at === -1) return;
      this.#queue.splice(at, 1);
      this.#waitingBytes -= bytes;
    };
  }

  #dispatch(): void {
    while (this.#queue.length > 0) {
      let thread: CodecThread | undefined;
      let lost: Error | undefined;
      try {
        thread = this.#free();
      } catch (error) {
        // No descriptor or no memory is left for another thread. One that is at work comes for what waits.
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

  /** Why it could not be given. */
  #tryGive(thread: CodecThread, next: Waiting): Error | undefined {
    try {
      this.#give(thread, next);
      return undefined;
    } catch (error) {
      thread.current = undefined;
      this.#end(thread);
      return asError(error);
    }
  }

  #free(): CodecThread | undefined {
    for (const thread of this.#threads) if (thread.current === undefined) return thread;
    if (this.#threads.size >= MAX_THREADS) return undefined;
    const thread = new CodecThread();
    this.#threads.add(thread);
    const onFault = (error: unknown): void => {
      reportFault("while a thread's message was taken", error);
      this.#died(thread, asError(error));
      this.#end(thread);
    };
    thread.worker.on(
      "message",
      barrier((result: JobResult) => this.#done(thread, result), onFault),
    );
    thread.worker.on(
      "error",
      barrier((error: Error) => this.#died(thread, error), onFault),
    );
    // Its answer cannot be read: what it was asked would wait for ever.
    thread.worker.on("messageerror", onFault);
    thread.worker.on(
      "exit",
      barrier(() => this.#died(thread, new Error("the thread has ended")), onFault),
    );
    return thread;
  }

  #give(thread: CodecThread, { schema, job, running }: Waiting): void {
    clearTimeout(thread.idle);
    thread.current = running;
    thread.worker.ref();
    const schemaId = this.#idOf(schema);
    const known = thread.schemas.includes(schemaId);
    if (!known && thread.schemas.push(schemaId) > MAX_SCHEMAS) thread.schemas.shift();
    const { bytes } = job;
    // What is sent is the whole buffer that the bytes lie in.
    const alone = bytes.length * 2 > bytes.buffer.byteLength ? bytes : Uint8Array.prototype.slice.call(bytes);
    const message: JobMessage = {
      job: { ...job, bytes: alone },
      schemaId,
      schema: known ? undefined : schema,
    };
    thread.worker.postMessage(message);
  }

  #idOf(schema: ThreadSchema): number {
    const id = this.#ids.get(schema) ?? ++this.#lastId;
    this.#ids.set(schema, id);
    return id;
  }

  #done(thread: CodecThread, result: JobResult): void {
    const { current } = thread;
    thread.current = undefined;
    thread.worker.unref();
    thread.idle = setTimeout(() => this.#end(thread), IDLE_MS).unref();
    // The thread works on while its last result is looked at.
    this.#dispatch();
    current?.done?.(result);
  }

  #end(thread: CodecThread): void {
    this.#threads.delete(thread);
    thread.worker.removeAllListeners();
    void thread.worker.terminate();
  }

  #died(thread: CodecThread, lost: Error): void {
    if (!this.#threads.delete(thread)) return;
    clearTimeout(thread.idle);
    this.#dispatch();
    const outOfMemory = "code" in lost && lost.code === "ERR_WORKER_OUT_OF_MEMORY";
    thread.current?.done?.({ lost, outOfMemory });
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** In a turn of its own, as every outcome comes. */
function loseLater(running: Running, lost: Error): void {
  setImmediate(() => running.done?.({ lost, outOfMemory: false }));
}

export const THREADS = new ThreadPool();
