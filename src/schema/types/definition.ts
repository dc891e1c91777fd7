// The schema of a service that a program serves itself: from the descriptors that it gives, otherwise from its
// definition if that has them. Definitions of @grpc/proto-loader do; those of ts-proto do not.
import { create, type FileRegistry, toBinary } from "@bufbuild/protobuf";
import {
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  type MethodDescriptorProto,
  MethodOptionsSchema,
} from "@bufbuild/protobuf/wkt";
import { OptionSetter } from "../compiler/apply-options.js";
import { compileFiles } from "../compiler/compile-files.js";
import { FileLinker } from "../compiler/link-files.js";
import { parseProtoFile } from "../compiler/parse-file.js";
import type { OptionValue } from "../compiler/parsed-file.js";
import { splitFileDescriptorSet } from "../descriptors/descriptor-index.js";
import {
  candidatesOf,
  declarationsOf,
  fileNameOf,
  join,
  parseFile,
  referencesOf,
  type SymbolKind,
} from "../descriptors/file-descriptor.js";
import { GOOGLE_API } from "../descriptors/google-api.js";
import { type Schema, SchemaError, schemaFromFiles } from "./schema.js";

/** What a method of a definition may carry besides its path. */
interface CarriedMethod {
  readonly path: string;
  readonly options?: unknown;
  readonly requestType?: unknown;
  readonly responseType?: unknown;
}

/**
 * The schema of one service from a serialized FileDescriptorSet.
 * @throws SchemaError if the bytes are malformed, or do not declare the service.
 */
export function schemaOfDescriptors(service: string, descriptors: Uint8Array): Schema {
  let files: Map<string, Uint8Array>;
  try {
    files = splitFileDescriptorSet(descriptors);
  } catch {
    throw new SchemaError("the descriptors are not a serialized FileDescriptorSet");
  }
  return schemaOf(service, files);
}

/**
 * The schema of one service from what @grpc/proto-loader put into its definition; undefined: it has nothing.
 * @throws SchemaError if it contradicts itself.
 */
export function schemaOfDefinition(service: string, methods: readonly CarriedMethod[]): Schema | undefined {
  const carried = new Map<string, FileDescriptorProto>();
  for (const { requestType, responseType } of methods)
    for (const type of [requestType, responseType])
      for (const bytes of filesOf(type)) {
        const name = fileNameOf(bytes) ?? "";
        if (!carried.has(name)) carried.set(name, parseFile(name, bytes));
      }
  const needed = neededBy(service, [...carried.values()]);
  if (needed === undefined) return undefined;
  const warnings = putOptions(service, needed, methods);
  const files = new Map(needed.map((file) => [file.name, toBinary(FileDescriptorProtoSchema, file)]));
  return schemaOf(service, files, warnings);
}

function schemaOf(
  service: string,
  files: ReadonlyMap<string, Uint8Array>,
  warnings: readonly string[] = [],
): Schema {
  const schema = schemaFromFiles(files, [service], warnings);
  if (schema.services.length === 0) throw new SchemaError(`the descriptors do not declare ${service}`);
  return schema;
}

function filesOf(type: unknown): readonly Uint8Array[] {
  const files = get(type, "fileDescriptorProtos");
  return Array.isArray(files) ? files.filter((file) => file instanceof Uint8Array) : [];
}

/**
 * The service's file and its dependencies. proto-loader makes one file of each package, and includes everything it ever
 * read: google.protobuf is replaced by the standard files, and unreferenced files are left out.
 */
function neededBy(service: string, files: readonly FileDescriptorProto[]): FileDescriptorProto[] | undefined {
  const declared = new Map<string, { kind: SymbolKind; file: FileDescriptorProto }>();
  for (const file of files)
    for (const { name, kind } of declarationsOf(file)) declared.set(name, { kind, file });
  const own = declared.get(service);
  if (own === undefined) return undefined;
  const needed = new Set([own.file]);
  // A Set's iteration includes entries that are added meanwhile.
  for (const file of needed)
    for (const reference of referencesOf(file))
      for (const name of candidatesOf(reference)) {
        const found = declared.get(name);
        if (found === undefined) continue;
        // Names are relative; to a standard file they lead only when they are full.
        reference.resolve(name, found.kind);
        if (found.file.package !== "google.protobuf") needed.add(found.file);
        break;
      }
  return [...needed];
}

/** proto-loader loses the methods' options in the descriptors, but has them separately, as plain values. */
function putOptions(
  service: string,
  files: readonly FileDescriptorProto[],
  methods: readonly CarriedMethod[],
): string[] {
  const lost: string[] = [];
  const setter = new OptionSetter();
  let registry: FileRegistry | undefined;
  for (const { path, options } of methods) {
    const target = methodIn(files, service, path.slice(path.lastIndexOf("/") + 1));
    if (target === undefined) continue;
    for (const name of ["idempotency_level", "google.api.http"]) {
      const isExtension = name.includes(".");
      const value = get(options, isExtension ? `(${name})` : name);
      if (value === undefined) continue;
      target.options ??= create(MethodOptionsSchema);
      registry ??= googleApi();
      const http = registry.getExtension(name);
      const option = {
        holder: target,
        target: target.options,
        schema: MethodOptionsSchema,
        name: [{ name, isExtension }],
        value: optionValueOf(value, isExtension),
        scope: join(service, target.name),
        at: 0,
      };
      const problem = setter.apply(option, () => http);
      if (problem !== undefined) lost.push(problem);
    }
  }
  setter.finish();
  return lost;
}

/** As in source text. @param isText words are strings; otherwise names of enum values */
function optionValueOf(value: unknown, isText: boolean): OptionValue {
  switch (typeof value) {
    case "string":
      return isText
        ? { kind: "string", value: { text: value, bytes: Buffer.from(value) } }
        : { kind: "identifier", text: value, isNegative: false };
    case "number":
      return Number.isInteger(value) ? { kind: "integer", value: BigInt(value) } : { kind: "float", value };
    case "object":
      if (Array.isArray(value))
        return { kind: "list", items: value.map((item: unknown) => optionValueOf(item, isText)) };
      return {
        kind: "message",
        fields: Object.entries(value ?? {}).map(([name, item]) => ({
          name,
          kind: "field",
          value: optionValueOf(item, isText),
        })),
      };
    default:
      return { kind: "identifier", text: String(value), isNegative: false };
  }
}

function methodIn(
  files: readonly FileDescriptorProto[],
  service: string,
  method: string,
): MethodDescriptorProto | undefined {
  for (const file of files)
    for (const declared of file.service)
      if (join(file.package, declared.name) === service)
        return declared.method.find(({ name }) => name === method);
  return undefined;
}

/** Has the declarations of google.api.http. */
function googleApi(): FileRegistry {
  const parsed = new Map([...GOOGLE_API].map(([name, source]) => [name, parseProtoFile(name, source)]));
  const linker = new FileLinker();
  for (const [name, file] of parsed) linker.add(name, name, file);
  const { files } = compileFiles(linker, parsed);
  return schemaFromFiles(new Map(files.map((file) => [file.name, toBinary(FileDescriptorProtoSchema, file)])))
    .registry;
}

function get(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined;
}
