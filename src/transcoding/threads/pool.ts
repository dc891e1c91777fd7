// Threads for large messages, so that no call stalls the others: a few for each hub, so that one hub's messages do not
// wait for another's.
import { availableParallelism } from "node:os";
import { type Clock, systemClock } from "../../kit/clock.js";
import type { Job, JobResult } from "./job.js";
import type { ThreadSchema } from "./schema.js";
import { type ThreadLost, Threads } from "./threads.js";

const MIB = 1024 * 1024;
/** Large messages are rare; one core is left to the event loop. */
const MAX_THREADS = Math.max(1, Math.min(4, availableParallelism() - 1));
/**
 * Heap of one thread, in MiB: far more than the tree of a body of the default limit, so that it is reached only if
 * `limits.maxMessage` is raised far: V8 may abort the whole process while it ends a thread without memory (Node 20:
 * CppHeap::DetachIsolate collects garbage once more).
 */
const MAX_HEAP_MIB = 4096;
/** Its young generation, in MiB. V8's own 48 would keep the garbage of some hundred messages. */
const MAX_YOUNG_MIB = 4;
/**
 * Bytes that may wait for a thread: 32 messages of the default limit, about a second of work. Responses may be twice
 * that, so that a burst of uploads, which can be repeated, does not cost calls that services have already served.
 */
const MAX_WAITING_BYTES = { request: 128 * MIB, response: 256 * MIB };

export interface PoolOptions {
  /** Of requests and of responses, in bytes. One message may always wait, whatever its size. */
  readonly maxWaitingBytes?: { readonly request: number; readonly response: number };
  /** Default: the system's. */
  readonly clock?: Clock;
}

/** The outcome of a job; `lost`: its thread died. */
export type Outcome = JobResult | ThreadLost;

export class ThreadPool extends Threads<ThreadSchema, Job, JobResult> {
  constructor({ maxWaitingBytes = MAX_WAITING_BYTES, clock = systemClock }: PoolOptions = {}) {
    super({
      clock,
      script: new URL("./worker.js", import.meta.url),
      maxThreads: MAX_THREADS,
      maxHeapMib: MAX_HEAP_MIB,
      maxYoungMib: MAX_YOUNG_MIB,
      maxWaitingBytes: ({ kind }) => maxWaitingBytes[kind === "response" ? "response" : "request"],
    });
  }
}
