// Waits for something that comes over a socket, turn by turn of the event loop, and says what did not come.

/** What comes at all has come by then, on a machine that does much else too. */
const PATIENCE_MS = 30_000;

/** Resolves once `condition` holds; rejects after `limitMs` with `what`. */
export async function until(condition: () => boolean, what: string, limitMs = PATIENCE_MS): Promise<void> {
  const limit = performance.now() + limitMs;
  while (!condition()) {
    if (performance.now() > limit) throw new Error(`still waiting after ${limitMs} ms: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** So many turns of the event loop, for what must not happen. */
export async function turns(count = 20): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}
