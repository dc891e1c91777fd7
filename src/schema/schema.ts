// Which services and methods exist: an immutable snapshot of descriptors, from whichever source they came.
import { createHash } from "node:crypto";
import { create, createFileRegistry, type DescService, type FileRegistry } from "@bufbuild/protobuf";
import {
  type FileDescriptorProto,
  FileDescriptorSetSchema,
  MethodOptions_IdempotencyLevel,
} from "@bufbuild/protobuf/wkt";
import { BoundedTexts } from "../core/bounded-texts.js";
import type { Method } from "../core/call.js";
import {
  contentOf,
  declarationsOf,
  hasHttpRule,
  parseFile,
  reasonOf,
  wellKnownFile,
} from "./file-descriptor.js";
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

/** The source's own among them. */
const MAX_WARNINGS = 100;

// The hub answers these itself; an upstream's are never routed, listed or compared.
const NOT_ROUTABLE = /^(grpc\.(health|reflection|channelz)|linchpin)\./;

/** False for the services that every hub answers itself. */
export function isRoutable(service: string): boolean {
  return !NOT_ROUTABLE.test(service);
}

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
  const said = new BoundedTexts(MAX_WARNINGS);
  said.pushAll(warnings);
  const names = new Set(listed ?? parsed.services());
  const services: DescService[] = [];
  for (const name of [...names].sort()) {
    if (!isRoutable(name)) continue;
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
    warnings: said.list("warnings like these"),
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

export interface UpstreamSchema {
  /** The upstream's name in the config. */
  readonly upstream: string;
  readonly schema: Schema;
}

/**
 * One schema of several upstreams', for what the hub shows as a whole. Where two contradict each other, the
 * first wins and a warning names both upstreams and the file. Never throws.
 */
export function mergeSchemas(upstreams: readonly UpstreamSchema[]): Schema {
  try {
    return mergeAll(upstreams, []);
  } catch {
    // Each file fits those before it, and still the whole does not load: then an upstream is in or out as a whole.
    const warnings: string[] = [];
    const kept: UpstreamSchema[] = [];
    let merged = mergeAll([], warnings);
    for (const upstream of upstreams) {
      try {
        merged = mergeAll([...kept, upstream], warnings);
        kept.push(upstream);
      } catch (error) {
        warnings.push(`upstream "${upstream.upstream}" is left out of reflection: ${reasonOf(error)}`);
      }
    }
    return merged;
  }
}

function mergeAll(upstreams: readonly UpstreamSchema[], warnings: readonly string[]): Schema {
  const merge = new Merge(warnings);
  for (const upstream of upstreams) merge.add(upstream);
  return build(merge.files, merge.parsed, [...merge.services], merge.warnings);
}

class Merge {
  readonly files = new Map<string, Uint8Array>();
  readonly parsed = new ParsedFiles();
  readonly services = new Set<string>();
  readonly warnings: string[];
  /** The upstream that each file came from. */
  readonly #owners = new Map<string, string>();

  constructor(warnings: readonly string[]) {
    this.warnings = [...warnings];
  }

  add({ upstream, schema }: UpstreamSchema): void {
    // The registry has its files in order: what a file needs comes before it.
    for (const { proto } of schema.registry.files) {
      const bytes = schema.files.get(proto.name);
      const problem = bytes === undefined ? undefined : this.#addFile(upstream, proto.name, bytes);
      if (problem !== undefined) {
        this.warnings.push(`"${proto.name}" of upstream "${upstream}" is left out of reflection: ${problem}`);
      }
    }
    // The file of a service may have been left out, with a warning; then nothing declares it.
    for (const { typeName } of schema.services)
      if (this.parsed.declares(typeName)) this.services.add(typeName);
  }

  /** Says why the file cannot be added. */
  #addFile(upstream: string, name: string, bytes: Uint8Array): string | undefined {
    const known = this.files.get(name);
    if (known !== undefined) {
      // Each language carries its own build of these, with other options.
      if (name.startsWith("google/protobuf/") || sameContent(name, known, bytes)) return undefined;
      return `upstream "${this.#owners.get(name)}" has a file of that name with other content`;
    }
    const proto = parseFile(name, bytes);
    for (const { name: symbol } of declarationsOf(proto)) {
      const file = this.parsed.fileOf(symbol);
      if (file !== undefined) {
        return `"${file}" of upstream "${this.#owners.get(file)}" already declares ${symbol}`;
      }
    }
    this.parsed.add(name, proto);
    const missing = this.parsed.missingOf(name)[0];
    if (missing !== undefined) {
      this.parsed.remove(new Set([name]));
      return missing.problem;
    }
    this.files.set(name, bytes);
    this.#owners.set(name, upstream);
    return undefined;
  }
}

// Comments and json_name depend on the server's language, not on what the file says.
function sameContent(name: string, one: Uint8Array, other: Uint8Array): boolean {
  return (
    Buffer.compare(one, other) === 0 || Buffer.compare(contentOf(name, one), contentOf(name, other)) === 0
  );
}
