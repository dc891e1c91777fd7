// A copy of the compiled hub in which every function begins with a place where a fault can be injected: the product has
// no hooks for that. A place throws once when it is armed (injected-hub.ts).
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, type Scope } from "./program.js";

/** What serves calls. The command line and the reading of configs and schemas are over before there are any. */
const FOLDERS =
  /^(?:call|kit|http2|downstream|transcoding|upstream|interceptors|routing|admin|services|telemetry|hub\/pages)\//;
/** The barrier itself, and what it tells a fault with. OpenAPI documents are made behind one page. */
const LEFT_OUT = /^(?:kit\/(?:barrier|faults|net\/guarded)|call\/(?:status\/)?hub-fault)\.js/;

/** A line that begins the body of a function, as the compiler prints it. */
const HEAD = /^(?:export )?(?:async )?function\*? (\w+)\(.*\) \{$/;
const METHOD = /^\s+(?:static |async |get |set )*(#?\w+)\(.*\) \{$/;
const ARROW = /(?:(#?\w+) = )?(?:async )?(?:\([^()]*\)|\w+) => \{$/;
/** Loops of an entry, around the `try` of each turn. */
const ENTRIES = new Set(["flushAll", "fire"]);
const STATEMENTS = new Set(["if", "for", "while", "switch", "catch", "with", "function", "return", "super"]);

export interface Place {
  readonly id: number;
  /** e.g. `downstream/protocols/rest/rest.js` */
  readonly file: string;
  /** e.g. `onBody:212` */
  readonly name: string;
}

function functionIn(line: string): string | undefined {
  const head = HEAD.exec(line)?.[1];
  if (head !== undefined) return head;
  const method = METHOD.exec(line)?.[1];
  if (method !== undefined && !STATEMENTS.has(method)) return method;
  const arrow = ARROW.exec(line);
  return arrow === null ? undefined : (arrow[1] ?? "callback");
}

/** Makes the copy; it goes with the scope. */
export function instrumented(scope: Scope): { readonly folder: string; readonly places: readonly Place[] } {
  // Within the project, so that packages are found.
  const folder = join(ROOT, `build/instrumented-${process.pid}`);
  scope.after(async () => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(folder, { recursive: true });
  const dist = join(folder, "dist");
  cpSync(join(ROOT, "dist"), dist, {
    recursive: true,
    filter: (path) => !path.includes("/dist/generated") && !/\.(?:d\.ts|map)$/.test(path),
  });
  symlinkSync(join(ROOT, "dist/generated"), join(dist, "generated"));
  symlinkSync(join(ROOT, "generated"), join(folder, "generated"));
  cpSync(join(ROOT, "package.json"), join(folder, "package.json"));
  const places: Place[] = [];
  for (const file of readdirSync(dist, { recursive: true, encoding: "utf8" }).sort()) {
    if (!file.endsWith(".js") || !FOLDERS.test(file) || LEFT_OUT.test(file)) continue;
    const lines = readFileSync(join(dist, file), "utf8").split("\n");
    for (const [i, line] of lines.entries()) {
      const name = functionIn(line);
      if (name === undefined || ENTRIES.has(name)) continue;
      const id = places.length;
      places.push({ id, file, name: `${name}:${i + 1}` });
      // An entry that is all within its `try` throws there.
      const at = lines[i + 1]?.trim() === "try {" ? i + 1 : i;
      lines[at] = `${lines[at]} globalThis.injectionAt?.(${id});`;
    }
    writeFileSync(join(dist, file), lines.join("\n"));
  }
  return { folder, places };
}
