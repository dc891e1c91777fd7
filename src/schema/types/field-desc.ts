// Descriptors of fields and extensions, in @bufbuild/protobuf's form. References are resolved by name at first use.
import {
  type DescEnum,
  type DescExtension,
  type DescField,
  type DescMessage,
  type DescOneof,
  ScalarType,
} from "@bufbuild/protobuf";
import { protoCamelCase, safeObjectProperty } from "@bufbuild/protobuf/reflect";
import { parseTextFormatEnumValue, parseTextFormatScalarValue } from "@bufbuild/protobuf/wire";
import {
  FeatureSet_FieldPresence,
  FeatureSet_MessageEncoding,
  FeatureSet_RepeatedFieldEncoding,
  FeatureSet_Utf8Validation,
  type FieldDescriptorProto,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FieldOptions_JSType,
} from "@bufbuild/protobuf/wkt";
import { join } from "../descriptors/file-descriptor.js";
import { SchemaError } from "../descriptors/schema-error.js";
import { type Features, withFeatures } from "../tables/features.js";
import type { OwnFile, OwnMessage, Resolver } from "./resolver.js";

const Type = FieldDescriptorProto_Type;
const { REPEATED, REQUIRED } = FieldDescriptorProto_Label;

/** @param features of its message */
export function fieldDesc(
  proto: FieldDescriptorProto,
  parent: OwnMessage,
  oneof: DescOneof | undefined,
  resolver: Resolver,
  features: Features,
): DescField {
  const entry = mapEntryOf(proto, parent);
  const made = new FieldDesc(proto, parent, oneof, resolver, features, entry);
  // The compiler cannot follow how the kinds of a field hang together; test/schema/registry.test.ts compares them all.
  return made as unknown as DescField;
}

/** @param features of its message or file */
export function extensionDesc(
  proto: FieldDescriptorProto,
  file: OwnFile,
  parent: OwnMessage | undefined,
  resolver: Resolver,
  features: Features,
): DescExtension {
  return new ExtensionDesc(proto, file, parent, resolver, features) as unknown as DescExtension;
}

/** The entry message of a map; protoc puts it into the message that has the field. */
function mapEntryOf(proto: FieldDescriptorProto, parent: OwnMessage): DescMessage | undefined {
  if (proto.label !== REPEATED || proto.type !== Type.MESSAGE || parent.mapEntries.size === 0)
    return undefined;
  return parent.mapEntries.get(proto.typeName.replace(/^\./, ""));
}

/** The common part of fields and extensions. */
abstract class Shared {
  readonly name: string;
  readonly number: number;
  readonly proto: FieldDescriptorProto;
  readonly presence: FeatureSet_FieldPresence;
  readonly utf8Validation: boolean;
  readonly fieldKind: DescField["fieldKind"];
  readonly listKind: "scalar" | "enum" | "message" | undefined;
  readonly mapKind: "scalar" | "enum" | "message" | undefined = undefined;
  readonly mapKey: ScalarType | undefined = undefined;
  readonly scalar: ScalarType | undefined;
  readonly delimitedEncoding: boolean | undefined;
  readonly packed: boolean | undefined;
  readonly longAsString: boolean;
  /** The field that describes one value: for a map that of its entry. */
  readonly #value: DescField | undefined;
  readonly #resolver: Resolver;
  readonly #isMessage: boolean;
  readonly #isEnum: boolean;
  #message: DescMessage | undefined;
  #enum: DescEnum | undefined;

  constructor(
    proto: FieldDescriptorProto,
    scope: string,
    presence: FeatureSet_FieldPresence,
    resolver: Resolver,
    features: Features,
    entry: DescMessage | undefined,
  ) {
    this.proto = proto;
    this.name = proto.name;
    this.number = proto.number;
    this.presence = presence;
    this.utf8Validation = features.utf8Validation === FeatureSet_Utf8Validation.VERIFY;
    this.#resolver = resolver;
    const { type, label } = proto;
    const isEnum = type === Type.ENUM;
    const isMessage = type === Type.MESSAGE || type === Type.GROUP;
    const kind = isMessage ? "message" : isEnum ? "enum" : "scalar";
    if (entry !== undefined) {
      const key = entry.fields.find(({ number }) => number === 1);
      const value = entry.fields.find(({ number }) => number === 2);
      if (key === undefined || value === undefined || !isMapKey(key.scalar) || !isSingular(value))
        throw new SchemaError(`the map ${scope}.${proto.name} has no entry with a key and a value`);
      this.fieldKind = "map";
      this.listKind = undefined;
      this.mapKind = value.fieldKind;
      this.mapKey = key.scalar;
      this.scalar = value.scalar;
      this.delimitedEncoding = false;
      this.packed = undefined;
      this.longAsString = false;
      this.#value = value;
      this.#isMessage = value.fieldKind === "message";
      this.#isEnum = value.fieldKind === "enum";
      return;
    }
    const isList = label === REPEATED;
    this.#value = undefined;
    this.#isMessage = isMessage;
    this.#isEnum = isEnum;
    this.fieldKind = isList ? "list" : kind;
    this.listKind = isList ? kind : undefined;
    this.scalar = kind === "scalar" ? scalarOf(type, scope, proto.name) : undefined;
    this.delimitedEncoding = isMessage
      ? type === Type.GROUP || features.messageEncoding === FeatureSet_MessageEncoding.DELIMITED
      : undefined;
    this.packed = isList ? isPacked(proto, kind, features) : undefined;
    this.longAsString = kind === "scalar" && proto.options?.jstype === FieldOptions_JSType.JS_STRING;
  }

  get deprecated(): boolean {
    return this.proto.options?.deprecated ?? false;
  }

  get message(): DescMessage | undefined {
    if (!this.#isMessage) return undefined;
    this.#message ??= this.#value?.message ?? this.#resolver.message(this.proto.typeName);
    return this.#message;
  }

  get enum(): DescEnum | undefined {
    if (!this.#isEnum) return undefined;
    this.#enum ??= this.#value?.enum ?? this.#resolver.enum(this.proto.typeName);
    return this.#enum;
  }

  getDefaultValue(): unknown {
    const { proto } = this;
    if (this.fieldKind === "message" || !Object.hasOwn(proto, "defaultValue")) return undefined;
    if (this.enum !== undefined) return parseTextFormatEnumValue(this.enum, proto.defaultValue);
    return this.scalar === undefined
      ? undefined
      : parseTextFormatScalarValue(this.scalar, proto.defaultValue);
  }
}

class FieldDesc extends Shared {
  readonly kind = "field";
  readonly parent: DescMessage;
  readonly oneof: DescOneof | undefined;
  readonly localName: string;
  readonly jsonName: string;

  constructor(
    proto: FieldDescriptorProto,
    parent: OwnMessage,
    oneof: DescOneof | undefined,
    resolver: Resolver,
    outer: Features,
    entry: DescMessage | undefined,
  ) {
    const features = withFeatures(outer, proto.options?.features);
    super(
      proto,
      parent.typeName,
      presenceOf(proto, oneof !== undefined, features),
      resolver,
      features,
      entry,
    );
    this.parent = parent;
    this.oneof = oneof;
    const camel = protoCamelCase(proto.name);
    this.localName = oneof === undefined ? safeObjectProperty(camel) : camel;
    this.jsonName = proto.jsonName;
  }

  override toString(): string {
    return `field ${this.parent.typeName}.${this.name}`;
  }
}

class ExtensionDesc extends Shared {
  readonly kind = "extension";
  readonly typeName: string;
  readonly file: OwnFile;
  readonly parent: DescMessage | undefined;
  readonly oneof = undefined;
  readonly jsonName: string;
  readonly #find: () => DescMessage;
  #extendee: DescMessage | undefined;

  constructor(
    proto: FieldDescriptorProto,
    file: OwnFile,
    parent: DescMessage | undefined,
    resolver: Resolver,
    outer: Features,
  ) {
    const scope = parent?.typeName ?? file.package;
    const features = withFeatures(outer, proto.options?.features);
    super(proto, scope, extensionPresence(proto), resolver, features, undefined);
    this.typeName = join(scope, proto.name);
    this.file = file;
    this.parent = parent;
    this.jsonName = `[${this.typeName}]`;
    this.#find = () => resolver.message(proto.extendee);
    // @bufbuild/protobuf copies the own properties of an extension to make a field of it.
    const own = (get: () => unknown) => ({ enumerable: true, get });
    Object.defineProperties(this, {
      message: own(() => super.message),
      enum: own(() => super.enum),
      getDefaultValue: { enumerable: true, value: () => super.getDefaultValue() },
    });
  }

  get extendee(): DescMessage {
    this.#extendee ??= this.#find();
    return this.#extendee;
  }

  override toString(): string {
    return `extension ${this.typeName}`;
  }
}

function presenceOf(
  proto: FieldDescriptorProto,
  inOneof: boolean,
  features: Features,
): FeatureSet_FieldPresence {
  const { EXPLICIT, IMPLICIT, LEGACY_REQUIRED } = FeatureSet_FieldPresence;
  if (proto.label === REQUIRED) return LEGACY_REQUIRED;
  if (proto.label === REPEATED) return IMPLICIT;
  if (inOneof || proto.proto3Optional) return EXPLICIT;
  const isMessage = proto.type === Type.MESSAGE || proto.type === Type.GROUP;
  return features.fieldPresence === IMPLICIT && isMessage ? EXPLICIT : features.fieldPresence;
}

function extensionPresence({ label }: FieldDescriptorProto): FeatureSet_FieldPresence {
  const { EXPLICIT, IMPLICIT, LEGACY_REQUIRED } = FeatureSet_FieldPresence;
  return label === REQUIRED ? LEGACY_REQUIRED : label === REPEATED ? IMPLICIT : EXPLICIT;
}

function isPacked(
  { type, options }: FieldDescriptorProto,
  kind: "scalar" | "enum" | "message",
  features: Features,
): boolean {
  if (kind === "message" || type === Type.STRING || type === Type.BYTES) return false;
  if (options !== undefined && Object.hasOwn(options, "packed")) return options.packed;
  return features.repeatedFieldEncoding === FeatureSet_RepeatedFieldEncoding.PACKED;
}

function isMapKey(scalar: ScalarType | undefined): boolean {
  const { BYTES, FLOAT, DOUBLE } = ScalarType;
  return scalar !== undefined && scalar !== BYTES && scalar !== FLOAT && scalar !== DOUBLE;
}

function isSingular(
  field: DescField,
): field is Extract<DescField, { fieldKind: "scalar" | "enum" | "message" }> {
  return field.fieldKind === "scalar" || field.fieldKind === "enum" || field.fieldKind === "message";
}

/** The scalar types have the numbers of the field types. */
function scalarOf(type: FieldDescriptorProto_Type, scope: string, name: string): ScalarType {
  const scalar: number = type;
  if (!isScalar(scalar)) throw new SchemaError(`field ${join(scope, name)} has no known type`);
  return scalar;
}

function isScalar(type: number): type is ScalarType {
  return ScalarType[type] !== undefined;
}
