// A hub of an instrumented copy (instrumented.ts), as a program that its test tells which place is to throw.
//   node injected-hub.js FOLDER CONFIG
import { pathToFileURL } from "node:url";

/** What the test asks. `arm`: this place throws once, -1: none does. */
export interface Ask {
  readonly arm: number;
}

/** What has happened since it asked last. */
export interface Told {
  /** Places that were come by. */
  readonly seen: readonly number[];
  /** Whether the armed place has thrown. */
  readonly fired: boolean;
  /** Lines of the log. */
  readonly log: readonly string[];
  /** What nothing caught. */
  readonly escaped: readonly string[];
}

export interface Started {
  readonly url: string;
  readonly adminUrl: string;
}

let armed = -1;
let fired = false;
let seen = new Set<number>();
let log: string[] = [];
let escaped: string[] = [];

Reflect.set(globalThis, "injectionAt", (id: number) => {
  seen.add(id);
  if (id !== armed) return;
  armed = -1;
  fired = true;
  throw new Error(`injected ${id}`);
});

const [, , folder = "", config = ""] = process.argv;
const load = (path: string) => import(pathToFileURL(`${folder}/dist/${path}`).href);

async function main(): Promise<void> {
  const { loadConfig } = await load("settings/load.js");
  const { startHub } = await load("hub.js");
  const say = (line: string): void => void log.push(line);
  /** A policy of a program's own, with all that a step may have. */
  const own = {
    name: "own",
    plan: () => ({
      name: "own",
      start: async () => undefined,
      around: (next: unknown) => next,
      end: () => {},
    }),
  };
  const hub = await startHub(
    loadConfig(config, process.env),
    { info: say, warn: say, error: say },
    { use: [own] },
  );
  for (const event of ["uncaughtException", "unhandledRejection"])
    process.on(event, (error: unknown) =>
      escaped.push(error instanceof Error ? String(error.stack) : String(error)),
    );
  process.on("message", ({ arm }: Ask) => {
    const told: Told = { seen: [...seen], fired, log, escaped };
    seen = new Set();
    fired = false;
    log = [];
    escaped = [];
    armed = arm;
    process.send?.(told);
  });
  process.on("disconnect", () => process.exit(0));
  const started: Started = { url: hub.url, adminUrl: hub.adminUrl };
  process.send?.(started);
}

await main();
