// Modules that are loaded after the start, when something first needs them.
import { closeSync, openSync } from "node:fs";
import { devNull } from "node:os";

/** More than Node has open at once while it loads the largest of them. */
const DESCRIPTORS = 64;

/**
 * Loads what `load` imports or requires, or throws at once, with the code EMFILE, if too few descriptors are left.
 * Trying it without descriptors is worse than failing: Node caches forever that a module could not be read.
 */
export function lateLoad<T>(load: () => T): T {
  const open: number[] = [];
  try {
    while (open.length < DESCRIPTORS) open.push(openSync(devNull, "r"));
  } finally {
    for (const descriptor of open) closeSync(descriptor);
  }
  return load();
}
