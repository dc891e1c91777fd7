// JSON value → protobuf message. Checks the value against the descriptor first, for two reasons: the error names the
// exact place, and ProtoJSON is kept where the library underneath is laxer or loses digits.
import {
  type DescEnum,
  type DescExtension,
  type DescField,
  type DescMessage,
  fromJson,
  type JsonReadOptions,
  type JsonValue,
  type Message,
  mergeFromJson,
  type Registry,
  ScalarType,
} from "@bufbuild/protobuf";
import { fieldsOf, isWrapper } from "./fields.js";
import { ExactNumber, integerOf, isNumberText, type Json, type JsonObject, MAX_JSON_DEPTH } from "./json.js";
import { nearest } from "./nearest.js";

export type UnknownFields = "reject" | "ignore";

/** Where a value does not fit its message, and why. */
export interface Misfit {
  /** Path from the value that was read, e.g. `author.tags[2]`; "" for the value itself. */
  readonly path: string;
  readonly problem: string;
}

/** Longest list of allowed values in a message. */
const MAX_LISTED = 20;
/** Messages nest twice as deep as JSON does, at most: a Value of a Struct of a Value. */
const RECURSION_LIMIT = 3 * MAX_JSON_DEPTH;

export class JsonReader {
  readonly #registry: Registry;
  readonly #unknownFields: UnknownFields;
  readonly #options: Partial<JsonReadOptions>;

  constructor(registry: Registry, unknownFields: UnknownFields = "reject") {
    this.#registry = registry;
    this.#unknownFields = unknownFields;
    this.#options = {
      registry,
      ignoreUnknownFields: unknownFields === "ignore",
      recursionLimit: RECURSION_LIMIT,
    };
  }

  /** Reads a message. `json` is used up. */
  read(desc: DescMessage, json: Json): { readonly message: Message } | Misfit {
    return this.#attempt((walk) => {
      const value = plain(walk.message(desc, json));
      return { message: fromJson(desc, value, this.#options) };
    });
  }

  /** Reads the value of one field, and merges it into the message: lists grow, maps gain entries. */
  merge(desc: DescMessage, target: Message, field: DescField, json: Json): Misfit | undefined {
    return this.#attempt((walk) => {
      // "Unset": nothing to merge.
      if (json === null && !keepsNull(field)) return undefined;
      const value: JsonObject = { [field.jsonName]: walk.field(field, json) };
      mergeFromJson(desc, target, plain(value), this.#options);
      return undefined;
    });
  }

  #attempt<T>(read: (walk: Walk) => T): T | Misfit {
    const walk = new Walk(this.#registry, this.#unknownFields);
    try {
      return read(walk);
    } catch (e) {
      if (e instanceof Refusal) return { path: walk.path(), problem: e.message };
      // The library's own refusal, of something that the walk lets pass.
      if (e instanceof Error) return { path: "", problem: e.message };
      throw e;
    }
  }
}

/** Longest path in a message, in steps: what is left out is its middle. */
const MAX_PRINTED_STEPS = 20;

/** A path as in `author.tags[2].labels["a b"]`. */
export function formatPath(steps: readonly (string | number)[]): string {
  let path = "";
  const half = MAX_PRINTED_STEPS / 2;
  for (const [i, full] of steps.entries()) {
    if (steps.length > MAX_PRINTED_STEPS && i >= half && i < steps.length - half) {
      if (i === half) path += "…";
      continue;
    }
    const step = typeof full === "number" ? full : clip(full);
    if (typeof step === "number") path += `[${step}]`;
    else if (/^[A-Za-z_$@][\w$]*$/.test(step)) path += path === "" ? step : `.${step}`;
    else path += `[${JSON.stringify(step)}]`;
  }
  return path;
}

/** Ends the walk; never leaves this file. */
class Refusal extends Error {}

/** One reading. Returns values in the form that the library reads without loss: big integers as strings. */
class Walk {
  readonly #registry: Registry;
  readonly #unknownFields: UnknownFields;
  readonly #steps: (string | number)[] = [];

  constructor(registry: Registry, unknownFields: UnknownFields) {
    this.#registry = registry;
    this.#unknownFields = unknownFields;
  }

  /** Where the walk stands. */
  path(): string {
    return formatPath(this.#steps);
  }

  message(desc: DescMessage, json: Json): Json {
    const known = desc.typeName.startsWith("google.protobuf.") ? this.#wellKnown(desc, json) : undefined;
    return known === undefined ? this.#fields(desc, asObject(json, desc.typeName)) : known;
  }

  #fields(desc: DescMessage, object: JsonObject, except?: string): JsonObject {
    const fields = fieldsOf(desc);
    let oneofs: Map<string, string> | undefined;
    for (const name of Object.keys(object)) {
      if (name === except) continue;
      const value = object[name];
      if (value === undefined) continue;
      this.#steps.push(name);
      const field = fields.get(name) ?? this.#extension(desc, name);
      if (field === undefined) {
        if (this.#unknownFields === "reject") throw unknownField(desc, name);
        this.#steps.pop();
        continue;
      }
      const alias = name === field.jsonName ? field.name : field.jsonName;
      if (alias !== name && Object.hasOwn(object, alias) && fields.get(alias) === field) {
        throw new Refusal(`the field is given twice, as '${field.name}' and as '${field.jsonName}'`);
      }
      if (value === null && !keepsNull(field)) {
        // Unset, and so no member of a oneof either.
        if (field.oneof !== undefined) delete object[name];
      } else {
        if (field.oneof !== undefined) {
          oneofs ??= new Map();
          const other = oneofs.get(field.oneof.name);
          if (other !== undefined) {
            throw new Refusal(`'${other}' is given too, and only one of '${field.oneof.name}' can be`);
          }
          oneofs.set(field.oneof.name, name);
        }
        const fixed = this.field(field, value);
        if (fixed !== value) object[name] = fixed;
      }
      this.#steps.pop();
    }
    return object;
  }

  #extension(desc: DescMessage, name: string): DescExtension | undefined {
    if (!name.startsWith("[") || !name.endsWith("]")) return undefined;
    const extension = this.#registry.getExtension(name.slice(1, -1));
    return extension?.extendee.typeName === desc.typeName ? extension : undefined;
  }

  field(field: DescField | DescExtension, json: Json): Json {
    switch (field.fieldKind) {
      case "scalar":
        return scalar(field.scalar, json);
      case "enum":
        return this.#enum(field.enum, json);
      case "message":
        return this.message(field.message, json);
      case "list":
        return this.#list(field, json);
      case "map":
        return this.#map(field, json);
    }
  }

  #list(field: (DescField | DescExtension) & { fieldKind: "list" }, json: Json): Json {
    if (!Array.isArray(json)) throw expected("a list", json);
    for (const [i, item] of json.entries()) {
      this.#steps.push(i);
      if (item === null && !keepsNull(field)) throw new Refusal("null is no element of a list");
      let fixed: Json;
      if (field.listKind === "scalar") fixed = scalar(field.scalar, item);
      else if (field.listKind === "enum") fixed = this.#enum(field.enum, item);
      else fixed = this.message(field.message, item);
      if (fixed !== item) json[i] = fixed;
      this.#steps.pop();
    }
    return json;
  }

  #map(field: DescField & { fieldKind: "map" }, json: Json): Json {
    const object = asObject(json, "map");
    for (const key of Object.keys(object)) {
      const value = object[key];
      if (value === undefined) continue;
      this.#steps.push(key);
      mapKey(field.mapKey, key);
      if (value === null && !keepsNull(field)) throw new Refusal("null is no value of a map");
      let fixed: Json;
      if (field.mapKind === "scalar") fixed = scalar(field.scalar, value);
      else if (field.mapKind === "enum") fixed = this.#enum(field.enum, value);
      else fixed = this.message(field.message, value);
      if (fixed !== value) object[key] = fixed;
      this.#steps.pop();
    }
    return object;
  }

  #enum(desc: DescEnum, json: Json): Json {
    if (json === null && desc.typeName === "google.protobuf.NullValue") return json;
    if (typeof json === "string") {
      if (desc.values.some((v) => v.name === json || v.jsonName === json)) return json;
      if (this.#unknownFields === "ignore") return json;
    } else if (typeof json === "number" || json instanceof ExactNumber) {
      const number = Number(typeof json === "number" ? json : integerOf(json.text));
      const fits = desc.open ? Number.isInteger(number) && (number | 0) === number : number in desc.value;
      if (fits) return number;
    }
    const names = desc.values.map((v) => v.name);
    const listed = names.slice(0, MAX_LISTED).join(", ") + (names.length > MAX_LISTED ? ", …" : "");
    throw expected(`one of ${listed}, or its number`, json);
  }

  /** The JSON of a well-known type that has its own form; undefined for messages that have not. */
  #wellKnown(desc: DescMessage, json: Json): Json | undefined {
    switch (desc.typeName) {
      case "google.protobuf.Timestamp":
        return timestamp(json);
      case "google.protobuf.Duration":
        return duration(json);
      case "google.protobuf.FieldMask":
        return fieldMask(json);
      case "google.protobuf.Struct":
        return this.#value(asObject(json, "Struct"));
      case "google.protobuf.ListValue":
        if (!Array.isArray(json)) throw expected("a list", json);
        return this.#value(json);
      case "google.protobuf.Value":
        return this.#value(json);
      case "google.protobuf.Any":
        return this.#any(json);
      default: {
        const inner = isWrapper(desc) ? desc.fields[0]?.scalar : undefined;
        return inner === undefined ? undefined : scalar(inner, json);
      }
    }
  }

  #any(json: Json): Json {
    const object = asObject(json, "google.protobuf.Any");
    const names = Object.keys(object);
    if (names.length === 0) return object;
    const url = object["@type"];
    if (typeof url !== "string") throw new Refusal("an Any names its type as a string in '@type'");
    this.#steps.push("@type");
    const typeName = url.slice(url.lastIndexOf("/") + 1);
    const desc = this.#registry.getMessage(typeName);
    if (desc === undefined) throw new Refusal(`the type '${clip(url)}' is not known here`);
    this.#steps.pop();
    const value = object.value;
    if (!hasOwnJsonForm(desc)) return this.#fields(desc, object, "@type");
    if (value === undefined) throw new Refusal(`an Any of ${typeName} has its content in 'value'`);
    for (const name of names) {
      this.#steps.push(name);
      if (name === "value") object.value = this.message(desc, value);
      else if (name !== "@type" && this.#unknownFields === "reject") throw unknownField(desc, name);
      this.#steps.pop();
    }
    return object;
  }

  /** Any JSON, its numbers as doubles: google.protobuf.Value has no others. */
  #value(json: Json): Json {
    if (json instanceof ExactNumber) return finite(json);
    if (typeof json !== "object" || json === null) {
      return typeof json === "number" ? finite(json) : json;
    }
    if (Array.isArray(json)) {
      for (const [i, item] of json.entries()) {
        this.#steps.push(i);
        json[i] = this.#value(item);
        this.#steps.pop();
      }
      return json;
    }
    for (const name of Object.keys(json)) {
      const item = json[name];
      if (item === undefined) continue;
      this.#steps.push(name);
      const fixed = this.#value(item);
      if (fixed !== item) json[name] = fixed;
      this.#steps.pop();
    }
    return json;
  }
}

/** JSON null is a value of these, not "unset". */
function keepsNull(field: DescField | DescExtension): boolean {
  return (
    field.message?.typeName === "google.protobuf.Value" ||
    field.enum?.typeName === "google.protobuf.NullValue"
  );
}

function hasOwnJsonForm(desc: DescMessage): boolean {
  return (
    isWrapper(desc) ||
    /^google\.protobuf\.(Any|Timestamp|Duration|FieldMask|Struct|Value|ListValue)$/.test(desc.typeName)
  );
}

interface IntegerKind {
  readonly name: string;
  readonly min: bigint;
  readonly max: bigint;
}
const INT32: IntegerKind = { name: "int32", min: -(2n ** 31n), max: 2n ** 31n - 1n };
const UINT32: IntegerKind = { name: "uint32", min: 0n, max: 2n ** 32n - 1n };
const INT64: IntegerKind = { name: "int64", min: -(2n ** 63n), max: 2n ** 63n - 1n };
const UINT64: IntegerKind = { name: "uint64", min: 0n, max: 2n ** 64n - 1n };
const MAX_FLOAT = 3.4028234663852886e38;

function scalar(type: ScalarType, json: Json): Json {
  switch (type) {
    case ScalarType.STRING:
      if (typeof json === "string") return json;
      throw expected("a string", json);
    case ScalarType.BOOL:
      if (typeof json === "boolean") return json;
      throw expected("true or false", json);
    case ScalarType.BYTES:
      return bytes(json);
    case ScalarType.DOUBLE:
      return float(json, Number.MAX_VALUE, "double");
    case ScalarType.FLOAT:
      return float(json, MAX_FLOAT, "float");
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return Number(integer(json, INT32));
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return Number(integer(json, UINT32));
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return String(integer(json, INT64));
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return String(integer(json, UINT64));
  }
}

function integer(json: Json, kind: IntegerKind): bigint | number {
  if (typeof json === "number") {
    // At most 15 digits: more came as an ExactNumber.
    if (Number.isInteger(json) && json >= kind.min && json <= kind.max) return json === 0 ? 0 : json;
  } else {
    const text = json instanceof ExactNumber ? json.text : json;
    const value = typeof text === "string" ? integerOf(text) : undefined;
    if (value !== undefined && value >= kind.min && value <= kind.max) return value;
  }
  throw expected(`an integer from ${kind.min} to ${kind.max} (${kind.name})`, json);
}

function float(json: Json, max: number, name: string): Json {
  if (json === "NaN" || json === "Infinity" || json === "-Infinity") return json;
  const value = toNumber(json);
  if (value === undefined) throw expected(`a number, "NaN", "Infinity" or "-Infinity"`, json);
  if (Math.abs(value) > max) throw expected(`a number from -${max} to ${max} (${name})`, json);
  return value;
}

function finite(json: number | ExactNumber): number {
  const value = toNumber(json);
  if (value === undefined || !Number.isFinite(value)) throw expected("a number that a double can hold", json);
  return value;
}

function toNumber(json: Json): number | undefined {
  if (typeof json === "number") return json;
  if (json instanceof ExactNumber) return Number(json.text);
  return typeof json === "string" && isNumberText(json) ? Number(json) : undefined;
}

function bytes(json: Json): Json {
  if (typeof json === "string" && /^[A-Za-z0-9+/_-]*={0,2}$/.test(json)) {
    const rest = json.length % 4;
    if (json.endsWith("=") ? rest === 0 : rest !== 1) return json;
  }
  throw expected("base64 (standard or URL-safe)", json);
}

function mapKey(type: ScalarType, key: string): void {
  if (type === ScalarType.STRING) return;
  if (type === ScalarType.BOOL) {
    if (key !== "true" && key !== "false") throw expected(`the key "true" or "false"`, key);
    return;
  }
  // One spelling per key, or "1" and "1.0" would be one entry of two.
  if (!/^(?:0|-?[1-9]\d*)$/.test(key)) throw expected("an integer as key", key);
  scalar(type, key);
}

const TIMESTAMP = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?(?:Z|[+-](\d\d):(\d\d))$/;
const MIN_TIMESTAMP_MS = Date.parse("0001-01-01T00:00:00Z");
const MAX_TIMESTAMP_MS = Date.parse("9999-12-31T23:59:59.999Z");

function timestamp(json: Json): Json {
  const parts = typeof json === "string" ? TIMESTAMP.exec(json) : null;
  if (parts !== null && typeof json === "string") {
    const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, offsetHour = 0, offsetMinute = 0] =
      parts.slice(1).map((part) => Number(part ?? 0));
    // Date.parse takes 30 February for 1 March, and 24:00.
    const real = day <= new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate() && day > 0;
    if (
      real &&
      month <= 12 &&
      hour < 24 &&
      minute < 60 &&
      second < 60 &&
      offsetHour < 24 &&
      offsetMinute < 60
    ) {
      const ms = Date.parse(json.replace(/\.\d+/, ""));
      if (ms >= MIN_TIMESTAMP_MS && ms <= MAX_TIMESTAMP_MS) return json;
    }
  }
  throw expected(`an RFC 3339 time from year 0001 to 9999, as in "2024-05-01T10:00:00Z"`, json);
}

/** google/protobuf/duration.proto: about 10,000 years. */
const MAX_DURATION_SECONDS = 315_576_000_000;

function duration(json: Json): Json {
  const seconds = typeof json === "string" ? /^-?(\d{1,12})(?:\.\d{1,9})?s$/.exec(json)?.[1] : undefined;
  if (seconds !== undefined && Number(seconds) <= MAX_DURATION_SECONDS) return json;
  throw expected(
    `seconds with at most 9 decimals and an "s", up to ${MAX_DURATION_SECONDS}s, as in "1.5s"`,
    json,
  );
}

function fieldMask(json: Json): Json {
  if (json === "") return json;
  if (typeof json === "string" && /^[A-Za-z0-9.]+(?:,[A-Za-z0-9.]+)*$/.test(json)) return json;
  throw expected(`field paths in lowerCamelCase with commas between, as in "title,author.displayName"`, json);
}

function unknownField(desc: DescMessage, name: string): Refusal {
  const guess = nearest(name, fieldsOf(desc).keys());
  const hint = guess === undefined ? "" : `; did you mean '${guess}'?`;
  return new Refusal(`${desc.typeName} has no field '${clip(name)}'${hint}`);
}

function asObject(json: Json, what: string): JsonObject {
  if (typeof json === "object" && json !== null && !Array.isArray(json) && !(json instanceof ExactNumber)) {
    return json;
  }
  throw expected(`an object (${what})`, json);
}

function expected(what: string, json: Json): Refusal {
  return new Refusal(`expected ${what}, got ${describe(json)}`);
}

function describe(json: Json): string {
  if (json instanceof ExactNumber) return clip(json.text);
  if (Array.isArray(json)) return "a list";
  if (typeof json === "object" && json !== null) return "an object";
  return typeof json === "string" ? JSON.stringify(clip(json)) : String(json);
}

function clip(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 60)}…`;
}

/** The walk has replaced what the library could not read. What it did not visit (unknown fields) the library skips. */
function plain(json: Json): JsonValue {
  // One cast instead of a copy of every body: Json is JsonValue but for ExactNumber.
  return json as JsonValue;
}
