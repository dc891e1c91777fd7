// Long work on the event loop, done in slices: other work runs between them. The state is the module's, since all hubs of a
// thread share one event loop: with a slice for each hub, a turn would have that many.

import { barrier } from "./barrier.js";
import { reportFault } from "./faults.js";

/** How long a slice may take; calls wait at most this long, plus one step of the work. */
const SLICE_MS = 5;

/** Works that wait for a turn. */
const waiting: (() => void)[] = [];
/**
 * This turn of the event loop has had its slice: one for all tasks, however many there are, and however short each is.
 */
let taken = false;

/** Runs work that yields now and then to its end. */
export async function inSlices<T>(work: Generator<void, T>): Promise<T> {
  for (;;) {
    await ownTurn();
    for (const from = performance.now(); performance.now() - from < SLICE_MS; ) {
      const step = work.next();
      if (step.done === true) return step.value;
    }
  }
}

/** Resolves in a turn of the event loop without another slice: this one, if it has none yet. */
export function ownTurn(): Promise<void> {
  if (taken) return new Promise((resolve) => void waiting.push(resolve));
  taken = true;
  setImmediate(turn);
  return Promise.resolve();
}

function nextTurn(): void {
  const next = waiting.shift();
  taken = next !== undefined;
  if (next === undefined) return;
  setImmediate(turn);
  next();
}

/** Waiting tasks get their turns, even after an exception. */
const turn = barrier(nextTurn, (error) => {
  reportFault("while work waited for its slice", error);
  taken = true;
  setImmediate(turn);
});

/** The same without interruption. */
export function completed<T>(work: Generator<void, T>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}
