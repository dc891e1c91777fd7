// Learning a schema from folders of .proto files, with the parser that @grpc/proto-loader brings.
import { readdir, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, sep } from "node:path";
import { create, createFileRegistry, type FileRegistry, toBinary } from "@bufbuild/protobuf";
import {
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import { inSlices } from "../core/in-slices.js";
import { lateLoad } from "../core/late-load.js";
import { readLargeFile } from "../core/regular-file.js";
import { parseFile, reasonOf, wellKnownFile } from "./file-descriptor.js";
import { GOOGLE_API } from "./google-api.js";
import { ParsedFiles } from "./parsed-files.js";
import { type Protobufjs, type ProtoFile, parseProtoFile, type WrittenOption } from "./proto-file.js";
import { applyOption, isCustom } from "./proto-options.js";
import { type Schema, SchemaError, schemaOf } from "./schema.js";
import { SchemaReader } from "./schema-reader.js";
import { readProtosInThread } from "./schema-reading.js";
import type { SchemaTables } from "./schema-tables.js";

/** More is no API but a wrong folder; googleapis has 6,000. */
const MAX_FILES = 20_000;
const MAX_FILE_BYTES = 16 * 1024 * 1024;
/** Of all files together, that are read without a thread: some 20 ms. */
const IN_PLACE_BYTES = 64 * 1024;

/**
 * Reads all .proto files in the folders and below them. Imports are relative to one of the folders; google/protobuf
 * and google/api/{annotations,http}.proto are always there, the rest of google/ when the npm package
 * google-proto-files is installed.
 * @throws SchemaError, one sentence: no such folder, no .proto files, a syntax error with file:line, a missing import.
 */
export async function loadProtos(dirs: readonly string[]): Promise<Schema> {
  const tables = (await isLarge(dirs)) ? await readProtosInThread(dirs) : await readProtos(dirs);
  return inSlices(schemaOf(tables));
}

/** As loadProtos, here and now. */
export async function readProtos(dirs: readonly string[]): Promise<SchemaTables> {
  const tools = lateLoad(findTools);
  const loader = new Loader(tools, dirs);
  for (const dir of dirs) await loader.addFolder(dir);
  if (loader.files.size === 0) throw new SchemaError(`no .proto files in ${dirs.join(", ")}`);
  const tables = finish(loader);
  if (tables.services.length === 0) {
    throw new SchemaError(`the .proto files in ${dirs.join(", ")} have no services`);
  }
  return tables;
}

/** Whether reading them in place would hold calls up. A folder that cannot be read is not, and says so then. */
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

interface Tools {
  readonly pb: Protobufjs;
  /** Folders of npm packages that have google/…, where they are installed. */
  readonly includes: readonly string[];
}

function findTools(): Tools {
  const require = createRequire(import.meta.url);
  // proto-loader's own protobufjs, wherever npm has put it.
  const ofLoader = createRequire(require.resolve("@grpc/proto-loader"));
  const pb: Protobufjs = ofLoader("protobufjs");
  try {
    return { pb, includes: [dirname(require.resolve("google-proto-files/package.json"))] };
  } catch {
    return { pb, includes: [] };
  }
}

class Loader {
  /** By name, as an import names it. */
  readonly files = new Map<string, ProtoFile>();
  /** Names of the files in the folders, without what they import from elsewhere. */
  readonly own = new Set<string>();
  readonly warnings: string[] = [];
  readonly #tools: Tools;
  readonly #dirs: readonly string[];

  constructor(tools: Tools, dirs: readonly string[]) {
    this.#tools = tools;
    this.#dirs = dirs;
  }

  async addFolder(dir: string): Promise<void> {
    for (const name of await protoFilesIn(dir)) {
      if (wellKnownFile(name) !== undefined) continue;
      const path = join(dir, name);
      this.own.add(name);
      if (!this.files.has(name)) await this.#addFile(name, path);
      else if ((await this.#find(name)) !== path) {
        this.warnings.push(`${path} is not used: a folder before it has ${name} too`);
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
      for (const imported of file.proto.dependency) {
        if (this.files.has(imported) || wellKnownFile(imported) !== undefined) continue;
        const found = await this.#find(imported);
        if (found !== undefined || GOOGLE_API.has(imported)) queue.push({ name: imported, path: found });
        else if (!isWeak(file, imported))
          throw new SchemaError(this.#missing(next.path ?? next.name, imported));
      }
    }
  }

  #missing(importer: string, imported: string): string {
    const hint = imported.startsWith("google/") ? "; the npm package google-proto-files has Google's" : "";
    return `${importer} imports "${imported}", which is in none of the folders ${this.#dirs.join(", ")}${hint}`;
  }

  async #find(name: string): Promise<string | undefined> {
    for (const dir of [...this.#dirs, ...this.#tools.includes]) {
      const path = join(dir, name);
      const found = await stat(path).catch(() => undefined);
      if (found?.isFile() === true) return path;
    }
    return undefined;
  }

  /** @param path undefined: one of GOOGLE_API */
  async #parse(name: string, path: string | undefined): Promise<ProtoFile> {
    const source = path === undefined ? (GOOGLE_API.get(name) ?? "") : await read(path);
    try {
      return parseProtoFile(this.#tools.pb, name, source);
    } catch (error) {
      const reason = reasonOf(error);
      const line = /^(.*) \(line (\d+)\)$/s.exec(reason);
      const where = path ?? name;
      throw new SchemaError(line === null ? `${where}: ${reason}` : `${where}:${line[2]}: ${line[1]}`);
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

function isWeak({ proto }: ProtoFile, imported: string): boolean {
  return proto.weakDependency.includes(proto.dependency.indexOf(imported));
}

/** Makes the names of types full and puts the options in, which needs all files; then it is a schema like any other. */
function finish(loader: Loader): SchemaTables {
  const parsed = new ParsedFiles();
  for (const [name, { proto }] of loader.files) parsed.add(name, proto);
  for (let missing = parsed.missing(); missing.length > 0; missing = parsed.missing()) {
    for (const { file, problem } of missing) {
      const bytes = file === undefined ? undefined : wellKnownFile(file);
      if (file === undefined || bytes === undefined) throw new SchemaError(problem);
      if (!parsed.has(file)) parsed.add(file, parseFile(file, bytes));
    }
  }
  const services = parsed.services().filter((service) => loader.own.has(parsed.fileOf(service) ?? ""));
  const file = parsed.inOrder();
  const warnings = [...loader.warnings];
  const options = [...loader.files.values()].flatMap((loaded) => loaded.options);
  const apply = (some: readonly WrittenOption[], registry: FileRegistry | undefined): void => {
    for (const option of some) {
      const lost = applyOption(option, registry);
      if (lost !== undefined) warnings.push(lost);
    }
  };
  // First those of descriptor.proto: how a custom option is encoded hangs on the features and options of its field.
  apply(
    options.filter((option) => !isCustom(option)),
    undefined,
  );
  const custom = options.filter(isCustom);
  if (custom.length > 0) apply(custom, registryOf(file));
  const reader = new SchemaReader("whole");
  for (const proto of file) reader.add(proto.name, toBinary(FileDescriptorProtoSchema, proto));
  return reader.finish({ listed: services, warnings, problems: new Map() });
}

function registryOf(file: FileDescriptorProto[]): FileRegistry {
  try {
    return createFileRegistry(create(FileDescriptorSetSchema, { file }));
  } catch (error) {
    throw new SchemaError(`the .proto files contradict themselves: ${reasonOf(error)}`);
  }
}
