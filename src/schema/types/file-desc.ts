// The descriptor of a file, in @bufbuild/protobuf's form. Its content is made on demand.
import {
  type DescEnum,
  type DescExtension,
  type DescFile,
  type DescMessage,
  type DescService,
  type FileRegistry,
  fromBinary,
  type SupportedEdition,
} from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import {
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  type FileOptions,
  FileOptionsSchema,
} from "@bufbuild/protobuf/wkt";
import { defaultFeatures, type Features, withFeatures } from "../tables/features.js";
import { importsOf, type SchemaTables } from "../tables/schema-tables.js";
import type { OwnFile } from "./resolver.js";

/** Field number of `options` in google.protobuf.FileDescriptorProto. */
const OPTIONS = 8;

/** The registry that has the file. */
export interface Owner extends FileRegistry {
  readonly tables: SchemaTables;
  readonly names: readonly string[];
}

export class FileDesc implements OwnFile {
  readonly kind = "file";
  readonly name: string;
  readonly package: string;
  readonly edition: SupportedEdition;
  readonly registry: Owner;
  readonly #index: number;
  #options: FileOptions | undefined;
  #features: Features | undefined;
  #proto: FileDescriptorProto | undefined;
  #contents: Contents | undefined;

  constructor(registry: Owner, index: number) {
    const { fileNames, packages, editions } = registry.tables;
    this.registry = registry;
    this.#index = index;
    this.name = (fileNames[index] ?? "").replace(/\.proto$/, "");
    this.package = packages[index] ?? "";
    this.edition = editions[index] as SupportedEdition;
  }

  get #bytes(): Uint8Array {
    return this.registry.tables.fileBytes[this.#index] ?? new Uint8Array();
  }

  get #ownOptions(): FileOptions {
    this.#options ??= fromBinary(FileOptionsSchema, optionsIn(this.#bytes));
    return this.#options;
  }

  /** Its features, unless a declaration has its own. */
  get features(): Features {
    this.#features ??= withFeatures(defaultFeatures(this.edition), this.#ownOptions.features);
    return this.#features;
  }

  get deprecated(): boolean {
    return this.#ownOptions.deprecated;
  }

  get dependencies(): DescFile[] {
    const names = importsOf(this.registry.tables, this.#index);
    return names.flatMap((name) => this.registry.getFile(name) ?? []);
  }

  get messages(): DescMessage[] {
    return this.#all.messages;
  }

  get enums(): DescEnum[] {
    return this.#all.enums;
  }

  get extensions(): DescExtension[] {
    return this.#all.extensions;
  }

  get services(): DescService[] {
    return this.#all.services;
  }

  /** The whole file; its declarations are those of the descriptors. */
  get proto(): FileDescriptorProto {
    if (this.#proto === undefined) {
      const proto = fromBinary(FileDescriptorProtoSchema, this.#bytes);
      const { messages, enums, extensions, services } = this.#all;
      proto.messageType = messages.map((desc) => desc.proto);
      proto.enumType = enums.map((desc) => desc.proto);
      proto.extension = extensions.map((desc) => desc.proto);
      proto.service = services.map((desc) => desc.proto);
      this.#proto = proto;
    }
    return this.#proto;
  }

  get #all(): Contents {
    this.#contents ??= this.#find();
    return this.#contents;
  }

  #find(): Contents {
    const { tables, names } = this.registry;
    const found: Contents = { messages: [], enums: [], extensions: [], services: [] };
    let start = -1;
    for (let i = firstSymbol(tables, this.#index); tables.files[i] === this.#index; i++) {
      // A nested declaration has the bytes of the enclosing one.
      if (tables.starts[i] === start) continue;
      start = tables.starts[i] ?? 0;
      const type = this.registry.get(names[i] ?? "");
      if (type?.kind === "message") found.messages.push(type);
      else if (type?.kind === "enum") found.enums.push(type);
      else if (type?.kind === "extension") found.extensions.push(type);
      else if (type?.kind === "service") found.services.push(type);
    }
    return found;
  }

  toString(): string {
    return `file ${this.name}.proto`;
  }
}

/** The registry that made a file; undefined: another one did. */
export function registryOf(file: DescFile): Owner | undefined {
  return file instanceof FileDesc ? file.registry : undefined;
}

interface Contents {
  readonly messages: DescMessage[];
  readonly enums: DescEnum[];
  readonly extensions: DescExtension[];
  readonly services: DescService[];
}

/** The first symbol of a file, or of the next one with symbols: they are in the order of the files. */
function firstSymbol({ files }: SchemaTables, file: number): number {
  let from = 0;
  let to = files.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((files[middle] ?? 0) < file) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** The serialized options of a file. A repeated message field is merged (protobuf encoding). */
function optionsIn(bytes: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [];
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [no, wire] = reader.tag();
    if (no === OPTIONS && wire === WireType.LengthDelimited) parts.push(reader.bytes());
    else reader.skip(wire, no);
  }
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
}
