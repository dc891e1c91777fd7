// All files of a schema together: resolves names of types, finds missing ones, and orders the files.
import {
  type DescriptorProto,
  type EnumDescriptorProto,
  FieldDescriptorProto_Type,
  type FileDescriptorProto,
} from "@bufbuild/protobuf/wkt";
import { BoundedTexts } from "../../kit/text/bounded-texts.js";
import {
  candidatesOf,
  declarationsOf,
  join,
  parseFile,
  type SymbolKind,
  wellKnownFile,
  wellKnownFileOfType,
} from "../descriptors/file-descriptor.js";
import { SchemaError } from "../descriptors/schema-error.js";
import type { ParsedFile, Reference } from "./parsed-file.js";
import { positionOf } from "./source-error.js";

/** About all files together. */
const MAX_WARNINGS = 100;

interface Linked {
  readonly name: string;
  /** Where it was read, for error messages. */
  readonly path: string;
  readonly parsed: ParsedFile;
  /** Names of the files that it uses. */
  readonly needs: Set<string>;
  /** Files whose declarations it sees: those that it imports, and those that they import publicly. */
  visible: ReadonlySet<string> | undefined;
}

interface Declared {
  readonly kind: SymbolKind;
  /** Files that declare it: several if a file was vendored. */
  readonly files: string[];
}

export class FileLinker {
  readonly warnings = new BoundedTexts(MAX_WARNINGS);
  readonly #files = new Map<string, Linked>();
  readonly #symbols = new Map<string, Declared>();

  /** Names of the files, as imports have them. */
  get names(): Iterable<string> {
    return this.#files.keys();
  }

  has(name: string): boolean {
    return this.#files.has(name);
  }

  add(name: string, path: string, parsed: ParsedFile): void {
    this.#files.set(name, { name, path, parsed, needs: new Set(), visible: undefined });
    for (const symbol of parsed.declared) {
      const known = this.#symbols.get(symbol.name);
      if (known === undefined) this.#symbols.set(symbol.name, { kind: symbol.kind, files: [name] });
      else known.files.push(name);
    }
  }

  /** `path:line:column` of a place in a file. */
  placeIn(name: string, at: number): string {
    const file = this.#files.get(name);
    if (file === undefined) return name;
    const { line, column } = positionOf(file.parsed.source, at);
    return `${file.path}:${line}:${column}`;
  }

  /** Where a file declares a symbol. */
  placeOf(name: string, symbol: string): string {
    const at = this.#files.get(name)?.parsed.declared.find((declared) => declared.name === symbol)?.at;
    return this.placeIn(name, at ?? 0);
  }

  /** Resolves all names of types. @throws SchemaError, with the position, for an unknown one */
  resolve(): void {
    // A Map's iteration includes entries that are added meanwhile.
    for (const file of this.#files.values()) {
      for (const { name, kind } of file.parsed.imports)
        if (kind !== "option" && !this.#files.has(name)) this.#addWellKnown(name);
      file.visible = this.#visibleOf(file);
      for (const reference of file.parsed.references) this.#resolve(file, reference);
    }
    for (const { parsed } of this.#files.values()) withoutMissing(parsed, (name) => this.#files.has(name));
  }

  #addWellKnown(name: string): boolean {
    const bytes = wellKnownFile(name);
    if (bytes === undefined) return false;
    const proto = parseFile(name, bytes);
    const declared = [...declarationsOf(proto)].map((declaration) => ({ ...declaration, at: 0 }));
    const imports = proto.dependency.map((imported) => ({ name: imported, kind: "plain", at: 0 }) as const);
    this.add(name, name, { proto, source: "", imports, declared, references: [], options: [] });
    return true;
  }

  #visibleOf({ name, parsed }: Linked): ReadonlySet<string> {
    const visible = new Set([name]);
    for (const imported of parsed.imports) visible.add(imported.name);
    // A Set's iteration includes entries that are added meanwhile.
    for (const other of visible)
      if (other !== name)
        for (const imported of this.#files.get(other)?.parsed.imports ?? [])
          if (imported.kind === "public") visible.add(imported.name);
    return visible;
  }

  #resolve(file: Linked, reference: Reference): void {
    const found = this.#find(file, reference) ?? this.#findElsewhere(file, reference);
    const { target, key } = reference;
    if (key === "typeName") {
      target.typeName = `.${found.name}`;
      const isEnum = found.kind === "enum";
      if (!Object.hasOwn(target, "type"))
        target.type = isEnum ? FieldDescriptorProto_Type.ENUM : FieldDescriptorProto_Type.MESSAGE;
      if (reference.defaultAt !== undefined)
        this.#checkDefault(file, reference.defaultAt, target.defaultValue, found);
    } else if (key === "extendee") {
      target.extendee = `.${found.name}`;
      this.#checkExtension(file, reference.at, target.number, found);
    } else {
      Reflect.set(target, key, `.${found.name}`);
    }
    if (found.file !== file.name) file.needs.add(found.file);
  }

  /** The meaning of a name in a file. */
  #find(file: Linked, reference: Pick<Reference, "name" | "scope" | "wants">): Found | undefined {
    for (const name of candidatesOf(reference)) {
      const symbol = this.#symbols.get(name);
      if (symbol === undefined || !fits(symbol.kind, reference.wants)) continue;
      const seen = symbol.files.find((declaring) => file.visible?.has(declaring));
      if (seen !== undefined) return { name, kind: symbol.kind, file: seen };
    }
    return undefined;
  }

  /** A type of a file that is not imported: protoc would reject it. */
  #findElsewhere(file: Linked, reference: Reference): Found {
    let other: SymbolKind | undefined;
    for (const name of candidatesOf(reference)) {
      const symbol = this.#symbols.get(name);
      const [declaring] = symbol?.files ?? [];
      if (symbol === undefined || declaring === undefined) continue;
      if (fits(symbol.kind, reference.wants)) {
        this.warnings.push(
          `${this.placeIn(file.name, reference.at)}: ${reference.from} has the type "${name}" of "${declaring}", which is not imported`,
        );
        return { name, kind: symbol.kind, file: declaring };
      }
      other ??= symbol.kind;
    }
    const type = reference.name.replace(/^\./, "");
    const standard = wellKnownFileOfType(type);
    if (standard !== undefined && !this.#files.has(standard) && this.#addWellKnown(standard))
      return this.#findElsewhere(file, reference);
    const why =
      other === undefined
        ? "which no file declares"
        : `which is ${article(other)}: expected ${reference.wants === undefined ? "a message or an enum" : article(reference.wants)}`;
    throw new SchemaError(
      `${this.placeIn(file.name, reference.at)}: ${reference.from} in "${file.name}" has the type "${type}", ${why}`,
    );
  }

  #checkDefault(file: Linked, at: number, value: string, found: Found): void {
    const where = this.placeIn(file.name, at);
    if (found.kind !== "enum") throw new SchemaError(`${where}: a message has no default`);
    const values = enumNamed(this.#files.get(found.file)?.parsed.proto, found.name)?.value ?? [];
    if (!values.some(({ name }) => name === value))
      throw new SchemaError(`${where}: the default ${value} is not a value of the enum ${found.name}`);
  }

  #checkExtension(file: Linked, at: number, number: number, found: Found): void {
    const ranges = messageNamed(this.#files.get(found.file)?.parsed.proto, found.name)?.extensionRange ?? [];
    if (!ranges.some(({ start, end }) => number >= start && number < end))
      throw new SchemaError(
        `${this.placeIn(file.name, at)}: ${found.name} does not have the number ${number} for extensions`,
      );
  }

  /** The full name of an extension, as an option of this file names it. */
  extensionNamed(fileName: string, name: string, scope: string): string | undefined {
    const file = this.#files.get(fileName);
    let elsewhere: string | undefined;
    for (const candidate of candidatesOf({ name, scope })) {
      const symbol = this.#symbols.get(candidate);
      if (symbol?.kind !== "extension") continue;
      if (symbol.files.some((declaring) => file?.visible?.has(declaring))) return candidate;
      elsewhere ??= candidate;
    }
    return elsewhere;
  }

  /**
   * The descriptors of the files that declare these symbols and of all their dependencies, each after its dependencies.
   */
  filesFor(symbols: Iterable<string>): FileDescriptorProto[] {
    const roots = [...symbols].flatMap((symbol) => this.#symbols.get(symbol)?.files ?? []);
    return this.#inOrder(roots);
  }

  /** All files, each after its dependencies. @throws SchemaError for a cycle */
  inOrder(): FileDescriptorProto[] {
    return this.#inOrder(this.#files.keys());
  }

  #inOrder(roots: Iterable<string>): FileDescriptorProto[] {
    const order: FileDescriptorProto[] = [];
    const done = new Set<string>();
    // A stack of our own: a chain of imports may be longer than the call stack is deep.
    for (const root of roots) {
      const path: { file: Linked; needs: Iterator<string> }[] = [];
      const onPath = new Set<string>();
      const enter = (name: string): void => {
        const file = this.#files.get(name);
        if (file === undefined || done.has(name)) return;
        if (onPath.has(name)) this.#failOfCycle([...path.map((step) => step.file.name), name]);
        onPath.add(name);
        const needs = new Set([...file.parsed.imports.map((imported) => imported.name), ...file.needs]);
        path.push({ file, needs: needs.values() });
      };
      enter(root);
      for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
        const next = top.needs.next();
        if (next.done !== true) {
          enter(next.value);
          continue;
        }
        path.pop();
        onPath.delete(top.file.name);
        done.add(top.file.name);
        order.push(top.file.parsed.proto);
      }
    }
    return order;
  }

  #failOfCycle(names: readonly string[]): never {
    const cycle = names.slice(names.indexOf(names.at(-1) ?? ""));
    const [first = "", second] = cycle;
    const at = this.#files.get(first)?.parsed.imports.find(({ name }) => name === second)?.at ?? 0;
    throw new SchemaError(`${this.placeIn(first, at)}: files import each other: ${cycle.join(" → ")}`);
  }
}

interface Found {
  readonly name: string;
  readonly kind: SymbolKind;
  readonly file: string;
}

function fits(kind: SymbolKind, wants: Reference["wants"]): boolean {
  return wants === undefined ? kind === "message" || kind === "enum" : kind === wants;
}

function article(kind: SymbolKind): string {
  return `${kind === "enum" || kind === "extension" ? "an" : "a"} ${kind}`;
}

/** A weak import may be missing, and one that only options need; the descriptor then does not name it. */
function withoutMissing({ proto, imports }: ParsedFile, has: (name: string) => boolean): void {
  if (imports.every(({ name }) => has(name))) return;
  const kept = imports.filter(({ name, kind }) => has(name) && kind !== "option");
  proto.dependency = kept.map(({ name }) => name);
  proto.publicDependency = kept.flatMap(({ kind }, i) => (kind === "public" ? [i] : []));
  proto.weakDependency = kept.flatMap(({ kind }, i) => (kind === "weak" ? [i] : []));
  proto.optionDependency = proto.optionDependency.filter(has);
}

function messageNamed(file: FileDescriptorProto | undefined, name: string): DescriptorProto | undefined {
  return file === undefined ? undefined : within(file.messageType, file.package, name);
}

function within(
  messages: readonly DescriptorProto[],
  scope: string,
  wanted: string,
): DescriptorProto | undefined {
  for (const message of messages) {
    const full = join(scope, message.name);
    if (full === wanted) return message;
    if (wanted.startsWith(`${full}.`)) return within(message.nestedType, full, wanted);
  }
  return undefined;
}

function enumNamed(file: FileDescriptorProto | undefined, name: string): EnumDescriptorProto | undefined {
  const dot = name.lastIndexOf(".");
  const outer = name.slice(0, Math.max(0, dot));
  const enums = outer === file?.package ? file.enumType : messageNamed(file, outer)?.enumType;
  return enums?.find((one) => one.name === name.slice(dot + 1));
}
