// JSON tree → protobuf bytes, or the position of an invalid value. It implements all of ProtoJSON's parsing; the faster
// from-text.ts gives up if it is not certain, and this runs instead.
import type { DescField } from "@bufbuild/protobuf";
import {
  ExactNumber,
  integerOf,
  isJsonObject,
  isNumberText,
  type Json,
  type JsonObject,
  MAX_JSON_DEPTH,
  MaskText,
} from "../messages/json.js";
import type { BytesOut } from "./bytes-out.js";
import { MASK, readMask } from "./field-mask.js";
import {
  clip,
  expected,
  formatPath,
  type InvalidValue,
  Refusal,
  unknownEnumValue,
  unknownField,
} from "./invalid-value.js";
import {
  type EnumPlan,
  type FieldPlan,
  Form,
  Kind,
  type MessagePlan,
  type Plans,
  Shape,
  Wire,
} from "./plan.js";
import { MAX_DURATION_SECONDS, MAX_TIME_CHARS, readDuration, readTimestamp, type Time } from "./times.js";

export type UnknownFields = "reject" | "ignore";

/** The largest number that rounds to a float: the largest float prints as 3.4028235e38, a little more than it is. */
export const MAX_FLOAT = 3.4028235677973362e38;
const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;
const MAX_UINT64 = 2n ** 64n - 1n;
const MAX_SAFE_DIGITS = 15;
const TWO_32 = 2 ** 32;

export class TreeEncoder {
  readonly #plans: Plans;
  readonly #unknownFields: UnknownFields;
  readonly #out: BytesOut;
  /** The current position. */
  readonly #steps: (string | number)[] = [];
  #depth = 0;
  /** The last 64-bit integer that was read. */
  #low = 0;
  #high = 0;
  readonly #time: Time = { seconds: 0, nanos: 0 };
  readonly #timeText = Buffer.alloc(MAX_TIME_CHARS + 1);

  constructor(plans: Plans, unknownFields: UnknownFields, out: BytesOut) {
    this.#plans = plans;
    this.#unknownFields = unknownFields;
    this.#out = out;
  }

  encode(plan: MessagePlan, json: Json): Buffer | InvalidValue {
    return this.#attempt(() => this.#message(plan, json));
  }

  /** Only this field, with its tag. */
  encodeField(plan: MessagePlan, desc: DescField, json: Json): Buffer | InvalidValue {
    const field = plan.byNumber(desc.number);
    if (field === undefined) return { path: "", problem: `${plan.typeName} has no field ${desc.number}` };
    return this.#attempt(() => {
      if (json !== null || !field.nullUnsets) this.#field(field, json);
    });
  }

  #attempt(write: () => void): Buffer | InvalidValue {
    this.#depth = 0;
    this.#steps.length = 0;
    this.#out.pos = 0;
    try {
      write();
      return this.#out.take();
    } catch (e) {
      this.#out.reset();
      if (e instanceof Refusal) return { path: formatPath(this.#steps), problem: e.message };
      throw e;
    }
  }

  /** The content of a message, without tag and length. */
  #message(plan: MessagePlan, json: Json): void {
    if (++this.#depth > MAX_JSON_DEPTH)
      throw new Refusal(`messages are nested more than ${MAX_JSON_DEPTH} deep`);
    switch (plan.form) {
      case Form.FIELDS:
        this.#fields(plan, asObject(json, plan.typeName), false);
        break;
      case Form.ANY:
        this.#any(json);
        break;
      case Form.TIMESTAMP:
        this.#timestamp(json);
        break;
      case Form.DURATION:
        this.#duration(json);
        break;
      case Form.FIELD_MASK:
        this.#fieldMask(plan, json);
        break;
      case Form.STRUCT:
        this.#struct(asObject(json, "Struct"));
        break;
      case Form.VALUE:
        this.#value(json);
        break;
      case Form.LIST_VALUE:
        if (!Array.isArray(json)) throw expected("a list", json);
        this.#listValue(json);
        break;
      case Form.WRAPPER: {
        const value = plan.fields[0];
        if (value !== undefined) this.#singular(value, json);
        break;
      }
    }
    this.#depth--;
  }

  /** `inAny`: "@type" is among the fields. */
  #fields(plan: MessagePlan, object: JsonObject, inAny: boolean): void {
    let oneofs: (string | undefined)[] | undefined;
    for (const name of Object.keys(object)) {
      const value = object[name];
      if (value === undefined || (inAny && name === "@type")) continue;
      this.#steps.push(name);
      const field = plan.byName.get(name) ?? this.#extension(plan, name);
      if (field === undefined) {
        if (this.#unknownFields === "reject") throw unknownField(plan.desc, name);
        this.#steps.pop();
        continue;
      }
      if (field.name !== field.jsonName) {
        const alias = name === field.jsonName ? field.name : field.jsonName;
        if (Object.hasOwn(object, alias) && plan.byName.get(alias) === field) {
          throw new Refusal(`the field is given twice, as '${field.name}' and as '${field.jsonName}'`);
        }
      }
      // Null: unset, and so no member of a oneof either.
      if (value !== null || !field.nullUnsets) {
        if (field.oneof >= 0) {
          oneofs ??= [];
          const other = oneofs[field.oneof];
          if (other !== undefined) {
            const oneof = plan.desc.oneofs[field.oneof]?.name;
            throw new Refusal(`'${other}' is given too, and only one of '${oneof}' can be`);
          }
          oneofs[field.oneof] = name;
        }
        this.#field(field, value);
      }
      this.#steps.pop();
    }
    for (let i = 0; i < plan.required.length; i++) {
      const field = plan.required[i];
      if (field !== undefined && !isGiven(plan, field, object)) {
        throw new Refusal(`the required field '${field.jsonName}' of ${plan.typeName} is missing`);
      }
    }
  }

  #extension(plan: MessagePlan, name: string): FieldPlan | undefined {
    if (!name.startsWith("[") || !name.endsWith("]")) return undefined;
    const extension = this.#plans.registry.getExtension(name.slice(1, -1));
    return extension?.extendee.typeName === plan.typeName ? this.#plans.extension(extension) : undefined;
  }

  /** With its tag. */
  #field(field: FieldPlan, json: Json): void {
    if (field.shape === Shape.SINGULAR) this.#singular(field, json);
    else if (field.shape === Shape.LIST) this.#list(field, json);
    else this.#map(field, json);
  }

  #list(field: FieldPlan, json: Json): void {
    if (!Array.isArray(json)) throw expected("a list", json);
    if (json.length === 0) return;
    const out = this.#out;
    let start = 0;
    if (field.packed) {
      out.varint32((field.number << 3) | Wire.LENGTH);
      start = out.begin(field.lengthSize);
    }
    const content = out.pos;
    const depth = this.#steps.length;
    for (let i = 0; i < json.length; i++) {
      this.#steps[depth] = i;
      const item = json[i] ?? null;
      if (item === null && !field.keepsNull) throw new Refusal("null is not allowed in a list");
      this.#element(field, item);
    }
    this.#steps.length = depth;
    if (!field.packed) return;
    // All elements were names that are passed over.
    if (out.pos === content) out.pos = start - sizeOfTag(field);
    else field.lengthSize = out.end(start, field.lengthSize);
  }

  #map(field: FieldPlan, json: Json): void {
    const object = asObject(json, "map");
    const out = this.#out;
    const { key, value } = field;
    for (const name of Object.keys(object)) {
      const item = object[name];
      if (item === undefined) continue;
      this.#steps.push(name);
      if (item === null && !field.value.keepsNull)
        throw new Refusal("null is not allowed as the value of a map");
      const before = out.pos;
      out.varint32(field.tag);
      const size = field.lengthSize;
      const start = out.begin(size);
      this.#mapKey(key, name);
      if (this.#element(value, item)) field.lengthSize = out.end(start, size);
      else out.pos = before;
      this.#steps.pop();
    }
  }

  #mapKey(key: FieldPlan, text: string): void {
    if (key.kind === Kind.STRING) {
      this.#out.varint32(key.tag);
      this.#out.string(text);
    } else if (key.kind === Kind.BOOL) {
      if (text !== "true" && text !== "false") throw expected(`the key "true" or "false"`, text);
      this.#element(key, text === "true");
    } else {
      // One spelling per key, otherwise "1" and "1.0" would be two entries of one.
      if (!/^(?:0|-?[1-9]\d*)$/.test(text)) throw expected("an integer as key", text);
      this.#element(key, text);
    }
  }

  /** With its tag, but for a zero that means "not set". */
  #singular(field: FieldPlan, json: Json): void {
    const out = this.#out;
    if (!field.implicit) {
      this.#element(field, json);
      return;
    }
    const start = out.pos;
    this.#element(field, json);
    if (out.pos > start && isZero(out.buf, start + sizeOfTag(field), out.pos)) out.pos = start;
  }

  /** One value with its tag, unless it is in a packed list. False: an unknown enum name was ignored. */
  #element(field: FieldPlan, json: Json): boolean {
    const out = this.#out;
    if (field.kind === Kind.ENUM && field.enum !== undefined) {
      const number = this.#enum(field.enum, json);
      if (number === undefined) return false;
      if (!field.packed) out.varint32(field.tag);
      out.int32(number);
      return true;
    }
    if (!field.packed) out.varint32(field.tag);
    switch (field.kind) {
      case Kind.MESSAGE: {
        if (field.delimited) {
          this.#message(field.message, json);
          out.varint32((field.number << 3) | Wire.END_GROUP);
          break;
        }
        const size = field.lengthSize;
        const start = out.begin(size);
        this.#message(field.message, json);
        field.lengthSize = out.end(start, size);
        break;
      }
      case Kind.STRING:
        if (typeof json !== "string") throw expected("a string", json);
        out.string(json);
        break;
      case Kind.BOOL:
        if (typeof json !== "boolean") throw expected("true or false", json);
        out.byte(json ? 1 : 0);
        break;
      case Kind.BYTES:
        this.#bytes(json);
        break;
      case Kind.DOUBLE:
        out.double(float(json, Number.MAX_VALUE, "double"));
        break;
      case Kind.FLOAT:
        out.float(float(json, MAX_FLOAT, "float"));
        break;
      case Kind.INT32:
        out.int32(int32(json));
        break;
      case Kind.SINT32: {
        const value = int32(json);
        out.varint32((value << 1) ^ (value >> 31));
        break;
      }
      case Kind.SFIXED32:
        out.fixed32(int32(json));
        break;
      case Kind.UINT32:
        out.varint32(uint32(json));
        break;
      case Kind.FIXED32:
        out.fixed32(uint32(json));
        break;
      case Kind.INT64:
        this.#int64(json);
        out.varint64(this.#low, this.#high);
        break;
      case Kind.SINT64: {
        this.#int64(json);
        const sign = this.#high >> 31;
        out.varint64((this.#low << 1) ^ sign, ((this.#high << 1) | (this.#low >>> 31)) ^ sign);
        break;
      }
      case Kind.SFIXED64:
        this.#int64(json);
        out.fixed32(this.#low);
        out.fixed32(this.#high);
        break;
      case Kind.UINT64:
        this.#uint64(json);
        out.varint64(this.#low, this.#high);
        break;
      case Kind.FIXED64:
        this.#uint64(json);
        out.fixed32(this.#low);
        out.fixed32(this.#high);
        break;
    }
    return true;
  }

  #int64(json: Json): void {
    const number = safeInteger(json);
    if (number !== undefined) this.#setNumber(number);
    else this.#setBig(bigInteger(json, MIN_INT64, MAX_INT64, "int64"));
  }

  #uint64(json: Json): void {
    const number = safeInteger(json);
    if (number !== undefined && number >= 0) this.#setNumber(number);
    else this.#setBig(bigInteger(json, 0n, MAX_UINT64, "uint64"));
  }

  #setNumber(value: number): void {
    this.#low = value | 0;
    // The floor is two's complement for negative ones.
    this.#high = Math.floor(value / TWO_32) | 0;
  }

  #setBig(value: bigint): void {
    this.#low = Number(BigInt.asIntN(32, value));
    this.#high = Number(BigInt.asIntN(32, value >> 32n));
  }

  #bytes(json: Json): void {
    if (typeof json !== "string" || !isBase64(json)) throw expected("base64 (standard or URL-safe)", json);
    writeBase64(json, this.#out);
  }

  /** Undefined: an unknown name, which is to be passed over. */
  #enum(plan: EnumPlan, json: Json): number | undefined {
    if (typeof json === "string") {
      const number = plan.numberOf(json);
      if (number !== undefined || this.#unknownFields === "ignore") return number;
    } else if (json === null) {
      if (plan.isNull) return 0;
    } else if (typeof json === "number" || json instanceof ExactNumber) {
      const number = Number(typeof json === "number" ? json : integerOf(json.text));
      if (plan.open ? (number | 0) === number : plan.has(number)) return number | 0;
    }
    throw new Refusal(unknownEnumValue(plan.desc, json));
  }

  #any(json: Json): void {
    const object = asObject(json, "google.protobuf.Any");
    const names = Object.keys(object);
    if (names.length === 0) return;
    const url = Object.hasOwn(object, "@type") ? object["@type"] : undefined;
    if (typeof url !== "string") throw new Refusal("an Any needs its type, a string, in '@type'");
    this.#steps.push("@type");
    const typeName = url.slice(url.lastIndexOf("/") + 1);
    const desc = this.#plans.registry.getMessage(typeName);
    if (desc === undefined) throw new Refusal(`the type '${clip(url)}' is unknown`);
    this.#steps.pop();
    const plan = this.#plans.of(desc);
    const out = this.#out;
    out.byte(ANY_TYPE_URL);
    out.string(url);
    const before = out.pos;
    out.byte(ANY_VALUE);
    const start = out.begin(1);
    if (plan.form === Form.FIELDS) {
      if (++this.#depth > MAX_JSON_DEPTH)
        throw new Refusal(`messages are nested more than ${MAX_JSON_DEPTH} deep`);
      this.#fields(plan, object, true);
      this.#depth--;
    } else {
      const value = object.value;
      if (value === undefined) throw new Refusal(`an Any of ${typeName} must have its content in 'value'`);
      for (const name of names) {
        this.#steps.push(name);
        if (name === "value") this.#message(plan, value);
        else if (name !== "@type" && this.#unknownFields === "reject") throw unknownField(desc, name);
        this.#steps.pop();
      }
    }
    if (out.pos === start + 1) out.pos = before;
    else out.end(start, 1);
  }

  #timestamp(json: Json): void {
    const time = this.#time;
    const length = typeof json === "string" ? this.#timeChars(json) : 0;
    if (!readTimestamp(this.#timeText, 0, length, time)) {
      throw expected(`an RFC 3339 time from year 0001 to 9999, as in "2024-05-01T10:00:00Z"`, json);
    }
    this.#timeFields(time);
  }

  #duration(json: Json): void {
    const time = this.#time;
    const length = typeof json === "string" ? this.#timeChars(json) : 0;
    if (!readDuration(this.#timeText, 0, length, time)) {
      const limit = `up to ${MAX_DURATION_SECONDS}s`;
      throw expected(`seconds with at most 9 decimals and an "s", ${limit}, as in "1.5s"`, json);
    }
    this.#timeFields(time);
  }

  /** Copies the text for the parsers of times; 0: it is too long to be one, or not ASCII. */
  #timeChars(text: string): number {
    if (text.length > MAX_TIME_CHARS) return 0;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) return 0;
      this.#timeText[i] = code;
    }
    // Parsers read one character ahead.
    this.#timeText[text.length] = 0;
    return text.length;
  }

  #timeFields(time: Time): void {
    writeTime(time, this.#out);
  }

  #fieldMask(plan: MessagePlan, json: Json): void {
    if (json === "") return;
    const either = json instanceof MaskText;
    if (!either && typeof json !== "string") throw expected(MASK, json);
    const strict = this.#unknownFields === "reject";
    const text = either ? json.text : json;
    for (const path of readMask(text, either ? "either" : "json", plan.maskTarget, strict)) {
      this.#out.byte(0x0a);
      this.#out.string(path);
    }
  }

  #struct(object: JsonObject): void {
    const out = this.#out;
    for (const name of Object.keys(object)) {
      const item = object[name];
      if (item === undefined) continue;
      this.#steps.push(name);
      out.byte(0x0a);
      const entry = out.begin(1);
      out.byte(0x0a);
      out.string(name);
      out.byte(0x12);
      this.#lengthOfValue(item);
      out.end(entry, 1);
      this.#steps.pop();
    }
  }

  #listValue(items: readonly Json[]): void {
    const depth = this.#steps.length;
    for (let i = 0; i < items.length; i++) {
      this.#steps[depth] = i;
      this.#out.byte(0x0a);
      this.#lengthOfValue(items[i] ?? null);
    }
    this.#steps.length = depth;
  }

  #lengthOfValue(json: Json): void {
    if (++this.#depth > MAX_JSON_DEPTH)
      throw new Refusal(`values are nested more than ${MAX_JSON_DEPTH} deep`);
    const start = this.#out.begin(1);
    this.#value(json);
    this.#out.end(start, 1);
    this.#depth--;
  }

  /** Any JSON, with numbers as doubles: google.protobuf.Value has no others. */
  #value(json: Json): void {
    const out = this.#out;
    if (json === null) {
      out.byte(VALUE_NULL);
      out.byte(0);
    } else if (typeof json === "string") {
      out.byte(VALUE_STRING);
      out.string(json);
    } else if (typeof json === "boolean") {
      out.byte(VALUE_BOOL);
      out.byte(json ? 1 : 0);
    } else if (typeof json === "number" || json instanceof ExactNumber) {
      const number = Number(typeof json === "number" ? json : json.text);
      if (!Number.isFinite(number)) throw expected("a number that a double can hold", json);
      out.byte(VALUE_NUMBER);
      out.double(number);
    } else {
      const list = Array.isArray(json);
      out.byte(list ? VALUE_LIST : VALUE_STRUCT);
      const start = out.begin(1);
      if (list) this.#listValue(json);
      else this.#struct(asObject(json, "Struct"));
      out.end(start, 1);
    }
  }
}

// Tags of the fields of google.protobuf.Any and Value.
export const ANY_TYPE_URL = 0x0a;
export const ANY_VALUE = 0x12;
export const VALUE_NULL = 0x08;
export const VALUE_NUMBER = 0x11;
export const VALUE_STRING = 0x1a;
export const VALUE_BOOL = 0x20;
export const VALUE_STRUCT = 0x2a;
export const VALUE_LIST = 0x32;

/** The two fields of Timestamp and of Duration. */
export function writeTime(time: Time, out: BytesOut): void {
  if (time.seconds !== 0) {
    out.byte(0x08);
    out.varint64(time.seconds | 0, Math.floor(time.seconds / TWO_32) | 0);
  }
  if (time.nanos !== 0) {
    out.byte(0x10);
    out.int32(time.nanos);
  }
}

function isGiven(plan: MessagePlan, field: FieldPlan, object: JsonObject): boolean {
  for (const name of [field.jsonName, field.name]) {
    // A proto name may be the JSON name of another field.
    if (!Object.hasOwn(object, name) || plan.byName.get(name) !== field) continue;
    const value = object[name];
    if (value !== undefined && (value !== null || !field.nullUnsets)) return true;
  }
  return false;
}

export function sizeOfTag(field: FieldPlan): number {
  return field.number < 16
    ? 1
    : field.number < 2048
      ? 2
      : field.number < 262_144
        ? 3
        : field.number < 33_554_432
          ? 4
          : 5;
}

/** A zero of any scalar kind is zero bytes: a varint 0, an empty length, +0.0. */
export function isZero(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] !== 0) return false;
  return true;
}

function asObject(json: Json, what: string): JsonObject {
  if (isJsonObject(json)) return json;
  throw expected(`an object (${what})`, json);
}

function int32(json: Json): number {
  const number = safeInteger(json) ?? bigNumber(json);
  if (number !== undefined && (number | 0) === number) return number | 0;
  throw expected("an integer from -2147483648 to 2147483647 (int32)", json);
}

function uint32(json: Json): number {
  const number = safeInteger(json) ?? bigNumber(json);
  if (number !== undefined && number >>> 0 === number) return number >>> 0;
  throw expected("an integer from 0 to 4294967295 (uint32)", json);
}

/** The integer of at most 15 digits, as number or as text; undefined: not an integer, longer, or in an unusual form. */
function safeInteger(json: Json): number | undefined {
  // At most 15 digits: longer ones are an ExactNumber.
  if (typeof json === "number") return Number.isSafeInteger(json) ? json + 0 : undefined;
  if (typeof json !== "string") return undefined;
  const negative = json.charCodeAt(0) === 0x2d;
  const first = negative ? 1 : 0;
  const digits = json.length - first;
  if (digits < 1 || digits > MAX_SAFE_DIGITS || (digits > 1 && json.charCodeAt(first) === 0x30))
    return undefined;
  let value = 0;
  for (let i = first; i < json.length; i++) {
    const digit = json.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return negative && value !== 0 ? -value : value;
}

function bigNumber(json: Json): number | undefined {
  const text = json instanceof ExactNumber ? json.text : json;
  const value = typeof text === "string" ? integerOf(text) : undefined;
  return value === undefined ? undefined : Number(value);
}

function bigInteger(json: Json, min: bigint, max: bigint, name: string): bigint {
  const text = json instanceof ExactNumber ? json.text : json;
  const value = typeof text === "string" ? integerOf(text) : undefined;
  if (value !== undefined && value >= min && value <= max) return value;
  throw expected(`an integer from ${min} to ${max} (${name})`, json);
}

function float(json: Json, max: number, name: string): number {
  if (json === "NaN") return Number.NaN;
  if (json === "Infinity") return Number.POSITIVE_INFINITY;
  if (json === "-Infinity") return Number.NEGATIVE_INFINITY;
  const value = toNumber(json);
  if (value === undefined) throw expected(`a number, "NaN", "Infinity" or "-Infinity"`, json);
  if (Math.abs(value) > max) throw expected(`a number from -${max} to ${max} (${name})`, json);
  return value;
}

function toNumber(json: Json): number | undefined {
  if (typeof json === "number") return json;
  if (json instanceof ExactNumber) return Number(json.text);
  return typeof json === "string" && isNumberText(json) ? Number(json) : undefined;
}

/** What base64 says, after its length. */
export function writeBase64(text: string, out: BytesOut): void {
  let digits = text.length;
  while (digits > 0 && text.charCodeAt(digits - 1) === 0x3d) digits--;
  const length = Math.floor((digits * 3) / 4);
  out.varint32(length);
  out.ensure(length);
  out.buf.write(text, out.pos, length, "base64");
  out.pos += length;
}

export function isBase64(text: string): boolean {
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) return false;
  const rest = text.length % 4;
  return text.endsWith("=") ? rest === 0 : rest !== 1;
}
