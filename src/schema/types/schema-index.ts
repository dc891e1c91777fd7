// The data of server reflection over a schema: which file declares what. Files are parsed only for queries about a
// field, a method or a value.
import type { DescriptorIndex, Descriptors } from "../descriptors/descriptor-index.js";
import { SymbolKind } from "../tables/schema-tables.js";
import type { SchemaTypes } from "./registry.js";
import type { Schema } from "./schema.js";

export class SchemaIndex implements Descriptors {
  readonly #files: ReadonlyMap<string, Uint8Array>;
  readonly #types: SchemaTypes;
  /** Scope -> the enums declared in it; made at the first query for a possible value. */
  #enums: Map<string, string[]> | undefined;

  constructor({ files, registry }: Pick<Schema, "files" | "registry">) {
    this.#files = files;
    this.#types = registry;
  }

  file(name: string): Uint8Array | undefined {
    return this.#files.get(name);
  }

  fileContaining(symbol: string): string | undefined {
    return this.#types.fileNameOf(this.#types.kindOf(symbol) === undefined ? this.#outerOf(symbol) : symbol);
  }

  /** The declaration of a field, oneof, method or value; "" if there is none. */
  #outerOf(symbol: string): string {
    const dot = symbol.lastIndexOf(".");
    const scope = symbol.slice(0, Math.max(0, dot));
    const name = symbol.slice(dot + 1);
    const outer = this.#types.get(scope);
    if (outer?.kind === "service" && outer.methods.some((method) => method.name === name)) return scope;
    if (outer?.kind === "message") {
      if (outer.proto.field.some((field) => field.name === name)) return scope;
      if (outer.proto.oneofDecl.some((oneof) => oneof.name === name)) return scope;
    }
    // An enum's values are siblings of the enum, not its children (C++ scoping; descriptor.proto).
    for (const found of this.#enumsIn(scope))
      if (this.#types.getEnum(found)?.values.some((value) => value.name === name) === true) return found;
    return "";
  }

  #enumsIn(scope: string): readonly string[] {
    if (this.#enums === undefined) {
      this.#enums = new Map();
      for (const name of this.#types.names) {
        if (this.#types.kindOf(name) !== SymbolKind.ENUM) continue;
        const outer = name.slice(0, Math.max(0, name.lastIndexOf(".")));
        const known = this.#enums.get(outer);
        if (known === undefined) this.#enums.set(outer, [name]);
        else known.push(name);
      }
    }
    return this.#enums.get(scope) ?? [];
  }

  fileExtending(type: string, number: number): string | undefined {
    const extension = this.#types.extensionsOf(type).get(number);
    return extension === undefined ? undefined : this.#types.fileNameOf(extension);
  }

  extensions(type: string): readonly number[] | undefined {
    const known = [...this.#types.extensionsOf(type).keys()];
    if (known.length > 0) return known.sort((a, b) => a - b);
    return this.#types.kindOf(type) === SymbolKind.MESSAGE ? [] : undefined;
  }

  withDependencies(name: string): readonly string[] {
    const reached = new Set<string>();
    if (this.#files.has(name)) reached.add(name);
    // A Set's iteration includes entries that are added meanwhile.
    for (const file of reached)
      for (const imported of this.#types.importsOf(file))
        if (this.#files.has(imported)) reached.add(imported);
    return [...reached];
  }
}

/**
 * Combines two: the first has priority, unless its file lacks something that the second's file of the same name
 * declares: then it is an older version, and the second's counts.
 */
export function layered(first: Descriptors, second: DescriptorIndex): Descriptors {
  const newer = new Set(
    [...second.fileNames].filter(
      (name) =>
        first.file(name) !== undefined &&
        second.symbolsOf(name).some((symbol) => first.fileContaining(symbol) === undefined),
    ),
  );
  return {
    file: (name) => (newer.has(name) ? second.file(name) : (first.file(name) ?? second.file(name))),
    fileContaining: (symbol) => first.fileContaining(symbol) ?? second.fileContaining(symbol),
    fileExtending: (type, number) => first.fileExtending(type, number) ?? second.fileExtending(type, number),
    extensions: (type) => {
      const [a, b] = [first.extensions(type), second.extensions(type)];
      if (a === undefined || b === undefined) return a ?? b;
      return [...new Set([...a, ...b])].sort((x, y) => x - y);
    },
    withDependencies: (name) => [
      ...new Set([...first.withDependencies(name), ...second.withDependencies(name)]),
    ],
  };
}
