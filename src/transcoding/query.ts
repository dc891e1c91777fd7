// The query of a request → fields of its message.
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import type { ReflectMessage } from "@bufbuild/protobuf/reflect";
import { isJsonText, isScalarLike } from "./fields.js";
import type { Json } from "./json.js";
import type { JsonReader } from "./json-reader.js";
import { decodeQueryPart } from "./path.js";
import { type FieldTarget, isSameText, resolveField, setField, textToJson } from "./set-field.js";

export interface QueryRules {
  readonly input: DescMessage;
  /** What the body fills, and the query therefore cannot: everything, one field, or nothing. */
  readonly body: "all" | DescField | "none";
  /** Parameters that name no field. */
  readonly unknown: "reject" | "ignore";
  /** Names that are always passed over, unless they are fields. */
  readonly ignored: ReadonlySet<string>;
}

/** A field that the path has bound, with the text it was bound to. */
export interface BoundField {
  readonly target: FieldTarget;
  readonly text: string;
}

export interface QueryProblem {
  /** The parameter's name as decoded, or as received where it cannot be. */
  readonly parameter: string;
  readonly problem: string;
}

/** Sets the fields that the query (without "?") names. The first parameter that does not fit ends it. */
export function readQuery(
  query: string,
  rules: QueryRules,
  bound: readonly BoundField[],
  reader: JsonReader,
  message: ReflectMessage,
): QueryProblem | undefined {
  const seen = new Set<string>();
  for (const pair of query.split("&")) {
    if (pair === "") continue;
    const equal = pair.indexOf("=");
    const rawName = equal === -1 ? pair : pair.slice(0, equal);
    const name = decodeQueryPart(rawName);
    const text = equal === -1 ? "" : decodeQueryPart(pair.slice(equal + 1));
    if (name === undefined || text === undefined) {
      return { parameter: name ?? rawName, problem: "malformed percent-encoding, or no UTF-8" };
    }
    const problem = readParameter(name, text, rules, bound, reader, message, seen);
    if (problem !== undefined) return { parameter: name, problem };
  }
  return undefined;
}

function readParameter(
  name: string,
  text: string,
  rules: QueryRules,
  bound: readonly BoundField[],
  reader: JsonReader,
  message: ReflectMessage,
  seen: Set<string>,
): string | undefined {
  if (name.startsWith("$")) return rules.ignored.has(name) ? undefined : "this system parameter is not known";
  const { path, mapKey } = splitMapKey(name);
  const target = resolveField(rules.input, path);
  if (typeof target === "string") {
    return rules.unknown === "ignore" || rules.ignored.has(name) ? undefined : target;
  }
  const root = target.parents[0] ?? target.leaf;
  if (rules.body === "all")
    return "the body carries all fields of this request: none can be set by the query";
  if (rules.body === root) return `the body carries '${root.name}': the query cannot set it`;

  const leaf = target.leaf;
  const already = bound.find((b) => b.target.key === target.key);
  if (already !== undefined) {
    if (isSameText(reader, target, text, already.text)) return undefined;
    return "the path says another value than the query";
  }
  if (leaf.fieldKind === "map") {
    if (mapKey === undefined) return `'${leaf.name}' is a map: write ${leaf.name}[KEY]=VALUE`;
  } else if (mapKey !== undefined) {
    return `'${leaf.name}' is no map: [KEY] does not apply${leaf.fieldKind === "list" ? "; repeat the parameter for more elements" : ""}`;
  }
  if (leaf.fieldKind === "list" && leaf.message !== undefined && !isQueryValue(leaf.message)) {
    return `'${leaf.name}' is a repeated message: a query cannot set it`;
  }
  if (leaf.fieldKind === "map" && leaf.message !== undefined && !isQueryValue(leaf.message)) {
    return `'${leaf.name}' is a map of messages: a query cannot set it`;
  }
  if (leaf.fieldKind !== "list") {
    // JSON text keeps the name and the map key apart, whatever is in them.
    const key = mapKey === undefined ? target.key : JSON.stringify([target.key, mapKey]);
    if (seen.has(key)) return "given twice, and the field takes one value";
    seen.add(key);
  }
  const value = textToJson(leaf, text);
  if ("problem" in value) return value.problem;
  return setField(reader, message, target, wrap(leaf, mapKey, value.json));
}

function isQueryValue(message: DescMessage): boolean {
  return isScalarLike(message) || isJsonText(message);
}

function wrap(field: DescField, mapKey: string | undefined, json: Json): Json {
  if (field.fieldKind === "list") return [json];
  if (mapKey === undefined) return json;
  return Object.fromEntries([[mapKey, json]]);
}

/** `labels[a.b]` → `labels` and `a.b`. */
function splitMapKey(name: string): { readonly path: string; readonly mapKey: string | undefined } {
  const open = name.indexOf("[");
  if (open === -1 || !name.endsWith("]")) return { path: name, mapKey: undefined };
  return { path: name.slice(0, open), mapKey: name.slice(open + 1, -1) };
}
