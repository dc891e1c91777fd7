// Compiled message types: flat tables, made once, of properties that would be read from descriptors again and again.
// Every object here has one shape, whatever its field: the loops that read them stay monomorphic.
import type { DescEnum, DescExtension, DescField, DescMessage, Registry } from "@bufbuild/protobuf";
import type { FieldsMask } from "../messages/fields-mask.js";
import { type MaskTarget, maskTarget } from "./field-mask.js";

/** Of google.protobuf.FieldDescriptorProto.Type; ScalarType has the same numbers. */
export const Kind = {
  DOUBLE: 1,
  FLOAT: 2,
  INT64: 3,
  UINT64: 4,
  INT32: 5,
  FIXED64: 6,
  FIXED32: 7,
  BOOL: 8,
  STRING: 9,
  MESSAGE: 11,
  BYTES: 12,
  UINT32: 13,
  ENUM: 14,
  SFIXED32: 15,
  SFIXED64: 16,
  SINT32: 17,
  SINT64: 18,
} as const;

/** https://protobuf.dev/programming-guides/encoding/#structure */
export const Wire = { VARINT: 0, FIXED64: 1, LENGTH: 2, GROUP: 3, END_GROUP: 4, FIXED32: 5 } as const;

export const Shape = { SINGULAR: 0, LIST: 1, MAP: 2 } as const;

/** Messages with their own JSON format. */
export const Form = {
  FIELDS: 0,
  ANY: 1,
  TIMESTAMP: 2,
  DURATION: 3,
  FIELD_MASK: 4,
  STRUCT: 5,
  VALUE: 6,
  LIST_VALUE: 7,
  WRAPPER: 8,
} as const;

// A Map: a message may be called `toString`.
const FORMS: ReadonlyMap<string, number> = new Map(
  Object.entries({
    "google.protobuf.Any": Form.ANY,
    "google.protobuf.Timestamp": Form.TIMESTAMP,
    "google.protobuf.Duration": Form.DURATION,
    "google.protobuf.FieldMask": Form.FIELD_MASK,
    "google.protobuf.Struct": Form.STRUCT,
    "google.protobuf.Value": Form.VALUE,
    "google.protobuf.ListValue": Form.LIST_VALUE,
    "google.protobuf.DoubleValue": Form.WRAPPER,
    "google.protobuf.FloatValue": Form.WRAPPER,
    "google.protobuf.Int64Value": Form.WRAPPER,
    "google.protobuf.UInt64Value": Form.WRAPPER,
    "google.protobuf.Int32Value": Form.WRAPPER,
    "google.protobuf.UInt32Value": Form.WRAPPER,
    "google.protobuf.BoolValue": Form.WRAPPER,
    "google.protobuf.StringValue": Form.WRAPPER,
    "google.protobuf.BytesValue": Form.WRAPPER,
  }),
);

/** google.protobuf.FeatureSet.FieldPresence */
const IMPLICIT = 2;
const LEGACY_REQUIRED = 3;

/** Field numbers below this are looked up in an array. */
const DENSE = 256;
/** Tags below this are one byte. */
const BYTE_TAGS = 128;
/** Flags that fit into a number. */
const MAX_ONEOFS = 31;

export interface PrintOptions {
  /** Fields without presence print even with their default. Default false, as in ProtoJSON. */
  readonly emitDefaults?: boolean;
  /** With `emitDefaults`: unset values print as null, except members of a oneof and proto3's optional fields. */
  readonly emitNulls?: boolean;
  /** `display_name` instead of `displayName`. Default false. */
  readonly protoNames?: boolean;
  /** Default false. */
  readonly enumsAsNumbers?: boolean;
  /** int64 and its kin without quotes: many clients lose digits beyond 2^53. Default false. */
  readonly int64AsNumbers?: boolean;
}

/** The plans of one schema; each is made at its first use. */
export class Plans {
  readonly registry: Registry;
  readonly print: PrintOptions;
  readonly #anyEnumCase: boolean;
  readonly #messages = new Map<DescMessage, MessagePlan>();
  readonly #masked = new WeakMap<FieldsMask, MessagePlan>();
  readonly #enums = new Map<DescEnum, EnumPlan>();
  readonly #extensions = new Map<DescExtension, FieldPlan>();
  readonly #updateMasks = new Map<DescMessage, MessagePlan>();

  constructor(registry: Registry, print: PrintOptions, anyEnumCase = false) {
    this.registry = registry;
    this.print = print;
    this.#anyEnumCase = anyEnumCase;
  }

  of(desc: DescMessage): MessagePlan {
    let plan = this.#messages.get(desc);
    if (plan === undefined) {
      const fields = desc.fields
        .toSorted((a, b) => a.number - b.number)
        .map((field, i) => {
          const oneof = field.oneof === undefined ? -1 : desc.oneofs.indexOf(field.oneof);
          return new FieldPlan(this, field, i, oneof);
        });
      plan = new MessagePlan(desc, fields, desc.proto.extensionRange.length > 0);
      this.#messages.set(desc, plan);
    }
    return plan;
  }

  /** For printing only the fields of a mask over this type: its plan does not know the others. */
  masked(desc: DescMessage, mask: FieldsMask): MessagePlan {
    let plan = this.#masked.get(mask);
    if (plan === undefined) {
      const fields = this.of(desc).fields.map((field) => {
        const wanted = field === undefined ? undefined : mask.get(field.number);
        if (wanted === undefined) return undefined;
        return wanted === "whole" ? field : field?.masked(wanted);
      });
      plan = new MessagePlan(desc, fields, false);
      this.#masked.set(mask, plan);
    }
    return plan;
  }

  /** A FieldMask that is about the fields of one message. */
  updateMask(desc: DescMessage, target: MaskTarget): MessagePlan {
    let plan = this.#updateMasks.get(target.field.parent);
    if (plan === undefined) {
      plan = new MessagePlan(desc, this.of(desc).fields, false, target);
      this.#updateMasks.set(target.field.parent, plan);
    }
    return plan;
  }

  enum(desc: DescEnum): EnumPlan {
    let plan = this.#enums.get(desc);
    if (plan === undefined) {
      plan = new EnumPlan(desc, this.print, this.#anyEnumCase);
      this.#enums.set(desc, plan);
    }
    return plan;
  }

  extension(desc: DescExtension): FieldPlan {
    let plan = this.#extensions.get(desc);
    if (plan === undefined) {
      plan = new FieldPlan(this, desc, 0, -1);
      this.#extensions.set(desc, plan);
    }
    return plan;
  }
}

export class MessagePlan {
  readonly desc: DescMessage;
  readonly typeName: string;
  /** One of Form. */
  readonly form: number;
  /** In the order of their numbers, each at its index. undefined: a mask does not want it. */
  readonly fields: readonly (FieldPlan | undefined)[];
  /** By proto name and by JSON name. */
  readonly byName: ReadonlyMap<string, FieldPlan>;
  readonly names: NameTable<FieldPlan>;
  readonly required: readonly FieldPlan[];
  readonly oneofCount: number;
  readonly extensible: boolean;
  /** One pass over fields in order is enough: no required fields, and oneofs that fit into flags of a number. */
  readonly tellsByOrder: boolean;
  /** The field of a one-byte tag. */
  readonly byTag: readonly (FieldPlan | undefined)[];
  /** The message that a FieldMask selects from, if it is known. */
  readonly maskTarget: MaskTarget | undefined;
  readonly #dense: (FieldPlan | undefined)[];
  readonly #sparse = new Map<number, FieldPlan>();

  constructor(
    desc: DescMessage,
    fields: readonly (FieldPlan | undefined)[],
    extensible: boolean,
    maskTarget?: MaskTarget,
  ) {
    this.desc = desc;
    this.maskTarget = maskTarget;
    this.typeName = desc.typeName;
    this.form = formOf(desc);
    const known = fields.filter((field) => field !== undefined);
    const byNumber = new Map(known.map((field) => [field.number, field]));
    const byName = new Map<string, FieldPlan>();
    // A json_name that equals another field's proto name has priority, whichever comes first.
    const declared = desc.fields.flatMap(({ number }) => byNumber.get(number) ?? []);
    for (const field of declared) byName.set(field.name, field);
    for (const field of declared) byName.set(field.jsonName, field);
    this.fields = fields;
    this.byName = byName;
    this.names = new NameTable(byName);
    this.required = known.filter((f) => f.required);
    this.oneofCount = desc.oneofs.length;
    this.extensible = extensible;
    this.tellsByOrder = this.required.length === 0 && this.oneofCount <= MAX_ONEOFS;
    const tags = Array.from({ length: BYTE_TAGS }, (_, tag) => tag);
    this.byTag = tags.map((tag) => {
      const field = byNumber.get(tag >>> 3);
      return field?.takesTag(tag) === true ? field : undefined;
    });
    const dense = known.filter((f) => f.number < DENSE);
    this.#dense = new Array<FieldPlan | undefined>((dense.at(-1)?.number ?? 0) + 1).fill(undefined);
    for (const field of known) {
      if (field.number < DENSE) this.#dense[field.number] = field;
      else this.#sparse.set(field.number, field);
    }
  }

  byNumber(number: number): FieldPlan | undefined {
    if (number < this.#dense.length) return this.#dense[number];
    return number < DENSE ? undefined : this.#sparse.get(number);
  }
}

function formOf(desc: DescMessage): number {
  const form = FORMS.get(desc.typeName) ?? Form.FIELDS;
  if (form !== Form.WRAPPER) return form;
  const value = desc.fields[0];
  // A service may have defined its own type of that name.
  return value?.fieldKind === "scalar" && value.number === 1 ? form : Form.FIELDS;
}

/**
 * Fields that `emitNulls` prints as null if they are not set. Formally, proto3's "optional" is the only member of a
 * oneof.
 */
export function unsetIsNull(desc: DescField | DescExtension): boolean {
  const singular = desc.fieldKind === "scalar" || desc.fieldKind === "enum" || desc.fieldKind === "message";
  const inOneof = desc.oneof !== undefined || desc.proto.proto3Optional;
  return singular && desc.presence !== IMPLICIT && desc.presence !== LEGACY_REQUIRED && !inOneof;
}

export class FieldPlan {
  readonly desc: DescField | DescExtension;
  /** Its place in the fields of its message. */
  readonly index: number;
  readonly number: number;
  readonly name: string;
  readonly jsonName: string;
  /** One of Shape. */
  readonly shape: number;
  /** One of Kind: of the value, or of one element. MESSAGE for groups and the entries of maps too. */
  readonly kind: number;
  /** Number and wire type with which one value or element is written. */
  readonly tag: number;
  /** The wire type in which one value or element is read. */
  readonly wire: number;
  /** A list written as one record; `packable`: one that may be read so. */
  readonly packed: boolean;
  readonly packable: boolean;
  /** A group: ended by a tag, not by a length. */
  readonly delimited: boolean;
  /** The zero value means "not set". */
  readonly implicit: boolean;
  readonly required: boolean;
  /** Index of its oneof; -1: none. */
  readonly oneof: number;
  /** A string must be UTF-8. */
  readonly strictUtf8: boolean;
  /** JSON null is a value of it, or of its elements, not "unset". */
  readonly keepsNull: boolean;
  /** JSON null in the place of the whole field unsets it. */
  readonly nullUnsets: boolean;
  readonly enum: EnumPlan | undefined;
  /** For a map, that of its entries; itself otherwise. */
  readonly key: FieldPlan;
  readonly value: FieldPlan;
  /** `,"name":`, and the same four bytes at a time; behind its length they mean nothing. */
  readonly printedName: Uint8Array;
  readonly nameWords: Int32Array;
  readonly nameBytes: number;
  /** Output of `emitDefaults` if the field is not set; empty if there is none. */
  readonly printedDefault: Uint8Array;
  /** Bytes of the last one's length: the room for the next one's. */
  lengthSize = 1;
  readonly #plans: Plans;
  readonly #messageDesc: DescMessage | undefined;
  readonly #mask: FieldsMask | undefined;
  #message: MessagePlan | undefined;

  /** `as`: the part of a map's entry that this is. `mask`: over its messages. */
  constructor(
    plans: Plans,
    desc: DescField | DescExtension,
    index: number,
    oneof: number,
    as?: "key" | "value",
    mask?: FieldsMask,
  ) {
    const shape =
      as !== undefined ||
      desc.fieldKind === "scalar" ||
      desc.fieldKind === "enum" ||
      desc.fieldKind === "message"
        ? Shape.SINGULAR
        : desc.fieldKind === "list"
          ? Shape.LIST
          : Shape.MAP;
    this.#plans = plans;
    this.desc = desc;
    this.index = index;
    this.number = as === undefined ? desc.number : as === "key" ? 1 : 2;
    this.name = desc.name;
    this.jsonName = desc.jsonName;
    this.shape = shape;
    this.kind = kindOf(desc, as);
    // A map's values are never groups.
    this.delimited = as === undefined && "delimitedEncoding" in desc && desc.delimitedEncoding;
    this.wire = this.delimited ? Wire.GROUP : (WIRE_OF_KIND[this.kind] ?? Wire.LENGTH);
    this.tag = (this.number << 3) | this.wire;
    this.packed = shape === Shape.LIST && desc.fieldKind === "list" && desc.packed;
    this.packable = shape === Shape.LIST && this.wire !== Wire.LENGTH && this.wire !== Wire.GROUP;
    this.implicit = shape === Shape.SINGULAR && as === undefined && desc.presence === IMPLICIT;
    this.required = as === undefined && desc.presence === LEGACY_REQUIRED;
    this.oneof = oneof;
    this.strictUtf8 = desc.utf8Validation;
    this.#messageDesc = this.kind === Kind.MESSAGE ? desc.message : undefined;
    this.#mask = mask;
    this.#message = undefined;
    this.enum = this.kind === Kind.ENUM && desc.enum !== undefined ? plans.enum(desc.enum) : undefined;
    this.keepsNull = this.#messageDesc?.typeName === "google.protobuf.Value" || this.enum?.isNull === true;
    this.nullUnsets = !this.keepsNull || shape !== Shape.SINGULAR;
    this.key = shape === Shape.MAP ? new FieldPlan(plans, desc, 0, -1, "key") : this;
    this.value = shape === Shape.MAP ? new FieldPlan(plans, desc, 1, -1, "value") : this;
    const printed = plans.print.protoNames === true && desc.kind === "field" ? desc.name : desc.jsonName;
    this.printedName = Buffer.from(`,${JSON.stringify(printed)}:`);
    this.nameWords = wordsOf(this.printedName);
    this.nameBytes = this.printedName.length;
    this.printedDefault = Buffer.from(this.#default(desc));
  }

  /** The type of a message, a group, or a list of them. */
  get message(): MessagePlan {
    let plan = this.#message;
    if (plan === undefined) {
      if (this.#messageDesc === undefined) throw new Error(`${this.name} is not a message`);
      plan = this.#plan(this.#messageDesc);
      this.#message = plan;
    }
    return plan;
  }

  #plan(message: DescMessage): MessagePlan {
    if (this.#mask !== undefined) return this.#plans.masked(message, this.#mask);
    const { desc } = this;
    const target =
      message.typeName === "google.protobuf.FieldMask" && desc.kind === "field"
        ? maskTarget(desc)
        : undefined;
    return target === undefined ? this.#plans.of(message) : this.#plans.updateMask(message, target);
  }

  /** Of its messages only what the mask selects. */
  masked(mask: FieldsMask): FieldPlan {
    return new FieldPlan(this.#plans, this.desc, this.index, this.oneof, undefined, mask);
  }

  /** Whether a record with this tag is its own. */
  takesTag(tag: number): boolean {
    return tag === this.tag || (this.packable && tag === ((this.number << 3) | Wire.LENGTH));
  }

  #default(desc: DescField | DescExtension): string {
    if (this.shape !== Shape.SINGULAR || this.implicit) return this.zeroText();
    return this.#plans.print.emitNulls === true && unsetIsNull(desc) ? "null" : "";
  }

  /** The JSON of the field's zero. */
  zeroText(): string {
    if (this.shape === Shape.LIST) return "[]";
    if (this.shape === Shape.MAP) return "{}";
    switch (this.kind) {
      case Kind.STRING:
      case Kind.BYTES:
        return '""';
      case Kind.BOOL:
        return "false";
      case Kind.INT64:
      case Kind.UINT64:
      case Kind.FIXED64:
      case Kind.SFIXED64:
      case Kind.SINT64:
        return this.#plans.print.int64AsNumbers === true ? "0" : '"0"';
      case Kind.ENUM:
        return Buffer.from(this.enum?.printed(this.enum.zero) ?? []).toString();
      default:
        return "0";
    }
  }
}

function wordsOf(bytes: Uint8Array): Int32Array {
  const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  padded.set(bytes);
  const view = new DataView(padded.buffer);
  return Int32Array.from({ length: padded.length / 4 }, (_, i) => view.getInt32(4 * i));
}

function kindOf(desc: DescField | DescExtension, as: "key" | "value" | undefined): number {
  // A map is a list of entries, which are messages.
  if (desc.fieldKind === "map" && as !== "value") return as === "key" ? desc.mapKey : Kind.MESSAGE;
  if (desc.message !== undefined) return Kind.MESSAGE;
  return desc.enum === undefined ? (desc.scalar ?? Kind.MESSAGE) : Kind.ENUM;
}

const WIRE_OF_KIND: Readonly<Record<number, number>> = {
  [Kind.DOUBLE]: Wire.FIXED64,
  [Kind.FIXED64]: Wire.FIXED64,
  [Kind.SFIXED64]: Wire.FIXED64,
  [Kind.FLOAT]: Wire.FIXED32,
  [Kind.FIXED32]: Wire.FIXED32,
  [Kind.SFIXED32]: Wire.FIXED32,
  [Kind.STRING]: Wire.LENGTH,
  [Kind.BYTES]: Wire.LENGTH,
  [Kind.MESSAGE]: Wire.LENGTH,
  [Kind.INT32]: Wire.VARINT,
  [Kind.INT64]: Wire.VARINT,
  [Kind.UINT32]: Wire.VARINT,
  [Kind.UINT64]: Wire.VARINT,
  [Kind.SINT32]: Wire.VARINT,
  [Kind.SINT64]: Wire.VARINT,
  [Kind.BOOL]: Wire.VARINT,
  [Kind.ENUM]: Wire.VARINT,
};

export class EnumPlan {
  readonly desc: DescEnum;
  readonly open: boolean;
  /** google.protobuf.NullValue, whose JSON is null. */
  readonly isNull: boolean;
  readonly zero: number;
  readonly names: NameTable<number>;
  readonly #byName: ReadonlyMap<string, number>;
  /** By names in lower case, for case-insensitive look-ups. */
  readonly #folded: ReadonlyMap<string, number> | undefined;
  readonly #printed = new Map<number, Uint8Array>();

  constructor(desc: DescEnum, print: PrintOptions, anyCase: boolean) {
    this.desc = desc;
    this.open = desc.open;
    this.isNull = desc.typeName === "google.protobuf.NullValue";
    this.zero = desc.values[0]?.number ?? 0;
    const byName = new Map<string, number>();
    for (const value of desc.values) byName.set(value.jsonName, value.number);
    for (const value of desc.values) byName.set(value.name, value.number);
    this.#byName = byName;
    this.names = new NameTable(byName);
    this.#folded = anyCase ? foldedNames(desc) : undefined;
    for (const { number } of desc.values) {
      // Of two names for one number the first counts.
      const name = desc.value[number]?.jsonName ?? "";
      const text = this.isNull
        ? "null"
        : print.enumsAsNumbers === true
          ? String(number)
          : JSON.stringify(name);
      this.#printed.set(number, Buffer.from(text));
    }
  }

  numberOf(name: string): number | undefined {
    return this.#byName.get(name) ?? this.#folded?.get(name.toLowerCase());
  }

  has(number: number): boolean {
    return this.#printed.has(number);
  }

  /** The JSON of a value; undefined for an unknown one, which prints as its number. */
  printed(number: number): Uint8Array | undefined {
    return this.#printed.get(number);
  }
}

/** Of values whose names differ only in case the first counts, as in protobuf's own parsers. */
function foldedNames({ values }: DescEnum): Map<string, number> {
  const folded = new Map<string, number>();
  for (const { name, jsonName, number } of values) {
    for (const key of [name.toLowerCase(), jsonName.toLowerCase()]) {
      if (!folded.has(key)) folded.set(key, number);
    }
  }
  return folded;
}

/** Looks names up by their bytes in a text, so that no string is made. */
export class NameTable<T> {
  readonly #mask: number;
  readonly #names: (Uint8Array | undefined)[];
  readonly #values: (T | undefined)[];

  constructor(byName: ReadonlyMap<string, T>) {
    let size = 4;
    while (size < 2 * byName.size) size *= 2;
    this.#mask = size - 1;
    this.#names = new Array<Uint8Array | undefined>(size).fill(undefined);
    this.#values = new Array<T | undefined>(size).fill(undefined);
    for (const [name, value] of byName) {
      const bytes = Buffer.from(name);
      let hash = 0;
      for (const byte of bytes) hash = nextHash(hash, byte);
      let slot = hash & this.#mask;
      while (this.#names[slot] !== undefined) slot = (slot + 1) & this.#mask;
      this.#names[slot] = bytes;
      this.#values[slot] = value;
    }
  }

  /** `hash`: nextHash over text[start..end), from 0 on. */
  find(text: Uint8Array, start: number, end: number, hash: number): T | undefined {
    for (let slot = hash & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const name = this.#names[slot];
      if (name === undefined) return undefined;
      if (name.length !== end - start) continue;
      let i = 0;
      while (i < name.length && name[i] === text[start + i]) i++;
      if (i === name.length) return this.#values[slot];
    }
  }
}

export function nextHash(hash: number, byte: number): number {
  return (Math.imul(hash, 31) + byte) | 0;
}
