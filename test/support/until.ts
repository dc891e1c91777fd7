// Waits for something that comes over a socket, turn by turn of the event loop, and says what did not come.

/** What comes at all has come by then, on a machine that does much else too. */
const PATIENCE_MS = 30_000;
/** Most things come at once. Whoever waits longer leaves the processor to what it waits for. */
const HASTE_MS = 100;
/** What a socket was given has crossed the loopback by then, be the machine busy. */
const CROSSING_MS = 5;
/** That many turns are for things to arrive. */
const ARRIVAL_TURNS = 20;
/** The real one, also where a test has put another in its place. */
const { setTimeout: later } = globalThis;

/** Resolves once `condition` holds; rejects after `limitMs` with `what`. */
export async function until(condition: () => boolean, what: string, limitMs = PATIENCE_MS): Promise<void> {
  const begun = performance.now();
  while (!condition()) {
    const waited = performance.now() - begun;
    if (waited > limitMs) throw new Error(`still waiting after ${limitMs} ms: ${what}`);
    await (waited < HASTE_MS ? turn() : nap());
  }
}

/** So many turns of the event loop, for what must not happen. */
export async function turns(count = ARRIVAL_TURNS): Promise<void> {
  const begun = performance.now();
  for (let i = 0; i < count; i++) await turn();
  if (count < ARRIVAL_TURNS) return;
  while (performance.now() - begun < CROSSING_MS) await nap();
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function nap(): Promise<void> {
  return new Promise((resolve) => later(resolve, 1));
}
