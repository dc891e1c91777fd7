// Numbers and strings of a .proto file: their values, and how protoc writes them into default_value.
import { SourceError } from "./source-error.js";

/** A string literal, or several adjacent ones. */
export interface Text {
  /** undefined: its bytes are no UTF-8. */
  readonly text: string | undefined;
  readonly bytes: Uint8Array;
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const SIMPLE_ESCAPES = new Map([
  ["a", 0x07],
  ["b", 0x08],
  ["f", 0x0c],
  ["n", 0x0a],
  ["r", 0x0d],
  ["t", 0x09],
  ["v", 0x0b],
  ["\\", 0x5c],
  ["?", 0x3f],
  ["'", 0x27],
  ['"', 0x22],
]);

/** `\x` and one or two digits, `\` and up to three octal ones, `\u` and four, `\U` and eight; else one character. */
const ESCAPE =
  /\\(?:[xX]([0-9a-fA-F]{1,2})|([0-7]{1,3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([abfnrtv\\?'"]))/y;

/**
 * @param literals start and end of each in the source, quotes included
 * @throws SourceError for an invalid escape
 */
export function textOf(source: string, literals: readonly (readonly [start: number, end: number])[]): Text {
  const parts = literals.map(([start, end]) => ({ at: start + 1, raw: source.slice(start + 1, end - 1) }));
  if (!parts.some(({ raw }) => raw.includes("\\"))) {
    const text = parts.map(({ raw }) => raw).join("");
    return { text, bytes: Buffer.from(text) };
  }
  const bytes = Buffer.concat(parts.flatMap(({ at, raw }) => unescaped(source, at, raw)));
  let text: string | undefined;
  try {
    text = UTF8.decode(bytes);
  } catch {
    text = undefined;
  }
  return { text, bytes };
}

function unescaped(source: string, offset: number, raw: string): Buffer[] {
  const pieces: Buffer[] = [];
  let done = 0;
  for (let at = raw.indexOf("\\"); at >= 0; at = raw.indexOf("\\", done)) {
    ESCAPE.lastIndex = at;
    const match = ESCAPE.exec(raw);
    if (match === null) {
      const expected = String.raw`\n, \", \\, \x41, \101, \u00e9 or \U0001f600`;
      throw new SourceError(
        source,
        offset + at,
        `${JSON.stringify(raw.slice(at, at + 2)).replace("\\\\", "\\")} is not a valid escape: expected one such as ${expected}`,
      );
    }
    pieces.push(Buffer.from(raw.slice(done, at)), bytesOfEscape(source, offset + at, match));
    done = at + match[0].length;
  }
  pieces.push(Buffer.from(raw.slice(done)));
  return pieces;
}

function bytesOfEscape(source: string, offset: number, match: RegExpExecArray): Buffer {
  const [, hex, octal, short, long, simple] = match;
  if (simple !== undefined) return Buffer.of(SIMPLE_ESCAPES.get(simple) ?? 0);
  if (hex !== undefined) return Buffer.of(Number.parseInt(hex, 16));
  // As in C, the ninth bit of \777 is lost.
  if (octal !== undefined) return Buffer.of(Number.parseInt(octal, 8) & 0xff);
  const point = Number.parseInt(short ?? long ?? "", 16);
  if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
    throw new SourceError(source, offset, `${match[0]} is not a Unicode character`);
  return Buffer.from(String.fromCodePoint(point));
}

/** The value of an integer literal: decimal, octal or hexadecimal. */
export function integerOf(literal: string): bigint {
  return BigInt(/^0[0-7]/.test(literal) ? `0o${literal.slice(1)}` : literal);
}

/** As C's `%.15g`, or, if that is another number, `%.17g`. */
export function doubleText(value: number): string {
  return numberText(value, 15, 17, Number);
}

/** Of a float: `%.6g`, else `%.9g`. */
export function floatText(value: number): string {
  return numberText(Math.fround(value), 6, 9, (text) => Math.fround(Number(text)));
}

function numberText(value: number, short: number, long: number, read: (text: string) => number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  const text = general(value, short);
  return read(text) === value ? text : general(value, long);
}

/** `%.<digits>g` of C. */
function general(value: number, digits: number): string {
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  const [mantissa = "", exponent = ""] = value.toExponential(digits - 1).split("e");
  const power = Number(exponent);
  if (power >= -4 && power < digits) return withoutZeros(value.toFixed(digits - 1 - power));
  return `${withoutZeros(mantissa)}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
}

function withoutZeros(text: string): string {
  let end = text.length;
  if (!text.includes(".")) return text;
  while (text[end - 1] === "0") end--;
  if (text[end - 1] === ".") end--;
  return text.slice(0, end);
}

/** Bytes as in default_value: anything but printable ASCII as three octal digits (descriptor.proto, "C escaped"). */
export function escapedBytes(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) {
    const named = { 10: "\\n", 13: "\\r", 9: "\\t", 34: '\\"', 39: "\\'", 92: "\\\\" }[byte];
    if (named !== undefined) text += named;
    else if (byte >= 0x20 && byte < 0x7f) text += String.fromCharCode(byte);
    else text += `\\${byte.toString(8).padStart(3, "0")}`;
  }
  return text;
}
