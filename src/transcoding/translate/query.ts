// The query of a request, or an HTML form → members in the JSON of its message.
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import type { Codecs } from "../codec/codecs.js";
import { isJsonText, isScalarLike } from "../messages/fields.js";
import { isJsonObject, type Json, type JsonObject } from "../messages/json.js";
import { decodeQueryPart } from "../routes/path.js";
import {
  type FieldTarget,
  isSameText,
  memberOf,
  oneofClash,
  ownerOf,
  resolveField,
  setMember,
  setOwn,
  textToJson,
} from "../routes/set-field.js";

export interface QueryRules {
  readonly input: DescMessage;
  /** The part that the body fills, and the query therefore cannot: everything, one field, or nothing. */
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
  /** The parameter's name decoded, or as received if it is malformed. */
  readonly parameter: string;
  readonly problem: string;
}

/** Handles one parameter, decoded; a string says why it is rejected. */
export type TakeParameter = (name: string, text: string) => string | undefined;

/** Parses `a=1&b=2` (without "?"). The first invalid parameter ends it. */
export function eachParameter(
  query: string,
  take: TakeParameter,
  plusAsSpace = true,
): QueryProblem | undefined {
  for (let start = 0; start < query.length; ) {
    const ampersand = query.indexOf("&", start);
    const end = ampersand === -1 ? query.length : ampersand;
    if (end > start) {
      const problem = oneParameter(query.slice(start, end), take, plusAsSpace);
      if (problem !== undefined) return problem;
    }
    start = end + 1;
  }
  return undefined;
}

function oneParameter(pair: string, take: TakeParameter, plusAsSpace: boolean): QueryProblem | undefined {
  const equal = pair.indexOf("=");
  const rawName = equal === -1 ? pair : pair.slice(0, equal);
  const name = decodeQueryPart(rawName, plusAsSpace);
  const text = equal === -1 ? "" : decodeQueryPart(pair.slice(equal + 1), plusAsSpace);
  if (name === undefined || text === undefined) {
    return { parameter: name ?? rawName, problem: "malformed percent-encoding, or not UTF-8" };
  }
  const problem = take(name, text);
  return problem === undefined ? undefined : { parameter: name, problem };
}

/** A parameter that names a field, and the JSON of its text for that field alone. */
export interface Parameter {
  readonly target: FieldTarget;
  readonly mapKey: string | undefined;
}

/** Finds the field of a parameter. A string says why it cannot be set; undefined: it is ignored. */
export function findParameter(name: string, rules: QueryRules): Parameter | string | undefined {
  const passedOver = rules.unknown === "ignore" || rules.ignored.has(name);
  const found = findTarget(rules.input, name, !passedOver);
  if (typeof found === "string") return passedOver ? undefined : found;
  const { target, mapKey } = found;
  if (rules.body !== "none") {
    if (rules.body === "all") {
      return "the body carries all fields of this request: the query cannot set any";
    }
    const root = target.parents[0] ?? target.leaf;
    if (rules.body === root) return `the body carries '${root.name}': the query cannot set it`;
  }
  return unsuitable(target.leaf, mapKey) ?? { target, mapKey };
}

/** The field of a query name, and the key if it is one entry of a map. */
export function findTarget(input: DescMessage, name: string, hint: boolean): Parameter | string {
  const open = name.endsWith("]") ? name.indexOf("[") : -1;
  const target = resolveField(input, open === -1 ? name : name.slice(0, open), hint);
  const mapKey = open === -1 ? undefined : name.slice(open + 1, -1);
  if (open === -1) return typeof target === "string" ? target : { target, mapKey };
  if (typeof target !== "string" && target.leaf.fieldKind === "map") return { target, mapKey };
  // A `json_name` may be any text, brackets included: not in usual requests.
  const whole = resolveField(input, name, false);
  if (typeof whole !== "string") return { target: whole, mapKey: undefined };
  let next = name.indexOf("[", open + 1);
  for (let tries = 0; next !== -1 && tries < MAX_BRACKETS; tries++) {
    const map = resolveField(input, name.slice(0, next), false);
    if (typeof map !== "string") return { target: map, mapKey: name.slice(next + 1, -1) };
    next = name.indexOf("[", next + 1);
  }
  return typeof target === "string" ? target : { target, mapKey };
}

/** Brackets in the name of a map that are tried: bounds the cost of a request full of them. */
const MAX_BRACKETS = 4;

function unsuitable(leaf: DescField, mapKey: string | undefined): string | undefined {
  if (leaf.fieldKind === "map") {
    if (mapKey === undefined) return `'${leaf.name}' is a map: write ${leaf.name}[KEY]=VALUE`;
  } else if (mapKey !== undefined) {
    return `'${leaf.name}' is not a map: [KEY] does not apply${leaf.fieldKind === "list" ? "; repeat the parameter for more elements" : ""}`;
  }
  if (leaf.message === undefined || isScalarLike(leaf.message) || isJsonText(leaf.message)) return undefined;
  if (leaf.fieldKind === "list") return `'${leaf.name}' is a repeated message: a query cannot set it`;
  if (leaf.fieldKind === "map") return `'${leaf.name}' is a map of messages: a query cannot set it`;
  return undefined;
}

/** The field's whole JSON if the parameter is its only value. */
export function parameterJson({ target, mapKey }: Parameter, json: Json): Json {
  if (target.leaf.fieldKind === "list") return [json];
  if (mapKey === undefined) return json;
  const object: JsonObject = {};
  setOwn(object, mapKey, json);
  return object;
}

/** Puts a parameter into the JSON of its message. A string says why not. */
export function setParameter(
  parameter: Parameter,
  text: string,
  bound: readonly BoundField[],
  codecs: Codecs,
  root: JsonObject,
): string | undefined {
  const { target } = parameter;
  for (const already of bound) {
    if (already.target.key !== target.key) continue;
    if (isSameText(codecs, target, text, already.text)) return undefined;
    return "the path has a different value than the query";
  }
  const value = textToJson(target, text);
  return "problem" in value ? value.problem : addValue(parameter, value.json, root);
}

/** Adds a value if the field accepts one more. */
export function addValue({ target, mapKey }: Parameter, json: Json, root: JsonObject): string | undefined {
  const owner = ownerOf(root, target);
  if (typeof owner !== "object") return owner;
  const { leaf } = target;
  const existing = memberOf(owner, leaf);
  if (existing === undefined) {
    const clash = oneofClash(owner, leaf);
    if (clash === undefined) setMember(owner, leaf, parameterJson({ target, mapKey }, json));
    return clash;
  }
  if (leaf.fieldKind === "list" && Array.isArray(existing)) {
    existing.push(json);
    return undefined;
  }
  if (mapKey !== undefined && isJsonObject(existing) && !Object.hasOwn(existing, mapKey)) {
    setOwn(existing, mapKey, json);
    return undefined;
  }
  return "given twice, but the field takes one value";
}
