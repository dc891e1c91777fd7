// Threads for large messages, so that no call stalls the others: a few for the whole process, started when the first
// large message comes, ended when none came for a while. An idle one keeps no process alive.
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { CodecOptions } from "./codecs.js";
import { DecodeError } from "./decode-error.js";
import type { Misfit } from "./misfit.js";

/** From this many bytes of text or protobuf on a message takes longer than others should wait: some 5 ms and more. */
export const LARGE_BYTES = 1024 * 1024;
/** Large messages are rare; one core is left to the event loop. */
const MAX_WORKERS = Math.max(1, Math.min(4, availableParallelism() - 1));
const IDLE_MS = 10_000;
/** Schemas that a worker keeps: reloads bring new ones. */
export const MAX_SCHEMAS = 4;

/** A schema as workers get it. One object for the life of its Codecs. */
export interface WorkerSchema {
  /** A google.protobuf.FileDescriptorSet. */
  readonly files: Uint8Array;
  readonly options: CodecOptions;
}

export interface Job {
  readonly kind: "encode" | "decode" | "decodeField";
  readonly type: string;
  /** Of `decodeField`. */
  readonly field: number;
  readonly bytes: Uint8Array;
}

/** To a worker. `schema` only where it does not have that number yet. */
export interface JobMessage extends Job {
  readonly schemaId: number;
  readonly schema: WorkerSchema | undefined;
}

/** From a worker: one for each job, in their order. */
export type JobResult =
  | { readonly bytes: Uint8Array }
  | { readonly misfit: Misfit | JsonFault }
  | { readonly error: string; readonly decode: boolean };

type JsonFault = { readonly problem: string; readonly line: number; readonly column: number };

interface Waiting {
  readonly job: Job;
  readonly schema: WorkerSchema;
  readonly resolve: (result: Uint8Array | Misfit | JsonFault) => void;
  readonly reject: (error: Error) => void;
}

class CodecThread {
  // Flags of the program that embeds the hub, such as --input-type, may not fit.
  readonly worker = new Worker(new URL("./worker.js", import.meta.url), { execArgv: [] });
  /** Numbers of the schemas that it has, the oldest first; it forgets in the same order. */
  readonly schemas: number[] = [];
  current: Waiting | undefined;
  idle: NodeJS.Timeout | undefined;
}

/** The threads of this process. */
export class CodecWorkers {
  readonly #threads = new Set<CodecThread>();
  readonly #queue: Waiting[] = [];
  readonly #ids = new WeakMap<WorkerSchema, number>();
  #lastId = 0;

  /** How many threads there are now. */
  get size(): number {
    return this.#threads.size;
  }

  /** The bytes, or why the JSON does not fit. Rejects with DecodeError, or when the thread died. */
  run(schema: WorkerSchema, job: Job): Promise<Uint8Array | Misfit | JsonFault> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ job, schema, resolve, reject });
      this.#dispatch();
    });
  }

  #dispatch(): void {
    while (this.#queue.length > 0) {
      const thread = this.#free();
      const next = thread === undefined ? undefined : this.#queue.shift();
      if (thread === undefined || next === undefined) return;
      this.#give(thread, next);
    }
  }

  #free(): CodecThread | undefined {
    for (const thread of this.#threads) if (thread.current === undefined) return thread;
    if (this.#threads.size >= MAX_WORKERS) return undefined;
    const thread = new CodecThread();
    this.#threads.add(thread);
    thread.worker.on("message", (result: JobResult) => this.#done(thread, result));
    thread.worker.on("error", (error) => this.#died(thread, error));
    thread.worker.on("exit", () => this.#died(thread, new Error("the thread has ended")));
    return thread;
  }

  #give(thread: CodecThread, next: Waiting): void {
    clearTimeout(thread.idle);
    thread.current = next;
    thread.worker.ref();
    const schemaId = this.#idOf(next.schema);
    const known = thread.schemas.includes(schemaId);
    if (!known && thread.schemas.push(schemaId) > MAX_SCHEMAS) thread.schemas.shift();
    const { bytes } = next.job;
    const message: JobMessage = {
      ...next.job,
      // What is sent is the whole buffer that the bytes lie in.
      bytes: bytes.length * 2 > bytes.buffer.byteLength ? bytes : bytes.slice(),
      schemaId,
      schema: known ? undefined : next.schema,
    };
    thread.worker.postMessage(message);
  }

  #idOf(schema: WorkerSchema): number {
    const id = this.#ids.get(schema) ?? ++this.#lastId;
    this.#ids.set(schema, id);
    return id;
  }

  #done(thread: CodecThread, result: JobResult): void {
    const { current } = thread;
    thread.current = undefined;
    thread.worker.unref();
    thread.idle = setTimeout(() => this.#end(thread), IDLE_MS).unref();
    if (current !== undefined) {
      if ("bytes" in result) {
        const { buffer, byteOffset, byteLength } = result.bytes;
        current.resolve(Buffer.from(buffer, byteOffset, byteLength));
      } else if ("misfit" in result) current.resolve(result.misfit);
      else current.reject(result.decode ? new DecodeError(result.error) : new Error(result.error));
    }
    this.#dispatch();
  }

  #end(thread: CodecThread): void {
    this.#threads.delete(thread);
    thread.worker.removeAllListeners();
    void thread.worker.terminate();
  }

  #died(thread: CodecThread, error: Error): void {
    if (!this.#threads.delete(thread)) return;
    clearTimeout(thread.idle);
    thread.current?.reject(new Error(`a large message was lost: ${error.message}`, { cause: error }));
    this.#dispatch();
  }
}

export const CODEC_WORKERS = new CodecWorkers();
