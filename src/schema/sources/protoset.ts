// Learns a schema from a FileDescriptorSet, as `buf build -o x.binpb` and `protoc --descriptor_set_out` write it.

import { readLargeFile } from "../../kit/files/regular-file.js";
import { inSlices } from "../../kit/in-slices.js";
import { splitFileDescriptorSet } from "../descriptors/descriptor-index.js";
import { reasonOf } from "../descriptors/file-descriptor.js";
import { SchemaReader } from "../tables/schema-reader.js";
import type { SchemaTables } from "../tables/schema-tables.js";
import { type Schema, SchemaError, schemaOf } from "../types/schema.js";
import { readProtosetInThread } from "./schema-reading.js";

/** More is no descriptor set but a mistake: all of googleapis with comments is 60 MB. */
const MAX_PROTOSET_BYTES = 256 * 1024 * 1024;
/** Larger ones are read in a thread. */
const IN_PLACE_BYTES = 256 * 1024;

/**
 * Reads a FileDescriptorSet file.
 * @throws SchemaError, one sentence that names the file: missing, not a descriptor set, without services, …
 */
export async function loadProtoset(path: string): Promise<Schema> {
  const bytes = await readBounded(path);
  let schema: Schema;
  try {
    const large = bytes.length > IN_PLACE_BYTES;
    schema = await inSlices(schemaOf(large ? await readProtosetInThread(bytes) : readProtoset(bytes)));
  } catch (error) {
    if (error instanceof SchemaError) throw new SchemaError(`descriptor set ${path}: ${error.message}`);
    throw error;
  }
  if (schema.services.length === 0) {
    throw new SchemaError(`descriptor set ${path} has no services`);
  }
  return schema;
}

/** The files of a serialized FileDescriptorSet, read here and now. Throws a SchemaError. */
export function readProtoset(set: Uint8Array): SchemaTables {
  const reader = new SchemaReader("whole");
  for (const [name, bytes] of splitFiles(set)) reader.add(name, bytes);
  return reader.finish({ listed: undefined, warnings: [], problems: new Map() });
}

async function readBounded(path: string): Promise<Uint8Array> {
  try {
    const read = await readLargeFile(path, MAX_PROTOSET_BYTES);
    // In memory that threads share: no thread needs a copy.
    const bytes = new Uint8Array(new SharedArrayBuffer(read.length));
    bytes.set(read);
    return bytes;
  } catch (error) {
    throw new SchemaError(`descriptor set ${path} cannot be read: ${reasonOf(error)}`);
  }
}

function splitFiles(set: Uint8Array): Map<string, Uint8Array> {
  if (set.length === 0) throw new SchemaError("it is empty");
  let files: Map<string, Uint8Array>;
  try {
    files = splitFileDescriptorSet(set);
  } catch {
    throw new SchemaError("it is not a FileDescriptorSet");
  }
  if (files.size === 0) throw new SchemaError("it is not a FileDescriptorSet: it has no files");
  if (files.has("")) throw new SchemaError("it is not a FileDescriptorSet: an entry has no file name");
  return files;
}
