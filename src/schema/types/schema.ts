// The services and methods of one moment: an immutable snapshot of descriptors, whatever their source.
import type { DescService } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import type { Method } from "../../call/call.js";
import { completed } from "../../kit/in-slices.js";
import { SchemaReader } from "../tables/schema-reader.js";
import type { SchemaTables } from "../tables/schema-tables.js";
import { SchemaRegistry, type SchemaTypes } from "./registry.js";

export { isRoutable } from "../../call/routable.js";
export { SchemaError } from "../descriptors/schema-error.js";

/** The schema of one upstream, or of all together. Immutable: a change makes a new one. */
export interface Schema {
  /** FileDescriptorProto bytes by file name, as learned, never re-encoded (except if a source must add options). */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** For messages, Any and extensions; each type is made on demand. */
  readonly registry: SchemaTypes;
  /** The routable ones, by name: without grpc.health, grpc.reflection, grpc.channelz and linchpin. */
  readonly services: readonly DescService[];
  /** Services without a schema: only gRPC can call them. */
  readonly undescribed: readonly string[];
  /** Hexadecimal; changes only when the content does, whatever the order of the files. */
  readonly hash: string;
  /** Warnings, one sentence each. */
  readonly warnings: readonly string[];
}

/**
 * Makes a schema of FileDescriptorProtos, without yielding. Missing google/protobuf files are added; imports that a
 * source dropped are restored from the types that are used.
 * @param services Full names that the source lists; default: all that the files declare.
 * @param warnings Warnings of the source.
 * @throws SchemaError if an import or a type is missing, a symbol is declared twice, or bytes are malformed.
 */
export function schemaFromFiles(
  files: ReadonlyMap<string, Uint8Array>,
  services?: readonly string[],
  warnings: readonly string[] = [],
): Schema {
  const reader = new SchemaReader("whole");
  for (const [name, bytes] of files) reader.add(name, bytes);
  return completed(schemaOf(reader.finish({ listed: services, warnings, problems: new Map() })));
}

/** The schema of an upstream that nothing describes. */
export function undescribedSchema(services: readonly string[]): Schema {
  const tables = new SchemaReader("parts").finish({ listed: services, warnings: [], problems: new Map() });
  // It was configured to have no descriptors.
  return { ...completed(schemaOf(tables)), warnings: [] };
}

/** Makes a schema of its tables, in slices. */
export function* schemaOf(tables: SchemaTables): Generator<void, Schema> {
  const registry = new SchemaRegistry(tables);
  yield* registry.fill();
  return {
    files: new Map(tables.fileNames.map((name, i) => [name, tables.fileBytes[i] ?? new Uint8Array()])),
    registry,
    services: tables.services.flatMap((name) => registry.getService(name) ?? []),
    undescribed: tables.undescribed,
    hash: tables.hash,
    warnings: tables.warnings,
  };
}

/** The methods of one service. */
export function methodsOfService(service: DescService): Method[] {
  return service.methods.map((descriptor) => ({
    service: service.typeName,
    name: descriptor.name,
    path: `/${service.typeName}/${descriptor.name}`,
    kind: descriptor.methodKind,
    idempotent: descriptor.idempotency !== MethodOptions_IdempotencyLevel.IDEMPOTENCY_UNKNOWN,
    descriptor,
  }));
}

/** The methods of all services of the schema. */
export function methodsOf(schema: Schema): Method[] {
  return schema.services.flatMap(methodsOfService);
}

/** True when a method of a routable service carries a google.api.http rule. */
export function hasHttpRules({ registry }: Schema): boolean {
  return registry.parts.some(({ tables }) => tables.hasHttpRules);
}
