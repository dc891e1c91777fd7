// Writes one text, of a path or a query, into the field of a message that a dotted path names.
import {
  create,
  type DescField,
  type DescMessage,
  equals,
  isMessage,
  type Message,
  ScalarType,
} from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { fieldsOf, isJsonText, isScalarLike, isWrapper } from "./fields.js";
import { type Json, parseJson } from "./json.js";
import type { JsonReader } from "./json-reader.js";
import { nearest } from "./nearest.js";

export type MessageField = DescField & { readonly fieldKind: "message" };

/** A field somewhere in a message: through singular messages down to the leaf. */
export interface FieldTarget {
  readonly parents: readonly MessageField[];
  readonly leaf: DescField;
  /** The proto names with dots, whatever spelling was used: equal for the same field. */
  readonly key: string;
}

/** Deeper paths are refused: recursive messages would allow any length. */
const MAX_PATH_DEPTH = 32;

/** Finds the field; each step by proto name or by JSON name. A string says why there is none. */
export function resolveField(root: DescMessage, path: string): FieldTarget | string {
  const steps = path.split(".");
  if (steps.length > MAX_PATH_DEPTH) return `the path has more than ${MAX_PATH_DEPTH} steps`;
  const parents: MessageField[] = [];
  const names: string[] = [];
  let message = root;
  for (const [i, step] of steps.entries()) {
    const field = fieldsOf(message).get(step);
    if (field === undefined) {
      const guess = nearest(step, fieldsOf(message).keys());
      return `${message.typeName} has no field '${step.slice(0, 60)}'${guess === undefined ? "" : `; did you mean '${guess}'?`}`;
    }
    names.push(field.name);
    if (i === steps.length - 1) return { parents, leaf: field, key: names.join(".") };
    if (field.fieldKind === "list")
      return `'${names.join(".")}' is repeated: fields inside it cannot be set here`;
    if (field.fieldKind !== "message" || isScalarLike(field.message) || isJsonText(field.message)) {
      return `'${names.join(".")}' has no fields that could be set here`;
    }
    parents.push(field);
    message = field.message;
  }
  return "the path is empty";
}

/** The text as the JSON of one value of the field. A string inside the object says what is wrong. */
export function textToJson(
  field: DescField,
  text: string,
): { readonly json: Json } | { readonly problem: string } {
  const message = field.message;
  if (message !== undefined && isJsonText(message)) {
    const parsed = parseJson(text);
    if ("value" in parsed) return { json: parsed.value };
    return { problem: `not valid JSON: column ${parsed.column}: ${parsed.problem}` };
  }
  if (message !== undefined && !isScalarLike(message)) {
    return { problem: `${message.typeName} is a message: name a field of it, as in ${field.name}.FIELD` };
  }
  const wrapped = message !== undefined && isWrapper(message) ? message.fields[0] : undefined;
  return { json: scalarJson(wrapped ?? field, text) };
}

/** ProtoJSON takes numbers as strings, so only true, false and the numbers of enums are other JSON than a string. */
function scalarJson(field: DescField, text: string): Json {
  if (field.enum !== undefined) {
    if (field.enum.typeName === "google.protobuf.NullValue" && text === "NULL_VALUE") return null;
    return /^-?\d{1,10}$/.test(text) ? Number(text) : text;
  }
  if (field.scalar === ScalarType.BOOL && (text === "true" || text === "false")) return text === "true";
  return text;
}

/** Merges a value into its field, making the messages on the way. A string says why not. */
export function setField(
  reader: JsonReader,
  root: ReflectMessage,
  target: FieldTarget,
  json: Json,
): string | undefined {
  const owner = ownerOf(root, target);
  if (typeof owner === "string") return owner;
  const clash = oneofClash(owner, target.leaf);
  if (clash !== undefined) return clash;
  const misfit = reader.merge(owner.desc, owner.message, target.leaf, json);
  return misfit === undefined ? undefined : misfit.problem;
}

/** As `setField`, but where the field has a value already it must be the same one. */
export function setSame(
  reader: JsonReader,
  root: ReflectMessage,
  target: FieldTarget,
  json: Json,
): string | undefined {
  const owner = ownerOf(root, target);
  if (typeof owner === "string") return owner;
  if (!owner.isSet(target.leaf)) return setField(reader, root, target, json);
  const same = isSameValue(reader, owner, target, json);
  if (typeof same === "string") return same;
  return same ? undefined : "the path says another value than the body";
}

/** The two texts mean the same value of the field; false also where one of them means none. */
export function isSameText(reader: JsonReader, target: FieldTarget, a: string, b: string): boolean {
  const [jsonA, jsonB] = [textToJson(target.leaf, a), textToJson(target.leaf, b)];
  if (!("json" in jsonA) || !("json" in jsonB)) return false;
  const owner = reflect(target.leaf.parent);
  if (reader.merge(owner.desc, owner.message, target.leaf, jsonA.json) !== undefined) return false;
  return isSameValue(reader, owner, target, jsonB.json) === true;
}

function isSameValue(
  reader: JsonReader,
  owner: ReflectMessage,
  target: FieldTarget,
  json: Json,
): boolean | string {
  const other = reflect(owner.desc, create(owner.desc));
  const misfit = reader.merge(other.desc, other.message, target.leaf, json);
  if (misfit !== undefined) return misfit.problem;
  return equalValues(target.leaf, owner.get(target.leaf), other.get(target.leaf));
}

function equalValues(field: DescField, a: unknown, b: unknown): boolean {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0;
  if (field.fieldKind === "message") {
    const [x, y] = [messageOf(a), messageOf(b)];
    return x !== undefined && y !== undefined && equals(field.message, x, y);
  }
  return Object.is(a, b);
}

function messageOf(value: unknown): Message | undefined {
  const inner = typeof value === "object" && value !== null && "message" in value ? value.message : undefined;
  return isMessage(inner) ? inner : undefined;
}

function ownerOf(root: ReflectMessage, target: FieldTarget): ReflectMessage | string {
  let owner = root;
  for (const field of target.parents) {
    const clash = oneofClash(owner, field);
    if (clash !== undefined) return clash;
    const child: ReflectMessage = owner.get(field);
    if (!owner.isSet(field)) owner.set(field, child);
    owner = child;
  }
  return owner;
}

function oneofClash(owner: ReflectMessage, field: DescField): string | undefined {
  if (field.oneof === undefined) return undefined;
  const other = owner.oneofCase(field.oneof);
  if (other === undefined || other === field) return undefined;
  return `'${other.name}' is given too, and only one of '${field.oneof.name}' can be`;
}
