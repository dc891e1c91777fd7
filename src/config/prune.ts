// A config without its invalid values: the input of later checks, so that one run finds the errors of all checks.
import type { Path } from "./yaml.js";

/**
 * A copy of `value` without these paths. An invalid entry removes its whole list: the other entries would change their
 * indexes.
 */
export function without(value: unknown, paths: readonly Path[]): unknown {
  let pruned = value;
  for (const path of paths) pruned = withoutOne(pruned, path);
  return pruned;
}

function withoutOne(value: unknown, [key, ...rest]: Path): unknown {
  if (key === undefined || Array.isArray(value) || typeof value !== "object" || value === null)
    return undefined;
  if (!Object.hasOwn(value, key)) return undefined;
  const inner = rest.length === 0 ? undefined : withoutOne(Reflect.get(value, key), rest);
  const others = Object.entries(value).filter(([name]) => name !== String(key));
  return Object.fromEntries(inner === undefined ? others : [...others, [key, inner]]);
}
