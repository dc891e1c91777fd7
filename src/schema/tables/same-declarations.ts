// Whether two copies of a declaration, or of a file, are equivalent: the only place that decides which differences are
// harmless. Copies come from two upstreams, or from one with vendored files.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  DescriptorProtoSchema,
  type EnumDescriptorProto,
  EnumDescriptorProtoSchema,
  EnumOptionsSchema,
  type FieldDescriptorProto,
  FieldDescriptorProto_Label,
  FieldDescriptorProtoSchema,
  FieldOptionsSchema,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileOptionsSchema,
  MessageOptionsSchema,
  MethodOptionsSchema,
  type ServiceDescriptorProto,
  ServiceDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import { jsonNameOf } from "../descriptors/file-descriptor.js";
import { SymbolKind } from "./schema-tables.js";

/** A declaration at the top of a file, as bytes. */
export interface Declaration {
  /** Full name. */
  readonly name: string;
  /** Of SymbolKind. */
  readonly kind: number;
  /** The edition of its file. */
  readonly edition: number;
  readonly bytes: Uint8Array;
}

/**
 * Packages that are copied everywhere, in different versions. Two versions are equivalent if their common part is equal
 * on the wire; the rest is an addition.
 */
const COPIED = /^google\.(?:protobuf|api|rpc|type|longrunning)(?:\.|$)/;

/** Whether a package is one of those. */
export function isCopied(pkg: string): boolean {
  return COPIED.test(pkg);
}

/**
 * Whether two declarations with one name are equivalent. In COPIED packages: any two versions that agree on the wire.
 * In others: those whose messages are parsed and printed alike. So comments, filled-in JSON names, imports, reserved
 * names and numbers, custom options and language options (`java_package`, `jstype`, `deprecated` …) make no difference.
 */
export function sameDeclaration(one: Declaration, other: Declaration): boolean {
  if (one.kind !== other.kind) return false;
  if (Buffer.compare(one.bytes, other.bytes) === 0 && one.edition === other.edition) return true;
  if (COPIED.test(one.name)) return agree(one, other);
  return one.edition === other.edition && Buffer.compare(meaningOf(one), meaningOf(other)) === 0;
}

/** Like sameDeclaration, for two files with one name. */
export function sameFile(one: Uint8Array, other: Uint8Array): boolean {
  if (Buffer.compare(one, other) === 0) return true;
  const [a, b] = [fromBinary(FileDescriptorProtoSchema, one), fromBinary(FileDescriptorProtoSchema, other)];
  if (a.package !== b.package) return false;
  if (COPIED.test(a.package)) return filesAgree(a, b);
  return Buffer.compare(meaningOfFile(a), meaningOfFile(b)) === 0;
}

function agree(one: Declaration, other: Declaration): boolean {
  switch (one.kind) {
    case SymbolKind.MESSAGE:
      return messagesAgree(
        fromBinary(DescriptorProtoSchema, one.bytes),
        fromBinary(DescriptorProtoSchema, other.bytes),
      );
    case SymbolKind.EXTENSION:
      return extensionsAgree(
        fromBinary(FieldDescriptorProtoSchema, one.bytes),
        fromBinary(FieldDescriptorProtoSchema, other.bytes),
      );
    default:
      return true;
  }
}

function filesAgree(one: FileDescriptorProto, other: FileDescriptorProto): boolean {
  return (
    pairsAgree(one.messageType, other.messageType, ({ name }) => name, messagesAgree) &&
    pairsAgree(one.extension, other.extension, ({ name }) => name, extensionsAgree)
  );
}

function messagesAgree(one: DescriptorProto, other: DescriptorProto): boolean {
  return (
    pairsAgree(one.field, other.field, ({ number }) => number, fieldsAgree) &&
    pairsAgree(
      one.field,
      other.field,
      ({ name }) => name,
      (a, b) => a.number === b.number,
    ) &&
    pairsAgree(one.nestedType, other.nestedType, ({ name }) => name, messagesAgree)
  );
}

function fieldsAgree(one: FieldDescriptorProto, other: FieldDescriptorProto): boolean {
  const { REPEATED } = FieldDescriptorProto_Label;
  const isRepeated = (field: FieldDescriptorProto): boolean => field.label === REPEATED;
  // Some libraries omit one of the two.
  const sameType = one.type === other.type || !Object.hasOwn(one, "type") || !Object.hasOwn(other, "type");
  return isRepeated(one) === isRepeated(other) && sameType && sameName(one.typeName, other.typeName);
}

function extensionsAgree(one: FieldDescriptorProto, other: FieldDescriptorProto): boolean {
  return one.number === other.number && sameName(one.extendee, other.extendee) && fieldsAgree(one, other);
}

/** Relative names depend on the library that wrote them: only full ones show a difference. */
function sameName(one: string, other: string): boolean {
  return one === other || !one.startsWith(".") || !other.startsWith(".");
}

/** Whether those that both lists have agree. */
function pairsAgree<T>(
  ones: readonly T[],
  others: readonly T[],
  key: (item: T) => unknown,
  same: (one: T, other: T) => boolean,
): boolean {
  const known = new Map(others.map((item) => [key(item), item]));
  return ones.every((one) => {
    const other = known.get(key(one));
    return other === undefined || same(one, other);
  });
}

/** The declaration without harmless parts, as bytes to compare. */
function meaningOf({ kind, bytes }: Declaration): Uint8Array {
  switch (kind) {
    case SymbolKind.ENUM:
      return toBinary(EnumDescriptorProtoSchema, bareEnum(fromBinary(EnumDescriptorProtoSchema, bytes)));
    case SymbolKind.SERVICE:
      return toBinary(
        ServiceDescriptorProtoSchema,
        bareService(fromBinary(ServiceDescriptorProtoSchema, bytes)),
      );
    case SymbolKind.EXTENSION:
      return toBinary(FieldDescriptorProtoSchema, bareField(fromBinary(FieldDescriptorProtoSchema, bytes)));
    default:
      return toBinary(DescriptorProtoSchema, bareMessage(fromBinary(DescriptorProtoSchema, bytes)));
  }
}

function meaningOfFile(file: FileDescriptorProto): Uint8Array {
  const { package: pkg, syntax, edition, options } = file;
  const bare = create(FileDescriptorProtoSchema, {
    package: pkg,
    syntax: syntax === "proto2" ? "" : syntax,
    edition,
    messageType: file.messageType.map(bareMessage),
    enumType: file.enumType.map(bareEnum),
    service: file.service.map(bareService),
    extension: file.extension.map(bareField),
  });
  if (options?.features !== undefined)
    bare.options = create(FileOptionsSchema, { features: options.features });
  return toBinary(FileDescriptorProtoSchema, bare);
}

// Each keeps only the options that change how messages are parsed or written.

function bareMessage(message: DescriptorProto): DescriptorProto {
  const { options } = message;
  const bare = create(DescriptorProtoSchema, {
    name: message.name,
    field: message.field.map(bareField),
    nestedType: message.nestedType.map(bareMessage),
    enumType: message.enumType.map(bareEnum),
    extension: message.extension.map(bareField),
    oneofDecl: message.oneofDecl.map(({ name }) => ({ name })),
  });
  if (options?.mapEntry || options?.messageSetWireFormat || options?.features)
    bare.options = create(MessageOptionsSchema, {
      mapEntry: options.mapEntry,
      messageSetWireFormat: options.messageSetWireFormat,
      ...(options.features === undefined ? {} : { features: options.features }),
    });
  return bare;
}

function bareField(field: FieldDescriptorProto): FieldDescriptorProto {
  const bare = { ...field };
  delete bare.options;
  delete bare.$unknown;
  bare.jsonName ||= jsonNameOf(field.name);
  const { options } = field;
  const isPacked = options !== undefined && Object.hasOwn(options, "packed");
  if (isPacked || options?.features !== undefined)
    bare.options = create(FieldOptionsSchema, {
      ...(isPacked ? { packed: options.packed } : {}),
      ...(options.features === undefined ? {} : { features: options.features }),
    });
  return create(FieldDescriptorProtoSchema, bare);
}

function bareEnum({ name, value, options }: EnumDescriptorProto): EnumDescriptorProto {
  const bare = create(EnumDescriptorProtoSchema, {
    name,
    value: value.map((one) => ({ name: one.name, number: one.number })),
  });
  if (options?.features !== undefined)
    bare.options = create(EnumOptionsSchema, { features: options.features });
  return bare;
}

function bareService({ name, method }: ServiceDescriptorProto): ServiceDescriptorProto {
  return create(ServiceDescriptorProtoSchema, {
    name,
    method: method.map((one) => {
      const { inputType, outputType, clientStreaming, serverStreaming, options } = one;
      const level = options?.idempotencyLevel ?? 0;
      return {
        name: one.name,
        inputType,
        outputType,
        clientStreaming,
        serverStreaming,
        ...(level === 0 ? {} : { options: create(MethodOptionsSchema, { idempotencyLevel: level }) }),
      };
    }),
  });
}
