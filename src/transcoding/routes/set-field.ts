// Puts one text, of a path or a query, into the JSON of a message. All parts of a request are combined in one JSON
// value, and encoded once.
import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { cut } from "../../kit/text/text.js";
import type { Codecs, InvalidValue } from "../codec/codecs.js";
import { unknownEnumValue } from "../codec/invalid-value.js";
import {
  type FieldsByName,
  fieldsOf,
  fieldsOfRules,
  hasOwnJson,
  isJsonText,
  isScalarLike,
  isWrapper,
  nearestName,
  oddNamesOf,
} from "../messages/fields.js";
import { isJsonObject, type Json, type JsonObject, MaskText, parseJson } from "../messages/json.js";

export type MessageField = DescField & { readonly fieldKind: "message" };

/** A field somewhere in a message: through singular messages down to the leaf. */
export interface FieldTarget {
  readonly parents: readonly MessageField[];
  readonly leaf: DescField;
  /** The dotted proto names, whatever spelling was used: equal for the same field. */
  readonly key: string;
  /** The JSON form of a text. */
  readonly form: ValueForm;
}

/** `text`: a JSON string, which ProtoJSON accepts for numbers too. `none`: it cannot be written as text. */
type ValueForm = "text" | "bool" | "enum" | "mask" | "json" | "none";

/** Deeper paths are rejected: recursive messages would allow any length. */
const MAX_PATH_DEPTH = 32;
/** Names cached for each message type. Recursive messages have an unlimited number. */
const MAX_REMEMBERED = 256;

// Keyed by descriptor, so that it lives as long as the schema does.
const REMEMBERED = new WeakMap<DescMessage, Map<string, FieldTarget>>();

/**
 * Finds the field; each step by proto name or by JSON name. A string says why it is not found; `hint`: including a
 * similar name, which costs a look at every field.
 */
export function resolveField(root: DescMessage, path: string, hint = true): FieldTarget | string {
  let known = REMEMBERED.get(root);
  const found = known?.get(path);
  if (found !== undefined) return found;
  const target = findField(root, path, hint, fieldsOf);
  if (typeof target === "string") return target;
  if (known === undefined) {
    known = new Map();
    REMEMBERED.set(root, known);
  }
  if (known.size < MAX_REMEMBERED) known.set(path, target);
  return target;
}

/** As `resolveField`, for a path in an HTTP rule: each step by proto name first. */
export function resolveRuleField(root: DescMessage, path: string): FieldTarget | string {
  return findField(root, path, true, fieldsOfRules);
}

function findField(
  root: DescMessage,
  path: string,
  hint: boolean,
  fieldsIn: (message: DescMessage) => FieldsByName,
): FieldTarget | string {
  const steps = path.split(".");
  if (steps.length > MAX_PATH_DEPTH) return `the path has more than ${MAX_PATH_DEPTH} steps`;
  // A wrapper as request is one value, and its field's name is the only name for it.
  if (hasOwnJson(root) && !isWrapper(root)) return `${root.typeName} has no fields that can be set here`;
  const parents: MessageField[] = [];
  const names: string[] = [];
  let message = root;
  for (let i = 0; i < steps.length; ) {
    const [field, taken] = nextField(fieldsIn(message), oddNamesOf(message).dots, steps, i);
    if (field === undefined) {
      const step = steps[i] ?? "";
      const guess = hint ? nearestName(step, fieldsOf(message).keys()) : undefined;
      return `${message.typeName} has no field '${cut(step, 60)}'${guess === undefined ? "" : `; did you mean '${guess}'?`}`;
    }
    names.push(field.name);
    i += taken;
    if (i === steps.length) return { parents, leaf: field, key: names.join("."), form: formOf(field) };
    if (field.fieldKind === "list")
      return `'${names.join(".")}' is repeated: fields in it cannot be set here`;
    if (field.fieldKind !== "message" || hasOwnJson(field.message)) {
      return `'${names.join(".")}' has no fields that can be set here`;
    }
    parents.push(field);
    message = field.message;
  }
  return "the path is empty";
}

/** The field that the next steps name, and how many: of names that have dots in them the longest counts. */
function nextField(
  fields: FieldsByName,
  dots: number,
  steps: readonly string[],
  from: number,
): [field: DescField | undefined, taken: number] {
  for (let taken = Math.min(dots + 1, steps.length - from); taken > 1; taken--) {
    const field = fields.get(steps.slice(from, from + taken).join("."));
    if (field !== undefined) return [field, taken];
  }
  return [fields.get(steps[from] ?? ""), 1];
}

function formOf(field: DescField): ValueForm {
  const { message } = field;
  if (message !== undefined && isJsonText(message)) return "json";
  if (message !== undefined && !isScalarLike(message)) return "none";
  if (message?.typeName === "google.protobuf.FieldMask") return "mask";
  const value = message !== undefined && isWrapper(message) ? (message.fields[0] ?? field) : field;
  if (value.enum !== undefined) return "enum";
  return value.scalar === ScalarType.BOOL ? "bool" : "text";
}

/** The text as the JSON of one value of the field (of one element, if it is repeated). */
export function textToJson(
  target: FieldTarget,
  text: string,
): { readonly json: Json } | { readonly problem: string } {
  switch (target.form) {
    case "text":
      return { json: text };
    case "bool":
      return { json: text === "true" || (text === "false" ? false : text) };
    case "enum":
      if (target.leaf.enum?.typeName === "google.protobuf.NullValue" && text === "NULL_VALUE") {
        return { json: null };
      }
      if (/^-?\d{1,10}$/.test(text)) return { json: Number(text) };
      // Even if a body may have unknown names: ignoring a filter would return everything.
      return target.leaf.enum?.values.some(({ name }) => name === text) === false
        ? { problem: unknownEnumValue(target.leaf.enum, text) }
        : { json: text };
    case "mask":
      // As the names of fields do, its paths have both spellings here: `display_name` and `displayName`.
      return { json: text === "" ? "" : new MaskText(text) };
    case "json": {
      const parsed = parseJson(text);
      if ("value" in parsed) return { json: parsed.value };
      return { problem: `not valid JSON: column ${parsed.column}: ${parsed.problem}` };
    }
    case "none": {
      const { leaf } = target;
      return {
        problem: `${leaf.message?.typeName} is a message: name a field of it, as in ${leaf.name}.FIELD`,
      };
    }
  }
}

/** The member of the field, under either of its names; undefined if there is none. */
export function memberOf(object: JsonObject, field: DescField): Json | undefined {
  if (Object.hasOwn(object, field.jsonName)) return object[field.jsonName];
  return hasProtoName(object, field) ? object[field.name] : undefined;
}

/** The proto name of a field may be the JSON name of another, whose member it then is. */
function hasProtoName(object: JsonObject, field: DescField): boolean {
  return Object.hasOwn(object, field.name) && fieldsOf(field.parent).get(field.name) === field;
}

/** Sets the member of the field. */
export function setMember(object: JsonObject, field: DescField, json: Json): void {
  const name = field.jsonName !== field.name && hasProtoName(object, field) ? field.name : field.jsonName;
  setOwn(object, name, json);
}

/** Like an assignment, but `__proto__` is an ordinary name. */
export function setOwn(object: JsonObject, name: string, json: Json): void {
  if (name === "__proto__") {
    Object.defineProperty(object, name, {
      value: json,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  } else object[name] = json;
}

/**
 * The object that contains the field, created if it is missing. undefined: something other than an object is in its
 * place, which the codec will report. A string names another member of a oneof that is set too.
 */
export function ownerOf(root: JsonObject, target: FieldTarget): JsonObject | string | undefined {
  let owner = root;
  for (const field of target.parents) {
    const existing = memberOf(owner, field);
    if (isJsonObject(existing)) {
      owner = existing;
      continue;
    }
    // null is "unset".
    if (existing !== undefined && existing !== null) return undefined;
    const clash = oneofClash(owner, field);
    if (clash !== undefined) return clash;
    const child: JsonObject = {};
    setMember(owner, field, child);
    owner = child;
  }
  return owner;
}

/** Another member of the field's oneof that is set, as a sentence. */
export function oneofClash(owner: JsonObject, field: DescField): string | undefined {
  if (field.oneof === undefined) return undefined;
  for (const other of field.oneof.fields) {
    if (other === field) continue;
    const value = memberOf(owner, other);
    if (value === undefined || (value === null && !isValue(other))) continue;
    return `'${other.name}' is given too, and only one of '${field.oneof.name}' can be`;
  }
  return undefined;
}

/** JSON null is a value of these. */
function isValue(field: DescField): boolean {
  return (
    field.message?.typeName === "google.protobuf.Value" ||
    field.enum?.typeName === "google.protobuf.NullValue"
  );
}

/**
 * Sets a value if there is none, or an equal one. A string says why not; the codec checks whether it fits the field.
 */
export function setSame(
  codecs: Codecs,
  root: JsonObject,
  target: FieldTarget,
  json: Json,
): string | undefined {
  const owner = ownerOf(root, target);
  if (typeof owner !== "object") return owner;
  const { leaf } = target;
  const existing = memberOf(owner, leaf);
  if (existing === undefined || existing === null) {
    const clash = oneofClash(owner, leaf);
    if (clash === undefined) setMember(owner, leaf, json);
    return clash;
  }
  switch (compare(codecs, leaf, existing, json)) {
    case "unset":
      setMember(owner, leaf, json);
      return undefined;
    case "same":
    case "invalid":
      return undefined;
    case "other":
      return "the path has a different value than the body";
  }
}

/** The two texts have the same value for the field; false also if one of them is invalid. */
export function isSameText(codecs: Codecs, target: FieldTarget, a: string, b: string): boolean {
  if (a === b) return true;
  const [jsonA, jsonB] = [textToJson(target, a), textToJson(target, b)];
  if (!("json" in jsonA) || !("json" in jsonB)) return false;
  const bytesA = encodeSingleField(codecs, target.leaf, jsonA.json);
  const bytesB = encodeSingleField(codecs, target.leaf, jsonB.json);
  if (!(bytesA instanceof Uint8Array) || !(bytesB instanceof Uint8Array)) return false;
  return Buffer.compare(bytesA, bytesB) === 0;
}

/** The relation of the body's value to the path's. `unset`: it is the default of a field without presence. */
function compare(
  codecs: Codecs,
  field: DescField,
  existing: Json,
  json: Json,
): "same" | "other" | "unset" | "invalid" {
  if (existing === json) return "same";
  const was = encodeSingleField(codecs, field, existing);
  if (!(was instanceof Uint8Array)) return "invalid";
  if (was.length === 0) return "unset";
  const is = encodeSingleField(codecs, field, json);
  // The path's value is invalid: put there, the codec reports it.
  if (!(is instanceof Uint8Array)) return "unset";
  return Buffer.compare(was, is) === 0 ? "same" : "other";
}

/** The bytes of the message with only this field: empty if the value equals an unset field. */
export function encodeSingleField(codecs: Codecs, field: DescField, json: Json): Uint8Array | InvalidValue {
  const codec = codecs.of(field.parent);
  // The field of a wrapper is the wrapper's JSON.
  return isWrapper(field.parent) ? codec.encode(json) : codec.encodeField(field, json);
}
