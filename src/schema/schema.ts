// Which services and methods exist: an immutable snapshot of descriptors, from whichever source they came.
import { createHash } from "node:crypto";
import { create, createFileRegistry, type DescService, type FileRegistry } from "@bufbuild/protobuf";
import {
  type FileDescriptorProto,
  FileDescriptorSetSchema,
  MethodOptions_IdempotencyLevel,
} from "@bufbuild/protobuf/wkt";
import type { Method } from "../core/call.js";
import { hasHttpRule, parseFile, reasonOf, wellKnownFile } from "./file-descriptor.js";
import { ParsedFiles } from "./parsed-files.js";
import { SchemaError } from "./schema-error.js";

export { SchemaError } from "./schema-error.js";

/** What one upstream offers, or all of them together. Never changes: a new one takes its place. */
export interface Schema {
  /** FileDescriptorProto bytes by file name, as learned, never encoded anew (except where a source must add options). */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** For messages, Any and extensions. */
  readonly registry: FileRegistry;
  /** The routable ones, by name: without grpc.health, grpc.reflection, grpc.channelz and linchpin. */
  readonly services: readonly DescService[];
  /** Hexadecimal; changes only when the content does, whatever the order of the files. */
  readonly hash: string;
  /** What a person should know, one sentence each. */
  readonly warnings: readonly string[];
}

// The hub answers these itself; an upstream's are never routed, listed or compared.
const NOT_ROUTABLE = /^(grpc\.(health|reflection|channelz)|linchpin)\./;

/**
 * Makes a schema of FileDescriptorProtos. Missing google/protobuf files are added; imports that a source dropped
 * are made up for by the types that are used.
 * @param services Full names that the source lists; default: all that the files declare.
 * @param warnings What the source has to say already.
 * @throws SchemaError when an import or a type is missing, a symbol is declared twice, or bytes are no descriptor.
 */
export function schemaFromFiles(
  files: ReadonlyMap<string, Uint8Array>,
  services?: readonly string[],
  warnings: readonly string[] = [],
): Schema {
  const all = new Map(files);
  const parsed = new ParsedFiles();
  for (const [name, bytes] of files) parsed.add(name, parseFile(name, bytes));
  for (let missing = parsed.missing(); missing.length > 0; missing = parsed.missing()) {
    let completed = false;
    for (const { file, problem } of missing) {
      const bytes = file === undefined ? undefined : wellKnownFile(file);
      if (file === undefined || bytes === undefined) throw new SchemaError(problem);
      if (all.has(file)) continue;
      all.set(file, bytes);
      parsed.add(file, parseFile(file, bytes));
      completed = true;
    }
    if (!completed) throw new SchemaError(missing[0]?.problem ?? "descriptors are incomplete");
  }
  return build(all, parsed, services, warnings);
}

/** The methods of all services of the schema. */
export function methodsOf(schema: Schema): Method[] {
  return schema.services.flatMap((service) =>
    service.methods.map((descriptor) => ({
      service: service.typeName,
      name: descriptor.name,
      path: `/${service.typeName}/${descriptor.name}`,
      kind: descriptor.methodKind,
      idempotent: descriptor.idempotency !== MethodOptions_IdempotencyLevel.IDEMPOTENCY_UNKNOWN,
      descriptor,
    })),
  );
}

/** True when a method of a routable service carries a google.api.http rule. */
export function hasHttpRules(schema: Schema): boolean {
  return schema.services.some((service) => hasHttpRule(service.file.proto));
}

function build(
  files: ReadonlyMap<string, Uint8Array>,
  parsed: ParsedFiles,
  listed: readonly string[] | undefined,
  warnings: readonly string[],
): Schema {
  const registry = buildRegistry(parsed.inOrder());
  const said = [...warnings];
  const names = new Set(listed ?? parsed.services());
  const services: DescService[] = [];
  for (const name of [...names].sort()) {
    if (NOT_ROUTABLE.test(name)) continue;
    const service = registry.getService(name);
    if (service === undefined)
      said.push(`service ${name} is listed, but no file declares it: it is left out`);
    else services.push(service);
  }
  return {
    files,
    registry,
    services,
    hash: hashOf(files, services),
    warnings: said,
  };
}

function buildRegistry(file: FileDescriptorProto[]): FileRegistry {
  try {
    const registry = createFileRegistry(create(FileDescriptorSetSchema, { file }));
    // Defaults are parsed when first used; a bad one must show now, not in a call.
    for (const type of registry) {
      const fields = type.kind === "message" ? type.fields : type.kind === "extension" ? [type] : [];
      for (const field of fields)
        if (field.fieldKind !== "list" && field.fieldKind !== "map") field.getDefaultValue();
    }
    return registry;
  } catch (error) {
    throw new SchemaError(`the descriptors contradict themselves: ${reasonOf(error)}`);
  }
}

function hashOf(files: ReadonlyMap<string, Uint8Array>, services: readonly DescService[]): string {
  const hash = createHash("sha256");
  const name = (text: string): void => {
    hash.update(`${Buffer.byteLength(text)}:${text}`);
  };
  for (const file of [...files.keys()].sort()) {
    const bytes = files.get(file) ?? new Uint8Array();
    name(file);
    hash.update(`${bytes.length}:`).update(bytes);
  }
  for (const service of services) name(service.typeName);
  return hash.digest("hex");
}
