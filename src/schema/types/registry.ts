// The types of one schema, each made from its bytes on demand. A registry of all of googleapis costs only its tables
// until a method is called.
import {
  type DescEnum,
  type DescExtension,
  type DescFile,
  type DescMessage,
  type DescService,
  type FileRegistry,
  fromBinary,
} from "@bufbuild/protobuf";
import {
  DescriptorProtoSchema,
  EnumDescriptorProtoSchema,
  FieldDescriptorProtoSchema,
  ServiceDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import { candidatesOf, finishMessage, type Reference, referencesOf } from "../descriptors/file-descriptor.js";
import { SchemaError } from "../descriptors/schema-error.js";
import { type Outline, outlineOf } from "../tables/outline.js";
import type { Declaration } from "../tables/same-declarations.js";
import { importsOf, type SchemaTables, SymbolKind } from "../tables/schema-tables.js";
import { extensionDesc } from "./field-desc.js";
import { FileDesc } from "./file-desc.js";
import { EnumDesc, MessageDesc, ServiceDesc } from "./message-desc.js";
import type { Resolver } from "./resolver.js";

type Type = DescMessage | DescEnum | DescExtension | DescService;

/** The types of a schema, and what its tables contain without making them. */
export interface SchemaTypes extends FileRegistry {
  /** Its parts: one for each upstream. */
  readonly parts: readonly SchemaRegistry[];
  /** Full names of all symbols. */
  readonly names: Iterable<string>;
  readonly fileNames: Iterable<string>;
  /** The file that declares a symbol. */
  fileNameOf(symbol: string): string | undefined;
  /** Names of the files that a file imports. */
  importsOf(fileName: string): readonly string[];
  /** Of SymbolKind. */
  kindOf(symbol: string): number | undefined;
  /** The declaration at the top of a file in which a symbol stands. */
  declarationOf(symbol: string): Declaration | undefined;
  /** The extensions of a message, full names by numbers. */
  extensionsOf(typeName: string): ReadonlyMap<number, string>;
}

export function isSchemaTypes(registry: FileRegistry): registry is SchemaTypes {
  return "parts" in registry;
}

/** Makes a registry from its tables, without yielding. */
export function registryFrom(tables: SchemaTables): SchemaRegistry {
  const registry = new SchemaRegistry(tables);
  for (const _ of registry.fill());
  return registry;
}

export class SchemaRegistry implements SchemaTypes, Resolver {
  readonly kind = "registry";
  readonly tables: SchemaTables;
  readonly #names: readonly string[];
  /** Full name -> index in the tables. */
  readonly #symbols = new Map<string, number>();
  readonly #fileIndexes = new Map<string, number>();
  readonly #files: (FileDesc | undefined)[] = [];
  readonly #types = new Map<string, Type>();
  /** Full name of the extended message -> number -> index of the extension. */
  readonly #extensions = new Map<string, Map<number, number>>();

  /** The expensive part is done by `fill`, which must be called first. */
  constructor(tables: SchemaTables) {
    this.tables = tables;
    this.#names = tables.symbols === "" ? [] : tables.symbols.split("\n");
    for (const [i, name] of tables.fileNames.entries()) this.#fileIndexes.set(name, i);
    for (const [symbol, extendee, number] of tables.extensions) {
      let numbers = this.#extensions.get(extendee);
      if (numbers === undefined) {
        numbers = new Map();
        this.#extensions.set(extendee, numbers);
      }
      if (!numbers.has(number)) numbers.set(number, symbol);
    }
  }

  /** Runs in slices. */
  *fill(): Generator<void> {
    for (const [i, name] of this.#names.entries()) {
      // Of equal declarations in two files the first counts.
      if (!this.#symbols.has(name)) this.#symbols.set(name, i);
      if (i % SYMBOLS_PER_STEP === SYMBOLS_PER_STEP - 1) yield;
    }
  }

  // ---------------------------------------------------------------- Registry

  get(typeName: string): Type | undefined {
    const index = this.#symbols.get(typeName);
    if (index === undefined || this.tables.kinds[index] === SymbolKind.MAP_ENTRY) return undefined;
    const known = this.#types.get(typeName);
    if (known !== undefined) return known;
    this.#make(index, typeName);
    return this.#types.get(typeName);
  }

  getMessage(typeName: string): DescMessage | undefined {
    const type = this.get(typeName);
    return type?.kind === "message" ? type : undefined;
  }

  getEnum(typeName: string): DescEnum | undefined {
    const type = this.get(typeName);
    return type?.kind === "enum" ? type : undefined;
  }

  getExtension(typeName: string): DescExtension | undefined {
    const type = this.get(typeName);
    return type?.kind === "extension" ? type : undefined;
  }

  getService(typeName: string): DescService | undefined {
    const type = this.get(typeName);
    return type?.kind === "service" ? type : undefined;
  }

  getExtensionFor(extendee: DescMessage, no: number): DescExtension | undefined {
    const index = this.#extensions.get(extendee.typeName)?.get(no);
    return index === undefined ? undefined : this.getExtension(this.#names[index] ?? "");
  }

  /** Makes every type: for tests and tools. */
  *[Symbol.iterator](): IterableIterator<Type> {
    for (const name of new Set(this.#names)) {
      const type = this.get(name);
      if (type !== undefined) yield type;
    }
  }

  /** In the order of the tables. */
  get files(): Iterable<DescFile> {
    return this.tables.fileNames.map((_, i) => this.#file(i));
  }

  getFile(fileName: string): FileDesc | undefined {
    const index = this.#fileIndexes.get(fileName);
    return index === undefined ? undefined : this.#file(index);
  }

  // ---------------------------------------------------------------- queries without making a type

  /** In the order of their files; those of equal declarations more than once. */
  get names(): readonly string[] {
    return this.#names;
  }

  get parts(): readonly SchemaRegistry[] {
    return [this];
  }

  get fileNames(): readonly string[] {
    return this.tables.fileNames;
  }

  fileNameOf(symbol: string): string | undefined {
    const index = this.#symbols.get(symbol);
    return index === undefined ? undefined : this.tables.fileNames[this.tables.files[index] ?? 0];
  }

  importsOf(fileName: string): readonly string[] {
    const index = this.#fileIndexes.get(fileName);
    return index === undefined ? [] : importsOf(this.tables, index);
  }

  kindOf(symbol: string): number | undefined {
    const index = this.#symbols.get(symbol);
    return index === undefined ? undefined : this.tables.kinds[index];
  }

  declarationOf(symbol: string): Declaration | undefined {
    const index = this.#symbols.get(symbol);
    if (index === undefined) return undefined;
    const { kinds, files, editions } = this.tables;
    const top = this.#topOf(index);
    return {
      name: this.#names[top] ?? "",
      kind: kinds[top] ?? SymbolKind.MESSAGE,
      edition: editions[files[top] ?? 0] ?? 0,
      bytes: this.#bytes(top),
    };
  }

  extensionsOf(typeName: string): ReadonlyMap<number, string> {
    const found = new Map<number, string>();
    for (const [number, index] of this.#extensions.get(typeName) ?? []) {
      found.set(number, this.#names[index] ?? "");
    }
    return found;
  }

  // ---------------------------------------------------------------- Resolver

  message(name: string): DescMessage {
    const full = name.replace(/^\./, "");
    const found = this.getMessage(full);
    if (found === undefined) throw new SchemaError(`no file declares the message ${full}`);
    return found;
  }

  enum(name: string): DescEnum {
    const full = name.replace(/^\./, "");
    const found = this.getEnum(full);
    if (found === undefined) throw new SchemaError(`no file declares the enum ${full}`);
    return found;
  }

  outline(typeName: string): Outline | undefined {
    const index = this.#symbols.get(typeName);
    // A nested declaration has the bytes of the enclosing one.
    if (
      index === undefined ||
      this.tables.kinds[index] !== SymbolKind.MESSAGE ||
      this.#topOf(index) !== index
    )
      return undefined;
    return outlineOf(this.#bytes(index));
  }

  // ---------------------------------------------------------------- making

  #file(index: number): FileDesc {
    let file = this.#files[index];
    if (file === undefined) {
      file = new FileDesc(this, index);
      this.#files[index] = file;
    }
    return file;
  }

  #bytes(index: number): Uint8Array {
    const { fileBytes, files, starts, ends } = this.tables;
    return fileBytes[files[index] ?? 0]?.subarray(starts[index], ends[index]) ?? new Uint8Array();
  }

  /** Makes the top-level declaration that contains the symbol, with everything in it. */
  #make(index: number, typeName: string): void {
    const { tables } = this;
    const file = this.#file(tables.files[index] ?? 0);
    const bytes = this.#bytes(index);
    switch (tables.kinds[this.#topOf(index)]) {
      case SymbolKind.ENUM:
        this.#types.set(
          typeName,
          new EnumDesc(fromBinary(EnumDescriptorProtoSchema, bytes), file, undefined, file.features),
        );
        return;
      case SymbolKind.SERVICE: {
        const read = () => {
          const proto = fromBinary(ServiceDescriptorProtoSchema, bytes);
          this.#resolve(referencesOf({ package: file.package, service: [proto] }));
          return proto;
        };
        this.#types.set(typeName, new ServiceDesc(typeName, file, this, read));
        return;
      }
      case SymbolKind.EXTENSION: {
        const proto = fromBinary(FieldDescriptorProtoSchema, bytes);
        this.#resolve(referencesOf({ package: file.package, extension: [proto] }));
        this.#types.set(typeName, extensionDesc(proto, file, undefined, this, file.features));
        return;
      }
      default: {
        const proto = fromBinary(DescriptorProtoSchema, bytes);
        finishMessage(proto, file.package);
        this.#resolve(referencesOf({ package: file.package, messageType: [proto] }));
        this.#putMessage(new MessageDesc(proto, file, undefined, this, file.features), index);
      }
    }
  }

  /** Nested declarations follow theirs in the tables, and have its bytes. */
  #topOf(index: number): number {
    const { files, starts } = this.tables;
    let top = index;
    while (top > 0 && files[top - 1] === files[index] && starts[top - 1] === starts[index]) top--;
    return top;
  }

  /** `index`: of a symbol that has the same bytes. */
  #put(type: Type, index: number): void {
    const { files, starts } = this.tables;
    const own = this.#symbols.get(type.typeName) ?? -1;
    // Of a declaration in two files the first counts, which may not be this one.
    if (files[own] === files[index] && starts[own] === starts[index]) this.#types.set(type.typeName, type);
  }

  #putMessage(message: MessageDesc, index: number): void {
    this.#put(message, index);
    for (const nested of message.nestedEnums) this.#put(nested, index);
    for (const nested of message.nestedMessages) this.#putMessage(nested, index);
    // Making an extension resolves nothing: the extended message is looked up later.
    for (const extension of message.nestedExtensions) this.#put(extension, index);
  }

  /** Replaces relative names by full ones, and sets missing kinds. */
  #resolve(references: Iterable<Reference>): void {
    for (const reference of references) {
      if (reference.wants !== undefined && reference.name.startsWith(".")) continue;
      for (const name of candidatesOf(reference)) {
        const kind = this.kindOf(name);
        const isEnum = kind === SymbolKind.ENUM;
        const isMessage = kind === SymbolKind.MESSAGE || kind === SymbolKind.MAP_ENTRY;
        const fits =
          reference.wants === undefined
            ? isEnum || isMessage
            : reference.wants === "enum"
              ? isEnum
              : isMessage;
        if (!fits) continue;
        reference.resolve(name, isEnum ? "enum" : "message");
        break;
      }
    }
  }
}

/** Takes some milliseconds. */
const SYMBOLS_PER_STEP = 10_000;
