// The thread that workers.ts starts: transcodes one large message after the other.
import { parentPort } from "node:worker_threads";
import { createFileRegistry, type FileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Codecs, DecodeError } from "./codecs.js";
import { type JobMessage, type JobResult, MAX_SCHEMAS, type WorkerSchema } from "./workers.js";

interface Known {
  readonly registry: FileRegistry;
  readonly codecs: Codecs;
}

/** The oldest first, and forgotten first, as workers.ts counts on. */
const schemas = new Map<number, Known>();

function learn(id: number, { files, options }: WorkerSchema): Known {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, files));
  const known = { registry, codecs: new Codecs(registry, options) };
  schemas.set(id, known);
  for (const oldest of schemas.keys()) {
    if (schemas.size <= MAX_SCHEMAS) break;
    schemas.delete(oldest);
  }
  return known;
}

function work({ schemaId, schema, kind, type, field, bytes }: JobMessage): JobResult {
  const known = schema === undefined ? schemas.get(schemaId) : learn(schemaId, schema);
  const desc = known?.registry.getMessage(type);
  if (known === undefined || desc === undefined) throw new Error(`${type} is not known in this thread`);
  const codec = known.codecs.of(desc);
  if (kind === "encode") {
    const encoded = codec.encodeText(bytes);
    return encoded instanceof Uint8Array ? { bytes: encoded } : { misfit: encoded };
  }
  if (kind === "decode") return { bytes: codec.decode(bytes) };
  const fieldDesc = desc.fields.find((f) => f.number === field);
  if (fieldDesc === undefined) throw new Error(`${type} has no field ${field}`);
  return { bytes: codec.decodeField(fieldDesc, bytes) };
}

parentPort?.on("message", (job: JobMessage) => {
  let result: JobResult;
  try {
    result = work(job);
  } catch (e) {
    result = { error: e instanceof Error ? e.message : String(e), decode: e instanceof DecodeError };
  }
  const buffer = "bytes" in result ? result.bytes.buffer : undefined;
  // A small one lies in a pool that others share.
  const whole =
    buffer instanceof ArrayBuffer && "bytes" in result && result.bytes.length * 2 > buffer.byteLength;
  parentPort?.postMessage(result, whole ? [buffer] : []);
});
