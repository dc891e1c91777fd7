// One parsed .proto file as a FileDescriptorProto, as protoc would make it. protobufjs' own conversion (which
// @grpc/proto-loader hands out) makes one file per package and drops imports, rules, proto3_optional and comments.
import { create, type DescMessage, type Message } from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  DescriptorProtoSchema,
  Edition,
  type EnumDescriptorProto,
  EnumDescriptorProtoSchema,
  EnumOptionsSchema,
  EnumValueDescriptorProtoSchema,
  EnumValueOptionsSchema,
  type FieldDescriptorProto,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FieldDescriptorProtoSchema,
  FieldOptionsSchema,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileOptionsSchema,
  MessageOptionsSchema,
  MethodDescriptorProtoSchema,
  MethodOptionsSchema,
  OneofDescriptorProtoSchema,
  OneofOptionsSchema,
  type ServiceDescriptorProto,
  ServiceDescriptorProtoSchema,
  ServiceOptionsSchema,
  SourceCodeInfo_LocationSchema,
  SourceCodeInfoSchema,
} from "@bufbuild/protobuf/wkt";
import type * as protobufjs from "protobufjs";
import { join, jsonNameOf } from "./file-descriptor.js";

export type Protobufjs = typeof protobufjs;

/** An option as it was written, for whoever knows the extensions of all files. */
export interface WrittenOption {
  /** The options message that it belongs to. */
  readonly target: Message;
  readonly schema: DescMessage;
  /** `deprecated`, or `(google.api.http)` */
  readonly name: string;
  /** string, number, boolean, or objects and arrays of such */
  readonly value: unknown;
  /** Full name of what carries it: relative names are looked up from there. */
  readonly scope: string;
}

export interface ProtoFile {
  readonly proto: FileDescriptorProto;
  readonly options: readonly WrittenOption[];
}

/** @throws Error of protobufjs, `illegal token 'x' (line 3)` */
export function parseProtoFile(pb: Protobufjs, name: string, source: string): ProtoFile {
  // A root of its own for each file: what is in it is the file's, and names resolve later, among all files.
  const parsed = pb.parse(source, new pb.Root(), { keepCase: true, alternateCommentMode: true });
  const file = new Converter(pb).file(name, parsed);
  file.proto.publicDependency = publicImports(source, file.proto.dependency);
  return file;
}

const PUBLIC_IMPORT = /^import\s+public\s+["']([^"']*)["']/;

// protobufjs forgets which imports are public; clients of the hub's reflection need to know to link the file.
function publicImports(source: string, dependency: readonly string[]): number[] {
  const names = new Set(source.split("\n").map((line) => PUBLIC_IMPORT.exec(line.trim())?.[1]));
  return dependency.flatMap((file, index) => (names.has(file) ? [index] : []));
}

const SCALARS = new Map<string, FieldDescriptorProto_Type>([
  ["double", FieldDescriptorProto_Type.DOUBLE],
  ["float", FieldDescriptorProto_Type.FLOAT],
  ["int64", FieldDescriptorProto_Type.INT64],
  ["uint64", FieldDescriptorProto_Type.UINT64],
  ["int32", FieldDescriptorProto_Type.INT32],
  ["fixed64", FieldDescriptorProto_Type.FIXED64],
  ["fixed32", FieldDescriptorProto_Type.FIXED32],
  ["bool", FieldDescriptorProto_Type.BOOL],
  ["string", FieldDescriptorProto_Type.STRING],
  ["bytes", FieldDescriptorProto_Type.BYTES],
  ["uint32", FieldDescriptorProto_Type.UINT32],
  ["sfixed32", FieldDescriptorProto_Type.SFIXED32],
  ["sfixed64", FieldDescriptorProto_Type.SFIXED64],
  ["sint32", FieldDescriptorProto_Type.SINT32],
  ["sint64", FieldDescriptorProto_Type.SINT64],
]);

/** Numbers of fields in descriptor.proto, for the paths of comments. */
const PATH = {
  file: { message: 4, enum: 5, service: 6, extension: 7 },
  message: { field: 2, message: 3, enum: 4, extension: 6, oneof: 8 },
  enumValue: 2,
  method: 2,
} as const;

type Path = readonly number[];

class Converter {
  readonly #pb: Protobufjs;
  readonly #options: WrittenOption[] = [];
  readonly #comments: { path: Path; text: string }[] = [];

  constructor(pb: Protobufjs) {
    this.#pb = pb;
  }

  file(name: string, parsed: protobufjs.IParserResult): ProtoFile {
    const { root } = parsed;
    const pkg = parsed.package ?? "";
    const top = pkg === "" ? root : root.define(pkg);
    const imports = parsed.imports ?? [];
    const weak = parsed.weakImports ?? [];
    const proto = create(FileDescriptorProtoSchema, {
      name,
      package: pkg,
      dependency: [...imports, ...weak],
      weakDependency: weak.map((_, index) => imports.length + index),
      ...syntaxOf(top),
    });
    const written = [...optionsOf(root), ...(top === root ? [] : optionsOf(top))];
    const options = this.#take(FileOptionsSchema, written, pkg);
    if (options !== undefined) proto.options = options;
    this.#members(top, pkg, [], PATH.file, {
      message: proto.messageType,
      enum: proto.enumType,
      service: proto.service,
      extension: proto.extension,
    });
    const location = this.#comments.map(({ path, text }) =>
      create(SourceCodeInfo_LocationSchema, { path: [...path], span: [0, 0, 0], leadingComments: text }),
    );
    if (location.length > 0) proto.sourceCodeInfo = create(SourceCodeInfoSchema, { location });
    return { proto, options: this.#options };
  }

  #members(
    parent: protobufjs.NamespaceBase,
    scope: string,
    path: Path,
    numbers: { message: number; enum: number; extension: number; service?: number },
    into: {
      message: DescriptorProto[];
      enum: EnumDescriptorProto[];
      extension: FieldDescriptorProto[];
      service?: ServiceDescriptorProto[];
    },
  ): void {
    const pb = this.#pb;
    for (const member of parent.nestedArray) {
      if (member instanceof pb.Type) {
        into.message.push(this.#message(member, scope, [...path, numbers.message, into.message.length]));
      } else if (member instanceof pb.Enum) {
        into.enum.push(this.#enum(member, scope, [...path, numbers.enum, into.enum.length]));
      } else if (member instanceof pb.Field) {
        const at = [...path, numbers.extension, into.extension.length];
        into.extension.push(this.#field(member, parent, scope, at));
      } else if (member instanceof pb.Service && into.service !== undefined) {
        into.service.push(this.#service(member, scope, [...path, numbers.service ?? 0, into.service.length]));
      }
    }
  }

  #message(type: protobufjs.Type, outer: string, path: Path): DescriptorProto {
    const scope = join(outer, type.name);
    const proto = create(DescriptorProtoSchema, { name: type.name });
    this.#comment(type, path);
    const options = this.#take(MessageOptionsSchema, optionsOf(type), scope);
    if (options !== undefined) proto.options = options;
    this.#members(type, scope, path, PATH.message, {
      message: proto.nestedType,
      enum: proto.enumType,
      extension: proto.extension,
    });

    const synthetic: FieldDescriptorProto[] = [];
    const oneofs = type.oneofsArray.filter((oneof) => !isProto3Optional(oneof.fieldsArray[0]));
    for (const [index, oneof] of oneofs.entries()) {
      this.#comment(oneof, [...path, PATH.message.oneof, index]);
      const own = this.#take(OneofOptionsSchema, optionsOf(oneof), scope);
      proto.oneofDecl.push(
        create(OneofDescriptorProtoSchema, {
          name: oneof.name,
          ...(own === undefined ? {} : { options: own }),
        }),
      );
    }
    for (const field of type.fieldsArray) {
      // protobufjs puts a field into the message for an extension that the same file declares.
      if (field.declaringField) continue;
      const made = this.#field(field, type, scope, [...path, PATH.message.field, proto.field.length]);
      if (field instanceof this.#pb.MapField) {
        const entry = this.#mapEntry(field, scope);
        made.typeName = `.${scope}.${entry.name}`;
        proto.nestedType.push(entry);
      }
      const index = field.partOf === null ? -1 : oneofs.indexOf(field.partOf);
      if (index >= 0) made.oneofIndex = index;
      if (made.proto3Optional) synthetic.push(made);
      proto.field.push(made);
    }
    // protoc: the oneofs of optional fields come after all others.
    for (const field of synthetic) {
      field.oneofIndex = proto.oneofDecl.length;
      proto.oneofDecl.push(create(OneofDescriptorProtoSchema, { name: `_${field.name}` }));
    }
    for (const range of type.extensions ?? []) {
      const [start = 0, end = start] = Array.isArray(range) ? range : [];
      proto.extensionRange.push({
        $typeName: "google.protobuf.DescriptorProto.ExtensionRange",
        start,
        end: end + 1,
      });
    }
    for (const range of type.reserved ?? []) {
      if (typeof range === "string") proto.reservedName.push(range);
      else {
        const [start = 0, end = start] = range;
        // Exclusive in messages, inclusive in enums (descriptor.proto).
        proto.reservedRange.push({
          $typeName: "google.protobuf.DescriptorProto.ReservedRange",
          start,
          end: end + 1,
        });
      }
    }
    return proto;
  }

  #field(
    field: protobufjs.Field,
    parent: protobufjs.NamespaceBase,
    scope: string,
    path: Path,
  ): FieldDescriptorProto {
    this.#comment(field, path);
    const { Label, Type } = { Label: FieldDescriptorProto_Label, Type: FieldDescriptorProto_Type };
    const isMap = field instanceof this.#pb.MapField;
    const rule: unknown = field.rule;
    const proto = create(FieldDescriptorProtoSchema, {
      name: field.name,
      jsonName: jsonNameOf(field.name),
      number: field.id,
      label:
        isMap || rule === "repeated" ? Label.REPEATED : rule === "required" ? Label.REQUIRED : Label.OPTIONAL,
    });
    if (isMap) {
      proto.type = Type.MESSAGE;
    } else {
      this.#setType(proto, field.type);
      const group = parent.get(field.type);
      if (group instanceof this.#pb.Type && Reflect.get(group, "group") === true) proto.type = Type.GROUP;
    }
    if (field.extend !== undefined) proto.extendee = field.extend;
    if (isProto3Optional(field)) proto.proto3Optional = true;

    const written = optionsOf(field);
    for (const [name, value] of written) {
      if (name === "json_name") proto.jsonName = String(value);
      else if (name === "default") proto.defaultValue = defaultText(value);
    }
    const others = written.filter(([name]) => name !== "json_name" && name !== "default");
    const options = this.#take(FieldOptionsSchema, others, join(scope, field.name));
    if (options !== undefined) proto.options = options;
    return proto;
  }

  // A name of a message or enum stays as written; who knows all files makes it full and says which of both it is.
  #setType(proto: FieldDescriptorProto, type: string): void {
    const scalar = SCALARS.get(type);
    if (scalar === undefined) proto.typeName = type;
    else proto.type = scalar;
  }

  #mapEntry(field: protobufjs.MapField, scope: string): DescriptorProto {
    const capital = jsonNameOf(`_${field.name}`);
    const name = `${capital}Entry`;
    const [key, value] = (["key", "value"] as const).map((part, index) =>
      create(FieldDescriptorProtoSchema, {
        name: part,
        jsonName: part,
        number: index + 1,
        label: FieldDescriptorProto_Label.OPTIONAL,
      }),
    );
    if (key === undefined || value === undefined) throw new Error(`no map entry for ${scope}.${field.name}`);
    this.#setType(key, field.keyType);
    this.#setType(value, field.type);
    return create(DescriptorProtoSchema, {
      name,
      field: [key, value],
      options: create(MessageOptionsSchema, { mapEntry: true }),
    });
  }

  #enum(type: protobufjs.Enum, outer: string, path: Path): EnumDescriptorProto {
    const scope = join(outer, type.name);
    const proto = create(EnumDescriptorProtoSchema, { name: type.name });
    this.#comment(type, path);
    const options = this.#take(EnumOptionsSchema, optionsOf(type), scope);
    if (options !== undefined) proto.options = options;
    for (const [name, number] of Object.entries(type.values)) {
      const at = [...path, PATH.enumValue, proto.value.length];
      this.#note(type.comments[name], at);
      const written = Object.entries(type.valuesOptions?.[name] ?? {});
      const own = this.#take(EnumValueOptionsSchema, written, scope);
      proto.value.push(
        create(EnumValueDescriptorProtoSchema, {
          name,
          number,
          ...(own === undefined ? {} : { options: own }),
        }),
      );
    }
    for (const range of type.reserved ?? []) {
      if (typeof range === "string") proto.reservedName.push(range);
      else {
        const [start = 0, end = start] = range;
        proto.reservedRange.push({
          $typeName: "google.protobuf.EnumDescriptorProto.EnumReservedRange",
          start,
          end,
        });
      }
    }
    return proto;
  }

  #service(service: protobufjs.Service, outer: string, path: Path): ServiceDescriptorProto {
    const scope = join(outer, service.name);
    const proto = create(ServiceDescriptorProtoSchema, { name: service.name });
    this.#comment(service, path);
    const options = this.#take(ServiceOptionsSchema, optionsOf(service), scope);
    if (options !== undefined) proto.options = options;
    for (const method of service.methodsArray) {
      this.#comment(method, [...path, PATH.method, proto.method.length]);
      const own = this.#take(MethodOptionsSchema, optionsOf(method), join(scope, method.name));
      proto.method.push(
        create(MethodDescriptorProtoSchema, {
          name: method.name,
          inputType: method.requestType,
          outputType: method.responseType,
          // protoc writes these only where they are true.
          ...(method.requestStream === true ? { clientStreaming: true } : {}),
          ...(method.responseStream === true ? { serverStreaming: true } : {}),
          ...(own === undefined ? {} : { options: own }),
        }),
      );
    }
    return proto;
  }

  /** The options message for what was written, still empty; undefined when nothing was. */
  #take<Desc extends DescMessage>(
    schema: Desc,
    written: readonly (readonly [string, unknown])[],
    scope: string,
  ) {
    if (written.length === 0) return undefined;
    const target = create(schema);
    for (const [name, value] of written) this.#options.push({ target, schema, name, value, scope });
    return target;
  }

  #comment(object: protobufjs.ReflectionObject, path: Path): void {
    this.#note(object.comment, path);
  }

  #note(comment: string | null | undefined, path: Path): void {
    if (!comment) return;
    // As protoc keeps it: each line with the space after the slashes.
    this.#comments.push({ path, text: comment.replace(/^/gm, " ").concat("\n") });
  }
}

/** As protoc writes it: nothing stands for proto2. */
function syntaxOf(top: protobufjs.NamespaceBase): { syntax?: string; edition?: Edition } {
  // protobufjs marks the objects at the top of a file, and has no public word for it.
  for (const object of top.nestedArray) {
    const edition: unknown = Reflect.get(object, "_edition");
    if (edition === "proto3") return { syntax: "proto3" };
    if (edition === "2023") return { syntax: "editions", edition: Edition.EDITION_2023 };
  }
  return {};
}

function isProto3Optional(field: protobufjs.Field | undefined): boolean {
  return field?.options?.proto3_optional === true;
}

function optionsOf(object: protobufjs.ReflectionObject): (readonly [string, unknown])[] {
  const list: unknown = object.parsedOptions;
  if (!Array.isArray(list)) return [];
  return list.flatMap((entry: unknown) =>
    typeof entry === "object" && entry !== null ? Object.entries(entry) : [],
  );
}

// descriptor.proto, FieldDescriptorProto.default_value
function defaultText(value: unknown): string {
  if (value === Number.POSITIVE_INFINITY) return "inf";
  if (value === Number.NEGATIVE_INFINITY) return "-inf";
  return Number.isNaN(value) ? "nan" : String(value);
}
