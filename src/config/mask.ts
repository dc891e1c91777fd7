// Takes the secrets out of a config before somebody reads it.
import { MASK, maskedText } from "../kit/text/masked-text.js";

/** Keys whose values are nobody's to read. Digests are masked too: a weak key can be guessed from one. */
const SECRET_KEY =
  /token|secret|passw|passphrase|sha256|credential|authorization|cookie|private|api[-_]?key$/i;
/** Of such a name, but a file in which the secret stands. */
const FILE_KEY = /file$/i;
/** A variable by name, without a default that might be the secret. */
const VARIABLE = /^\$\{[A-Za-z_]\w*\}$/;
/** The same tree with `***` in place of each secret: under a key for secrets, and in a URL. */
export function masked(value: unknown): unknown {
  if (typeof value === "string") return maskedText(value);
  if (Array.isArray(value)) return value.map(masked);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, isSecret(key) ? hidden(inner) : masked(inner)]),
  );
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
