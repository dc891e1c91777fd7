// Loads the file of a module, and knows which text of it is in use.
import { createHash } from "node:crypto";
import { pathToFileURL } from "node:url";
import { readRegularFile } from "../../kit/files/regular-file.js";
import { errorCode, UserError } from "../../kit/text/user-error.js";
import { within } from "./within.js";

/** A module that waits for longer where it is loaded does not end. */
const LOADING_MS = 30_000;
/** Of a module's text. A larger one is loaded as well, but nobody notes that it has changed. */
const MAX_TEXT_BYTES = 16 * 1024 * 1024;

interface Loaded {
  readonly url: string;
  /** Of the text that was loaded; undefined: not known. */
  readonly digest: string | undefined;
  failed: boolean;
}

/**
 * By file, for the whole process, since that is how Node keeps modules: what was loaded is never loaded again, and never
 * freed. To load a changed one under another URL would keep both, give it another identity than the one that others
 * import, and leave what it imports as it was: such a change takes a restart. One that failed is in nobody's hands, so
 * that its next text is loaded without a restart.
 */
const loaded = new Map<string, Loaded>();

/** What the file exports. Rejects with a UserError whose message goes on after the module's name. */
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

/** The file has another text than the one that is in use. */
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
  // Node tells the line of it to nobody but its own printer of errors.
  if (error instanceof SyntaxError)
    return `is not a valid module: ${message}; node --check ${name} says where`;
  if (errorCode(error) === "ERR_MODULE_NOT_FOUND")
    return `imports what is not there: ${message}${message.includes("linchpin-hub") ? "; install linchpin-hub where the module is, and run that one" : ""}`;
  return `failed while it was loaded: ${message}`;
}
