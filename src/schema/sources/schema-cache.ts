// The folder with the last valid schema of each upstream, so that a hub can start while its services are down. A file
// is written completely or not at all; an invalid file is logged once, and ignored.
import { createHash, randomUUID } from "node:crypto";
import { open, opendir, rename, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { readLargeFile } from "../../kit/files/regular-file.js";
import { inSlices } from "../../kit/in-slices.js";
import { cut } from "../../kit/text/text.js";
import { errorCode } from "../../kit/text/user-error.js";
import { reasonOf } from "../descriptors/file-descriptor.js";
import { type Schema, SchemaError, schemaOf } from "../types/schema.js";
import { readSchemaFile, type SchemaFile, SchemaFileError, schemaFileParts } from "./schema-file.js";
import { SchemaReading } from "./schema-reading.js";

/** A schema learned by reflection has at most 64 MiB of descriptors; names and warnings come on top. */
const MAX_BYTES = 96 * 1024 * 1024;
/** A temporary file of this age was left by a hub that was killed while it wrote: no write takes so long. */
const LEFT_OVER_MS = 600_000;
/** Entries of the folder that are checked for such files. */
const MAX_ENTRIES = 10_000;
/** Bytes that are copied in one step. */
const COPY_BYTES = 1024 * 1024;
/** Warnings that are remembered, so that none is repeated. */
const MAX_LOGGED = 1_000;
/** Characters of an upstream's name in the name of its file, and bytes of its digest. */
const MAX_NAME_CHARS = 63;
const NAME_DIGEST_BYTES = 8;

/** Whose schema it is: another service's under the same name must not be used. */
export interface Owner {
  /** The upstream's name in the config. */
  readonly name: string;
  /** HOST:PORT of each endpoint. */
  readonly endpoints: readonly string[];
}

export interface RememberedSchema {
  readonly schema: Schema;
  /** Unix time, milliseconds. */
  readonly learnedAt: number;
}

export class SchemaCache {
  readonly folder: string;
  readonly #warn: (message: string) => void;
  readonly #logged = new Set<string>();
  #closed = false;

  /** @param warn is called with a sentence for each invalid file, once */
  constructor(folder: string, warn: (message: string) => void) {
    this.folder = folder;
    this.#warn = warn;
  }

  /** The schema that was stored last; undefined: none that is valid. Never rejects. */
  async read({ name, endpoints }: Owner): Promise<RememberedSchema | undefined> {
    const path = this.pathOf(name);
    try {
      const file = await inSlices(readSchemaFile(await this.#bytesOf(path)));
      if (file.upstream !== name)
        throw new SchemaFileError(`it belongs to the upstream ${JSON.stringify(file.upstream)}`);
      if (!file.endpoints.some((endpoint) => endpoints.includes(endpoint)))
        throw new SchemaFileError(`it was learned from other endpoints: ${file.endpoints.join(", ")}`);
      return { schema: await schemaIn(file), learnedAt: file.learnedAt };
    } catch (error) {
      if (errorCode(error) === "ENOENT") return undefined;
      this.#tell(`upstream "${name}": its cached schema, ${path}, is not used: ${withoutPath(error)}`);
      return undefined;
    }
  }

  /** Whether it was written completely and durably. Never rejects. */
  async write({ name, endpoints }: Owner, schema: Schema, learnedAt: number): Promise<boolean> {
    if (this.#closed) return false;
    const described = schema.services.map(({ typeName }) => typeName);
    const file: SchemaFile = {
      upstream: name,
      endpoints,
      learnedAt,
      services: [...described, ...schema.undescribed],
      warnings: schema.warnings,
      files: schema.files,
    };
    const path = this.pathOf(name);
    const temporary = this.#temporary(name, randomUUID());
    try {
      await this.#clearLeftOvers(name);
      await writeWhole(temporary, file);
      await rename(temporary, path);
      await this.#sync();
      return true;
    } catch (error) {
      await unlink(temporary).catch(() => {});
      this.#tell(`schemas cannot be kept in ${this.folder}: ${withoutPath(error)}`);
      return false;
    }
  }

  /** Nothing more is written. */
  close(): void {
    this.#closed = true;
  }

  /** Where the schema of an upstream of this name is. */
  pathOf(name: string): string {
    return join(this.folder, fileName(name));
  }

  #temporary(name: string, id: string): string {
    return join(this.folder, `.${fileName(name)}.${id}.tmp`);
  }

  async #bytesOf(path: string): Promise<Uint8Array> {
    const read = await readLargeFile(path, MAX_BYTES);
    return inSlices(shared(read));
  }

  /** Files that hubs which were killed left behind: their names are never used again. */
  async #clearLeftOvers(name: string): Promise<void> {
    const before = Date.now() - LEFT_OVER_MS;
    let looked = 0;
    for await (const { name: entry } of await opendir(this.folder)) {
      if (++looked > MAX_ENTRIES) return;
      if (!entry.startsWith(`.${fileName(name)}.`) || !entry.endsWith(".tmp")) continue;
      const path = join(this.folder, entry);
      // Another hub may do the same.
      const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
      if (mtimeMs < before) await unlink(path).catch(() => {});
    }
  }

  /** The rename survives a crash of the machine too, if the file system supports that. */
  async #sync(): Promise<void> {
    try {
      const folder = await open(this.folder, "r");
      await folder.sync().finally(() => folder.close());
    } catch {
      // It does not: the file is complete, with the old content or the new one.
    }
  }

  #tell(message: string): void {
    if (this.#logged.has(message)) return;
    if (this.#logged.size >= MAX_LOGGED) this.#logged.clear();
    this.#logged.add(message);
    this.#warn(message);
  }
}

/** `EACCES: permission denied`: the path is named already, or is an internal one. */
function withoutPath(error: unknown): string {
  const reason = reasonOf(error);
  return errorCode(error) === undefined ? reason : (reason.split(", ")[0] ?? reason);
}

/** The name, readable, and a digest for file systems that ignore case. */
function fileName(name: string): string {
  const readable = cut(name, MAX_NAME_CHARS).replace(/[^A-Za-z0-9._-]/g, "_");
  const digest = createHash("sha256").update(name).digest().subarray(0, NAME_DIGEST_BYTES);
  return `${readable}-${digest.toString("hex")}.binpb`;
}

async function writeWhole(path: string, file: SchemaFile): Promise<void> {
  const handle = await open(path, "wx");
  try {
    let bytes = 0;
    for (const part of schemaFileParts(file)) {
      bytes += part.length;
      if (bytes > MAX_BYTES) throw new Error(`it has more than the limit of ${MAX_BYTES} bytes`);
      await handle.writeFile(part);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A copy in memory that threads share: no thread needs its own. */
function* shared(read: Uint8Array): Generator<void, Uint8Array> {
  const bytes = new Uint8Array(new SharedArrayBuffer(read.length));
  for (let at = 0; at < read.length; at += COPY_BYTES) {
    bytes.set(read.subarray(at, at + COPY_BYTES), at);
    yield;
  }
  return bytes;
}

/** Parsed as it was when it was learned. */
async function schemaIn({ files, services, warnings }: SchemaFile): Promise<Schema> {
  const reading = new SchemaReading("parts");
  try {
    for (const [name, bytes] of files) reading.add(name, bytes);
    const tables = await reading.finish({ listed: services, warnings: [], problems: new Map() });
    if (tables.fileNames.length !== files.size)
      throw new SchemaError("this version of the hub does not take all of its files");
    return await inSlices(schemaOf({ ...tables, warnings }));
  } finally {
    reading.close();
  }
}
