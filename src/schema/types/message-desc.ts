// Descriptors of messages, enums and services, in @bufbuild/protobuf's form, made on demand over a registry: references
// are resolved by name, so files may import each other, or not at all.
import type {
  DescEnum,
  DescEnumValue,
  DescExtension,
  DescField,
  DescMessage,
  DescMethod,
  DescOneof,
  DescService,
} from "@bufbuild/protobuf";
import { protoCamelCase, safeObjectProperty } from "@bufbuild/protobuf/reflect";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import {
  type DescriptorProto,
  type EnumDescriptorProto,
  type EnumValueDescriptorProto,
  FeatureSet_EnumType,
  type MethodDescriptorProto,
  MethodOptions_IdempotencyLevel,
  type OneofDescriptorProto,
  type ServiceDescriptorProto,
} from "@bufbuild/protobuf/wkt";
import { join } from "../descriptors/file-descriptor.js";
import { SchemaError } from "../descriptors/schema-error.js";
import { type Features, withFeatures } from "../tables/features.js";
import type { OutlinedMethod, Outlines } from "../tables/outline.js";
import { extensionDesc, fieldDesc } from "./field-desc.js";
import type { OwnFile, OwnMessage, Resolver } from "./resolver.js";

interface Members {
  readonly fields: DescField[];
  readonly field: Record<string, DescField>;
  readonly oneofs: DescOneof[];
  readonly members: (DescField | DescOneof)[];
}

export class MessageDesc implements OwnMessage {
  readonly kind = "message";
  readonly typeName: string;
  readonly name: string;
  readonly file: OwnFile;
  readonly parent: MessageDesc | undefined;
  readonly proto: DescriptorProto;
  readonly nestedEnums: EnumDesc[] = [];
  readonly nestedMessages: MessageDesc[] = [];
  /** Entries of this message's maps, by full name. */
  readonly mapEntries = new Map<string, MessageDesc>();
  readonly #resolver: Resolver;
  readonly #features: Features;
  #members: Members | undefined;
  #extensions: DescExtension[] | undefined;

  /** @param features of what it stands in */
  constructor(
    proto: DescriptorProto,
    file: OwnFile,
    parent: MessageDesc | undefined,
    resolver: Resolver,
    features: Features,
  ) {
    this.proto = proto;
    this.file = file;
    this.parent = parent;
    this.name = proto.name;
    this.typeName = join(parent?.typeName ?? file.package, proto.name);
    this.#resolver = resolver;
    this.#features = withFeatures(features, proto.options?.features);
    for (const nested of proto.nestedType) {
      const desc = new MessageDesc(nested, file, this, resolver, this.#features);
      if (nested.options?.mapEntry === true) this.mapEntries.set(desc.typeName, desc);
      else this.nestedMessages.push(desc);
    }
    for (const nested of proto.enumType) {
      this.nestedEnums.push(new EnumDesc(nested, file, this, this.#features));
    }
  }

  get deprecated(): boolean {
    return this.proto.options?.deprecated ?? false;
  }

  get fields(): DescField[] {
    return this.#all.fields;
  }

  get field(): Record<string, DescField> {
    return this.#all.field;
  }

  get oneofs(): DescOneof[] {
    return this.#all.oneofs;
  }

  get members(): (DescField | DescOneof)[] {
    return this.#all.members;
  }

  get nestedExtensions(): DescExtension[] {
    this.#extensions ??= this.proto.extension.map((proto) =>
      extensionDesc(proto, this.file, this, this.#resolver, this.#features),
    );
    return this.#extensions;
  }

  get #all(): Members {
    this.#members ??= this.#makeMembers();
    return this.#members;
  }

  #makeMembers(): Members {
    const oneofs = this.proto.oneofDecl.map((proto) => new OneofDesc(proto, this));
    const seen = new Set<DescOneof>();
    const made: Members = { fields: [], field: {}, oneofs: [], members: [] };
    for (const proto of this.proto.field) {
      // Formally, a proto3 optional field is the only member of a oneof.
      const isMember = Object.hasOwn(proto, "oneofIndex") && !proto.proto3Optional;
      const oneof = isMember ? oneofs[proto.oneofIndex] : undefined;
      if (isMember && oneof === undefined)
        throw new SchemaError(`field ${this.typeName}.${proto.name} is in a oneof that is not declared`);
      const field = fieldDesc(proto, this, oneof, this.#resolver, this.#features);
      made.fields.push(field);
      made.field[field.localName] = field;
      if (oneof === undefined) made.members.push(field);
      else {
        oneof.fields.push(field);
        if (!seen.has(oneof)) made.members.push(oneof);
        seen.add(oneof);
      }
    }
    made.oneofs.push(...oneofs.filter((oneof) => seen.has(oneof)));
    return made;
  }

  toString(): string {
    return `message ${this.typeName}`;
  }
}

class OneofDesc implements DescOneof {
  readonly kind = "oneof";
  readonly name: string;
  readonly localName: string;
  readonly parent: DescMessage;
  readonly fields: DescField[] = [];
  readonly deprecated = false;
  readonly proto: OneofDescriptorProto;

  constructor(proto: OneofDescriptorProto, parent: DescMessage) {
    this.proto = proto;
    this.parent = parent;
    this.name = proto.name;
    this.localName = safeObjectProperty(protoCamelCase(proto.name));
  }

  toString(): string {
    return `oneof ${this.parent.typeName}.${this.name}`;
  }
}

export class EnumDesc implements DescEnum {
  readonly kind = "enum";
  readonly typeName: string;
  readonly name: string;
  readonly file: OwnFile;
  readonly parent: DescMessage | undefined;
  readonly open: boolean;
  readonly values: DescEnumValue[] = [];
  readonly value: Record<number, DescEnumValue> = {};
  readonly sharedPrefix: string | undefined;
  readonly proto: EnumDescriptorProto;

  /** @param features of what it stands in */
  constructor(
    proto: EnumDescriptorProto,
    file: OwnFile,
    parent: DescMessage | undefined,
    features: Features,
  ) {
    this.proto = proto;
    this.file = file;
    this.parent = parent;
    this.name = proto.name;
    this.typeName = join(parent?.typeName ?? file.package, proto.name);
    this.open = withFeatures(features, proto.options?.features).enumType === FeatureSet_EnumType.OPEN;
    this.sharedPrefix = sharedPrefix(proto);
    for (const value of proto.value) {
      const desc = new EnumValueDesc(value, this);
      this.values.push(desc);
      // Of two names for one number the first counts.
      this.value[value.number] ??= desc;
    }
  }

  get deprecated(): boolean {
    return this.proto.options?.deprecated ?? false;
  }

  toString(): string {
    return `enum ${this.typeName}`;
  }
}

class EnumValueDesc implements DescEnumValue {
  readonly kind = "enum_value";
  readonly name: string;
  readonly localName: string;
  readonly parent: DescEnum;
  readonly number: number;
  readonly jsonName: string;
  readonly proto: EnumValueDescriptorProto;

  constructor(proto: EnumValueDescriptorProto, parent: DescEnum) {
    this.proto = proto;
    this.parent = parent;
    this.name = proto.name;
    this.number = proto.number;
    this.localName = safeObjectProperty(proto.name.slice(parent.sharedPrefix?.length ?? 0));
    this.jsonName = jsonNameOf(proto) ?? proto.name;
  }

  get deprecated(): boolean {
    return this.proto.options?.deprecated ?? false;
  }

  toString(): string {
    return `enum value ${this.parent.typeName}.${this.name}`;
  }
}

/** `extend EnumValueOptions { JsonEnumValueOptions json = 998; }`, whose field 1 is the name. */
const JSON_ENUM_VALUE = 998;

function jsonNameOf({ options }: EnumValueDescriptorProto): string | undefined {
  let name: string | undefined;
  for (const { no, wireType, data } of options?.$unknown ?? []) {
    if (no !== JSON_ENUM_VALUE || wireType !== WireType.LengthDelimited) continue;
    const reader = new BinaryReader(new BinaryReader(data).bytes());
    while (reader.pos < reader.len) {
      const [field, wire] = reader.tag();
      if (field === 1 && wire === WireType.LengthDelimited) name = reader.string();
      else reader.skip(wire, field);
    }
  }
  return name;
}

/** `color_` if all values of `Color` begin with it, in any case, and are valid names without it. */
function sharedPrefix({ name, value }: EnumDescriptorProto): string | undefined {
  const prefix = `${name.replace(/(?<!^)[A-Z]/g, (c) => `_${c}`).toLowerCase()}_`;
  const begins = value.every(({ name: one }) => {
    const rest = one.slice(prefix.length);
    return one.toLowerCase().startsWith(prefix) && rest !== "" && !/^\d/.test(rest);
  });
  return begins ? prefix : undefined;
}

export class ServiceDesc implements DescService {
  readonly kind = "service";
  readonly typeName: string;
  readonly file: OwnFile;
  readonly #resolver: Resolver;
  readonly #read: () => ServiceDescriptorProto;
  #proto: ServiceDescriptorProto | undefined;
  #methods: DescMethod[] | undefined;
  #method: Record<string, DescMethod> | undefined;

  constructor(typeName: string, file: OwnFile, resolver: Resolver, read: () => ServiceDescriptorProto) {
    this.typeName = typeName;
    this.file = file;
    this.#resolver = resolver;
    this.#read = read;
  }

  get name(): string {
    return this.typeName.slice(this.typeName.lastIndexOf(".") + 1);
  }

  get proto(): ServiceDescriptorProto {
    this.#proto ??= this.#read();
    return this.#proto;
  }

  get deprecated(): boolean {
    return this.proto.options?.deprecated ?? false;
  }

  get methods(): DescMethod[] {
    this.#methods ??= this.proto.method.map((proto) => new MethodDesc(proto, this, this.#resolver));
    return this.#methods;
  }

  get method(): Record<string, DescMethod> {
    if (this.#method === undefined) {
      this.#method = {};
      for (const method of this.methods) this.#method[method.localName] = method;
    }
    return this.#method;
  }

  toString(): string {
    return `service ${this.typeName}`;
  }
}

class MethodDesc implements OutlinedMethod {
  readonly kind = "rpc";
  readonly name: string;
  readonly parent: DescService;
  readonly methodKind: DescMethod["methodKind"];
  readonly idempotency: MethodOptions_IdempotencyLevel;
  readonly proto: MethodDescriptorProto;
  readonly #resolver: Resolver;
  #input: DescMessage | undefined;
  #output: DescMessage | undefined;

  constructor(proto: MethodDescriptorProto, parent: DescService, resolver: Resolver) {
    this.proto = proto;
    this.parent = parent;
    this.name = proto.name;
    this.#resolver = resolver;
    this.methodKind = proto.clientStreaming
      ? proto.serverStreaming
        ? "bidi_streaming"
        : "client_streaming"
      : proto.serverStreaming
        ? "server_streaming"
        : "unary";
    this.idempotency = proto.options?.idempotencyLevel ?? MethodOptions_IdempotencyLevel.IDEMPOTENCY_UNKNOWN;
  }

  get localName(): string {
    return safeObjectProperty(this.name.replace(/^./s, (first) => first.toLowerCase()));
  }

  get input(): DescMessage {
    this.#input ??= this.#resolver.message(this.proto.inputType);
    return this.#input;
  }

  get inputName(): string {
    return this.proto.inputType.slice(1);
  }

  get outputName(): string {
    return this.proto.outputType.slice(1);
  }

  get outlines(): Outlines {
    return this.#resolver;
  }

  get output(): DescMessage {
    this.#output ??= this.#resolver.message(this.proto.outputType);
    return this.#output;
  }

  get deprecated(): boolean {
    return this.proto.options?.deprecated ?? false;
  }

  toString(): string {
    return `rpc ${this.parent.typeName}.${this.name}`;
  }
}
