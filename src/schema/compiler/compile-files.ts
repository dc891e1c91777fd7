// Parsed files to descriptors: type names resolved, options encoded. The result is a schema like any other.
import { create, createFileRegistry, type DescExtension, type FileRegistry } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { reasonOf } from "../descriptors/file-descriptor.js";
import { SchemaError } from "../descriptors/schema-error.js";
import { isCustom, OptionSetter } from "./apply-options.js";
import type { FileLinker } from "./link-files.js";
import type { OptionHolder, OptionValue, ParsedFile, WrittenOption } from "./parsed-file.js";

export interface Compiled {
  /** Each after its dependencies. */
  readonly files: readonly FileDescriptorProto[];
  /** Warnings, one sentence each. */
  readonly warnings: readonly string[];
}

/**
 * @param parsed by name; files that only `linker` has carry no options
 * @throws SchemaError, with file:line:column, if the files contradict each other
 */
export function compileFiles(linker: FileLinker, parsed: ReadonlyMap<string, ParsedFile>): Compiled {
  linker.resolve();
  const warnings = linker.warnings.list("warnings about imports").slice();
  const apply = (
    setter: OptionSetter,
    file: string,
    wanted: (option: WrittenOption) => boolean,
    find?: Find,
  ): void => {
    for (const option of parsed.get(file)?.options ?? []) {
      if (!wanted(option)) continue;
      const problem = setter.apply(
        option,
        (name) => find?.extension(file, name, option.scope),
        find?.registry,
      );
      if (problem !== undefined) warnings.push(`${linker.placeIn(file, option.at)}: ${problem}`);
    }
  };
  const withPlain = (file: string): OptionSetter => {
    const setter = new OptionSetter();
    apply(setter, file, (option) => !isCustom(option));
    return setter;
  };
  // The encoding of a custom option depends on the features and options of its field: those of descriptor.proto come
  // first.
  const types = linker.filesFor(namedIn(linker, parsed));
  const setters = new Map(types.map(({ name }) => [name, withPlain(name)]));
  for (const setter of setters.values()) setter.finish();
  const registry = registryOf(types);
  const find: Find = {
    registry,
    extension: (file, name, scope) => registry.getExtension(linker.extensionNamed(file, name, scope) ?? ""),
  };
  const files = linker.inOrder();
  // File by file: collecting them for thousands of files would cost more than encoding them.
  for (const { name } of files) {
    const setter = setters.get(name) ?? withPlain(name);
    apply(setter, name, isCustom, find);
    dropEmpty(setter.finish());
  }
  return { files, warnings };
}

interface Find {
  readonly registry: FileRegistry;
  extension(file: string, name: string, scope: string): DescExtension | undefined;
}

/** Full names of the extensions and types that options name. */
function namedIn(linker: FileLinker, parsed: ReadonlyMap<string, ParsedFile>): ReadonlySet<string> {
  const symbols = new Set<string>();
  for (const [file, { options }] of parsed)
    for (const { name, value, scope } of options) {
      const add = (extension: string): void => {
        const full = linker.extensionNamed(file, extension, scope);
        if (full !== undefined) symbols.add(full);
      };
      for (const part of name) if (part.isExtension) add(part.name);
      for (const named of namesIn(value)) {
        if (named.kind === "extension") add(named.name);
        else symbols.add(named.name);
      }
    }
  return symbols;
}

/** Only the files that declare what the options name: few of many. */
function registryOf(file: FileDescriptorProto[]): FileRegistry {
  try {
    return createFileRegistry(create(FileDescriptorSetSchema, { file }));
  } catch (error) {
    throw new SchemaError(`the .proto files are inconsistent: ${reasonOf(error)}`);
  }
}

/** As protoc does; options that were written without anything in them stay. */
function dropEmpty(holders: readonly OptionHolder[]): void {
  for (const holder of holders) {
    const { options } = holder;
    if (options === undefined) continue;
    const isEmpty = Object.keys(options).every(
      (key) => key === "$typeName" || isEmptyList(Reflect.get(options, key)),
    );
    if (isEmpty) delete holder.options;
  }
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** The extensions and types that a value names in brackets. */
function* namesIn(value: OptionValue): Generator<{ name: string; kind: "extension" | "type" }> {
  if (value.kind === "list") for (const item of value.items) yield* namesIn(item);
  if (value.kind !== "message") return;
  for (const { name, kind, value: inner } of value.fields) {
    if (kind === "extension") yield { name, kind };
    if (kind === "any") yield { name: name.slice(name.lastIndexOf("/") + 1), kind: "type" };
    yield* namesIn(inner);
  }
}
