// Parsed files to descriptors: names of types made full, options put in. Then they are a schema like any other.
import { create, createFileRegistry, type FileRegistry } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { reasonOf } from "../file-descriptor.js";
import { SchemaError } from "../schema-error.js";
import { isCustom, OptionSetter } from "./apply-options.js";
import type { FileLinker } from "./link-files.js";
import type { OptionHolder, OptionValue, ParsedFile, WrittenOption } from "./parsed-file.js";

export interface Compiled {
  /** Each after what it needs. */
  readonly files: readonly FileDescriptorProto[];
  /** What a person should know, one sentence each. */
  readonly warnings: readonly string[];
}

/**
 * @param parsed by name; those that `linker` has and these lack carry no options
 * @throws SchemaError, with file:line:column, where the files do not fit together
 */
export function compileFiles(linker: FileLinker, parsed: ReadonlyMap<string, ParsedFile>): Compiled {
  linker.resolve();
  const files = linker.inOrder();
  const warnings = linker.warnings.list("warnings about imports").slice();
  const setter = new OptionSetter();
  const custom: (readonly [file: string, option: WrittenOption])[] = [];
  const warn = (file: string, { at }: WrittenOption, problem: string | undefined): void => {
    if (problem !== undefined) warnings.push(`${linker.placeIn(file, at)}: ${problem}`);
  };
  // First those of descriptor.proto: how a custom option is encoded hangs on the features and options of its field.
  for (const [name, { options }] of parsed)
    for (const option of options) {
      if (isCustom(option)) custom.push([name, option]);
      else warn(name, option, setter.apply(option));
    }
  // The files of the custom ones are made types of next.
  let holders = setter.finish();
  if (custom.length > 0) {
    const registry = registryOf(linker, custom);
    for (const [file, option] of custom) {
      const find = (name: string) => {
        const full = linker.extensionNamed(file, name, option.scope);
        return full === undefined ? undefined : registry.getExtension(full);
      };
      warn(file, option, setter.apply(option, find, registry));
    }
    holders = setter.finish();
  }
  dropEmpty(holders);
  return { files, warnings };
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

/** Of the files alone that declare what the options name: few of many. */
function registryOf(
  linker: FileLinker,
  custom: readonly (readonly [file: string, option: WrittenOption])[],
): FileRegistry {
  const symbols = new Set<string>();
  for (const [file, { name, value, scope }] of custom) {
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
  try {
    return createFileRegistry(create(FileDescriptorSetSchema, { file: linker.filesFor(symbols) }));
  } catch (error) {
    throw new SchemaError(`the .proto files contradict themselves: ${reasonOf(error)}`);
  }
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
