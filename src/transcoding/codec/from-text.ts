// JSON text in UTF-8 → protobuf bytes in one pass, without a tree, or a string for any name or value. It handles common
// and certainly valid input, and gives up on everything else (an unusual number, an unknown name, an Any, any error):
// the exact parser and from-tree.ts then read the text again, and report errors.
import { MAX_JSON_DEPTH } from "../messages/json.js";
import type { BytesOut } from "./bytes-out.js";
import {
  isBase64,
  isZero,
  MAX_FLOAT,
  sizeOfTag,
  VALUE_BOOL,
  VALUE_LIST,
  VALUE_NULL,
  VALUE_NUMBER,
  VALUE_STRING,
  VALUE_STRUCT,
  writeBase64,
  writeTime,
} from "./from-tree.js";
import {
  type EnumPlan,
  type FieldPlan,
  Form,
  Kind,
  type MessagePlan,
  nextHash,
  Shape,
  Wire,
} from "./plan.js";
import { readDuration, readTimestamp, type Time } from "./times.js";

/** Thrown, never leaves this file. One object: no stack is taken. */
const GIVE_UP = new Error("give up");

/** An integer with this many digits is exact in a double, and so is the sum that parses it. */
const MAX_EXACT_DIGITS = 15;
/** uint64 has no more. */
const MAX_DIGITS = 20;
const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;
const MAX_UINT64 = 2n ** 64n - 1n;
const TWO_32 = 2 ** 32;
/** Up to this many keys are compared with each other; more are kept in a Set. */
const FEW_KEYS = 8;
/** 10^k, all exact: a mantissa of 15 digits divided by one is rounded once, as it must be (Clinger 1990). */
const POWERS = Array.from({ length: 16 }, (_, k) => 10 ** k);

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

const TRUE = Buffer.from("true");
const FALSE = Buffer.from("false");
const NULL = Buffer.from("null");
/** The character of an escape's letter; 0: none. */
const ESCAPES = new Uint8Array(256);
for (const [letter, char] of ['""', "\\\\", "//", "b\b", "f\f", "n\n", "r\r", "t\t"]) {
  ESCAPES[letter?.charCodeAt(0) ?? 0] = char?.charCodeAt(0) ?? 0;
}

/** State of a field while its object is parsed. */
const Seen = { NO: 0, NULL: 1, YES: 2 } as const;

export class TextToBytes {
  readonly #out: BytesOut;
  #text: Buffer = Buffer.alloc(0);
  #pos = 0;
  #depth = 0;
  /** A stack: for each object around, a byte for each of its fields and oneofs. */
  #seen = new Uint8Array(1024);
  #top = 0;
  /** Start and end of the last string, without its quotes. */
  #start = 0;
  #end = 0;
  #low = 0;
  #high = 0;
  readonly #time: Time = { seconds: 0, nanos: 0 };

  constructor(out: BytesOut) {
    this.#out = out;
  }

  /** `text` is UTF-8. Undefined: it gave up. */
  encode(plan: MessagePlan, text: Uint8Array): Buffer | undefined {
    this.#text = Buffer.isBuffer(text) ? text : Buffer.from(text.buffer, text.byteOffset, text.byteLength);
    this.#pos = 0;
    this.#depth = 0;
    this.#top = 0;
    this.#out.pos = 0;
    try {
      this.#next();
      this.#message(plan);
      this.#next();
      if (this.#pos !== text.length) throw GIVE_UP;
      return this.#out.take();
    } catch (e) {
      this.#out.reset();
      if (e !== GIVE_UP) throw e;
      return undefined;
    } finally {
      this.#text = NULL;
    }
  }

  /** The first character that is no space; 0 at the end. It stays to be read. */
  #next(): number {
    for (;;) {
      const c = this.#text[this.#pos] ?? 0;
      if (c > 0x20 || (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09)) return c;
      this.#pos++;
    }
  }

  #expect(char: number): void {
    if (this.#next() !== char) throw GIVE_UP;
    this.#pos++;
  }

  #word(word: Uint8Array): void {
    for (let i = 0; i < word.length; i++) if (this.#text[this.#pos + i] !== word[i]) throw GIVE_UP;
    this.#pos += word.length;
  }

  #deeper(): void {
    if (++this.#depth > MAX_JSON_DEPTH) throw GIVE_UP;
  }

  #message(plan: MessagePlan): void {
    switch (plan.form) {
      case Form.FIELDS:
        this.#object(plan);
        break;
      case Form.TIMESTAMP:
        this.#plainString();
        if (!readTimestamp(this.#text, this.#start, this.#end, this.#time)) throw GIVE_UP;
        writeTime(this.#time, this.#out);
        break;
      case Form.DURATION:
        this.#plainString();
        if (!readDuration(this.#text, this.#start, this.#end, this.#time)) throw GIVE_UP;
        writeTime(this.#time, this.#out);
        break;
      case Form.WRAPPER: {
        const value = plan.fields[0];
        if (value === undefined) throw GIVE_UP;
        this.#singular(value);
        break;
      }
      case Form.STRUCT:
        this.#struct();
        break;
      case Form.LIST_VALUE:
        this.#listValue();
        break;
      case Form.VALUE:
        this.#value();
        break;
      default:
        throw GIVE_UP;
    }
  }

  #object(plan: MessagePlan): void {
    this.#expect(OPEN_OBJECT);
    this.#deeper();
    const fields = plan.fields.length;
    const base = this.#enter(fields + plan.oneofCount);
    if (this.#next() === CLOSE_OBJECT) this.#pos++;
    else {
      for (;;) {
        const field = this.#name(plan);
        const place = base + field.index;
        if (this.#seen[place] !== Seen.NO) throw GIVE_UP;
        if (this.#next() === 0x6e && field.nullUnsets) {
          this.#word(NULL);
          this.#seen[place] = Seen.NULL;
        } else {
          this.#seen[place] = Seen.YES;
          if (field.oneof >= 0) {
            const oneof = base + fields + field.oneof;
            if (this.#seen[oneof] !== Seen.NO) throw GIVE_UP;
            this.#seen[oneof] = Seen.YES;
          }
          if (field.shape === Shape.SINGULAR) this.#singular(field);
          else if (field.shape === Shape.LIST) this.#list(field);
          else this.#map(field);
        }
        if (!this.#more(CLOSE_OBJECT)) break;
      }
    }
    for (let i = 0; i < plan.required.length; i++) {
      if (this.#seen[base + (plan.required[i]?.index ?? 0)] !== Seen.YES) throw GIVE_UP;
    }
    this.#top = base;
    this.#depth--;
  }

  #enter(bytes: number): number {
    const base = this.#top;
    const top = base + bytes;
    if (top > this.#seen.length) {
      const seen = new Uint8Array(Math.max(2 * this.#seen.length, top));
      seen.set(this.#seen);
      this.#seen = seen;
    }
    const seen = this.#seen;
    for (let i = base; i < top; i++) seen[i] = Seen.NO;
    this.#top = top;
    return base;
  }

  /** After a member or an element: a comma, or the end. */
  #more(close: number): boolean {
    const c = this.#next();
    this.#pos++;
    if (c === COMMA) return true;
    if (c !== close) throw GIVE_UP;
    return false;
  }

  /** A member's name, and the colon. */
  #name(plan: MessagePlan): FieldPlan {
    this.#expect(QUOTE);
    const text = this.#text;
    const start = this.#pos;
    let hash = 0;
    let i = start;
    for (;;) {
      const c = text[i] ?? 0;
      if (c === QUOTE) break;
      if (c < 0x20 || c === BACKSLASH) throw GIVE_UP;
      hash = nextHash(hash, c);
      i++;
    }
    const field = plan.names.find(text, start, i, hash);
    if (field === undefined) throw GIVE_UP;
    this.#pos = i + 1;
    this.#expect(COLON);
    return field;
  }

  #singular(field: FieldPlan): void {
    const out = this.#out;
    const start = out.pos;
    this.#element(field);
    if (field.implicit && isZero(out.buf, start + sizeOfTag(field), out.pos)) out.pos = start;
  }

  #list(field: FieldPlan): void {
    this.#expect(OPEN_LIST);
    this.#deeper();
    if (this.#next() === CLOSE_LIST) this.#pos++;
    else {
      const out = this.#out;
      let start = 0;
      if (field.packed) {
        out.varint32((field.number << 3) | Wire.LENGTH);
        start = out.begin(field.lengthSize);
      }
      do this.#element(field);
      while (this.#more(CLOSE_LIST));
      if (field.packed) field.lengthSize = out.end(start, field.lengthSize);
    }
    this.#depth--;
  }

  #map(field: FieldPlan): void {
    this.#expect(OPEN_OBJECT);
    this.#deeper();
    if (this.#next() === CLOSE_OBJECT) this.#pos++;
    else {
      const out = this.#out;
      const keys = new Keys();
      do {
        out.varint32(field.tag);
        const size = field.lengthSize;
        const start = out.begin(size);
        this.#key(field.key, keys);
        this.#expect(COLON);
        this.#element(field.value);
        field.lengthSize = out.end(start, size);
      } while (this.#more(CLOSE_OBJECT));
    }
    this.#depth--;
  }

  #key(key: FieldPlan, keys: Keys): void {
    const out = this.#out;
    this.#plainString();
    if (!keys.add(this.#text, this.#start, this.#end)) throw GIVE_UP;
    if (key.kind === Kind.STRING) {
      out.varint32(key.tag);
      this.#copyString();
      return;
    }
    const after = this.#pos;
    this.#pos = this.#start;
    if (key.kind === Kind.BOOL) this.#element(key);
    // One spelling per key.
    else if (this.#text[this.#start] === MINUS && this.#text[this.#start + 1] === ZERO) throw GIVE_UP;
    else this.#element(key);
    if (this.#pos !== this.#end) throw GIVE_UP;
    this.#pos = after;
  }

  /** One value with its tag, unless it is in a packed list. */
  #element(field: FieldPlan): void {
    const out = this.#out;
    if (!field.packed) out.varint32(field.tag);
    switch (field.kind) {
      case Kind.MESSAGE: {
        if (field.delimited) {
          this.#message(field.message);
          out.varint32((field.number << 3) | Wire.END_GROUP);
          break;
        }
        const size = field.lengthSize;
        const start = out.begin(size);
        this.#message(field.message);
        field.lengthSize = out.end(start, size);
        break;
      }
      case Kind.STRING:
        this.#string();
        break;
      case Kind.BOOL: {
        const isTrue = this.#next() === 0x74;
        this.#word(isTrue ? TRUE : FALSE);
        out.byte(isTrue ? 1 : 0);
        break;
      }
      case Kind.ENUM:
        out.int32(this.#enum(field.enum));
        break;
      case Kind.BYTES: {
        this.#plainString();
        const text = this.#text.toString("latin1", this.#start, this.#end);
        if (!isBase64(text)) throw GIVE_UP;
        writeBase64(text, out);
        break;
      }
      case Kind.DOUBLE:
        out.double(this.#number());
        break;
      case Kind.FLOAT: {
        const value = this.#number();
        if (Math.abs(value) > MAX_FLOAT) throw GIVE_UP;
        out.float(value);
        break;
      }
      case Kind.INT32:
        out.int32(this.#int32());
        break;
      case Kind.SINT32: {
        const value = this.#int32();
        out.varint32((value << 1) ^ (value >> 31));
        break;
      }
      case Kind.SFIXED32:
        out.fixed32(this.#int32());
        break;
      case Kind.UINT32:
        out.varint32(this.#uint32());
        break;
      case Kind.FIXED32:
        out.fixed32(this.#uint32());
        break;
      case Kind.INT64:
        this.#integer(true);
        out.varint64(this.#low, this.#high);
        break;
      case Kind.SINT64: {
        this.#integer(true);
        const sign = this.#high >> 31;
        out.varint64((this.#low << 1) ^ sign, ((this.#high << 1) | (this.#low >>> 31)) ^ sign);
        break;
      }
      case Kind.UINT64:
        this.#integer(false);
        out.varint64(this.#low, this.#high);
        break;
      case Kind.SFIXED64:
      case Kind.FIXED64:
        this.#integer(field.kind === Kind.SFIXED64);
        out.fixed32(this.#low);
        out.fixed32(this.#high);
        break;
    }
  }

  #enum(plan: EnumPlan | undefined): number {
    if (plan === undefined) throw GIVE_UP;
    const c = this.#next();
    if (c === QUOTE) {
      this.#plainString();
      let hash = 0;
      for (let i = this.#start; i < this.#end; i++) hash = nextHash(hash, this.#text[i] ?? 0);
      const number = plan.names.find(this.#text, this.#start, this.#end, hash);
      if (number === undefined) throw GIVE_UP;
      return number;
    }
    if (c === 0x6e && plan.isNull) {
      this.#word(NULL);
      return 0;
    }
    this.#integer(true);
    if (this.#high !== this.#low >> 31 || (!plan.open && !plan.has(this.#low))) throw GIVE_UP;
    return this.#low;
  }

  #int32(): number {
    this.#integer(true);
    if (this.#high !== this.#low >> 31) throw GIVE_UP;
    return this.#low;
  }

  #uint32(): number {
    this.#integer(false);
    if (this.#high !== 0) throw GIVE_UP;
    return this.#low;
  }

  /** Digits, in quotes or without, into the two halves. */
  #integer(signed: boolean): void {
    const text = this.#text;
    const quoted = this.#next() === QUOTE;
    if (quoted) this.#pos++;
    const first = this.#pos;
    const negative = text[first] === MINUS;
    const start = negative ? first + 1 : first;
    let i = start;
    let value = 0;
    for (; ; i++) {
      const digit = (text[i] ?? 0) - ZERO;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    const digits = i - start;
    const after = text[i];
    if (digits === 0 || digits > MAX_DIGITS || (digits > 1 && text[start] === ZERO)) throw GIVE_UP;
    // 1.0 and 1e2.
    if (after === DOT || after === 0x65 || after === 0x45) throw GIVE_UP;
    if (quoted && after !== QUOTE) throw GIVE_UP;
    this.#pos = quoted ? i + 1 : i;
    if (digits <= MAX_EXACT_DIGITS) {
      if (negative) {
        if (!signed && value !== 0) throw GIVE_UP;
        value = -value;
      }
      this.#low = value | 0;
      // The floor is two's complement for negative ones.
      this.#high = Math.floor(value / TWO_32) | 0;
      return;
    }
    const big = BigInt(text.toString("latin1", first, i));
    if (big < (signed ? MIN_INT64 : 0n) || big > (signed ? MAX_INT64 : MAX_UINT64)) throw GIVE_UP;
    this.#low = Number(BigInt.asIntN(32, big));
    this.#high = Number(BigInt.asIntN(32, big >> 32n));
  }

  /** A number without quotes, as a double. */
  #number(): number {
    const text = this.#text;
    this.#next();
    const first = this.#pos;
    const negative = text[first] === MINUS;
    const start = negative ? first + 1 : first;
    let i = start;
    let mantissa = 0;
    for (; isDigit(text[i]); i++) mantissa = mantissa * 10 + ((text[i] ?? 0) - ZERO);
    const whole = i - start;
    if (whole === 0 || (whole > 1 && text[start] === ZERO)) throw GIVE_UP;
    let decimals = 0;
    if (text[i] === DOT) {
      const dot = i++;
      for (; isDigit(text[i]); i++) mantissa = mantissa * 10 + ((text[i] ?? 0) - ZERO);
      decimals = i - dot - 1;
      if (decimals === 0) throw GIVE_UP;
    }
    let exponent = false;
    if (text[i] === 0x65 || text[i] === 0x45) {
      exponent = true;
      i++;
      if (text[i] === MINUS || text[i] === 0x2b) i++;
      const from = i;
      while (isDigit(text[i])) i++;
      if (i === from) throw GIVE_UP;
    }
    this.#pos = i;
    if (!exponent && whole + decimals <= MAX_EXACT_DIGITS) {
      const value = mantissa / (POWERS[decimals] ?? 1);
      return negative ? -value : value;
    }
    const value = Number(text.toString("latin1", first, i));
    if (!Number.isFinite(value)) throw GIVE_UP;
    return value;
  }

  /** A string without escapes, its place in #start and #end. */
  #plainString(): void {
    this.#expect(QUOTE);
    const text = this.#text;
    let i = this.#pos;
    this.#start = i;
    for (;;) {
      const c = text[i] ?? 0;
      if (c === QUOTE) break;
      if (c < 0x20 || c === BACKSLASH) throw GIVE_UP;
      i++;
    }
    this.#end = i;
    this.#pos = i + 1;
  }

  #copyString(): void {
    this.#out.varint32(this.#end - this.#start);
    this.#out.copy(this.#text, this.#start, this.#end);
  }

  /** A string as a length and UTF-8. */
  #string(): void {
    this.#expect(QUOTE);
    const text = this.#text;
    let i = this.#pos;
    this.#start = i;
    for (;;) {
      const c = text[i] ?? 0;
      if (c === QUOTE) break;
      if (c === BACKSLASH) {
        this.#escapedString(i);
        return;
      }
      if (c < 0x20) throw GIVE_UP;
      i++;
    }
    this.#end = i;
    this.#pos = i + 1;
    this.#copyString();
  }

  /** The same with escapes, the first of them at `at`. */
  #escapedString(at: number): void {
    const out = this.#out;
    const text = this.#text;
    // Most such strings have few escapes, and are about as long as their source.
    const size = at - this.#start < 0x60 ? 1 : 2;
    const begun = out.begin(size);
    out.copy(text, this.#start, at);
    let i = at;
    for (;;) {
      const c = text[i] ?? 0;
      if (c === QUOTE) break;
      if (c < 0x20) throw GIVE_UP;
      out.ensure(4);
      if (c !== BACKSLASH) {
        out.buf[out.pos++] = c;
        i++;
        continue;
      }
      const letter = text[i + 1] ?? 0;
      if (letter !== 0x75) {
        const char = ESCAPES[letter] ?? 0;
        if (char === 0) throw GIVE_UP;
        out.buf[out.pos++] = char;
        i += 2;
        continue;
      }
      let code = hex4(text, i + 2);
      i += 6;
      if (code >= 0xd800 && code < 0xe000) {
        const low = text[i] === BACKSLASH && text[i + 1] === 0x75 ? hex4(text, i + 2) : 0;
        // Half of a pair is no character.
        if (code >= 0xdc00 || low < 0xdc00 || low > 0xdfff) throw GIVE_UP;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        i += 6;
      }
      writeCodePoint(code, out);
    }
    this.#pos = i + 1;
    out.end(begun, size);
  }

  #struct(): void {
    this.#expect(OPEN_OBJECT);
    this.#deeper();
    if (this.#next() === CLOSE_OBJECT) this.#pos++;
    else {
      const out = this.#out;
      const keys = new Keys();
      do {
        out.byte(0x0a);
        const entry = out.begin(1);
        this.#plainString();
        if (!keys.add(this.#text, this.#start, this.#end)) throw GIVE_UP;
        out.byte(0x0a);
        this.#copyString();
        this.#expect(COLON);
        out.byte(0x12);
        const value = out.begin(1);
        this.#value();
        out.end(value, 1);
        out.end(entry, 1);
      } while (this.#more(CLOSE_OBJECT));
    }
    this.#depth--;
  }

  #listValue(): void {
    this.#expect(OPEN_LIST);
    this.#deeper();
    if (this.#next() === CLOSE_LIST) this.#pos++;
    else {
      const out = this.#out;
      do {
        out.byte(0x0a);
        const value = out.begin(1);
        this.#value();
        out.end(value, 1);
      } while (this.#more(CLOSE_LIST));
    }
    this.#depth--;
  }

  #value(): void {
    const out = this.#out;
    switch (this.#next()) {
      case QUOTE:
        out.byte(VALUE_STRING);
        this.#string();
        break;
      case OPEN_OBJECT: {
        out.byte(VALUE_STRUCT);
        const start = out.begin(1);
        this.#struct();
        out.end(start, 1);
        break;
      }
      case OPEN_LIST: {
        out.byte(VALUE_LIST);
        const start = out.begin(1);
        this.#listValue();
        out.end(start, 1);
        break;
      }
      case 0x74:
        this.#word(TRUE);
        out.byte(VALUE_BOOL);
        out.byte(1);
        break;
      case 0x66:
        this.#word(FALSE);
        out.byte(VALUE_BOOL);
        out.byte(0);
        break;
      case 0x6e:
        this.#word(NULL);
        out.byte(VALUE_NULL);
        out.byte(0);
        break;
      default:
        out.byte(VALUE_NUMBER);
        out.double(this.#number());
    }
  }
}

/** The keys of one object, to detect duplicates. */
class Keys {
  readonly #places: number[] = [];
  #many: Set<string> | undefined;

  /** False: it is there already. */
  add(text: Buffer, start: number, end: number): boolean {
    const places = this.#places;
    if (places.length < 2 * FEW_KEYS) {
      for (let i = 0; i < places.length; i += 2) {
        const other = places[i] ?? 0;
        if ((places[i + 1] ?? 0) - other !== end - start) continue;
        let k = 0;
        while (start + k < end && text[other + k] === text[start + k]) k++;
        if (start + k === end) return false;
      }
      places.push(start, end);
      return true;
    }
    if (this.#many === undefined) {
      this.#many = new Set();
      for (let i = 0; i < places.length; i += 2)
        this.#many.add(text.toString("latin1", places[i], places[i + 1]));
    }
    const before = this.#many.size;
    return this.#many.add(text.toString("latin1", start, end)).size > before;
  }
}

function isDigit(c: number | undefined): boolean {
  return c !== undefined && c >= ZERO && c <= NINE;
}

function hex4(text: Uint8Array, start: number): number {
  let code = 0;
  for (let i = start; i < start + 4; i++) {
    const c = text[i] ?? 0;
    const letter = c | 0x20;
    let digit: number;
    if (isDigit(c)) digit = c - ZERO;
    else if (letter >= 0x61 && letter <= 0x66) digit = letter - 0x61 + 10;
    else throw GIVE_UP;
    code = code * 16 + digit;
  }
  return code;
}

function writeCodePoint(code: number, out: BytesOut): void {
  if (code < 0x80) {
    out.byte(code);
  } else if (code < 0x800) {
    out.byte(0xc0 | (code >> 6));
    out.byte(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    out.byte(0xe0 | (code >> 12));
    out.byte(0x80 | ((code >> 6) & 0x3f));
    out.byte(0x80 | (code & 0x3f));
  } else {
    out.byte(0xf0 | (code >> 18));
    out.byte(0x80 | ((code >> 12) & 0x3f));
    out.byte(0x80 | ((code >> 6) & 0x3f));
    out.byte(0x80 | (code & 0x3f));
  }
}
