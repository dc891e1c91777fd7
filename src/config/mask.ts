// Takes the secrets out of a config before somebody reads it.

import { MASK, maskedText } from "../kit/text/masked-text.js";
import type { Path } from "./yaml.js";

/** Keys whose values are nobody's to read. Digests are masked too: a weak key can be guessed from one. */
const SECRET_KEY =
  /token|secret|passw|passphrase|sha256|credential|authorization|cookie|private|api[-_]?key$/i;
/** Of such a name, but a file in which the secret stands. */
const FILE_KEY = /file$/i;
/** A variable by name, without a default that might be the secret. */
const VARIABLE = /^\$\{[A-Za-z_]\w*\}$/;
/**
 * The same tree with `***` in place of each secret: at their paths, under keys that are called like one, and in URLs.
 * @param secrets where the sections say that there are some; `*` stands for names and for entries of lists
 */
export function masked(value: unknown, secrets: readonly Path[] = []): unknown {
  if (secrets.some((path) => path.length === 0)) return hidden(value);
  if (typeof value === "string") return maskedText(value);
  if (Array.isArray(value)) return value.map((inner, i) => masked(inner, below(secrets, i)));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      isSecret(key) ? hidden(inner) : masked(inner, below(secrets, key)),
    ]),
  );
}

function below(secrets: readonly Path[], key: string | number): readonly Path[] {
  return secrets.filter(([first]) => first === key || first === "*").map(([, ...rest]) => rest);
}

/** Whether what stands under a key is a secret, by its name. */
export function isSecret(key: string): boolean {
  return SECRET_KEY.test(key) && !FILE_KEY.test(key);
}

/** Texts and numbers, those in a list too; what has keys of its own has a name that only looks like a secret's. */
function hidden(value: unknown): unknown {
  if (typeof value === "string") return VARIABLE.test(value) ? value : MASK;
  if (typeof value === "number") return MASK;
  if (Array.isArray(value)) return value.map(hidden);
  return masked(value);
}
