// The config of a program, an object, in the form that the checks of a file need: it has paths, but no positions.
import { maskedText } from "../kit/text/masked-text.js";
import { cut } from "../kit/text/text.js";
import { isSecret } from "./mask.js";
import type { Path, YamlFile } from "./yaml.js";

/** Characters of an invalid value that an error message quotes. */
const MAX_QUOTED = 60;

export function plainFile(value: unknown): YamlFile {
  const find = (path: Path): unknown =>
    path.reduce<unknown>(
      (inner, key) => (typeof inner === "object" && inner !== null ? Reflect.get(inner, key) : undefined),
      value,
    );
  return {
    wellFormed: true,
    value,
    written: value,
    errors: [],
    lineAndColumn: () => ({ line: 1, column: 1 }),
    valueOffset: () => 0,
    keyOffset: () => 0,
    has: (path) => find(path) !== undefined,
    failed: () => false,
    notWhat: (path, collections) => {
      const found = find(path);
      if (typeof found === "object" && found !== null && !collections) return "";
      // In a file secrets are names of variables, here they are themselves.
      return typeof found === "string" && path.some((key) => isSecret(String(key)))
        ? ""
        : `, not ${quoted(found)}`;
    },
  };
}

function quoted(value: unknown): string {
  if (typeof value === "function") return "a function";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "a mapping";
  const text = typeof value === "string" ? JSON.stringify(maskedText(value)) : String(value);
  return cut(text, MAX_QUOTED, "…");
}
