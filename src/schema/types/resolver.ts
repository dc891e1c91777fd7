// The environment of descriptors: types by name, and the enclosing file and message.
import type { DescEnum, DescFile, DescMessage } from "@bufbuild/protobuf";
import type { Outlines } from "../tables/outline.js";

/** Full names, with or without a leading dot. Throws a SchemaError if there is none of that kind. */
export interface Resolver extends Outlines {
  message(name: string): DescMessage;
  enum(name: string): DescEnum;
}

export interface OwnFile extends DescFile {
  /** Without reading the whole file. */
  readonly package: string;
}

export interface OwnMessage extends DescMessage {
  /** Entries of its maps, by full name. */
  readonly mapEntries: ReadonlyMap<string, DescMessage>;
}
