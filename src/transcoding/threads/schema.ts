// A schema in bytes, as threads get it.
import { create, type DescFile, type FileRegistry, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import type { CodecOptions, Codecs } from "../codec/codecs.js";

export interface ThreadSchema {
  /** A google.protobuf.FileDescriptorSet: the service's file after what it imports. Other upstreams' may contradict it. */
  readonly service: Uint8Array;
  /** Another, for Any and extensions. */
  readonly types: Uint8Array;
  readonly options: CodecOptions;
}

const known = new WeakMap<Codecs, Map<DescFile, ThreadSchema>>();

/** The schema of the services in `file`: the same object each time, since a thread keeps what it was once given. */
export function threadSchema(codecs: Codecs, file: DescFile): ThreadSchema {
  let byFile = known.get(codecs);
  if (byFile === undefined) {
    byFile = new Map();
    known.set(codecs, byFile);
  }
  let schema = byFile.get(file);
  if (schema === undefined) {
    schema = { service: bytesOf(imported(file)), types: typesOf(codecs.registry), options: codecs.options };
    byFile.set(file, schema);
  }
  return schema;
}

const types = new WeakMap<FileRegistry, Uint8Array>();

function typesOf(registry: FileRegistry): Uint8Array {
  const bytes = types.get(registry) ?? bytesOf(registry.files);
  types.set(registry, bytes);
  return bytes;
}

function bytesOf(files: Iterable<DescFile>): Uint8Array {
  const file = Array.from(files, ({ proto }) => proto);
  return toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file }));
}

/** The file after all that it imports, directly or not. */
function imported(file: DescFile, found = new Set<DescFile>()): Set<DescFile> {
  for (const dependency of file.dependencies) if (!found.has(dependency)) imported(dependency, found);
  return found.add(file);
}
