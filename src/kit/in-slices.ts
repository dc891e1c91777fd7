// Long work on the event loop, done in slices: what else there is to do comes between them.

/** How long a slice may take; calls wait so long at most, and one step of the work more. */
const SLICE_MS = 10;

/** Those who wait for a turn: each turn of the event loop has room for one slice, however many works there are. */
const waiting: (() => void)[] = [];

/** Runs work that yields now and then to its end. */
export async function inSlices<T>(work: Generator<void, T>): Promise<T> {
  if (waiting.length > 0) await nextTurn();
  for (let from = performance.now(); ; ) {
    const step = work.next();
    if (step.done === true) return step.value;
    if (performance.now() - from < SLICE_MS) continue;
    await nextTurn();
    from = performance.now();
  }
}

/** A turn of the event loop that no other slice is in. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (waiting.push(resolve) === 1) setImmediate(takeTurn);
  });
}

function takeTurn(): void {
  waiting.shift()?.();
  if (waiting.length > 0) setImmediate(takeTurn);
}

/** The same in one go. */
export function completed<T>(work: Generator<void, T>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}
