// Which file declares what, over files that stay bytes: the data of server reflection.
import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import {
  type DescriptorProto,
  type EnumDescriptorProto,
  type FieldDescriptorProto,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import { completed } from "../../kit/in-slices.js";

/** Bytes that are no descriptors. */
export class DescriptorError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "DescriptorError";
  }
}

/**
 * Splits a serialized google.protobuf.FileDescriptorSet into its files, each by its name and with its original bytes:
 * parsing and serializing a file loses the options that the parser does not know. Of two files with one name the first
 * counts. Throws DescriptorError.
 */
export function splitFileDescriptorSet(bytes: Uint8Array): Map<string, Uint8Array> {
  return completed(splittingFileDescriptorSet(bytes));
}

/** The same, in slices: yields after each file. */
export function* splittingFileDescriptorSet(bytes: Uint8Array): Generator<void, Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  try {
    for (const file of fieldsOf(bytes, 1)) {
      const name = fileNameOf(file);
      if (!files.has(name)) files.set(name, file);
      yield;
    }
  } catch (cause) {
    throw new DescriptorError("the bytes are not a serialized google.protobuf.FileDescriptorSet", cause);
  }
  return files;
}

/** The `name` of a serialized FileDescriptorProto. Throws the reader's errors. */
function fileNameOf(file: Uint8Array): string {
  let name = "";
  for (const bytes of fieldsOf(file, 1)) name = new TextDecoder().decode(bytes);
  return name;
}

/** The values of one length-delimited field, in order; each a view of the bytes. */
function* fieldsOf(bytes: Uint8Array, wanted: number): Generator<Uint8Array> {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [fieldNo, wireType] = reader.tag();
    if (fieldNo === wanted && wireType === WireType.LengthDelimited) yield reader.bytes();
    else reader.skip(wireType, fieldNo);
  }
}

/** Names are full names without a leading dot, as in `library.v1.Book.title`. */
export interface Descriptors {
  /** The serialized FileDescriptorProto, unchanged. */
  file(name: string): Uint8Array | undefined;
  /** Name of the file that declares a message, field, oneof, enum, enum value, extension, service or method. */
  fileContaining(symbol: string): string | undefined;
  /** Name of the file that declares the extension of `type` with this number. */
  fileExtending(type: string, number: number): string | undefined;
  /** The numbers of all known extensions of a message, in order; undefined: no such message. */
  extensions(type: string): readonly number[] | undefined;
  /** The names of the file, first, and of all its direct and indirect imports, as far as they are known. */
  withDependencies(name: string): readonly string[];
}

/** Over files that are parsed at once: a few. Immutable. schema-index.ts is the same for a whole schema. */
export class DescriptorIndex implements Descriptors {
  readonly #files: ReadonlyMap<string, Uint8Array>;
  readonly #imports = new Map<string, readonly string[]>();
  /** Full name of whatever can be declared -> name of the file that does. */
  readonly #symbols = new Map<string, string>();
  readonly #messages = new Set<string>();
  readonly #services: string[] = [];
  /** Full name of the extended message -> field number -> name of the file that declares it. */
  readonly #extensions = new Map<string, Map<number, string>>();

  /**
   * `files`: file name, as imports have it -> serialized FileDescriptorProto. Files that others import may be
   * missing. Of two declarations of one name the first counts. Throws DescriptorError, with the file's name.
   */
  constructor(files: ReadonlyMap<string, Uint8Array>) {
    this.#files = new Map(files);
    for (const [name, bytes] of this.#files) {
      this.#addFile(name, parse(FileDescriptorProtoSchema, bytes, name));
    }
  }

  /** Takes a serialized google.protobuf.FileDescriptorSet, such as `buf build` and `protoc -o` write. */
  static fromSet(bytes: Uint8Array): DescriptorIndex {
    return new DescriptorIndex(splitFileDescriptorSet(bytes));
  }

  get fileNames(): readonly string[] {
    return [...this.#files.keys()];
  }

  /** All services that the files declare, in the order of the files. */
  get serviceNames(): readonly string[] {
    return this.#services;
  }

  file(name: string): Uint8Array | undefined {
    return this.#files.get(name);
  }

  fileContaining(symbol: string): string | undefined {
    return this.#symbols.get(symbol);
  }

  /** All that a file declares. */
  symbolsOf(file: string): readonly string[] {
    return [...this.#symbols].flatMap(([symbol, name]) => (name === file ? [symbol] : []));
  }

  fileExtending(type: string, number: number): string | undefined {
    return this.#extensions.get(type)?.get(number);
  }

  extensions(type: string): readonly number[] | undefined {
    const known = this.#extensions.get(type);
    if (known !== undefined) return [...known.keys()].sort((a, b) => a - b);
    return this.#messages.has(type) ? [] : undefined;
  }

  withDependencies(name: string): readonly string[] {
    const reached = new Set<string>();
    if (this.#files.has(name)) reached.add(name);
    // A Set's iteration includes entries that are added meanwhile.
    for (const file of reached) {
      for (const imported of this.#imports.get(file) ?? []) {
        if (this.#files.has(imported)) reached.add(imported);
      }
    }
    return [...reached];
  }

  #addFile(name: string, file: FileDescriptorProto): void {
    this.#imports.set(name, file.dependency);
    const scope = file.package === "" ? "" : `${file.package}.`;
    for (const message of file.messageType) this.#addMessage(name, scope, message);
    for (const enumeration of file.enumType) this.#addEnum(name, scope, enumeration);
    for (const extension of file.extension) this.#addExtension(name, scope, extension);
    for (const service of file.service) {
      const serviceName = scope + service.name;
      if (this.#add(serviceName, name)) this.#services.push(serviceName);
      for (const method of service.method) this.#add(`${serviceName}.${method.name}`, name);
    }
  }

  #addMessage(file: string, scope: string, message: DescriptorProto): void {
    const messageName = scope + message.name;
    this.#add(messageName, file);
    this.#messages.add(messageName);
    const inner = `${messageName}.`;
    for (const field of message.field) this.#add(inner + field.name, file);
    for (const oneof of message.oneofDecl) this.#add(inner + oneof.name, file);
    for (const nested of message.nestedType) this.#addMessage(file, inner, nested);
    for (const enumeration of message.enumType) this.#addEnum(file, inner, enumeration);
    for (const extension of message.extension) this.#addExtension(file, inner, extension);
  }

  /** An enum's values are siblings of the enum, not its children (C++ scoping; descriptor.proto). */
  #addEnum(file: string, scope: string, enumeration: EnumDescriptorProto): void {
    this.#add(scope + enumeration.name, file);
    for (const value of enumeration.value) this.#add(scope + value.name, file);
  }

  #addExtension(file: string, scope: string, extension: FieldDescriptorProto): void {
    this.#add(scope + extension.name, file);
    const type = extension.extendee.replace(/^\./, "");
    let numbers = this.#extensions.get(type);
    if (numbers === undefined) {
      numbers = new Map();
      this.#extensions.set(type, numbers);
    }
    if (!numbers.has(extension.number)) numbers.set(extension.number, file);
  }

  #add(symbol: string, file: string): boolean {
    if (this.#symbols.has(symbol)) return false;
    this.#symbols.set(symbol, file);
    return true;
  }
}

function parse<Desc extends DescMessage>(schema: Desc, bytes: Uint8Array, name: string): MessageShape<Desc> {
  try {
    return fromBinary(schema, bytes);
  } catch (cause) {
    throw new DescriptorError(
      `${name}: the bytes are not a serialized google.protobuf.FileDescriptorProto`,
      cause,
    );
  }
}
