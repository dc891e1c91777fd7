// Reads one .proto file: the parser's position, its results, and what every part of the grammar needs.
import { create } from "@bufbuild/protobuf";
import {
  Edition,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  type SourceCodeInfo_Location,
  SourceCodeInfo_LocationSchema,
  SourceCodeInfoSchema,
} from "@bufbuild/protobuf/wkt";
import type { SymbolKind } from "../descriptors/file-descriptor.js";
import { commentsBetween } from "./comments.js";
import { Lexer, quoted, TokenKind } from "./lexer.js";
import { integerOf, type Text, textOf } from "./literals.js";
import type { Declared, Import, ParsedFile, Reference, WrittenOption } from "./parsed-file.js";
import { positionOf } from "./source-error.js";

/** Numbers of fields in descriptor.proto, from the file on. */
export type Path = readonly number[];

/** Messages within messages, and values within values; the schema's own limit on descriptors is the same. */
export const MAX_DEPTH = 64;

export class SourceReader {
  readonly lexer: Lexer;
  readonly proto: FileDescriptorProto;
  edition = Edition.EDITION_PROTO2;
  readonly imports: Import[] = [];
  /** Their names: each is looked up. */
  readonly imported = new Set<string>();
  readonly references: Reference[] = [];
  readonly options: WrittenOption[] = [];
  readonly #declared: Declared[] = [];
  /** Full names of all declarations here, with positions. */
  readonly #names = new Map<string, number>();
  readonly #locations: SourceCodeInfo_Location[] = [];
  readonly #lines = new Lines();
  /** The comment above the next declaration. */
  #leading: string;

  constructor(name: string, source: string) {
    this.lexer = new Lexer(source);
    this.proto = create(FileDescriptorProtoSchema, { name });
    const { start, text } = this.lexer;
    this.#leading = commentsBetween(source, 0, start, text).leading;
  }

  result(): ParsedFile {
    const { proto, imports, references, options, lexer } = this;
    if (this.#locations.length > 0)
      proto.sourceCodeInfo = create(SourceCodeInfoSchema, { location: this.#locations });
    return { proto, source: lexer.source, imports, declared: this.#declared, references, options };
  }

  get isEditions(): boolean {
    return this.edition >= Edition.EDITION_2023;
  }

  // ---------------------------------------------------------------- tokens

  get atEnd(): boolean {
    return this.lexer.kind === TokenKind.END;
  }

  is(text: string): boolean {
    return this.lexer.text === text;
  }

  take(text: string): boolean {
    if (!this.is(text)) return false;
    this.lexer.next();
    return true;
  }

  expect(text: string): void {
    if (!this.take(text)) this.unexpected(quoted(text));
  }

  /** @param expected what is expected here, with its article: `a field's name` */
  unexpected(expected: string): never {
    const { kind, text } = this.lexer;
    return this.lexer.fail(
      kind === TokenKind.END
        ? `the file ends: expected ${expected}`
        : `expected ${expected}, found ${quoted(text)}`,
    );
  }

  identifier(what: string): string {
    const { kind, text } = this.lexer;
    if (kind !== TokenKind.IDENTIFIER) this.unexpected(what);
    this.lexer.next();
    return text;
  }

  /** A name with dots, one in front too where `absolute` is set. */
  name(what: string, absolute = true): string {
    let name = absolute && this.take(".") ? "." : "";
    name += this.identifier(what);
    while (this.take(".")) name += `.${this.identifier(what)}`;
    return name;
  }

  /** @param max the largest that may stand there */
  integer(what: string, max: bigint): bigint {
    const isNegative = this.take("-");
    const { kind, text, start } = this.lexer;
    if (kind !== TokenKind.INTEGER) this.unexpected(what);
    const value = integerOf(text);
    if (value > max + (isNegative ? 1n : 0n))
      this.lexer.fail(`the number ${quoted(text)} is too large: expected at most ${max}`, start);
    this.lexer.next();
    return isNegative ? -value : value;
  }

  /** Adjacent string literals are one. */
  string(what: string): Text {
    if (this.lexer.kind !== TokenKind.STRING) this.unexpected(what);
    const literals: (readonly [number, number])[] = [];
    for (; this.lexer.kind === TokenKind.STRING; this.lexer.next())
      literals.push([this.lexer.start, this.lexer.end]);
    return textOf(this.lexer.source, literals);
  }

  /** Like `string`, but must be UTF-8. */
  utf8(what: string): string {
    const { start } = this.lexer;
    const { text } = this.string(what);
    return text ?? this.lexer.fail("the bytes of this string are not UTF-8", start);
  }

  // ---------------------------------------------------------------- results

  /** @param kind undefined: a field, a oneof or an enum's value, which types cannot name */
  declare(name: string, kind: SymbolKind | undefined, at: number): void {
    const other = this.#names.get(name);
    if (other !== undefined) {
      const { line } = positionOf(this.lexer.source, other);
      this.lexer.fail(`${name} is declared already, in line ${line}`, at);
    }
    this.#names.set(name, at);
    if (kind !== undefined) this.#declared.push({ name, kind, at });
  }

  /**
   * Takes what ends a declaration or opens its block: the comments behind it, and those of what comes next, are here.
   * @param declaration its path and where it begins; undefined: its comments are for nobody
   * @returns its location, if it has comments, for `close`
   */
  end(
    symbol: ";" | "{" | "}",
    declaration?: { readonly path: Path; readonly start: number },
  ): Location | undefined {
    const { lexer } = this;
    this.expect(symbol);
    const { trailing, leading } = commentsBetween(lexer.source, lexer.previousEnd, lexer.start, lexer.text);
    const above = this.#leading;
    this.#leading = leading;
    if (declaration === undefined || (above === "" && trailing === "")) return undefined;
    const location = create(SourceCodeInfo_LocationSchema, {
      path: [...declaration.path],
      span: this.#lines.span(lexer.source, declaration.start, lexer.previousEnd),
      ...(above === "" ? {} : { leadingComments: above }),
      ...(trailing === "" ? {} : { trailingComments: trailing }),
    });
    this.#locations.push(location);
    return location;
  }

  /** Consumes the brace that ends a block. */
  close(location: Location | undefined): void {
    this.end("}");
    if (location !== undefined)
      location.span = this.#lines.until(this.lexer.source, location.span, this.lexer.previousEnd);
  }
}

export type Location = SourceCodeInfo_Location;

interface Position {
  readonly offset: number;
  readonly line: number;
  readonly column: number;
}

const TOP: Position = { offset: 0, line: 0, column: 0 };

/**
 * Lines and columns counted as in protoc: from 0, in bytes, a tab up to the next multiple of 8. Queried in the order of
 * the text.
 */
class Lines {
  #last = TOP;
  /** Where the last span begins: a group is a field and a message, and both begin there. */
  #start = TOP;

  span(source: string, start: number, end: number): number[] {
    if (start !== this.#start.offset) this.#start = this.#at(source, start);
    const { line, column } = this.#start;
    return this.until(source, [line, column], end);
  }

  /** A span that begins like another. */
  until(source: string, [line = 0, column = 0]: readonly number[], end: number): number[] {
    const last = this.#at(source, end);
    return last.line === line ? [line, column, last.column] : [line, column, last.line, last.column];
  }

  #at(source: string, offset: number): Position {
    let { offset: at, line, column } = offset < this.#last.offset ? TOP : this.#last;
    while (at < offset) {
      const character = source.codePointAt(at) ?? 0;
      if (character === 0x0a) {
        line++;
        column = 0;
      } else if (character === 0x09) column += 8 - (column % 8);
      else column += bytesOf(character);
      at += character > 0xffff ? 2 : 1;
    }
    this.#last = { offset, line, column };
    return this.#last;
  }
}

/** In UTF-8 (RFC 3629, 3). */
function bytesOf(character: number): number {
  if (character < 0x80) return 1;
  if (character < 0x800) return 2;
  return character < 0x10000 ? 3 : 4;
}
