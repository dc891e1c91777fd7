// The kind of a value in a word or two, for messages about wrong types.

/** As a person would call it: `null`, `a list`, `a promise`, `an object`, `a string`. */
export function kindOf(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  if (Array.isArray(value)) return "a list";
  if (typeof value !== "object") return `a ${typeof value}`;
  return "then" in value && typeof value.then === "function" ? "a promise" : "an object";
}
