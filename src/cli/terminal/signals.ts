// Handles operating system signals for a serving hub.
import { constants } from "node:os";
import type { RunningHub } from "../../hub.js";
import type { Log } from "../../kit/log.js";
import { escapes, FAULT_EXIT_CODE } from "./last-resort.js";

type Ending = "SIGTERM" | "SIGINT";

/**
 * Installs the handlers at once: process 1 of a container has no default ones. The first SIGTERM or SIGINT resolves
 * `ending`; one more, or one before `started()`, exits the process with 128 plus its number, as shells do. SIGHUP
 * reloads the hub that was passed to `started`. After `leaving` the next one exits the process.
 */
export function watchSignals(log: Log): {
  ending: Promise<Ending>;
  started: (hub: RunningHub) => void;
  leaving: () => void;
} {
  let serving = false;
  let running: RunningHub | undefined;
  let end: (signal: Ending) => void = () => undefined;
  const ending = new Promise<Ending>((resolve) => {
    end = resolve;
  });
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      if (!serving) process.exit(128 + constants.signals[signal]);
      serving = false;
      end(signal);
    });
  }
  process.on("SIGHUP", () => {
    if (running === undefined) log.warn("SIGHUP ignored: the hub is still starting");
    // How it went is in the log.
    else running.reload("SIGHUP").catch(() => undefined);
  });
  return {
    ending,
    started: (hub) => {
      serving = true;
      running = hub;
    },
    leaving: () => {
      serving = false;
    },
  };
}

/** Beyond the grace period of running calls: for what a drain waits for besides them. */
const END_LIMIT_MS = 5_000;

/**
 * Serves until a signal asks to end, or an exception has escaped every barrier; drains, and returns the exit code.
 * Exceptions during the drain are logged, and change nothing.
 */
export async function serveUntilSignal(
  hub: RunningHub,
  signals: ReturnType<typeof watchSignals>,
  log: Log,
): Promise<number> {
  signals.started(hub);
  const why = await Promise.race([signals.ending, escapes()]);
  const { delayMs, graceMs } = hub.config.drain;
  const first = delayMs > 0 ? `new calls are accepted for ${delayMs / 1000} s more, ` : "";
  const grace = `draining; ${first}running calls have ${graceMs / 1000} s to end`;
  if (why !== "fault") {
    log.info(`${why}: ${grace}, a second signal ends at once`);
    await hub.drain();
    return 0;
  }
  signals.leaving();
  log.error(`a fault escaped every barrier: ${grace}, a signal ends at once`);
  // The drain may be waiting for the broken part.
  const limit = new Promise<void>((resolve) => setTimeout(resolve, graceMs + END_LIMIT_MS));
  await Promise.race([hub.drain().catch(() => undefined), limit]);
  return FAULT_EXIT_CODE;
}
