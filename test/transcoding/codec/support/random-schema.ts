// A schema made by chance: proto2, proto3 or an edition with its features, fields of every kind, well-known types.
import { create, createFileRegistry, type FileRegistry, type MessageInitShape } from "@bufbuild/protobuf";
import {
  Edition,
  type EnumDescriptorProtoSchema,
  FeatureSet_EnumType,
  FeatureSet_FieldPresence,
  FeatureSet_MessageEncoding,
  FeatureSet_RepeatedFieldEncoding,
  FeatureSet_Utf8Validation,
  type FeatureSetSchema,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import type { Random } from "./random.js";

type FieldOptions = { packed?: boolean; features?: Features };
interface Field {
  name?: string;
  jsonName?: string;
  number?: number;
  label?: Label;
  type?: Type;
  typeName?: string;
  extendee?: string;
  oneofIndex?: number;
  proto3Optional?: boolean;
  options?: FieldOptions;
}
interface Message {
  name: string;
  field: Field[];
  nestedType?: Message[];
  oneofDecl?: { name: string }[];
  options?: { mapEntry: boolean };
  extensionRange?: { start: number; end: number }[];
}
type Enum = MessageInitShape<typeof EnumDescriptorProtoSchema>;
type Features = MessageInitShape<typeof FeatureSetSchema>;

const WELL_KNOWN_FILES = [
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
];
export const WELL_KNOWN = [
  "Any",
  "Timestamp",
  "Duration",
  "Empty",
  "FieldMask",
  "Struct",
  "Value",
  "ListValue",
  "DoubleValue",
  "FloatValue",
  "Int64Value",
  "UInt64Value",
  "Int32Value",
  "UInt32Value",
  "BoolValue",
  "StringValue",
  "BytesValue",
] as const;
const SCALARS = [
  Type.DOUBLE,
  Type.FLOAT,
  Type.INT64,
  Type.UINT64,
  Type.INT32,
  Type.FIXED64,
  Type.FIXED32,
  Type.BOOL,
  Type.STRING,
  Type.BYTES,
  Type.UINT32,
  Type.SFIXED32,
  Type.SFIXED64,
  Type.SINT32,
  Type.SINT64,
] as const;
const MAP_KEYS = [
  Type.INT64,
  Type.UINT64,
  Type.INT32,
  Type.FIXED64,
  Type.FIXED32,
  Type.BOOL,
  Type.STRING,
  Type.STRING,
  Type.STRING,
  Type.UINT32,
  Type.SFIXED32,
  Type.SFIXED64,
  Type.SINT32,
  Type.SINT64,
] as const;

type Syntax = "proto2" | "proto3" | "editions";
const MESSAGES = ["A", "B", "C"] as const;

export interface RandomSchema {
  readonly registry: FileRegistry;
  /** Full names of its own messages. */
  readonly messages: readonly [string, ...string[]];
}

export function randomSchema(random: Random): RandomSchema {
  const syntax = random.pick<Syntax>(["proto2", "proto3", "editions"]);
  const builder = new Builder(random, syntax);
  const messages = MESSAGES.map((name) => builder.message(name));
  const file = create(FileDescriptorProtoSchema, {
    name: "random.proto",
    package: "random",
    syntax,
    ...(syntax === "editions"
      ? { edition: Edition.EDITION_2023, options: { features: builder.features } }
      : {}),
    dependency: WELL_KNOWN_FILES.map((f) => f.proto.name),
    messageType: messages,
    enumType: [builder.enum("Open"), builder.enum("Shut")],
    extension: syntax === "proto3" ? [] : builder.extensions(),
  });
  const set = create(FileDescriptorSetSchema, { file: [...WELL_KNOWN_FILES.map((f) => f.proto), file] });
  return { registry: createFileRegistry(set), messages: ["random.A", "random.B", "random.C"] };
}

class Builder {
  readonly features: Features;
  readonly #random: Random;
  readonly #syntax: Syntax;

  constructor(random: Random, syntax: Syntax) {
    this.#random = random;
    this.#syntax = syntax;
    this.features = {
      fieldPresence: random.pick([FeatureSet_FieldPresence.EXPLICIT, FeatureSet_FieldPresence.IMPLICIT]),
      enumType: FeatureSet_EnumType.OPEN,
      repeatedFieldEncoding: random.pick([
        FeatureSet_RepeatedFieldEncoding.PACKED,
        FeatureSet_RepeatedFieldEncoding.EXPANDED,
      ]),
      utf8Validation: random.pick([FeatureSet_Utf8Validation.VERIFY, FeatureSet_Utf8Validation.NONE]),
      messageEncoding: random.pick([
        FeatureSet_MessageEncoding.LENGTH_PREFIXED,
        FeatureSet_MessageEncoding.DELIMITED,
      ]),
    };
  }

  /** "Shut" is closed where the syntax has such. */
  enum(name: string): Enum {
    const prefix = name.toUpperCase();
    const value = ["ZERO", "ONE", "ALIAS", "MINUS", "BIG"].map((n, i) => ({
      name: `${prefix}_${n}`,
      number: [0, 1, 1, -1, 2147483647][i] ?? 0,
    }));
    const features =
      this.#syntax === "editions" && name === "Shut"
        ? { features: { enumType: FeatureSet_EnumType.CLOSED } }
        : {};
    return { name, value, options: { allowAlias: true, ...features } };
  }

  message(name: string): Message {
    const random = this.#random;
    const message = {
      name,
      field: [] as Field[],
      nestedType: [] as Message[],
      oneofDecl: [] as { name: string }[],
    };
    const count = 1 + random.int(14);
    // Not in the order of the numbers, and some beyond what one byte of tag holds.
    const numbers = random.shuffled([
      1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 31, 300, 70_000, 536_870_911,
    ]);
    const oneofs = random.int(3);
    for (let i = 0; i < oneofs; i++) message.oneofDecl.push({ name: `choice_${i}` });
    for (let i = 0; i < count; i++) {
      const number = numbers[i] ?? 1000 + i;
      const names = [`f${i}`, `some_field_${i}`, `_odd${i}__name_`, `camelCase${i}`] as const;
      const field: Field = { ...this.#type(), name: random.pick(names), number, label: Label.OPTIONAL };
      field.jsonName = random.chance(0.1) ? `özel "${i}"` : camel(field.name ?? "");
      const roll = random.next();
      if (roll < 0.2 && oneofs > 0) field.oneofIndex = random.int(oneofs);
      else if (roll < 0.45) field.label = Label.REPEATED;
      else if (roll < 0.6) this.#makeMap(message, field, i);
      else if (roll < 0.7 && this.#syntax === "proto3") this.#makeOptional(message, field, i);
      else if (roll < 0.73) this.#makeRequired(field);
      if (field.label === Label.REPEATED && field.type !== Type.GROUP && this.#isPackable(field)) {
        if (random.chance(0.3) && this.#syntax !== "editions") field.options = { packed: random.chance(0.5) };
      }
      if (field.typeName === ".random.Shut" && this.#syntax === "editions") {
        // A closed enum needs presence.
        field.options = { features: { fieldPresence: FeatureSet_FieldPresence.EXPLICIT } };
        if (field.label === Label.REPEATED || field.oneofIndex !== undefined) delete field.options;
      }
      message.field.push(field);
    }
    // The synthetic oneofs of `optional` come last, and no oneof is empty.
    const used = message.oneofDecl.filter((_, i) => message.field.some((f) => f.oneofIndex === i));
    for (const field of message.field) {
      if (field.oneofIndex === undefined) continue;
      const decl = message.oneofDecl[field.oneofIndex];
      field.oneofIndex = decl === undefined ? 0 : used.indexOf(decl);
    }
    const extensionRange = this.#syntax === "proto3" ? [] : [{ start: 1000, end: 2000 }];
    return { ...message, oneofDecl: used, extensionRange };
  }

  extensions(): Field[] {
    return [1000, 1001, 1002, 1003].map((number, i) => {
      const repeated = this.#random.chance(0.4);
      const field: Field = {
        ...this.#type(),
        name: `extension_${i}`,
        jsonName: `extension${i}`,
        number,
        label: repeated ? Label.REPEATED : Label.OPTIONAL,
        extendee: ".random.A",
      };
      return field;
    });
  }

  #isPackable(field: Field): boolean {
    return field.type !== Type.STRING && field.type !== Type.BYTES && field.type !== Type.MESSAGE;
  }

  #type(): Field {
    const random = this.#random;
    const roll = random.next();
    if (roll < 0.5) return { type: random.pick(SCALARS) };
    if (roll < 0.62) {
      return {
        type: Type.ENUM,
        typeName: random.pick([".random.Open", this.#shut(), ".google.protobuf.NullValue"]),
      };
    }
    if (roll < 0.8) return { type: Type.MESSAGE, typeName: `.google.protobuf.${random.pick(WELL_KNOWN)}` };
    const typeName = `.random.${random.pick(MESSAGES)}`;
    return { type: this.#syntax === "proto2" && random.chance(0.2) ? Type.GROUP : Type.MESSAGE, typeName };
  }

  #shut(): string {
    return ".random.Shut";
  }

  #makeMap(message: { name: string; nestedType: Message[] }, field: Field, i: number): void {
    const entry = `Entry${i}`;
    const { type, typeName } = field;
    if (type === Type.GROUP) return;
    message.nestedType.push({
      name: entry,
      field: [
        { name: "key", jsonName: "key", number: 1, label: Label.OPTIONAL, type: this.#random.pick(MAP_KEYS) },
        {
          name: "value",
          jsonName: "value",
          number: 2,
          label: Label.OPTIONAL,
          ...(type ? { type } : {}),
          ...(typeName ? { typeName } : {}),
        },
      ],
      options: { mapEntry: true },
    });
    field.type = Type.MESSAGE;
    field.typeName = `.random.${message.name}.${entry}`;
    field.label = Label.REPEATED;
  }

  #makeOptional(message: { oneofDecl: { name: string }[] }, field: Field, i: number): void {
    field.proto3Optional = true;
    field.oneofIndex = message.oneofDecl.push({ name: `_optional_${i}` }) - 1;
  }

  #makeRequired(field: Field): void {
    // A message that requires itself has no end.
    if (field.typeName !== undefined) return;
    if (this.#syntax === "proto2") field.label = Label.REQUIRED;
    else if (this.#syntax === "editions") {
      field.options = { features: { fieldPresence: FeatureSet_FieldPresence.LEGACY_REQUIRED } };
    }
  }
}

function camel(name: string): string {
  return name.replace(/_+([a-z0-9])?/g, (_, char: string | undefined) => (char ?? "").toUpperCase());
}
