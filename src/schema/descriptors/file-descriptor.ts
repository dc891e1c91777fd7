// One FileDescriptorProto: parses its bytes, lists its declarations and references. schema.ts builds on it.
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import {
  type DescriptorProto,
  type FieldDescriptorProto,
  FieldDescriptorProto_Type,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  file_google_protobuf_any,
  file_google_protobuf_api,
  file_google_protobuf_compiler_plugin,
  file_google_protobuf_cpp_features,
  file_google_protobuf_descriptor,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_go_features,
  file_google_protobuf_java_features,
  file_google_protobuf_source_context,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_type,
  file_google_protobuf_wrappers,
} from "@bufbuild/protobuf/wkt";
import { SchemaError } from "./schema-error.js";

/** google.api.http in google.protobuf.MethodOptions (google/api/annotations.proto). */
export const HTTP_RULE_EXTENSION = 72295728;

export type SymbolKind = "message" | "enum" | "service" | "method" | "extension";

export interface Declaration {
  /** Full name, without a leading dot. */
  readonly name: string;
  readonly kind: SymbolKind;
}

/** Of one file. */
export type Declarations = Pick<FileDescriptorProto, "package"> &
  Partial<Pick<FileDescriptorProto, "messageType" | "extension" | "service">>;

/** A place in a file that names a type. */
export interface Reference {
  /** For messages: `field library.v1.Book.author`. */
  readonly from: string;
  /** The full name of the enclosing declaration; relative names are looked up from there outwards. */
  readonly scope: string;
  readonly name: string;
  /** Replaces a relative name by the full one, and sets the kind if the descriptor lacks it. */
  resolve(fullName: string, kind: SymbolKind): void;
  /** The required kind of declaration; undefined: message or enum. */
  readonly wants: "message" | "enum" | undefined;
}

/**
 * Parses a FileDescriptorProto, with JSON names filled in. `name` is the requested name; a file with another name is
 * rejected.
 */
export function parseFile(name: string, bytes: Uint8Array): FileDescriptorProto {
  let proto: FileDescriptorProto;
  try {
    proto = fromBinary(FileDescriptorProtoSchema, bytes);
  } catch (error) {
    throw new SchemaError(`"${name}" is not a file descriptor: ${reasonOf(error)}`);
  }
  finishFile(name, proto);
  return proto;
}

/** Fills in JSON names. Throws a SchemaError if the file has another name, or a field has no type. */
export function finishFile(name: string, proto: FileDescriptorProto): void {
  if (proto.name !== name) {
    throw new SchemaError(
      `the descriptor of "${name}" has the name "${proto.name}" in it: the names must be the same`,
    );
  }
  for (const message of proto.messageType) finishMessage(message, proto.package);
  for (const field of proto.extension) checkType(field, proto.package);
}

/**
 * Only the name of a FileDescriptorProto, without parsing the rest; undefined if the bytes are malformed or it has no
 * name.
 */
export function fileNameOf(bytes: Uint8Array): string | undefined {
  try {
    const reader = new BinaryReader(bytes);
    let name: string | undefined;
    while (reader.pos < reader.len) {
      const [no, wire] = reader.tag();
      if (no === 1 && wire === 2) name = reader.string();
      else reader.skip(wire, no);
    }
    return name === "" ? undefined : name;
  } catch {
    return undefined;
  }
}

/** Every message, enum, service, method and extension of the file. */
export function* declarationsOf(file: Readonly<FileDescriptorProto>): Generator<Declaration> {
  const scope = file.package;
  for (const message of file.messageType) yield* messageDeclarations(message, scope);
  for (const { name } of file.enumType) yield { name: join(scope, name), kind: "enum" };
  for (const { name } of file.extension) yield { name: join(scope, name), kind: "extension" };
  for (const service of file.service) {
    const name = join(scope, service.name);
    yield { name, kind: "service" };
    for (const method of service.method) yield { name: join(name, method.name), kind: "method" };
  }
}

function* messageDeclarations(message: DescriptorProto, scope: string): Generator<Declaration> {
  const full = join(scope, message.name);
  yield { name: full, kind: "message" };
  for (const nested of message.nestedType) yield* messageDeclarations(nested, full);
  for (const { name } of message.enumType) yield { name: join(full, name), kind: "enum" };
  for (const { name } of message.extension) yield { name: join(full, name), kind: "extension" };
}

/** Every place of the file, or of some of its declarations, that names a type. */
export function* referencesOf(file: Declarations): Generator<Reference> {
  for (const message of file.messageType ?? []) yield* messageReferences(message, file.package);
  for (const field of file.extension ?? []) yield* fieldReferences(field, file.package, "extension");
  for (const service of file.service ?? []) {
    const scope = join(file.package, service.name);
    for (const method of service.method) {
      const from = `method ${join(scope, method.name)}`;
      yield {
        from,
        scope,
        name: method.inputType,
        wants: "message",
        resolve: (name) => {
          method.inputType = `.${name}`;
        },
      };
      yield {
        from,
        scope,
        name: method.outputType,
        wants: "message",
        resolve: (name) => {
          method.outputType = `.${name}`;
        },
      };
    }
  }
}

function* messageReferences(message: DescriptorProto, outer: string): Generator<Reference> {
  const scope = join(outer, message.name);
  for (const field of message.field) yield* fieldReferences(field, scope, "field");
  for (const field of message.extension) yield* fieldReferences(field, scope, "extension");
  for (const nested of message.nestedType) yield* messageReferences(nested, scope);
}

function* fieldReferences(
  field: FieldDescriptorProto,
  scope: string,
  what: "field" | "extension",
): Generator<Reference> {
  const from = `${what} ${join(scope, field.name)}`;
  if (what === "extension") {
    yield {
      from,
      scope,
      name: field.extendee,
      wants: "message",
      resolve: (name) => {
        field.extendee = `.${name}`;
      },
    };
  }
  const { type } = field;
  const wants =
    type === FieldDescriptorProto_Type.MESSAGE || type === FieldDescriptorProto_Type.GROUP
      ? "message"
      : type === FieldDescriptorProto_Type.ENUM
        ? "enum"
        : undefined;
  const untyped = isUntyped(field);
  if (wants !== undefined || (untyped && field.typeName !== "")) {
    yield {
      from,
      scope,
      name: field.typeName,
      wants: untyped ? undefined : wants,
      resolve: (name, kind) => {
        field.typeName = `.${name}`;
        if (untyped) {
          field.type = kind === "enum" ? FieldDescriptorProto_Type.ENUM : FieldDescriptorProto_Type.MESSAGE;
        }
      },
    };
  }
}

/** Names that a reference may mean, innermost first (C++ scoping, as protoc resolves them). */
export function* candidatesOf(reference: Pick<Reference, "name" | "scope">): Generator<string> {
  if (reference.name.startsWith(".")) {
    yield reference.name.slice(1);
    return;
  }
  for (
    let scope = reference.scope;
    scope !== "";
    scope = scope.slice(0, Math.max(0, scope.lastIndexOf(".")))
  ) {
    yield `${scope}.${reference.name}`;
  }
  yield reference.name;
}

/**
 * protobufjs makes one file of each package, named after it, without imports; proto-loader's definitions come from it.
 */
export function isOfProtobufjs({ name, package: pkg, dependency }: FileDescriptorProto): boolean {
  return dependency.length === 0 && pkg !== "" && name === `${pkg.replaceAll(".", "_")}.proto`;
}

const WELL_KNOWN = new Map(
  [
    file_google_protobuf_any,
    file_google_protobuf_api,
    file_google_protobuf_compiler_plugin,
    file_google_protobuf_cpp_features,
    file_google_protobuf_descriptor,
    file_google_protobuf_duration,
    file_google_protobuf_empty,
    file_google_protobuf_field_mask,
    file_google_protobuf_go_features,
    file_google_protobuf_java_features,
    file_google_protobuf_source_context,
    file_google_protobuf_struct,
    file_google_protobuf_timestamp,
    file_google_protobuf_type,
    file_google_protobuf_wrappers,
  ].map((file) => [file.proto.name, file.proto]),
);

/** The descriptor of a `google/protobuf/*.proto` that every protobuf implementation has; undefined for other names. */
export function wellKnownFile(name: string): Uint8Array | undefined {
  const proto = WELL_KNOWN.get(name);
  return proto === undefined ? undefined : toBinary(FileDescriptorProtoSchema, proto);
}

/** The well-known file that declares a type such as `google.protobuf.Timestamp`. */
export function wellKnownFileOfType(typeName: string): string | undefined {
  if (!typeName.startsWith("google.protobuf.")) return undefined;
  for (const [name, proto] of WELL_KNOWN) {
    for (const declaration of declarationsOf(proto)) if (declaration.name === typeName) return name;
  }
  return undefined;
}

/** Fills in JSON names. Throws a SchemaError if a field has no type. */
export function finishMessage(message: DescriptorProto, outer: string): void {
  const scope = join(outer, message.name);
  for (const field of message.field) {
    checkType(field, scope);
    // protoc fills json_name for its plugins only: servers in C++ and Python reflect descriptors without it.
    if (field.jsonName === "") field.jsonName = jsonNameOf(field.name);
  }
  for (const field of message.extension) checkType(field, scope);
  for (const nested of message.nestedType) finishMessage(nested, scope);
}

// descriptor.proto: "If type_name is set, this need not be set." Then referencesOf finds out.
function checkType(field: FieldDescriptorProto, scope: string): void {
  const known = isUntyped(field)
    ? field.typeName !== ""
    : FieldDescriptorProto_Type[field.type] !== undefined;
  if (!known) throw new SchemaError(`field ${join(scope, field.name)} has no known type`);
}

function isUntyped(field: FieldDescriptorProto): boolean {
  return !Object.hasOwn(field, "type");
}

/** protoc's JSON name of a field: without underscores, the letter after each in upper case. */
export function jsonNameOf(fieldName: string): string {
  return fieldName.replace(/_+(.?)/g, (_, next: string) => next.toUpperCase());
}

/** Joins a scope and a name with a dot; the empty scope adds none. */
export function join(scope: string, name: string): string {
  return scope === "" ? name : `${scope}.${name}`;
}

/** The sentence of an error that some library threw. */
export function reasonOf(error: unknown): string {
  return error instanceof Error && error.message !== "" ? error.message : String(error);
}
