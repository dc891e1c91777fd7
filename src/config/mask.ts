// Removes the secrets from a config before it is shown.
import { completed } from "../kit/in-slices.js";
import { MASK, maskedText } from "../kit/text/masked-text.js";
import type { Path } from "./yaml.js";

/** Keys whose values are secret. Digests are masked too: a weak key can be guessed from one. */
const SECRET_KEY =
  /token|secret|passw|passphrase|sha256|credential|authorization|cookie|private|api[-_]?key$/i;
/** Has such a name, but is the file that contains the secret. */
const FILE_KEY = /file$/i;
/** A variable by name, without a default that might be the secret. */
const VARIABLE = /^\$\{[A-Za-z_]\w*\}$/;
/**
 * The same tree with `***` in place of each secret: at their paths, under keys that look like secrets, and in URLs.
 * @param secrets paths of the sections' secrets; `*` stands for names and for list entries
 */
export function masked(value: unknown, secrets: readonly Path[] = []): unknown {
  return completed(masking(value, secrets));
}

/** As masked, for `inSlices`: a config may have 100,000 values. */
export function* masking(value: unknown, secrets: readonly Path[]): Generator<void, unknown> {
  if (secrets.some((path) => path.length === 0)) return hidden(value);
  if (typeof value === "string") return maskedText(value);
  if (typeof value !== "object" || value === null) return value;
  yield;
  if (Array.isArray(value)) {
    const all: unknown[] = [];
    for (const [i, inner] of value.entries()) all.push(yield* masking(inner, below(secrets, i)));
    return all;
  }
  const all: [key: string, shown: unknown][] = [];
  for (const [key, inner] of Object.entries(value))
    all.push([key, isSecret(key) ? hidden(inner) : yield* masking(inner, below(secrets, key))]);
  return Object.fromEntries(all);
}

function below(secrets: readonly Path[], key: string | number): readonly Path[] {
  return secrets.filter(([first]) => first === key || first === "*").map(([, ...rest]) => rest);
}

/** Whether the value of a key is a secret, judged by the key's name. */
export function isSecret(key: string): boolean {
  return SECRET_KEY.test(key) && !FILE_KEY.test(key);
}

/** Texts and numbers, also in lists; for a mapping the name only looks like a secret's. */
function hidden(value: unknown): unknown {
  if (typeof value === "string") return VARIABLE.test(value) ? value : MASK;
  if (typeof value === "number") return MASK;
  if (Array.isArray(value)) return value.map(hidden);
  return masked(value);
}
