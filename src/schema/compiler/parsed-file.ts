// A parsed .proto file: its descriptor, and the parts that need all files to be completed.
import type { DescMessage, Message } from "@bufbuild/protobuf";
import type {
  FieldDescriptorProto,
  FileDescriptorProto,
  MethodDescriptorProto,
} from "@bufbuild/protobuf/wkt";
import type { SymbolKind } from "../descriptors/file-descriptor.js";
import type { Text } from "./literals.js";

export interface ParsedFile {
  readonly proto: FileDescriptorProto;
  readonly source: string;
  readonly imports: readonly Import[];
  readonly declared: readonly Declared[];
  readonly references: readonly Reference[];
  readonly options: readonly WrittenOption[];
}

export interface Import {
  readonly name: string;
  /** A weak one may be missing, and one for options only is not visible to types. */
  readonly kind: "plain" | "public" | "weak" | "option";
  /** Its position in the source. */
  readonly at: number;
}

export interface Declared {
  /** Full name. */
  readonly name: string;
  readonly kind: SymbolKind;
  readonly at: number;
}

/** A place that names a type. */
export type Reference = {
  /** For messages: `field library.v1.Book.author`. */
  readonly from: string;
  /** Relative names are looked up from this full name outwards. */
  readonly scope: string;
  readonly name: string;
  /** undefined: message or enum. */
  readonly wants: "message" | "enum" | undefined;
  readonly at: number;
} & (
  | {
      readonly target: FieldDescriptorProto;
      readonly key: "typeName" | "extendee";
      /** Position of its default; undefined: it has none. */
      defaultAt: number | undefined;
    }
  | { readonly target: MethodDescriptorProto; readonly key: "inputType" | "outputType" }
);

/** A declaration that has options. */
export interface OptionHolder {
  options?: Message | undefined;
}

/** An option as it was written. */
export interface WrittenOption {
  readonly holder: OptionHolder;
  /** The options message that it belongs to. */
  readonly target: Message;
  readonly schema: DescMessage;
  readonly name: readonly NamePart[];
  readonly value: OptionValue;
  /** Full name of its declaration: relative names are looked up from there. */
  readonly scope: string;
  readonly at: number;
}

export interface NamePart {
  readonly name: string;
  /** It was written in parentheses. */
  readonly isExtension: boolean;
}

export type OptionValue =
  | { readonly kind: "identifier"; readonly text: string; readonly isNegative: boolean }
  | { readonly kind: "integer"; readonly value: bigint }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "string"; readonly value: Text }
  | { readonly kind: "list"; readonly items: readonly OptionValue[] }
  | { readonly kind: "message"; readonly fields: readonly FieldValue[] };

/** A field in a value in braces: `name: value`, `[extension]: value` or `[type.googleapis.com/type]: value`. */
export interface FieldValue {
  readonly name: string;
  readonly kind: "field" | "extension" | "any";
  readonly value: OptionValue;
}
