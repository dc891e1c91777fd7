// Loaded into a hub before it starts (node --import): on SIGUSR2 it prints the longest time since the last one that the
// event loop was held, and begins anew. The figure is at most a millisecond more than the block was.
import { monitorEventLoopDelay } from "node:perf_hooks";
import { isMainThread } from "node:worker_threads";

if (isMainThread) {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  process.on("SIGUSR2", () => {
    console.log(`longest block: ${(delay.max / 1e6).toFixed(1)} ms`);
    delay.reset();
  });
}
