// Loaded into a hub before it starts (node --import): on SIGUSR2 it prints the most processor time that its main thread
// used, since the last one, between two looks a millisecond apart: the longest block of its event loop, whatever else the
// machine does. Linux only.
import { openSync, readSync } from "node:fs";
import { isMainThread } from "node:worker_threads";

if (isMainThread) {
  // Nanoseconds that it ran, then others (Documentation/scheduler/sched-stats.rst).
  const file = openSync(`/proc/self/task/${process.pid}/schedstat`, "r");
  const buffer = Buffer.alloc(64);
  const ranNs = (): number =>
    Number.parseInt(buffer.toString("latin1", 0, readSync(file, buffer, 0, 64, 0)), 10);
  let before = ranNs();
  let mostNs = 0;
  const look = (): void => {
    const now = ranNs();
    mostNs = Math.max(mostNs, now - before);
    before = now;
  };
  setInterval(look, 1).unref();
  process.on("SIGUSR2", () => {
    look();
    console.log(`longest block: ${(mostNs / 1e6).toFixed(1)} ms`);
    mostNs = 0;
  });
}
