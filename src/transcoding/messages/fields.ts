// Looks up message fields by name, and classifies their JSON.

import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { nearest } from "../../kit/text/nearest.js";

/** Fields by proto name and by JSON name. */
export type FieldsByName = ReadonlyMap<string, DescField>;

// Keyed by descriptor, so that it lives as long as the schema does.
const CACHE = new WeakMap<DescMessage, FieldsByName>();
const PROTO_CACHE = new WeakMap<DescMessage, FieldsByName>();

/** As ProtoJSON reads both: a JSON name that equals another field's proto name belongs to the JSON name. */
export function fieldsOf(message: DescMessage): FieldsByName {
  let fields = CACHE.get(message);
  if (fields === undefined) {
    const byName = new Map<string, DescField>();
    for (const field of message.fields) byName.set(field.name, field);
    for (const field of message.fields) byName.set(field.jsonName, field);
    CACHE.set(message, byName);
    fields = byName;
  }
  return fields;
}

/** As HTTP rules name them: by proto name; JSON names are accepted if no proto name matches. */
export function fieldsOfRules(message: DescMessage): FieldsByName {
  let fields = PROTO_CACHE.get(message);
  if (fields === undefined) {
    const byName = new Map<string, DescField>();
    for (const field of message.fields) byName.set(field.jsonName, field);
    for (const field of message.fields) byName.set(field.name, field);
    PROTO_CACHE.set(message, byName);
    fields = byName;
  }
  return fields;
}

/** Unusual JSON names of a message: a `json_name` may be any text. */
export interface OddNames {
  /** Some have other characters than a proto name. */
  readonly any: boolean;
  /** The maximum number of dots in one. */
  readonly dots: number;
}

const ODD = new WeakMap<DescMessage, OddNames>();

export function oddNamesOf(message: DescMessage): OddNames {
  let odd = ODD.get(message);
  if (odd === undefined) {
    let dots = 0;
    let any = false;
    for (const { jsonName } of message.fields) {
      if (/^\w+$/.test(jsonName)) continue;
      any = true;
      dots = Math.max(dots, jsonName.split(".").length - 1);
    }
    odd = { any, dots };
    ODD.set(message, odd);
  }
  return odd;
}

/** Well-known types whose JSON is one string, number or boolean: paths and queries bind them like scalars. */
const SCALAR_LIKE: ReadonlySet<string> = new Set([
  "google.protobuf.Timestamp",
  "google.protobuf.Duration",
  "google.protobuf.FieldMask",
  "google.protobuf.DoubleValue",
  "google.protobuf.FloatValue",
  "google.protobuf.Int64Value",
  "google.protobuf.UInt64Value",
  "google.protobuf.Int32Value",
  "google.protobuf.UInt32Value",
  "google.protobuf.BoolValue",
  "google.protobuf.StringValue",
  "google.protobuf.BytesValue",
]);

/** Well-known types that a query has as JSON text. */
const JSON_TEXT: ReadonlySet<string> = new Set([
  "google.protobuf.Struct",
  "google.protobuf.Value",
  "google.protobuf.ListValue",
]);

export function isScalarLike(message: DescMessage): boolean {
  return SCALAR_LIKE.has(message.typeName);
}

export function isJsonText(message: DescMessage): boolean {
  return JSON_TEXT.has(message.typeName);
}

export function isWrapper(message: DescMessage): boolean {
  return isScalarLike(message) && message.typeName.endsWith("Value");
}

/** Its JSON is no object of its fields: nothing inside it can be named by a path. */
export function hasOwnJson(message: DescMessage): boolean {
  return isScalarLike(message) || isJsonText(message) || message.typeName === "google.protobuf.Any";
}

export function isHttpBody(message: DescMessage): boolean {
  return message.typeName === "google.api.HttpBody";
}

/** Letters of a field's name that may differ: names are short and similar. */
const MAX_EDITS = 2;

/** The name that `name` may be a misspelling of. */
export function nearestName(name: string, names: Iterable<string>): string | undefined {
  return nearest(name, names, MAX_EDITS);
}
