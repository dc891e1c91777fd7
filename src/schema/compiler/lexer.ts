// The tokens of a .proto file, one at a time (protobuf.dev/reference/protobuf/edition-2023-spec, "Lexical Elements").
// Comments are skipped: comments.ts reads them where they may belong to a declaration.
import { cut } from "../../kit/text/text.js";
import { SourceError } from "./source-error.js";

export const TokenKind = { END: 0, IDENTIFIER: 1, INTEGER: 2, FLOAT: 3, STRING: 4, SYMBOL: 5 } as const;

const TAB = 0x09;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const DOUBLE_QUOTE = 0x22;
const SINGLE_QUOTE = 0x27;
const STAR = 0x2a;
const PLUS = 0x2b;
const MINUS = 0x2d;
const DOT = 0x2e;
const SLASH = 0x2f;
const ZERO = 0x30;
const NINE = 0x39;
const BACKSLASH = 0x5c;
const UNDERSCORE = 0x5f;
const LETTER_E = 0x65;
const LETTER_X = 0x78;
const BYTE_ORDER_MARK = 0xfeff;

/** Characters of a token in a message. */
const MAX_QUOTED = 40;

const HEX = /^0[xX][0-9a-fA-F]+$/;
const OCTAL = /^0[0-7]*$/;
const DECIMAL = /^[1-9][0-9]*$/;
const FLOAT = /^(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][+-]?[0-9]+)?$/;

export class Lexer {
  readonly source: string;
  /** The current token: its TokenKind, its text as written, and its position. */
  kind: number = TokenKind.END;
  text = "";
  start = 0;
  end = 0;
  /** End of the previous token. */
  previousEnd = 0;

  /** Starts at the first token. */
  constructor(source: string) {
    this.source = source;
    if (source.charCodeAt(0) === BYTE_ORDER_MARK) this.end = 1;
    this.next();
  }

  /** Advances to the next token; at the end of the file it stays there. */
  next(): void {
    this.previousEnd = this.end;
    this.start = this.#skip(this.end);
    this.kind = this.#read();
    this.text = this.source.slice(this.start, this.end);
    if (this.kind === TokenKind.INTEGER) this.kind = this.#kindOfNumber();
  }

  /** The text of the token after the current one. */
  peek(): string {
    const { kind, text, start, end, previousEnd } = this;
    this.next();
    const next = this.text;
    this.kind = kind;
    this.text = text;
    this.start = start;
    this.end = end;
    this.previousEnd = previousEnd;
    return next;
  }

  fail(message: string, offset = this.start): never {
    throw new SourceError(this.source, offset, message);
  }

  /** Past white space and comments. */
  #skip(from: number): number {
    const { source } = this;
    let at = from;
    for (;;) {
      const code = source.charCodeAt(at);
      // Vertical tab and form feed are white space too.
      if (code === SPACE || (code >= TAB && code <= RETURN)) {
        at++;
      } else if (code === SLASH && source.charCodeAt(at + 1) === SLASH) {
        const newline = source.indexOf("\n", at);
        at = newline < 0 ? source.length : newline + 1;
      } else if (code === SLASH && source.charCodeAt(at + 1) === STAR) {
        const close = source.indexOf("*/", at + 2);
        if (close < 0) this.fail('this comment has no end: expected "*/"', at);
        at = close + 2;
      } else {
        return at;
      }
    }
  }

  /** Finds the token's end. */
  #read(): number {
    const { source, start } = this;
    const code = source.charCodeAt(start);
    if (Number.isNaN(code)) {
      this.end = start;
      return TokenKind.END;
    }
    if (isLetter(code)) {
      let at = start + 1;
      while (isLetter(source.charCodeAt(at)) || isDigit(source.charCodeAt(at))) at++;
      this.end = at;
      return TokenKind.IDENTIFIER;
    }
    if (isDigit(code) || (code === DOT && isDigit(source.charCodeAt(start + 1)))) {
      this.end = this.#endOfNumber(start);
      return TokenKind.INTEGER;
    }
    if (code === DOUBLE_QUOTE || code === SINGLE_QUOTE) {
      this.end = this.#endOfString(start, code);
      return TokenKind.STRING;
    }
    const character = source.codePointAt(start) ?? 0;
    if (character < SPACE || character >= 0x7f)
      this.fail(
        `the character U+${character.toString(16).toUpperCase().padStart(4, "0")} is allowed only in strings and comments`,
      );
    this.end = start + 1;
    return TokenKind.SYMBOL;
  }

  /** The whole run of characters: a number followed by a letter is rejected as a whole. */
  #endOfNumber(start: number): number {
    const { source } = this;
    const isHex = (source.charCodeAt(start + 1) | 0x20) === LETTER_X;
    for (let at = start; ; at++) {
      const code = source.charCodeAt(at);
      if (isLetter(code) || isDigit(code) || code === DOT) continue;
      const isSign = code === PLUS || code === MINUS;
      if (!isSign || isHex || (source.charCodeAt(at - 1) | 0x20) !== LETTER_E) return at;
    }
  }

  #kindOfNumber(): number {
    const { text } = this;
    if (DECIMAL.test(text) || OCTAL.test(text) || HEX.test(text)) return TokenKind.INTEGER;
    if (/^0[0-9]+$/.test(text))
      return this.fail(`the number ${text} begins with 0 and is not octal: expected digits from 0 to 7`);
    if (FLOAT.test(text)) return TokenKind.FLOAT;
    return this.fail(`${quoted(text)} is not a number: expected one such as 10, 0x1F, 017 or 1.5e3`);
  }

  #endOfString(start: number, quote: number): number {
    const { source } = this;
    for (let at = start + 1; ; at++) {
      const code = source.charCodeAt(at);
      if (code === quote) return at + 1;
      if (Number.isNaN(code) || code === NEWLINE)
        this.fail(`this string does not end on its line: expected ${String.fromCharCode(quote)}`, start);
      if (code === BACKSLASH) at++;
    }
  }
}

function isLetter(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a) || code === UNDERSCORE;
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE;
}

/** A token for people: in quotes, and not endless. */
export function quoted(text: string): string {
  return JSON.stringify(cut(text, MAX_QUOTED, "…"));
}
