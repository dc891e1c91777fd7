// What is fuzzed: each target takes one input after the other, made out of a seed.
import { collectGarbage } from "../support/collect-garbage.js";

export interface Target {
  readonly name: string;
  /** Inputs that may be on their way at once. */
  readonly parallel: number;
  /** In percent of the inputs that are asked for: all but the grammar's make up 100; the dearer the smaller. */
  readonly share: number;
  /** The same in `make soak`; default: `share`. */
  readonly soakShare?: number;
  start(): Promise<Running>;
}

export interface Running {
  /** Rejects when what must hold does not; the same seed gives the same input. */
  one(seed: number): Promise<void>;
  /** Between inputs: what is shared still works. */
  check(): Promise<void>;
  stop(): Promise<void>;
}

export interface Count {
  readonly name: string;
  readonly inputs: number;
  readonly ms: number;
  /** What the heap of the process grew by, garbage left out. */
  readonly growthBytes: number;
}

/** Honest work is looked at after so many inputs. */
const CHECK_EVERY = 500;
/** An input that is not done by then hangs. */
const HANG_MS = 20_000;
/** Beyond this something is kept for each input. */
export const MEMORY_BOUND_BYTES = 64 * 1024 * 1024;

/** Runs the seeds from..from+count. Throws with the target's name and the seed of what failed. */
export async function fuzz(target: Target, from: number, count: number): Promise<Count> {
  const running = await target.start();
  const startedAt = performance.now();
  const before = heap();
  let next = from;
  const end = from + count;
  const worker = async (): Promise<void> => {
    while (next < end) {
      const seed = next++;
      await withLimit(running.one(seed), `${target.name}, seed ${seed}`);
      if (seed % CHECK_EVERY === 0) await withLimit(running.check(), `${target.name}, after seed ${seed}`);
    }
  };
  try {
    await Promise.all(Array.from({ length: target.parallel }, worker));
    await withLimit(running.check(), `${target.name}, at the end`);
  } finally {
    await running.stop();
  }
  const growthBytes = heap() - before;
  if (growthBytes > MEMORY_BOUND_BYTES)
    throw new Error(`${target.name}: the heap grew by ${growthBytes} bytes`);
  return { name: target.name, inputs: count, ms: performance.now() - startedAt, growthBytes };
}

function heap(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

async function withLimit(work: Promise<void>, what: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const hangs = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: hangs`)), HANG_MS);
  });
  try {
    await Promise.race([work, hangs]);
  } catch (error) {
    throw new Error(`${what}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
