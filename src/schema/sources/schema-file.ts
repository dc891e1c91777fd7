// One upstream's schema as a file: a google.protobuf.FileDescriptorSet, every file with its original bytes, and two
// additional fields that say whose it is and whether it is complete. Other tools ignore those.
import { createHash } from "node:crypto";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { splittingFileDescriptorSet } from "../descriptors/descriptor-index.js";

/** The source of a schema, and when it was learned. */
export interface SchemaFile {
  /** The upstream's name in the config. */
  readonly upstream: string;
  /** HOST:PORT of each, at the time. */
  readonly endpoints: readonly string[];
  /** Unix time, milliseconds. */
  readonly learnedAt: number;
  /** Full names of all that it lists, described or not. */
  readonly services: readonly string[];
  readonly warnings: readonly string[];
  /** FileDescriptorProto bytes by file name. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** Why bytes are not a schema file; the text continues the file's name. */
export class SchemaFileError extends Error {
  override readonly name = "SchemaFileError";
}

/** Incremented with each change that an older hub would misread. */
const FORMAT = 1;
/** FileDescriptorSet has only `file` = 1. */
const FILE_FIELD = 1;
/** A JSON object with what is not in the descriptors. */
const ABOUT_FIELD = 50_001;
/** SHA-256 of all bytes before this field, which is the last one. */
const DIGEST_FIELD = 50_002;

const DIGEST_BYTES = 32;
const DIGEST_HEAD = new BinaryWriter()
  .tag(DIGEST_FIELD, WireType.LengthDelimited)
  .uint32(DIGEST_BYTES)
  .finish();
const TAIL_BYTES = DIGEST_HEAD.length + DIGEST_BYTES;
/** Bytes that are copied, or hashed, in one turn. */
const PART_BYTES = 256 * 1024;

/** The bytes, in parts of about 256 KiB. */
export function* schemaFileParts(file: SchemaFile): Generator<Buffer> {
  const hash = createHash("sha256");
  let part: Uint8Array[] = [];
  let bytes = 0;
  for (const piece of pieces(file)) {
    part.push(piece);
    bytes += piece.length;
    hash.update(piece);
    if (bytes < PART_BYTES) continue;
    yield Buffer.concat(part);
    part = [];
    bytes = 0;
  }
  yield Buffer.concat([...part, DIGEST_HEAD, hash.digest()]);
}

/** None of them larger than a part. */
function* pieces({ files, ...about }: SchemaFile): Generator<Uint8Array> {
  for (const bytes of files.values()) yield* field(FILE_FIELD, bytes);
  yield* field(ABOUT_FIELD, Buffer.from(JSON.stringify({ format: FORMAT, ...about })));
}

function* field(no: number, bytes: Uint8Array): Generator<Uint8Array> {
  yield new BinaryWriter().tag(no, WireType.LengthDelimited).uint32(bytes.length).finish();
  for (let at = 0; at < bytes.length; at += PART_BYTES) yield bytes.subarray(at, at + PART_BYTES);
}

/**
 * Parses the output of `schemaFileParts`; the files are views of the bytes. Runs in slices.
 * @throws SchemaFileError if they are anything else, or incomplete.
 */
export function* readSchemaFile(bytes: Uint8Array): Generator<void, SchemaFile> {
  const end = bytes.length - TAIL_BYTES;
  if (end < 0 || !same(bytes.subarray(end, end + DIGEST_HEAD.length), DIGEST_HEAD))
    throw new SchemaFileError("it is not a schema written by the hub, or it is truncated");
  const hash = createHash("sha256");
  for (let at = 0; at < end; at += PART_BYTES) {
    hash.update(bytes.subarray(at, Math.min(end, at + PART_BYTES)));
    yield;
  }
  if (!same(bytes.subarray(end + DIGEST_HEAD.length), hash.digest()))
    throw new SchemaFileError("it is damaged: its checksum does not match");
  try {
    const content = bytes.subarray(0, end);
    const about = aboutOf(content);
    return { ...about, files: yield* splittingFileDescriptorSet(content) };
  } catch (error) {
    if (error instanceof SchemaFileError) throw error;
    throw new SchemaFileError("it is not a schema written by the hub");
  }
}

function same(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}

function aboutOf(bytes: Uint8Array): Omit<SchemaFile, "files"> {
  const reader = new BinaryReader(bytes);
  let about: unknown;
  while (reader.pos < reader.len) {
    const [no, wire] = reader.tag();
    if (no === ABOUT_FIELD && wire === WireType.LengthDelimited) about = JSON.parse(reader.string());
    else reader.skip(wire, no);
  }
  const { format, upstream, endpoints, learnedAt, services, warnings } = fieldsOf(about);
  if (typeof format === "number" && format !== FORMAT)
    throw new SchemaFileError(
      `another version of the hub wrote it (format ${format}, this one has ${FORMAT})`,
    );
  if (
    format !== FORMAT ||
    typeof upstream !== "string" ||
    typeof learnedAt !== "number" ||
    !areTexts(endpoints) ||
    !areTexts(services) ||
    !areTexts(warnings) ||
    Number.isNaN(new Date(learnedAt).getTime())
  )
    throw new SchemaFileError("it is not a schema written by the hub");
  return { upstream, endpoints, learnedAt, services, warnings };
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function areTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((text) => typeof text === "string");
}
