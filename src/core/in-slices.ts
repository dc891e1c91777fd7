// Long work on the event loop, done in slices: what else there is to do comes between them.

/** How long a slice may take; calls wait so long at most, and one step of the work more. */
const SLICE_MS = 15;

/** Runs work that yields now and then to its end. */
export async function inSlices<T>(work: Generator<void, T>): Promise<T> {
  for (let from = performance.now(); ; ) {
    const step = work.next();
    if (step.done === true) return step.value;
    if (performance.now() - from < SLICE_MS) continue;
    await new Promise((resolve) => setImmediate(resolve));
    from = performance.now();
  }
}

/** The same in one go. */
export function completed<T>(work: Generator<void, T>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}
