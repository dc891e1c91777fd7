// A schema for threads: the tables from which the event loop makes its own types, so that both have the same ones.
import type { DescFile, FileRegistry } from "@bufbuild/protobuf";
import { create, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import type { SchemaTables } from "../../schema/tables/schema-tables.js";
import { registryOf } from "../../schema/types/file-desc.js";
import { isSchemaTypes } from "../../schema/types/registry.js";
import type { CodecOptions, Codecs } from "../codec/codecs.js";

export interface ThreadSchema {
  /** Of the service's upstream. Other upstreams' may conflict with it. */
  readonly service: ThreadTypes;
  /** For Any and extensions: of each upstream, in the order in which they count. */
  readonly types: readonly ThreadTypes[];
  readonly options: CodecOptions;
}

/** Tables; or a google.protobuf.FileDescriptorSet, if the types were made otherwise. */
export type ThreadTypes = SchemaTables | Uint8Array;

const known = new WeakMap<Codecs, Map<ThreadTypes, ThreadSchema>>();

/** The schema of the services in `file`: the same object each time, since a thread keeps its schemas. */
export function threadSchema(codecs: Codecs, file: DescFile): ThreadSchema {
  let byTypes = known.get(codecs);
  if (byTypes === undefined) {
    byTypes = new Map();
    known.set(codecs, byTypes);
  }
  const service = typesOfFile(file);
  let schema = byTypes.get(service);
  if (schema === undefined) {
    schema = { service, types: typesOf(codecs.registry), options: codecs.options };
    byTypes.set(service, schema);
  }
  return schema;
}

/** The schema of a file's services: the same object each time. */
export function typesOfFile(file: DescFile): ThreadTypes {
  return registryOf(file)?.tables ?? bytesOf(file, imported(file));
}

function typesOf(registry: FileRegistry): readonly ThreadTypes[] {
  if (isSchemaTypes(registry)) return registry.parts.map(({ tables }) => tables);
  return [bytesOf(registry, registry.files)];
}

const serialized = new WeakMap<object, Uint8Array>();

function bytesOf(owner: object, files: Iterable<DescFile>): Uint8Array {
  let bytes = serialized.get(owner);
  if (bytes === undefined) {
    const file = Array.from(files, ({ proto }) => proto);
    bytes = toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file }));
    serialized.set(owner, bytes);
  }
  return bytes;
}

/** The file after all that it imports, directly or not. */
function imported(file: DescFile, found = new Set<DescFile>()): Set<DescFile> {
  for (const dependency of file.dependencies) if (!found.has(dependency)) imported(dependency, found);
  return found.add(file);
}
