// What work costs, by this process's own time on a processor: what else the machine does then says nothing of it.
import assert from "node:assert/strict";

/** Milliseconds that all threads of this process have had together. */
export function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Runs `work`; fails when it took as much as `maxMs`. */
export async function costsLess<T>(maxMs: number, work: () => T | Promise<T>): Promise<T> {
  const before = processorMs();
  const result = await work();
  const ms = processorMs() - before;
  assert.ok(ms < maxMs, `it took ${ms.toFixed(0)} ms of a processor`);
  return result;
}
