// Long work on the event loop, done in slices: what else there is to do comes between them. Its state is the module's, since
// there is one event loop for all hubs of a thread: a slice for each hub would be that many in a turn.

import { barrier } from "./barrier.js";
import { reportFault } from "./faults.js";

/** How long a slice may take; calls wait so long at most, and one step of the work more. */
const SLICE_MS = 5;

/** Works that wait for a turn. */
const waiting: (() => void)[] = [];
/** This turn of the event loop has its slice: of one work, however many there are, and however short each is. */
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

/** Resolves in a turn of the event loop that no other slice is in: this one, if it has none yet. */
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

/** Whatever throws, those who wait get their turns. */
const turn = barrier(nextTurn, (error) => {
  reportFault("while work waited for its slice", error);
  taken = true;
  setImmediate(turn);
});

/** The same in one go. */
export function completed<T>(work: Generator<void, T>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}
