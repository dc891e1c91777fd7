// The components that a document refers to: the others are left out, as linters require.
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

/** The parts of `components`, by section and name. */
export type Components = Readonly<Record<string, JsonObject>>;

const REF = /^#\/components\/([^/]+)\/([^/]+)$/;

/** The components that `root` refers to, those that they refer to, and so on; each section in its order. */
export function referenced(root: JsonValue, components: Components): Record<string, JsonObject> {
  const found = new Set<JsonValue>();
  const open: JsonValue[] = [root];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (typeof value !== "object" || value === null) continue;
    if (!Array.isArray(value) && typeof value.$ref === "string") {
      const [, section = "", name = ""] = REF.exec(value.$ref) ?? [];
      const component = components[section]?.[name];
      if (component !== undefined && !found.has(component)) {
        found.add(component);
        open.push(component);
      }
    }
    for (const inner of Object.values(value)) open.push(inner);
  }
  return Object.fromEntries(
    Object.entries(components).map(([section, all]) => [
      section,
      Object.fromEntries(Object.entries(all).filter(([, component]) => found.has(component))),
    ]),
  );
}
