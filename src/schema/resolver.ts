// What descriptors are made over: types that are looked up by name, and the file and message that they stand in.
import type { DescEnum, DescFile, DescMessage } from "@bufbuild/protobuf";
import type { Outline } from "./outline.js";

/** Full names, with or without a leading dot. Throws a SchemaError where there is none of that kind. */
export interface Resolver {
  message(name: string): DescMessage;
  enum(name: string): DescEnum;
  /** The fields of a message without making it: outline.ts. */
  outline(typeName: string): Outline | undefined;
}

export interface OwnFile extends DescFile {
  /** Without reading the whole file. */
  readonly package: string;
}

export interface OwnMessage extends DescMessage {
  /** Entries of its maps, by full name. */
  readonly mapEntries: ReadonlyMap<string, DescMessage>;
}
