// Reads descriptor files one after the other into tables (schema-tables.ts), and rejects invalid ones. No file is kept
// as objects: reading thousands costs the memory of the largest. Runs in place or in a thread (schema-reading.ts).
import { createHash } from "node:crypto";
import { fromBinary } from "@bufbuild/protobuf";
import { DescriptorProtoSchema, EnumDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { isRoutable } from "../../call/routable.js";
import { BoundedTexts } from "../../kit/text/bounded-texts.js";
import { cut } from "../../kit/text/text.js";
import { candidatesOf, join, wellKnownFile, wellKnownFileOfType } from "../descriptors/file-descriptor.js";
import { SchemaError } from "../descriptors/schema-error.js";
import {
  enumWithin,
  missingType,
  type ReadFile,
  type ReadSymbol,
  readFile,
  type Use,
  WorkLimitExceeded,
} from "./read-file.js";
import { type Declaration, sameDeclaration } from "./same-declarations.js";
import { type SchemaTables, SymbolKind } from "./schema-tables.js";

/** Messages, enums, services and extensions of one upstream; googleapis has 110,000. */
const MAX_SYMBOLS = 1_000_000;
/** Characters of candidates for relative names, which some libraries write: protoc writes full ones. */
const MAX_LOOKUP_CHARS = 500_000_000;
/** Warnings about one schema; after fixing these one sees the next. */
const MAX_MISSING = 10_000;
/** Texts about one schema. */
const MAX_WARNINGS = 100;

/** Advice if a server's own descriptors do not help. */
const REMEDY = "--proto DIR, schema: { protos: [DIR] } or { protoset: FILE }";

/** A missing dependency of a file. */
export interface Missing {
  /** The file that needs it. */
  readonly by: string;
  /** The file that would help, if it is known. */
  readonly file: string | undefined;
  /** The type that is not declared; undefined for an import. */
  readonly type: string | undefined;
  readonly problem: string;
}

export interface Finish {
  /** Full names that the source lists; undefined: all that the files declare. */
  readonly listed: readonly string[] | undefined;
  /** Warnings of the source. */
  readonly warnings: readonly string[];
  /** "parts": why requested files or symbols are not available, by name. */
  readonly problems: ReadonlyMap<string, string>;
}

interface Declared {
  readonly symbol: ReadSymbol;
  readonly file: ReadFile;
}

/**
 * "whole": an invalid file throws. "parts": invalid files are left out with a warning, and services without descriptors
 * then are named; imports are not checked if all types are there.
 */
export type ReadMode = "whole" | "parts";

/** Limit of work in one turn of the event loop. */
export interface Work {
  /** Characters of candidates for relative names. */
  readonly lookupChars: number;
  /** Fields in one file, at every depth; undefined: any number. */
  readonly records: number | undefined;
}

export class SchemaReader {
  readonly #files = new Map<string, ReadFile>();
  readonly #declared = new Map<string, Declared>();
  /** "parts": why a file is not among them. */
  readonly #left = new Map<string, string>();
  /** Of enums that defaults name. */
  readonly #enumValues = new Map<string, ReadonlySet<string>>();
  readonly #mode: ReadMode;
  readonly #work: Work;
  #symbols = 0;
  #lookupChars = 0;

  /** @param work beyond it a WorkLimitExceeded is thrown; default: a SchemaError, at the limit of any schema. */
  constructor(mode: ReadMode, work: Work = { lookupChars: Number.POSITIVE_INFINITY, records: undefined }) {
    this.#mode = mode;
    this.#work = work;
  }

  /** "whole": throws a SchemaError if the file is invalid. "parts": it is left out. A file is read once. */
  add(name: string, bytes: Uint8Array): void {
    if (this.#files.has(name)) return;
    try {
      this.#add(readFile(name, bytes, this.#work.records));
      this.#left.delete(name);
    } catch (error) {
      if (!(error instanceof SchemaError) || this.#mode === "whole") throw error;
      this.#left.set(name, error.message);
    }
  }

  /** @throws SchemaError when a symbol is declared otherwise already; then nothing is added. */
  #add(file: ReadFile): void {
    const own = new Set<string>();
    // The symbols within equal declarations are equal too.
    let equalTop: ReadSymbol | undefined;
    for (const symbol of file.symbols) {
      if (symbol.top) equalTop = undefined;
      const other = this.#declared.get(symbol.name);
      if (own.has(symbol.name)) throw new SchemaError(`${symbol.name} is declared twice in "${file.name}"`);
      if (other !== undefined) {
        if (symbol.top && other.symbol.top && sameDeclaration(declared({ file, symbol }), declared(other)))
          equalTop = symbol;
        if (equalTop === undefined)
          throw new SchemaError(
            `${symbol.name} is declared in "${other.file.name}" and in "${file.name}", with different content`,
          );
      }
      own.add(symbol.name);
    }
    this.#symbols += file.symbols.length;
    if (this.#symbols > MAX_SYMBOLS)
      throw new SchemaError(`the schema declares more than the limit of ${MAX_SYMBOLS} types and services`);
    this.#files.set(file.name, file);
    for (const symbol of file.symbols)
      if (!this.#declared.has(symbol.name)) this.#declared.set(symbol.name, { symbol, file });
  }

  /** Missing dependencies of the files; google/protobuf files are added where that helps. At most 10,000 of them. */
  missing(): Missing[] {
    for (;;) {
      const missing: Missing[] = [];
      for (const file of this.#files.values()) {
        if (missing.length >= MAX_MISSING) break;
        missing.push(...this.#missingImports(file));
      }
      if (missing.length === 0 || this.#mode === "parts")
        for (const file of this.#files.values()) {
          if (missing.length >= MAX_MISSING) break;
          missing.push(...this.#missingTypes(file));
        }
      let completed = false;
      for (const { file } of missing) {
        const bytes =
          file === undefined || this.#files.has(file) || this.#left.has(file)
            ? undefined
            : wellKnownFile(file);
        if (file === undefined || bytes === undefined) continue;
        this.add(file, bytes);
        completed = true;
      }
      if (!completed) return missing;
    }
  }

  #missingImports(file: ReadFile): Missing[] {
    return file.imports
      .filter((name) => !this.#files.has(name) && !file.weak.has(name))
      .map((name) => ({
        by: file.name,
        file: name,
        type: undefined,
        problem: `"${file.name}" imports "${name}", which is missing`,
      }));
  }

  #missingTypes(file: ReadFile): Missing[] {
    const missing: Missing[] = [];
    for (const use of file.uses) {
      if (this.#find(use) !== undefined) continue;
      const type = use.name.replace(/^\./, "");
      const problem = missingType(file.name, use);
      missing.push({ by: file.name, file: wellKnownFileOfType(type), type, problem });
    }
    return missing;
  }

  #find(use: Use): Declared | undefined {
    for (const name of candidatesOf(use)) {
      if (!use.name.startsWith(".")) this.#charge(name.length);
      const declared = this.#declared.get(name);
      if (declared === undefined) continue;
      const { kind } = declared.symbol;
      const isMessage = kind === SymbolKind.MESSAGE || kind === SymbolKind.MAP_ENTRY;
      const isEnum = kind === SymbolKind.ENUM;
      if (use.wants === undefined ? isMessage || isEnum : use.wants === "enum" ? isEnum : isMessage)
        return declared;
    }
    return undefined;
  }

  #charge(chars: number): void {
    this.#lookupChars += chars;
    if (this.#lookupChars > MAX_LOOKUP_CHARS)
      throw new SchemaError("its type names are relative, and too many and too long to be resolved");
    if (this.#lookupChars > this.#work.lookupChars) throw new WorkLimitExceeded();
  }

  /** @throws SchemaError in the mode "whole", if the files are not a valid schema. */
  finish({ listed, warnings, problems }: Finish): SchemaTables {
    const mode = this.#mode;
    const said = new BoundedTexts(MAX_WARNINGS);
    said.pushAll(warnings);
    const reasons = mode === "whole" ? this.#mustBeWhole() : this.#leaveOut(problems, said);
    const files = [...this.#files.values()];
    const index = new Map(files.map((file, i) => [file.name, i]));
    const services: string[] = [];
    const undescribed: string[] = [];
    for (const name of [...new Set(listed ?? this.#services())].sort()) {
      if (!isRoutable(name)) continue;
      if (this.#declared.get(name)?.symbol.kind === SymbolKind.SERVICE) {
        services.push(name);
        continue;
      }
      undescribed.push(name);
      const why = reasons.get(name) ?? problems.get(name);
      said.push(
        mode === "whole"
          ? `service ${name} is listed, but no file declares it: it is ignored`
          : `service ${name} is for gRPC clients only: ${why ?? "the server sent no descriptor for it"}. For JSON give its .proto files: ${REMEDY}`,
      );
    }
    const needs = files.map((file) => this.#needs(file, index));
    if (mode === "whole") mustBeAcyclic(files, needs);
    const all = files.flatMap((file) => file.symbols);
    const flat = files.flatMap((file, i) => file.symbols.map(() => i));
    let first = 0;
    const extensions: (readonly [number, string, number])[] = [];
    for (const file of files) {
      for (const [symbol, use, number] of file.extensions) {
        const extendee = this.#find(use)?.symbol.name;
        if (extendee !== undefined) extensions.push([first + symbol, extendee, number]);
      }
      first += file.symbols.length;
    }
    const serving = services.flatMap((name) => this.#declared.get(name)?.file ?? []);
    return {
      fileNames: files.map((file) => file.name),
      fileBytes: files.map((file) => file.bytes),
      packages: files.map((file) => file.package),
      editions: Uint16Array.from(files, (file) => file.edition),
      imports: files.map((file) => file.imports.join("\n")),
      needs: Uint32Array.from(needs.flatMap((one) => [...one])),
      needsEnds: endsOf(needs),
      symbols: all.map(({ name }) => name).join("\n"),
      kinds: Uint8Array.from(all, ({ kind }) => kind),
      files: Uint32Array.from(flat),
      starts: Uint32Array.from(all, ({ start }) => start),
      ends: Uint32Array.from(all, ({ end }) => end),
      extensions,
      services,
      undescribed,
      hasHttpRules: services.some((name) => this.#declared.get(name)?.file.ruled.has(name) === true),
      isOfProtobufjs: serving.some((file) => file.isOfProtobufjs),
      hash: hashOf(files, [...services, ...undescribed]),
      warnings: said.list("warnings about this schema"),
    };
  }

  #services(): string[] {
    return [...this.#declared.values()]
      .filter(({ symbol }) => symbol.kind === SymbolKind.SERVICE)
      .map(({ symbol }) => symbol.name);
  }

  #mustBeWhole(): ReadonlyMap<string, string> {
    const [first] = this.missing();
    if (first !== undefined) throw new SchemaError(first.problem);
    for (const file of this.#files.values()) {
      const problem = this.#contradiction(file);
      if (problem !== undefined) throw new SchemaError(`the descriptors are inconsistent: ${problem}`);
    }
    return new Map();
  }

  /** A default that its enum does not have, a map's entry that is used as a message. */
  #contradiction(file: ReadFile): string | undefined {
    for (const [use, value] of file.enumDefaults) {
      const found = this.#find(use);
      if (found !== undefined && !this.#valuesOf(found).has(value))
        return `${use.from} in "${file.name}" has the default "${cut(value, 60, "…")}", which is not a value of ${found.symbol.name}`;
    }
    for (const use of file.uses) {
      const found = this.#find(use)?.symbol;
      if (found?.kind === SymbolKind.MAP_ENTRY && found.name !== join(use.scope, lastPart(found.name)))
        return `${use.from} in "${file.name}" has the type of another message's map entry`;
    }
    return undefined;
  }

  #valuesOf({ symbol, file }: Declared): ReadonlySet<string> {
    const known = this.#enumValues.get(symbol.name);
    if (known !== undefined) return known;
    const bytes = file.bytes.subarray(symbol.start, symbol.end);
    const values = symbol.top
      ? fromBinary(EnumDescriptorProtoSchema, bytes).value
      : enumWithin(fromBinary(DescriptorProtoSchema, bytes), file.package, symbol.name);
    const names = new Set(values.map(({ name }) => name));
    this.#enumValues.set(symbol.name, names);
    return names;
  }

  /** Removes the files that lack a type, and those that depend on them. Records why, for the services in them. */
  #leaveOut(problems: ReadonlyMap<string, string>, said: BoundedTexts): ReadonlyMap<string, string> {
    for (const [name, reason] of this.#left) said.push(`"${name}" is left out: ${reason}`);
    const services = new Map<string, string>();
    for (;;) {
      const why = new Map<string, string>();
      for (const { by, type, problem } of this.missing()) {
        // A missing import is harmless if all types are there.
        if (type === undefined || why.has(by)) continue;
        const reason = problems.get(type);
        why.set(by, reason === undefined ? problem : `${problem} (${reason})`);
      }
      for (const file of this.#files.values()) {
        const problem = why.has(file.name) ? undefined : this.#contradiction(file);
        if (problem !== undefined) why.set(file.name, problem);
      }
      if (why.size === 0) return services;
      const users = this.#users();
      // A Map's iteration includes entries that are added meanwhile.
      for (const [name, reason] of why)
        for (const user of users.get(name) ?? []) if (!why.has(user)) why.set(user, reason);
      for (const [name, reason] of why) {
        const file = this.#files.get(name);
        if (file === undefined) continue;
        for (const symbol of file.symbols) {
          if (symbol.kind === SymbolKind.SERVICE) services.set(symbol.name, reason);
          if (this.#declared.get(symbol.name)?.file === file) this.#declared.delete(symbol.name);
        }
        this.#files.delete(name);
        this.#left.set(name, reason);
      }
    }
  }

  /** The files that use types of a file, by its name. */
  #users(): ReadonlyMap<string, ReadonlySet<string>> {
    const users = new Map<string, Set<string>>();
    for (const file of this.#files.values())
      for (const use of file.uses) {
        const name = this.#find(use)?.file.name;
        if (name === undefined || name === file.name) continue;
        const known = users.get(name);
        if (known === undefined) users.set(name, new Set([file.name]));
        else known.add(file.name);
      }
    return users;
  }

  #needs(file: ReadFile, index: ReadonlyMap<string, number>): Uint32Array {
    const needs = new Set<number>();
    for (const use of file.uses) {
      const at = index.get(this.#find(use)?.file.name ?? "");
      if (at !== undefined) needs.add(at);
    }
    for (const name of file.imports) {
      const at = index.get(name);
      if (at !== undefined) needs.add(at);
    }
    needs.delete(index.get(file.name) ?? -1);
    return Uint32Array.from(needs);
  }
}

function declared({ file: { edition, bytes }, symbol: { name, kind, start, end } }: Declared): Declaration {
  return { name, kind, edition, bytes: bytes.subarray(start, end) };
}

/** Where each of the lists ends, when one comes after the other. */
function endsOf(lists: readonly { readonly length: number }[]): Uint32Array {
  let end = 0;
  return Uint32Array.from(lists, ({ length }) => {
    end += length;
    return end;
  });
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf(".") + 1);
}

/** Throws for a cycle of imports: no compiler makes such a set. */
function mustBeAcyclic(files: readonly ReadFile[], needs: readonly Uint32Array[]): void {
  const NEW = 0;
  const OPEN = 1;
  const DONE = 2;
  const states = new Uint8Array(files.length);
  for (const root of files.keys()) {
    if (states[root] !== NEW) continue;
    // A stack of our own: a chain of imports may be longer than the call stack is deep.
    const path = [{ file: root, next: 0 }];
    states[root] = OPEN;
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const needed = needs[top.file]?.[top.next++];
      if (needed === undefined) {
        states[top.file] = DONE;
        path.pop();
      } else if (states[needed] === OPEN) {
        const cycle = path.slice(path.findIndex(({ file }) => file === needed)).map(({ file }) => file);
        const names = [...cycle.filter((_, i) => i < 20), needed].map((file) => files[file]?.name);
        throw new SchemaError(`files import each other: ${names.join(" → ")}`);
      } else if (states[needed] === NEW) {
        states[needed] = OPEN;
        path.push({ file: needed, next: 0 });
      }
    }
  }
}

function hashOf(files: readonly ReadFile[], services: readonly string[]): string {
  const hash = createHash("sha256");
  const name = (text: string): void => {
    hash.update(`${Buffer.byteLength(text)}:${text}`);
  };
  for (const file of files.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    name(file.name);
    hash.update(`${file.bytes.length}:`).update(file.bytes);
  }
  for (const service of services) name(service);
  return hash.digest("hex");
}
