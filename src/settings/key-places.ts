// Where in a config a key is allowed: for the error about a misplaced one.
import type { Features } from "./features.js";
import { fileJsonSchema, type SchemaNode } from "./json-schema.js";

/** More would not help to find the right place: `max`, `file`, `name` are allowed in many. */
const MAX_PLACES = 4;

const known = new WeakMap<Features, ReadonlyMap<string, readonly string[]>>();

/** The mappings that have the key, as in `interceptors` or `upstreams.NAME`; empty for none, and for too many. */
export function placesOfKey(key: string, features: Features): readonly string[] {
  const all = known.get(features) ?? collect(fileJsonSchema(features));
  known.set(features, all);
  const places = all.get(key) ?? [];
  return places.length > MAX_PLACES ? [] : places;
}

function collect(root: SchemaNode): ReadonlyMap<string, readonly string[]> {
  const places = new Map<string, string[]>();
  const walk = (node: SchemaNode, path: string): void => {
    for (const [key, child] of Object.entries(node.properties ?? {})) {
      const list = places.get(key) ?? [];
      // The error lists the top level anyway.
      if (path !== "" && !list.includes(path)) places.set(key, [...list, path]);
      walk(child, path === "" ? key : `${path}.${key}`);
    }
    if (typeof node.additionalProperties === "object") walk(node.additionalProperties, `${path}.NAME`);
    if (node.items !== undefined) walk(node.items, path);
    for (const option of node.anyOf ?? []) walk(option, path);
  };
  walk(root, "");
  return places;
}
