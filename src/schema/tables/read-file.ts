// Parses one FileDescriptorProto as far as schema-reader.ts needs it: its declarations with positions, its references.
import { fromBinary } from "@bufbuild/protobuf";
import { parseTextFormatScalarValue } from "@bufbuild/protobuf/wire";
import {
  type DescriptorProto,
  type EnumValueDescriptorProto,
  type FieldDescriptorProto,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import { cut } from "../../kit/text/text.js";
import { type Ranges, type ScannedFile, scanFile } from "../descriptors/descriptor-scan.js";
import {
  candidatesOf,
  finishFile,
  HTTP_RULE_EXTENSION,
  isOfProtobufjs,
  join,
  reasonOf,
  referencesOf,
} from "../descriptors/file-descriptor.js";
import { SchemaError } from "../descriptors/schema-error.js";
import { editionOf } from "./features.js";
import { SymbolKind } from "./schema-tables.js";

/** Characters of a full name; the longest in googleapis have some 200. */
const MAX_NAME_CHARS = 512;
/** Names within names, packages included. */
const MAX_NAME_PARTS = 64;

/** A place that names a type. */
export interface Use {
  readonly name: string;
  readonly scope: string;
  readonly wants: "message" | "enum" | undefined;
  readonly from: string;
}

export interface ReadSymbol {
  readonly name: string;
  /** Of SymbolKind. */
  readonly kind: number;
  /** Position of the enclosing top-level declaration. */
  readonly start: number;
  readonly end: number;
  /** It is that declaration itself. */
  readonly top: boolean;
}

export interface ReadFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly package: string;
  readonly edition: number;
  readonly imports: readonly string[];
  /** Imports that need not be there. */
  readonly weak: ReadonlySet<string>;
  readonly symbols: readonly ReadSymbol[];
  /** Each type once. */
  readonly uses: readonly Use[];
  /** Defaults of fields whose type is an enum: its values may be in another file. */
  readonly enumDefaults: readonly (readonly [use: Use, value: string])[];
  /** `symbol`: its index in `symbols`; `use`: the extended message. */
  readonly extensions: readonly (readonly [symbol: number, use: Use, number: number])[];
  /** Full names of the services that have HTTP rules. */
  readonly ruled: ReadonlySet<string>;
  readonly isOfProtobufjs: boolean;
}

/** It is too much for here and now: a thread may do it. */
export class WorkLimitExceeded extends Error {}

/**
 * @param maxRecords limit of fields in the file, at every depth; beyond it a WorkLimitExceeded
 * @throws SchemaError if the bytes are malformed, another file, or over the hub's limits.
 */
export function readFile(name: string, bytes: Uint8Array, maxRecords = Number.POSITIVE_INFINITY): ReadFile {
  let scanned: ScannedFile;
  let proto: FileDescriptorProto;
  try {
    scanned = scanFile(bytes);
    if (scanned.records > maxRecords) throw new WorkLimitExceeded();
    proto = fromBinary(FileDescriptorProtoSchema, scanned.withoutSource);
  } catch (error) {
    const what = `"${cut(name, 200, "…")}"`;
    if (error instanceof WorkLimitExceeded) throw error;
    if (error instanceof SchemaError) throw new SchemaError(`${what} ${error.message}`);
    throw new SchemaError(`${what} is not a file descriptor: ${reasonOf(error)}`);
  }
  finishFile(name, proto);
  return new FileReading(name, bytes, scanned, proto).read();
}

class FileReading {
  readonly #name: string;
  readonly #bytes: Uint8Array;
  readonly #scanned: ScannedFile;
  readonly #proto: FileDescriptorProto;
  readonly #symbols: ReadSymbol[] = [];
  readonly #enumDefaults: (readonly [Use, string])[] = [];
  readonly #extensions: (readonly [number, Use, number])[] = [];
  readonly #ruled = new Set<string>();

  constructor(name: string, bytes: Uint8Array, scanned: ScannedFile, proto: FileDescriptorProto) {
    this.#name = name;
    this.#bytes = bytes;
    this.#scanned = scanned;
    this.#proto = proto;
  }

  read(): ReadFile {
    const proto = this.#proto;
    const edition = editionOf(proto);
    if (edition === undefined) {
      const what =
        proto.syntax === "editions" ? `edition ${proto.edition}` : `syntax "${cut(proto.syntax, 40, "…")}"`;
      throw new SchemaError(`the descriptors are inconsistent: ${this.#name}: unsupported ${what}`);
    }
    const { messages, enums, extensions, services } = this.#scanned;
    const scope = proto.package;
    this.#checkName(scope);
    for (const [i, message] of proto.messageType.entries())
      this.#message(message, scope, placeOf(messages, i), true);
    for (const [i, { name }] of proto.enumType.entries())
      this.#symbol(join(scope, name), SymbolKind.ENUM, placeOf(enums, i), true);
    for (const [i, field] of proto.extension.entries())
      this.#extension(field, scope, placeOf(extensions, i), true);
    for (const [i, service] of proto.service.entries()) {
      const full = join(scope, service.name);
      this.#symbol(full, SymbolKind.SERVICE, placeOf(services, i), true);
      const methods = new Set<string>();
      for (const { name, options } of service.method) {
        this.#checkName(join(full, name));
        if (methods.has(name)) throw new SchemaError(`${full}.${name} is declared twice in "${this.#name}"`);
        methods.add(name);
        if (options?.$unknown?.some(({ no }) => no === HTTP_RULE_EXTENSION) === true) this.#ruled.add(full);
      }
    }
    const weak = new Set(proto.weakDependency.flatMap((index) => proto.dependency[index] ?? []));
    return {
      name: this.#name,
      bytes: this.#bytes,
      package: scope,
      edition,
      imports: [...new Set(proto.dependency)],
      weak,
      symbols: this.#symbols,
      uses: usesOf(proto),
      enumDefaults: this.#enumDefaults,
      extensions: this.#extensions,
      ruled: this.#ruled,
      isOfProtobufjs: isOfProtobufjs(proto),
    };
  }

  #message(message: DescriptorProto, outer: string, place: Place, top: boolean): void {
    const full = join(outer, message.name);
    const isEntry = message.options?.mapEntry === true;
    this.#symbol(full, isEntry ? SymbolKind.MAP_ENTRY : SymbolKind.MESSAGE, place, top);
    if (isEntry) this.#checkEntry(full, message);
    const entries = new Set<string>();
    for (const { name, options } of message.nestedType)
      if (options?.mapEntry === true) entries.add(join(full, name));
    for (const field of message.field) {
      this.#checkField(field, full);
      const isMap = entries.has(field.typeName.replace(/^\./, ""));
      if (isMap && field.label !== FieldDescriptorProto_Label.REPEATED)
        this.#contradicts(`the map ${join(full, field.name)} is not repeated`);
      const isMember = Object.hasOwn(field, "oneofIndex") && !field.proto3Optional;
      if (isMember && message.oneofDecl[field.oneofIndex] === undefined)
        this.#contradicts(`field ${join(full, field.name)} is in a oneof that is not declared`);
    }
    for (const nested of message.nestedType) this.#message(nested, full, place, false);
    for (const { name } of message.enumType) this.#symbol(join(full, name), SymbolKind.ENUM, place, false);
    for (const field of message.extension) this.#extension(field, full, place, false);
  }

  #checkEntry(full: string, { field }: DescriptorProto): void {
    const { BYTES, FLOAT, DOUBLE, MESSAGE, GROUP, ENUM } = FieldDescriptorProto_Type;
    const key = field.find(({ number }) => number === 1);
    const value = field.find(({ number }) => number === 2);
    const noKeys: readonly FieldDescriptorProto_Type[] = [BYTES, FLOAT, DOUBLE, MESSAGE, GROUP, ENUM];
    const { REPEATED } = FieldDescriptorProto_Label;
    if (
      key === undefined ||
      value === undefined ||
      key.label === REPEATED ||
      value.label === REPEATED ||
      noKeys.includes(key.type)
    )
      this.#contradicts(`${full} is not a map entry: it needs a key and a value`);
  }

  #extension(field: FieldDescriptorProto, scope: string, place: Place, top: boolean): void {
    const full = join(scope, field.name);
    const from = `extension ${full}`;
    this.#extensions.push([
      this.#symbols.length,
      { name: field.extendee, scope, wants: "message", from },
      field.number,
    ]);
    this.#symbol(full, SymbolKind.EXTENSION, place, top);
    this.#checkField(field, scope);
  }

  #checkField(field: FieldDescriptorProto, scope: string): void {
    this.#checkName(join(scope, field.name));
    const { REPEATED } = FieldDescriptorProto_Label;
    if (!Object.hasOwn(field, "defaultValue") || field.label === REPEATED) return;
    const { type, typeName: name, defaultValue } = field;
    const { MESSAGE, GROUP, ENUM } = FieldDescriptorProto_Type;
    if (type === ENUM) {
      const use: Use = { name, scope, wants: "enum", from: `field ${join(scope, field.name)}` };
      this.#enumDefaults.push([use, defaultValue]);
    } else if (type !== MESSAGE && type !== GROUP && Object.hasOwn(field, "type")) {
      try {
        // The scalar types have the numbers of the field types.
        parseTextFormatScalarValue(type as number, defaultValue);
      } catch (error) {
        this.#contradicts(`the default of ${join(scope, field.name)}: ${reasonOf(error)}`);
      }
    }
  }

  #symbol(name: string, kind: number, { start, end }: Place, top: boolean): void {
    this.#checkName(name);
    this.#symbols.push({ name, kind, start, end, top });
  }

  #checkName(name: string): void {
    const parts = name.length > MAX_NAME_CHARS ? 0 : name.split(".").length;
    if (parts > 0 && parts <= MAX_NAME_PARTS && !name.includes("\n")) return;
    throw new SchemaError(
      `"${this.#name}" has the name "${cut(name, 60, "…")}": the limits are ${MAX_NAME_CHARS} characters and ${MAX_NAME_PARTS} parts`,
    );
  }

  #contradicts(problem: string): never {
    throw new SchemaError(`the descriptors are inconsistent: ${problem} (in "${this.#name}")`);
  }
}

interface Place {
  readonly start: number;
  readonly end: number;
}

function placeOf({ starts, ends }: Ranges, i: number): Place {
  return { start: starts[i] ?? 0, end: ends[i] ?? 0 };
}

function usesOf(proto: FileDescriptorProto): Use[] {
  const uses = new Map<string, Use>();
  for (const { name, scope, wants, from } of referencesOf(proto)) {
    const where = name.startsWith(".") ? "" : scope;
    const key = `${wants} ${name} ${where}`;
    if (!uses.has(key)) uses.set(key, { name, scope, wants, from });
  }
  return [...uses.values()];
}

/** The undeclared type that a file uses: a sentence; undefined: none. */
export function missingOf(
  name: string,
  bytes: Uint8Array,
  isDeclared: (symbol: string) => boolean,
): string | undefined {
  for (const use of readFile(name, bytes).uses) {
    if ([...candidatesOf(use)].some(isDeclared)) continue;
    return missingType(name, use);
  }
  return undefined;
}

/** The error that nothing declares what the file uses. */
export function missingType(file: string, { name, from }: Use): string {
  return `${from} in "${file}" has the type "${name.replace(/^\./, "")}", which no file declares`;
}

/** The values of an enum within a message at the top of a file. */
export function enumWithin(
  message: DescriptorProto,
  outer: string,
  wanted: string,
): readonly EnumValueDescriptorProto[] {
  const full = join(outer, message.name);
  if (!wanted.startsWith(`${full}.`)) return [];
  const own = message.enumType.find(({ name }) => join(full, name) === wanted);
  if (own !== undefined) return own.value;
  for (const nested of message.nestedType) {
    const found = enumWithin(nested, full, wanted);
    if (found.length > 0) return found;
  }
  return [];
}
