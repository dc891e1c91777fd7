// Learns a schema from folders of .proto files: finds the files, and compiles them (compiler/).
import { readdir, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, sep } from "node:path";
import { toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { readLargeFile } from "../../kit/files/regular-file.js";
import { inSlices } from "../../kit/in-slices.js";
import { compileFiles } from "../compiler/compile-files.js";
import { FileLinker } from "../compiler/link-files.js";
import { parseProtoFile } from "../compiler/parse-file.js";
import type { ParsedFile } from "../compiler/parsed-file.js";
import { SourceError } from "../compiler/source-error.js";
import { reasonOf, wellKnownFile } from "../descriptors/file-descriptor.js";
import { GOOGLE_API } from "../descriptors/google-api.js";
import { SchemaReader } from "../tables/schema-reader.js";
import type { SchemaTables } from "../tables/schema-tables.js";
import { type Schema, SchemaError, schemaOf } from "../types/schema.js";
import { readProtosInThread } from "./schema-reading.js";

/** With more, it is not an API but a wrong folder; googleapis has 6,000. */
const MAX_FILES = 20_000;
const MAX_FILE_BYTES = 16 * 1024 * 1024;
/** Of all files together, that are read without a thread: some 20 ms. */
const IN_PLACE_BYTES = 64 * 1024;

/**
 * Reads all .proto files in the folders and below them. Imports are relative to one of the folders; google/protobuf
 * and google/api/{annotations,http}.proto are always there, the rest of google/ when the npm package
 * google-proto-files is installed.
 * @throws SchemaError, one sentence: no such folder, no .proto files, what is wrong in a file with file:line:column and what
 * is expected there, a missing import.
 */
export async function loadProtos(dirs: readonly string[]): Promise<Schema> {
  const tables = (await isLarge(dirs)) ? await readProtosInThread(dirs) : await readProtos(dirs);
  return inSlices(schemaOf(tables));
}

/** As loadProtos, here and now. */
export async function readProtos(dirs: readonly string[]): Promise<SchemaTables> {
  const loader = new Loader(dirs);
  for (const dir of dirs) await loader.addFolder(dir);
  if (loader.own.size === 0) throw new SchemaError(`no .proto files in ${dirs.join(", ")}`);
  const tables = finish(loader);
  if (tables.services.length === 0) {
    throw new SchemaError(`the .proto files in ${dirs.join(", ")} have no services`);
  }
  return tables;
}

/** Whether reading them in place would block calls. An unreadable folder would not; reading it reports the error. */
async function isLarge(dirs: readonly string[]): Promise<boolean> {
  let bytes = 0;
  for (const dir of dirs) {
    for (const name of await protoFilesIn(dir)) {
      bytes += (await stat(join(dir, name)).catch(() => undefined))?.size ?? 0;
      if (bytes > IN_PLACE_BYTES) return true;
    }
  }
  return false;
}

/** Folders of npm packages with google/…, if they are installed. */
function includedFolders(): string[] {
  try {
    return [dirname(createRequire(import.meta.url).resolve("google-proto-files/package.json"))];
  } catch {
    return [];
  }
}

class Loader {
  /** By name, as an import names it. */
  readonly files = new Map<string, ParsedFile>();
  readonly linker = new FileLinker();
  /** Names of the files in the folders, without imports from elsewhere. */
  readonly own = new Set<string>();
  readonly warnings: string[] = [];
  readonly #dirs: readonly string[];
  readonly #includes = includedFolders();

  constructor(dirs: readonly string[]) {
    this.#dirs = dirs;
  }

  async addFolder(dir: string): Promise<void> {
    for (const name of await protoFilesIn(dir)) {
      if (wellKnownFile(name) !== undefined) continue;
      const path = join(dir, name);
      this.own.add(name);
      if (!this.files.has(name)) await this.#addFile(name, path);
      else if ((await this.#find(name)) !== path) {
        this.warnings.push(`${path} is not used: an earlier folder has ${name} too`);
      }
    }
  }

  /** Reads a file and all that it imports. */
  async #addFile(name: string, path: string | undefined): Promise<void> {
    const queue = [{ name, path }];
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      if (this.files.has(next.name)) continue;
      if (this.files.size >= MAX_FILES)
        throw new SchemaError(`there are more than ${MAX_FILES} .proto files`);
      const file = await this.#parse(next.name, next.path);
      this.files.set(next.name, file);
      this.linker.add(next.name, next.path ?? next.name, file);
      for (const { name: imported, kind, at } of file.imports) {
        if (this.files.has(imported) || wellKnownFile(imported) !== undefined) continue;
        const found = await this.#find(imported);
        if (found !== undefined || GOOGLE_API.has(imported)) queue.push({ name: imported, path: found });
        else if (kind !== "weak")
          throw new SchemaError(`${this.linker.placeIn(next.name, at)}: ${this.#missing(imported)}`);
      }
    }
  }

  #missing(imported: string): string {
    const hint = imported.startsWith("google/") ? "; the npm package google-proto-files has Google's" : "";
    return `imports "${imported}", which is not in any of the folders ${this.#dirs.join(", ")}${hint}`;
  }

  async #find(name: string): Promise<string | undefined> {
    for (const dir of [...this.#dirs, ...this.#includes]) {
      const path = join(dir, name);
      const found = await stat(path).catch(() => undefined);
      if (found?.isFile() === true) return path;
    }
    return undefined;
  }

  /** @param path undefined: one of GOOGLE_API */
  async #parse(name: string, path: string | undefined): Promise<ParsedFile> {
    const source = path === undefined ? (GOOGLE_API.get(name) ?? "") : await read(path);
    try {
      return parseProtoFile(name, source);
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      const { line, column } = error.position;
      throw new SchemaError(`${path ?? name}:${line}:${column}: ${error.message}`);
    }
  }
}

async function read(path: string): Promise<string> {
  try {
    return (await readLargeFile(path, MAX_FILE_BYTES)).toString("utf8");
  } catch (error) {
    throw new SchemaError(`${path} cannot be read: ${reasonOf(error)}`);
  }
}

/** Names with slashes, in an order that does not depend on the file system. */
async function protoFilesIn(dir: string): Promise<string[]> {
  try {
    const names = await readdir(dir, { recursive: true });
    return names
      .map((name) => name.split(sep).join("/"))
      .filter((name) => name.endsWith(".proto") && !/(^|\/)node_modules\//.test(name))
      .sort();
  } catch (error) {
    throw new SchemaError(`the folder ${dir} cannot be read: ${reasonOf(error)}`);
  }
}

function finish({ linker, files, own, warnings }: Loader): SchemaTables {
  const compiled = compileFiles(linker, files);
  const services = [...own].flatMap((name) =>
    (files.get(name)?.declared ?? []).flatMap((symbol) => (symbol.kind === "service" ? [symbol.name] : [])),
  );
  const reader = new SchemaReader("whole");
  for (const proto of compiled.files) {
    try {
      reader.add(proto.name, toBinary(FileDescriptorProtoSchema, proto));
    } catch (error) {
      if (!(error instanceof SchemaError)) throw error;
      // It begins with the name of what is wrong, where that can be known.
      const symbol = error.message.slice(0, error.message.indexOf(" "));
      throw new SchemaError(`${linker.placeOf(proto.name, symbol)}: ${error.message}`);
    }
  }
  return reader.finish({
    listed: services,
    warnings: [...warnings, ...compiled.warnings],
    problems: new Map(),
  });
}
