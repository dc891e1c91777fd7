// Files that have been read, on the way to a registry: what they declare, what they lack, and their order.
import type { FileDescriptorProto } from "@bufbuild/protobuf/wkt";
import {
  candidatesOf,
  declarationsOf,
  type Reference,
  referencesOf,
  type SymbolKind,
  wellKnownFileOfType,
} from "./file-descriptor.js";
import { SchemaError } from "./schema-error.js";

/** Something that a file needs and nobody gave. */
export interface Missing {
  /** The file that needs it. */
  readonly by: string;
  /** The file that would help, if one is known. */
  readonly file: string | undefined;
  /** The type that is not declared; undefined for an import. */
  readonly type: string | undefined;
  readonly problem: string;
}

interface Declared {
  readonly kind: SymbolKind;
  readonly file: string;
}

/** Files that have been read, with what they declare, on the way to a registry. */
export class ParsedFiles {
  readonly #files = new Map<string, FileDescriptorProto>();
  readonly #symbols = new Map<string, Declared>();

  has(name: string): boolean {
    return this.#files.has(name);
  }

  /** The file that declares a symbol. */
  fileOf(symbol: string): string | undefined {
    return this.#symbols.get(symbol)?.file;
  }

  declares(name: string): boolean {
    return this.#symbols.has(name);
  }

  /** Full names of all services, in the order of the files. */
  services(): string[] {
    return [...this.#symbols].filter(([, symbol]) => symbol.kind === "service").map(([name]) => name);
  }

  /** @throws SchemaError when a symbol is already declared; then nothing is added. */
  add(name: string, proto: FileDescriptorProto): void {
    const own = new Map<string, Declared>();
    for (const declaration of declarationsOf(proto)) {
      const other = this.#symbols.get(declaration.name) ?? own.get(declaration.name);
      if (other !== undefined) {
        const where = other.file === name ? `twice in "${name}"` : `in "${other.file}" and in "${name}"`;
        throw new SchemaError(`${declaration.name} is declared ${where}`);
      }
      own.set(declaration.name, { kind: declaration.kind, file: name });
    }
    this.#files.set(name, proto);
    for (const [full, symbol] of own) this.#symbols.set(full, symbol);
  }

  /** Takes files out again. */
  remove(names: ReadonlySet<string>): void {
    for (const name of names) this.#files.delete(name);
    for (const [full, symbol] of this.#symbols) if (names.has(symbol.file)) this.#symbols.delete(full);
  }

  /** The files and all that import them, directly or not. */
  withImporters(names: Iterable<string>): Set<string> {
    const importers = new Map<string, string[]>();
    for (const [name, proto] of this.#files) {
      for (const file of proto.dependency) {
        const known = importers.get(file);
        if (known === undefined) importers.set(file, [name]);
        else known.push(name);
      }
    }
    const found = new Set(names);
    // A set goes on to what is added to it while it is walked.
    for (const name of found) for (const importer of importers.get(name) ?? []) found.add(importer);
    return found;
  }

  /** Imports first; when all are there, types that are used and not declared. */
  missing(): Missing[] {
    const missing: Missing[] = [];
    for (const [name, proto] of this.#files) missing.push(...this.#missingImports(name, proto));
    if (missing.length > 0) return missing;
    for (const [name, proto] of this.#files) missing.push(...this.#missingTypes(name, proto));
    return missing;
  }

  /** What one file needs, as `missing` for it alone. */
  missingOf(name: string): Missing[] {
    const proto = this.#files.get(name);
    if (proto === undefined) return [];
    const imports = this.#missingImports(name, proto);
    return imports.length > 0 ? imports : this.#missingTypes(name, proto);
  }

  #missingImports(name: string, proto: FileDescriptorProto): Missing[] {
    const weak = new Set(proto.weakDependency);
    return proto.dependency
      .filter((file, index) => !this.#files.has(file) && !weak.has(index))
      .map((file) => ({
        by: name,
        file,
        type: undefined,
        problem: `"${name}" imports "${file}", which is missing`,
      }));
  }

  #missingTypes(name: string, proto: FileDescriptorProto): Missing[] {
    const missing: Missing[] = [];
    for (const reference of referencesOf(proto)) {
      if (this.#find(reference) !== undefined) continue;
      const type = reference.name.replace(/^\./, "");
      missing.push({
        by: name,
        file: wellKnownFileOfType(type),
        type,
        problem: `${reference.from} in "${name}" has the type "${type}", which no file declares`,
      });
    }
    return missing;
  }

  #find(reference: Reference): { name: string; symbol: Declared } | undefined {
    for (const name of candidatesOf(reference)) {
      const symbol = this.#symbols.get(name);
      if (symbol === undefined) continue;
      const fits =
        reference.wants === undefined
          ? symbol.kind === "message" || symbol.kind === "enum"
          : symbol.kind === reference.wants;
      if (fits) return { name, symbol };
    }
    return undefined;
  }

  /** Every file after those it needs, with full names wherever a type is named. */
  inOrder(): FileDescriptorProto[] {
    const order: FileDescriptorProto[] = [];
    const done = new Set<string>();
    // A stack of our own: a chain of imports may be longer than the call stack is deep.
    for (const root of this.#files.keys()) {
      const path: { name: string; proto: FileDescriptorProto; needs: Iterator<string> }[] = [];
      const onPath = new Set<string>();
      const enter = (name: string): void => {
        const proto = this.#files.get(name);
        if (proto === undefined || done.has(name)) return;
        if (onPath.has(name)) {
          const cycle = [...path.map((step) => step.name), name];
          throw new SchemaError(`files import each other: ${cycle.slice(cycle.indexOf(name)).join(" → ")}`);
        }
        onPath.add(name);
        path.push({ name, proto, needs: this.#needs(name, proto).values() });
      };
      enter(root);
      for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
        const next = top.needs.next();
        if (next.done !== true) {
          enter(next.value);
          continue;
        }
        path.pop();
        onPath.delete(top.name);
        done.add(top.name);
        order.push(top.proto);
      }
    }
    return order;
  }

  // The imports, and the files of the types used: some reflection services drop the imports.
  #needs(name: string, proto: FileDescriptorProto): Set<string> {
    const needs = new Set<string>();
    for (const reference of referencesOf(proto)) {
      const found = this.#find(reference);
      if (found === undefined) continue;
      reference.resolve(found.name, found.symbol.kind);
      needs.add(found.symbol.file);
    }
    // A weak import may be missing.
    proto.dependency = proto.dependency.filter((file) => this.#files.has(file));
    proto.weakDependency = [];
    for (const file of proto.dependency) needs.add(file);
    needs.delete(name);
    return needs;
  }
}
