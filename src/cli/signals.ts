// What the signals of an operating system mean to a serving hub.
import { constants } from "node:os";
import type { Log, RunningHub } from "../hub.js";

type Ending = "SIGTERM" | "SIGINT";

/**
 * Installs the handlers at once: process 1 of a container has no default ones. The first SIGTERM or SIGINT resolves
 * `ending`; one more, or one before `started()`, ends the process with 128 plus its number, as shells count.
 * SIGHUP must not end the hub.
 */
export function watchSignals(log: Log): { ending: Promise<Ending>; started: () => void } {
  let serving = false;
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
  process.on("SIGHUP", () =>
    log.warn("SIGHUP ignored: reloading the config is not supported yet; restart the hub"),
  );
  return {
    ending,
    started: () => {
      serving = true;
    },
  };
}

/** Serves until a signal asks to end, drains, and returns the exit code. */
export async function serveUntilSignal(
  hub: RunningHub,
  signals: ReturnType<typeof watchSignals>,
  graceMs: number,
  log: Log,
): Promise<number> {
  signals.started();
  const signal = await signals.ending;
  log.info(
    `${signal}: draining; running calls have ${graceMs / 1000} s to end, a second signal ends at once`,
  );
  await hub.drain(graceMs);
  return 0;
}
