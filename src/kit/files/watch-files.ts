// Reports changed files, however they are replaced: in place, by rename, or by Kubernetes' swap of symlinks.
import { type FSWatcher, statSync, watch } from "node:fs";
import { dirname } from "node:path";
import { type Clock, systemClock, type Timer } from "../clock.js";
import { attempt } from "../faults.js";

export interface WatchOptions {
  /** From the last change seen to `onChange`, so that a pair of files is read when both are there. Default 200 ms. */
  readonly settleMs?: number;
  /** How often times and sizes are checked, for file systems that report no changes (NFS, some mounts). Default 30 s. */
  readonly pollMs?: number;
  /** Default: the process's. */
  readonly clock?: Clock;
}

export interface FileWatch {
  /** Checks now; calls back if something has changed. */
  check(): void;
  close(): void;
}

/** Watches until `close`; keeps no process alive. */
export function watchFiles(
  files: readonly string[],
  onChange: () => void,
  options: WatchOptions = {},
): FileWatch {
  const { settleMs = 200, pollMs = 30_000, clock = systemClock } = options;
  let known = files.map(stampOf);
  let settling: Timer | undefined;
  const check = (): void => {
    const now = files.map(stampOf);
    if (now.every((stamp, i) => stamp === known[i])) return;
    known = now;
    attempt("while reading changed files", onChange);
  };
  const touched = (): void => {
    settling?.cancel();
    settling = clock.setTimeout(check, settleMs);
  };
  // Watches the folders, not the files: a watch on a file is lost when the file is replaced.
  const watchers = [...new Set(files.map((file) => dirname(file)))].flatMap((folder) =>
    watchFolder(folder, touched),
  );
  let poll: Timer;
  const look = (): void => {
    poll = clock.setTimeout(look, pollMs);
    check();
  };
  poll = clock.setTimeout(look, pollMs);
  return {
    check,
    close: () => {
      settling?.cancel();
      poll.cancel();
      for (const watcher of watchers) watcher.close();
    },
  };
}

function watchFolder(folder: string, onEvent: () => void): FSWatcher[] {
  try {
    const watcher = watch(folder, { persistent: false }, onEvent);
    // Polling continues without it.
    watcher.on("error", () => watcher.close());
    return [watcher];
  } catch {
    return [];
  }
}

/** Follows symlinks: what counts is the file that would be read. */
function stampOf(file: string): string {
  try {
    const { ino, size, mtimeMs } = statSync(file);
    return `${ino} ${size} ${mtimeMs}`;
  } catch {
    return "gone";
  }
}
