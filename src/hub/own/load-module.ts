// Loads the file of a module, and remembers which version of its text is in use.
import { createHash } from "node:crypto";
import { pathToFileURL } from "node:url";
import { readRegularFile } from "../../kit/files/regular-file.js";
import { errorCode, UserError } from "../../kit/text/user-error.js";
import { within } from "./within.js";

/** A module that takes longer to load is considered hung. */
const LOADING_MS = 30_000;
/** Size of a module's text. A larger one is loaded too, but changes of it are not noticed. */
const MAX_TEXT_BYTES = 16 * 1024 * 1024;

interface Loaded {
  readonly url: string;
  /** Of the text that was loaded; undefined: not known. */
  readonly digest: string | undefined;
  failed: boolean;
}

/**
 * By file, for the whole process, since Node keeps modules that way: a loaded module is never loaded again, and never
 * freed. Loading a changed one under another URL would keep both, give it another identity than the one that others
 * import, and leave its imports unchanged: such a change takes a restart. A module that failed to load is used by
 * nobody, so its next text is loaded without a restart.
 */
const loaded = new Map<string, Loaded>();

/** The exports of the file. Rejects with a UserError whose message continues the module's name. */
export async function loadModule(
  file: string,
  name: string,
): Promise<{ readonly default?: unknown; readonly [name: string]: unknown }> {
  const digest = digestOf(file);
  let one = loaded.get(file);
  if (one === undefined || (one.failed && one.digest !== digest)) {
    const { href } = pathToFileURL(file);
    one = { url: one === undefined ? href : `${href}?${digest ?? ""}`, digest, failed: true };
    loaded.set(file, one);
  }
  try {
    const module = await within(LOADING_MS, import(one.url), "it");
    one.failed = false;
    return module;
  } catch (error) {
    throw new UserError(problemOf(name, error), { cause: error });
  }
}

/** The file's text has changed since it was loaded. */
export function hasChanged(file: string): boolean {
  const one = loaded.get(file);
  if (one === undefined || one.failed) return false;
  const now = digestOf(file);
  return now !== undefined && now !== one.digest;
}

function digestOf(file: string): string | undefined {
  try {
    return createHash("sha256").update(readRegularFile(file, MAX_TEXT_BYTES)).digest("hex");
  } catch {
    return undefined;
  }
}

function problemOf(name: string, error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  // Node shows the line of it only in its own printout of errors.
  if (error instanceof SyntaxError)
    return `is not a valid module: ${message}; node --check ${name} says where`;
  if (errorCode(error) === "ERR_MODULE_NOT_FOUND")
    return `imports what is not there: ${message}${message.includes("linchpin-hub") ? "; install linchpin-hub where the module is, and run that one" : ""}`;
  return `failed while it was loaded: ${message}`;
}
