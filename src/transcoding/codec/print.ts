// Prints values as JSON text, with their quotes, and other shared code of both printers.
import { isUtf8 } from "node:buffer";
import type { BytesOut } from "./bytes-out.js";
import { DecodeError } from "./decode-error.js";

export const QUOTE = 0x22;
const MINUS = 0x2d;
const OPEN_OBJECT = 0x7b;
export const CLOSE_OBJECT = 0x7d;
export const OPEN_LIST = 0x5b;
export const CLOSE_LIST = 0x5d;
export const COMMA = 0x2c;
export const COLON = 0x3a;

export const NULL: Buffer = Buffer.from("null");
export const TRUE: Buffer = Buffer.from("true");
export const FALSE: Buffer = Buffer.from("false");

/** Up to this many bytes a loop is faster than a call into native code. */
const SHORT_BYTES = 96;

const BACKSLASH = 0x5c;

const NAN = Buffer.from('"NaN"');
const INFINITY = Buffer.from('"Infinity"');
const MINUS_INFINITY = Buffer.from('"-Infinity"');

const BASE64 = Buffer.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
const HEX = Buffer.from("0123456789abcdef");

/** 0: unchanged in a JSON string; 1: not ASCII; otherwise escaped, by this letter or as \u00XX. */
const CHARS = new Uint8Array(256);
const NOT_ASCII = 1;
const ESCAPE_HEX = 0x75;
for (let c = 0; c < 256; c++) CHARS[c] = c < 0x20 ? ESCAPE_HEX : c < 0x80 ? 0 : NOT_ASCII;
for (const [char, letter] of ['""', "\\\\", "\bb", "\ff", "\nn", "\rr", "\tt"]) {
  CHARS[char?.charCodeAt(0) ?? 0] = letter?.charCodeAt(0) ?? 0;
}

/** Shorter strings go byte by byte. */
const MIN_WORDS_BYTES = 8;

/** Whether one of a word's four bytes is below 0x20, a quote, a backslash, or beyond ASCII. */
function isHardWord(word: number): boolean {
  const quotes = (word ^ 0x22222222) - 0x01010101;
  const backslashes = (word ^ 0x5c5c5c5c) - 0x01010101;
  return ((word | (word - 0x20202020) | quotes | backslashes) & 0x80808080) !== 0;
}

export const NO_WORDS: DataView = viewOf(new Uint8Array());

/** buf[start..end) as a JSON string; `words`: the bytes of `buf`, or undefined: then byte by byte. */
export function printString(
  buf: Uint8Array,
  words: DataView,
  start: number,
  end: number,
  strict: boolean,
  out: BytesOut,
): void {
  out.ensure(end - start + 2);
  const to = out.buf;
  let { pos } = out;
  to[pos++] = QUOTE;
  let i = start;
  if (end - start >= MIN_WORDS_BYTES && end <= words.byteLength) {
    const toWords = out.words;
    const last = end - 4;
    for (; i < last; i += 4) {
      const word = words.getInt32(i);
      if (isHardWord(word)) break;
      toWords.setInt32(pos, word);
      pos += 4;
    }
    if (i >= last) {
      // The last four bytes, of which some are there already.
      const word = words.getInt32(last);
      if (!isHardWord(word)) {
        pos += last - i;
        toWords.setInt32(pos, word);
        to[pos + 4] = QUOTE;
        out.pos = pos + 5;
        return;
      }
    }
  }
  for (; i < end; i++) {
    const c = buf[i] ?? 0;
    if (CHARS[c] !== 0) {
      out.pos = pos;
      printHardString(buf, start, i, end, strict, out);
      return;
    }
    to[pos++] = c;
  }
  to[pos++] = QUOTE;
  out.pos = pos;
}

/** A string with escapes or characters beyond ASCII, the first of them at `at`; the part before it is printed. */
function printHardString(
  buf: Uint8Array,
  start: number,
  at: number,
  end: number,
  strict: boolean,
  out: BytesOut,
): void {
  const rest = buf.subarray(at, end);
  if (!isUtf8(rest)) {
    if (strict) throw new DecodeError("a string is not UTF-8");
    // Like every reader of the language if the schema requires no check: U+FFFD.
    const mended = Buffer.from(Buffer.from(buf.subarray(start, end)).toString("utf8"));
    out.pos -= at - start + 1;
    printString(mended, NO_WORDS, 0, mended.length, true, out);
    return;
  }
  for (let i = at; i < end; i++) {
    const c = buf[i] ?? 0;
    const letter = CHARS[c] ?? 0;
    // Room for this one, the unescaped rest, and the quote.
    out.ensure(end - i + 6);
    if (letter <= NOT_ASCII) {
      out.buf[out.pos++] = c;
      continue;
    }
    out.buf[out.pos++] = BACKSLASH;
    out.buf[out.pos++] = letter;
    if (letter !== ESCAPE_HEX) continue;
    out.buf[out.pos++] = 0x30;
    out.buf[out.pos++] = 0x30;
    out.buf[out.pos++] = HEX[c >> 4] ?? 0;
    out.buf[out.pos++] = HEX[c & 15] ?? 0;
  }
  out.byte(QUOTE);
}

export function printBase64(buf: Uint8Array, start: number, end: number, out: BytesOut): void {
  const length = end - start;
  out.ensure(Math.ceil(length / 3) * 4 + 2);
  out.buf[out.pos++] = QUOTE;
  if (length > SHORT_BYTES) {
    const text = Buffer.from(buf.buffer, buf.byteOffset + start, length).toString("base64");
    out.pos += out.buf.write(text, out.pos, "latin1");
  } else {
    const to = out.buf;
    let { pos } = out;
    let i = start;
    for (; i + 2 < end; i += 3) {
      const bits = ((buf[i] ?? 0) << 16) | ((buf[i + 1] ?? 0) << 8) | (buf[i + 2] ?? 0);
      to[pos++] = BASE64[bits >> 18] ?? 0;
      to[pos++] = BASE64[(bits >> 12) & 63] ?? 0;
      to[pos++] = BASE64[(bits >> 6) & 63] ?? 0;
      to[pos++] = BASE64[bits & 63] ?? 0;
    }
    if (i < end) {
      const two = i + 1 < end;
      const bits = ((buf[i] ?? 0) << 16) | (two ? (buf[i + 1] ?? 0) << 8 : 0);
      to[pos++] = BASE64[bits >> 18] ?? 0;
      to[pos++] = BASE64[(bits >> 12) & 63] ?? 0;
      to[pos++] = two ? (BASE64[(bits >> 6) & 63] ?? 0) : 0x3d;
      to[pos++] = 0x3d;
    }
    out.pos = pos;
  }
  out.buf[out.pos++] = QUOTE;
}

/** Fractions of up to this many digits are printed without a string. */
const FEW_DIGITS = 6;
/** Below this such a number has at most 15 digits: then no two decimals are the same double (IEEE 754). */
const MAX_SHORT = 1e9;

export function printDouble(value: number, out: BytesOut): void {
  const size = Math.abs(value);
  if (!(size < MAX_SHORT) || size === 0) printLongDouble(value, out);
  else if ((value | 0) === value) out.integer(value);
  else if (!printedShort(value, size, out)) printLongDouble(value, out);
}

/** Whether it was a decimal with few digits behind the dot: the fewest that divide to the same double. */
function printedShort(value: number, size: number, out: BytesOut): boolean {
  let scale = 10;
  for (let digits = 1; digits <= FEW_DIGITS; digits++) {
    const scaled = Math.round(size * scale);
    if (scaled / scale === size) {
      if (value < 0) out.byte(MINUS);
      out.decimal(scaled, scale, digits);
      return true;
    }
    scale *= 10;
  }
  return false;
}

function printLongDouble(value: number, out: BytesOut): void {
  if (printSpecial(value, out)) return;
  if (Number.isSafeInteger(value)) out.integer(value);
  else out.text(String(value));
}

/** The shortest decimal that reads as the same float: 0.1, not 0.10000000149011612. */
export function printFloat(value: number, out: BytesOut): void {
  if (printSpecial(value, out)) return;
  if (Number.isInteger(value) && Math.abs(value) <= 2 ** 24) out.integer(value);
  else out.text(String(shortestFloat(value)));
}

/** For a float: 0.1, while the nearest double is 0.10000000149011612. */
export function shortestFloat(float: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(float.toPrecision(digits));
    if (Math.fround(short) === float) return short;
  }
  // Nine always suffice (IEEE 754).
  return Number(float.toPrecision(9));
}

/** Special numbers: NaN, the infinities, and -0, which keeps its sign. */
function printSpecial(value: number, out: BytesOut): boolean {
  if (Number.isFinite(value)) {
    if (!Object.is(value, -0)) return false;
    out.text("-0");
  } else out.raw(Number.isNaN(value) ? NAN : value > 0 ? INFINITY : MINUS_INFINITY);
  return true;
}

/** The same bytes, as a view for reading several at once. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

export function printInt64(low: number, high: number, quoted: boolean, out: BytesOut): void {
  if (quoted) out.byte(QUOTE);
  if (high >= 0) out.uint64(low, high);
  else {
    out.byte(MINUS);
    out.uint64(-low, low === 0 ? -high : ~high);
  }
  if (quoted) out.byte(QUOTE);
}

export function printUint64(low: number, high: number, quoted: boolean, out: BytesOut): void {
  if (quoted) out.byte(QUOTE);
  out.uint64(low, high);
  if (quoted) out.byte(QUOTE);
}

/** The comma before the first field becomes the brace. */
export function closeObject(out: BytesOut, open: number): void {
  if (out.pos === open) out.byte(OPEN_OBJECT);
  else out.buf[open] = OPEN_OBJECT;
  out.byte(CLOSE_OBJECT);
}

/** Whether the output from `start` on equals this. */
export function isPrinted(out: BytesOut, start: number, text: Uint8Array): boolean {
  if (out.pos - start !== text.length) return false;
  const { buf } = out;
  for (let i = 0; i < text.length; i++) if (buf[start + i] !== text[i]) return false;
  return true;
}
