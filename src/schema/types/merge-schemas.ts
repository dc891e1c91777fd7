// The merged schema of several upstreams, for reflection, Any and extensions.

import { completed } from "../../kit/in-slices.js";
import { BoundedTexts } from "../../kit/text/bounded-texts.js";
import { missingOf } from "../tables/read-file.js";
import { type Declaration, isCopied, sameDeclaration, sameFile } from "../tables/same-declarations.js";
import { inOrder, needsOf, SymbolKind } from "../tables/schema-tables.js";
import { LayeredRegistry } from "./layered-registry.js";
import type { SchemaRegistry, SchemaTypes } from "./registry.js";
import type { Schema } from "./schema.js";

export interface UpstreamSchema {
  /** The upstream's name in the config. */
  readonly upstream: string;
  readonly schema: Schema;
}

/** About all upstreams together. */
const MAX_WARNINGS = 100;
/** Some milliseconds of work. */
const SYMBOLS_PER_STEP = 10_000;

/**
 * One schema of several upstreams'. Where two contradict each other, the first wins and a warning names both upstreams
 * and the file. Never throws.
 */
export function mergeSchemas(upstreams: readonly UpstreamSchema[]): Schema {
  return completed(mergingSchemas(upstreams));
}

/** Like mergeSchemas, in slices. */
export function* mergingSchemas(upstreams: readonly UpstreamSchema[]): Generator<void, Schema> {
  const some = upstreams.filter(({ schema }) => schema.files.size > 0);
  const undescribed = [...new Set(upstreams.flatMap(({ schema }) => schema.undescribed))];
  const [first] = some;
  // Nothing to compare: the usual case. The upstream itself reports the schema's own warnings.
  if (first !== undefined && some.length === 1) return { ...first.schema, undescribed, warnings: [] };
  const merge = new Merge();
  for (const upstream of some) yield* merge.add(upstream);
  return {
    files: merge.files,
    registry: new MergedRegistry(merge.parts, merge.symbols),
    services: some
      .flatMap(({ schema }) =>
        schema.services.filter(({ typeName }) => merge.servedBy(typeName, schema.registry)),
      )
      .toSorted((a, b) => (a.typeName < b.typeName ? -1 : 1)),
    undescribed,
    hash: some.map(({ schema }) => schema.hash).join(),
    warnings: merge.warnings.list("warnings about reflection"),
  };
}

class Merge {
  readonly files = new Map<string, Uint8Array>();
  readonly parts: SchemaTypes[] = [];
  /** Full name -> index of its part. */
  readonly symbols = new Map<string, number>();
  readonly warnings = new BoundedTexts(MAX_WARNINGS);
  /** The upstream that each file came from. */
  readonly #owners = new Map<string, string>();

  *add({ upstream, schema: { registry } }: UpstreamSchema): Generator<void> {
    const part = this.parts.push(registry) - 1;
    for (const own of registry.parts) {
      const { tables } = own;
      const symbolsOf = symbolsByFile(own);
      const left = new Set<number>();
      let done = 0;
      // Dependencies of a file come before it.
      for (const file of inOrder(tables)) {
        const symbols = symbolsOf(file);
        const problem = this.#problemOf(own, file, symbols, left);
        if (problem === undefined) this.#take(upstream, own, file, symbols, part);
        else {
          left.add(file);
          if (problem !== "")
            this.warnings.push(
              `"${tables.fileNames[file]}" of upstream "${upstream}" is left out of reflection: ${problem}`,
            );
        }
        done += symbols.length;
        if (done >= SYMBOLS_PER_STEP) {
          done = 0;
          yield;
        }
      }
    }
  }

  /** Why the file cannot be added; "" where another upstream has the same. */
  #problemOf(
    own: SchemaRegistry,
    file: number,
    symbols: readonly string[],
    left: ReadonlySet<number>,
  ): string | undefined {
    const { fileNames, fileBytes, packages } = own.tables;
    const name = fileNames[file] ?? "";
    const bytes = fileBytes[file] ?? new Uint8Array();
    const known = this.files.get(name);
    if (known !== undefined) {
      if (!sameFile(known, bytes))
        return `upstream "${this.#owners.get(name)}" has a file of that name with other content`;
      // Of two versions the larger one: the other upstream's files may need it.
      if (!isCopied(packages[file] ?? "") || !this.#hasMore(name, symbols)) return "";
    }
    const other = this.#conflict(own, name, symbols);
    if (other !== undefined) return other;
    // Types of a file that was left out may, or may not, be in another upstream's file of that name.
    if (!needsOf(own.tables, file).some((needed) => left.has(needed))) return undefined;
    const declared = (symbol: string): boolean => this.symbols.has(symbol) || symbols.includes(symbol);
    return missingOf(name, bytes, declared);
  }

  /** Whether these include all symbols of the present file, and more. */
  #hasMore(name: string, symbols: readonly string[]): boolean {
    const those = new Set(symbols);
    if (symbols.every((symbol) => this.#fileOf(symbol) === name)) return false;
    return this.#symbolsOf(name).every((symbol) => those.has(symbol));
  }

  #symbolsOf(name: string): string[] {
    return [...this.symbols.keys()].filter((symbol) => this.#fileOf(symbol) === name);
  }

  /** Declarations that are in a file with another name too, with different content. */
  #conflict(own: SchemaRegistry, name: string, symbols: readonly string[]): string | undefined {
    // A service belongs to one upstream, however similar the declarations are.
    const isServed = symbols.some(
      (symbol) => own.kindOf(symbol) === SymbolKind.SERVICE && this.symbols.has(symbol),
    );
    // Nested declarations are compared with the enclosing one, once.
    const alike = new Set<string>();
    for (const symbol of symbols) {
      const part = this.#partOf(symbol);
      const file = part?.fileNameOf(symbol);
      if (file === undefined || file === name) continue;
      const [one, other] = [part?.declarationOf(symbol), own.declarationOf(symbol)];
      if (
        isServed ||
        one === undefined ||
        other === undefined ||
        !(alike.has(other.name) || sameDeclaration(one, other))
      )
        return `"${file}" of upstream "${this.#owners.get(file)}" already declares ${symbol}`;
      if (one.name === other.name) alike.add(other.name);
    }
    return undefined;
  }

  #take(upstream: string, own: SchemaRegistry, file: number, symbols: readonly string[], part: number): void {
    const name = own.tables.fileNames[file] ?? "";
    this.files.set(name, own.tables.fileBytes[file] ?? new Uint8Array());
    this.#owners.set(name, upstream);
    for (const symbol of symbols) if (!this.symbols.has(symbol)) this.symbols.set(symbol, part);
  }

  #fileOf(symbol: string): string | undefined {
    return this.#partOf(symbol)?.fileNameOf(symbol);
  }

  #partOf(symbol: string): SchemaTypes | undefined {
    const part = this.symbols.get(symbol);
    return part === undefined ? undefined : this.parts[part];
  }

  servedBy(service: string, registry: SchemaTypes): boolean {
    const part = this.symbols.get(service);
    return part !== undefined && this.parts[part] === registry;
  }
}

/** The symbols of one file. */
function symbolsByFile({ tables: { files }, names }: SchemaRegistry): (file: number) => readonly string[] {
  const firsts = new Map<number, number>();
  for (const [i, file] of files.entries()) if (!firsts.has(file)) firsts.set(file, i);
  return (file) => {
    const first = firsts.get(file);
    if (first === undefined) return [];
    let end = first;
    while (files[end] === file) end++;
    return names.slice(first, end);
  };
}

/** The types of all upstreams; reflection shows those without conflicts. */
class MergedRegistry extends LayeredRegistry<SchemaTypes> implements SchemaTypes {
  readonly parts: readonly SchemaRegistry[];
  readonly #symbols: ReadonlyMap<string, number>;

  /** @param symbols those that reflection shows -> index of their layer */
  constructor(layers: readonly SchemaTypes[], symbols: ReadonlyMap<string, number>) {
    super(layers);
    this.#symbols = symbols;
    this.parts = layers.flatMap((layer) => layer.parts);
  }

  get names(): Iterable<string> {
    return this.#symbols.keys();
  }

  get fileNames(): Iterable<string> {
    return new Set(this.layers.flatMap((layer) => [...layer.fileNames]));
  }

  fileNameOf(symbol: string): string | undefined {
    return this.#layerOf(symbol)?.fileNameOf(symbol);
  }

  importsOf(fileName: string): readonly string[] {
    return (
      this.find((layer) => (layer.getFile(fileName) === undefined ? undefined : layer.importsOf(fileName))) ??
      []
    );
  }

  kindOf(symbol: string): number | undefined {
    return this.#layerOf(symbol)?.kindOf(symbol);
  }

  declarationOf(symbol: string): Declaration | undefined {
    return this.#layerOf(symbol)?.declarationOf(symbol);
  }

  extensionsOf(typeName: string): ReadonlyMap<number, string> {
    const found = new Map<number, string>();
    for (const layer of this.layers)
      for (const [number, name] of layer.extensionsOf(typeName))
        if (!found.has(number)) found.set(number, name);
    return found;
  }

  #layerOf(symbol: string): SchemaTypes | undefined {
    const layer = this.#symbols.get(symbol);
    return layer === undefined ? undefined : this.layers[layer];
  }
}
