// JSON text → value, exactly: JSON.parse if it loses nothing, otherwise a parser of our own. JSON.parse rounds integers
// beyond 2^53, drops duplicate names, and accepts lone surrogates.
import { cut } from "../../kit/text/text.js";

export type Json = null | boolean | number | string | ExactNumber | MaskText | Json[] | JsonObject;
export interface JsonObject {
  [name: string]: Json;
}

/** A number that a double may not represent, as written. */
export class ExactNumber {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/**
 * The text of a google.protobuf.FieldMask in a path or a query, where names have either spelling. The parser never
 * makes one.
 */
export class MaskText {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export function isJsonObject(json: Json | undefined): json is JsonObject {
  return (
    typeof json === "object" &&
    json !== null &&
    !Array.isArray(json) &&
    !(json instanceof ExactNumber) &&
    !(json instanceof MaskText)
  );
}

/** Why a text is rejected. `line` and `column` are 1-based, in characters. */
export interface JsonProblem {
  readonly problem: string;
  readonly line: number;
  readonly column: number;
}

/** Nesting of arrays and objects: the same as protobuf's own limit for messages. */
export const MAX_JSON_DEPTH = 100;

/**
 * Values of one text, at all levels: a text of 8 MiB, the default limit, can have at most half as many. Their tree
 * takes less than a gigabyte, so that no text, however far the limit is raised, uses up the heap: V8 would abort the
 * process.
 */
export const MAX_JSON_VALUES = 8_000_000;

/** Up to 15 digits a decimal survives the conversion to a double and back (IEEE 754 binary64). */
const EXACT_DIGITS = 15;

/** Reads one JSON text (RFC 8259). Names within an object are unique, strings are well-formed Unicode. */
export function parseJson(text: string): { readonly value: Json } | JsonProblem {
  const scan = scanJson(text);
  if (scan.tooDeepAt !== undefined) {
    return at(text, scan.tooDeepAt, `arrays and objects are nested more than ${MAX_JSON_DEPTH} deep`);
  }
  if (scan.tooManyAt !== undefined) {
    return at(text, scan.tooManyAt, `the text has more than ${MAX_JSON_VALUES} values`);
  }
  if (!scan.delicate) {
    try {
      const value: Json = JSON.parse(text);
      if (countMembers(value) === scan.members) return { value };
    } catch {
      // The exact parser reports the position and the reason.
    }
  }
  return new ExactParser(text).parse();
}

interface Scan {
  /** Colons outside strings: the members of all objects, if the text is JSON. */
  readonly members: number;
  /** Has a number or an escape that JSON.parse may change. */
  readonly delicate: boolean;
  readonly tooDeepAt: number | undefined;
  readonly tooManyAt: number | undefined;
}

function scanJson(text: string): Scan {
  let members = 0;
  let values = 1;
  let depth = 0;
  let delicate = /\\u[dD][89a-fA-F]/.test(text);
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x22) {
      i = endOfString(text, i);
    } else if (c === 0x3a) {
      members++;
    } else if (c === 0x7b || c === 0x5b) {
      if (++depth > MAX_JSON_DEPTH) return { members, delicate, tooDeepAt: i, tooManyAt: undefined };
      values++;
    } else if (c === 0x2c) {
      if (++values > MAX_JSON_VALUES) return { members, delicate, tooDeepAt: undefined, tooManyAt: i };
    } else if (c === 0x7d || c === 0x5d) {
      depth--;
    } else if (c >= 0x30 && c <= 0x39) {
      let digits = 1;
      for (; i + 1 < text.length; i++) {
        const d = text.charCodeAt(i + 1);
        if (d >= 0x30 && d <= 0x39) digits++;
        else if (d === 0x65 || d === 0x45) delicate = true;
        else if (d !== 0x2e && d !== 0x2b && d !== 0x2d) break;
      }
      if (digits > EXACT_DIGITS) delicate = true;
    }
  }
  return { members, delicate, tooDeepAt: undefined, tooManyAt: undefined };
}

/** Position of the quote that ends the string begun at `start`; the end of the text if there is none. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end !== -1) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === 0x5c) backslashes++;
    if (backslashes % 2 === 0) return end;
    end = text.indexOf('"', end + 1);
  }
  return text.length;
}

function countMembers(value: Json): number {
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === "object") count += countMembers(item);
    return count;
  }
  if (!isJsonObject(value)) return 0;
  for (const name of Object.keys(value)) {
    count++;
    const item = value[name];
    if (typeof item === "object") count += countMembers(item);
  }
  return count;
}

/** Ends the exact parse; never leaves this file. */
class Refusal extends Error {
  readonly offset: number;
  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

/** Recursive descent; its depth is bounded by the scan before it. */
class ExactParser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): { readonly value: Json } | JsonProblem {
    try {
      const value = this.#value();
      this.#space();
      if (this.#at < this.#text.length) throw this.#unexpected("the end of the JSON text");
      return { value };
    } catch (e) {
      if (e instanceof Refusal) return at(this.#text, e.offset, e.message);
      throw e;
    }
  }

  #value(): Json {
    this.#space();
    switch (this.#text[this.#at]) {
      case "{":
        return this.#object();
      case "[":
        return this.#array();
      case '"':
        return this.#string();
      case "t":
        return this.#word("true", true);
      case "f":
        return this.#word("false", false);
      case "n":
        return this.#word("null", null);
      default:
        return this.#number();
    }
  }

  #object(): JsonObject {
    const object: JsonObject = {};
    this.#at++;
    this.#space();
    if (this.#takes("}")) return object;
    for (;;) {
      this.#space();
      const start = this.#at;
      if (this.#text[start] !== '"') throw this.#unexpected("a name in double quotes");
      const name = this.#string();
      if (Object.hasOwn(object, name))
        throw new Refusal(`the name ${JSON.stringify(cut(name, 60))} occurs twice`, start);
      this.#space();
      if (!this.#takes(":")) throw this.#unexpected("':'");
      const value = this.#value();
      // Not an assignment: `__proto__` is a name like others.
      Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
      this.#space();
      if (this.#takes("}")) return object;
      if (!this.#takes(",")) throw this.#unexpected("',' or '}'");
    }
  }

  #array(): Json[] {
    const array: Json[] = [];
    this.#at++;
    this.#space();
    if (this.#takes("]")) return array;
    for (;;) {
      array.push(this.#value());
      this.#space();
      if (this.#takes("]")) return array;
      if (!this.#takes(",")) throw this.#unexpected("',' or ']'");
    }
  }

  #string(): string {
    const start = this.#at;
    let out = "";
    let from = ++this.#at;
    for (;;) {
      const char = this.#text[this.#at];
      if (char === undefined) throw new Refusal("this string does not end", start);
      if (char === '"') break;
      if (char < " ") throw this.#unexpected("an escape (control characters are not allowed in strings)");
      this.#at++;
      if (char !== "\\") continue;
      out += this.#text.slice(from, this.#at - 1) + this.#escape();
      from = this.#at;
    }
    out += this.#text.slice(from, this.#at);
    this.#at++;
    if (/\p{Surrogate}/u.test(out))
      throw new Refusal("this string has half of a surrogate pair, which is not a character", start);
    return out;
  }

  /** After the "\"; reads the rest of the escape. */
  #escape(): string {
    const char = this.#text[this.#at] ?? "";
    const simple = ESCAPES[char];
    if (simple !== undefined) {
      this.#at++;
      return simple;
    }
    const hex = char === "u" ? this.#text.slice(this.#at + 1, this.#at + 5) : "";
    if (!/^[0-9a-fA-F]{4}$/.test(hex)) throw new Refusal("this escape is unknown", this.#at - 1);
    this.#at += 5;
    return String.fromCharCode(Number.parseInt(hex, 16));
  }

  #number(): number | ExactNumber {
    NUMBER.lastIndex = this.#at;
    const text = NUMBER.exec(this.#text)?.[0];
    if (text === undefined) throw this.#unexpected("a JSON value");
    this.#at += text.length;
    const exact = !/[eE]/.test(text) && text.replace(/[^0-9]/g, "").length <= EXACT_DIGITS;
    return exact ? Number(text) : new ExactNumber(text);
  }

  #word<T extends Json>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#unexpected("a JSON value");
    this.#at += word.length;
    return value;
  }

  #space(): void {
    for (;;) {
      const c = this.#text.charCodeAt(this.#at);
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return;
      this.#at++;
    }
  }

  #takes(char: string): boolean {
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  #unexpected(wanted: string): Refusal {
    const char = this.#text[this.#at];
    const got = char === undefined ? "the text ends" : `got ${JSON.stringify(char)}`;
    return new Refusal(`expected ${wanted}, ${got}`, this.#at);
  }
}

function at(text: string, offset: number, problem: string): JsonProblem {
  const before = text.slice(0, offset);
  const line = before.split("\n").length;
  return { problem, line, column: offset - (before.lastIndexOf("\n") + 1) + 1 };
}

/** Exponents beyond this make any nonzero integer too long for protobuf. */
const MAX_EXPONENT = 400;
/** uint64 has 20 digits; more can only be leading or trailing zeros. */
const MAX_MANTISSA = 1000;
const NUMBER_PARTS = /^(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/;

/** The integer value of a JSON number, `1.0` and `1e2` included; undefined if it is not an integer, or too long. */
export function integerOf(text: string): bigint | undefined {
  if (/^-?[1-9][0-9]{0,19}$/.test(text)) return BigInt(text);
  const parts = NUMBER_PARTS.exec(text);
  if (parts === null || text.length > MAX_MANTISSA) return undefined;
  const [, sign = "", whole = "", fraction = "", exponentText = "0"] = parts;
  const exponent = Number(exponentText) - fraction.length;
  const digits = (whole + fraction).replace(/^0+/, "");
  if (digits === "") return 0n;
  if (Math.abs(exponent) > MAX_EXPONENT + fraction.length) return undefined;
  let integer = digits;
  if (exponent >= 0) integer += "0".repeat(exponent);
  else {
    if (!/^0*$/.test(digits.slice(exponent)) || digits.length <= -exponent) return undefined;
    integer = digits.slice(0, exponent);
  }
  return BigInt(sign + integer);
}

/** The text is a number by JSON's grammar: no `+1`, `.5`, `0x10`, spaces. */
export function isNumberText(text: string): boolean {
  return NUMBER_PARTS.test(text);
}
