// Protobuf bytes → JSON text in one pass, for nearly all responses: each field once, in the order of their numbers,
// which is the order of printing. It gives up on everything else, and any-order.ts prints it again.
import type { AnyOrderPrinter } from "./any-order.js";
import type { BytesOut } from "./bytes-out.js";
import { MapKeys } from "./map-keys.js";
import { type FieldPlan, Form, Kind, type MessagePlan, type Plans, Shape, Wire } from "./plan.js";
import {
  CLOSE_LIST,
  COLON,
  COMMA,
  closeObject,
  FALSE,
  isPrinted,
  NO_WORDS,
  NULL,
  OPEN_LIST,
  printBase64,
  printDouble,
  printFloat,
  printInt64,
  printString,
  printUint64,
  QUOTE,
  TRUE,
  viewOf,
} from "./print.js";
import { writeDuration, writeTimestamp } from "./times.js";
import { MAX_DEPTH, MAX_VARINT_BYTES, TWO_32 } from "./wire.js";

/** Thrown if the bytes are not in the usual order: messages of the type seldom are, then. */
export const OUT_OF_ORDER = new Error("fields out of order");
/** Thrown for an error or a rare case: the other printer finds out which, and whether it counts. */
export const UNUSUAL = new Error("something unusual");

/** From this size on a view for reading several bytes at once pays off: it costs as much as printing some 100 bytes. */
const MIN_VIEW_BYTES = 256;

/**
 * Positions in the bytes are passed and returned, not stored: so they stay in registers. Bytes beyond the end read as
 * 0, and a value that ends beyond its message is detected after it.
 */
export class InOrderPrinter {
  private readonly out: BytesOut;
  private readonly anyOrder: AnyOrderPrinter;
  private readonly emitDefaults: boolean;
  private readonly quoteInt64: boolean;
  private buf: Uint8Array = NO_BYTES;
  /** The same bytes, as a view for reading several at once; undefined if that does not pay off. */
  private words: DataView = NO_WORDS;
  private readonly keys = new MapKeys();
  /** The last varint, in two halves of 32 bits, signed. */
  private low = 0;
  private high = 0;

  /** `anyOrder` prints nested messages with their own format, or that need more than one pass. */
  constructor(plans: Plans, out: BytesOut, anyOrder: AnyOrderPrinter) {
    this.out = out;
    this.anyOrder = anyOrder;
    this.emitDefaults = plans.print.emitDefaults === true;
    this.quoteInt64 = plans.print.int64AsNumbers !== true;
  }

  /** Throws OUT_OF_ORDER, UNUSUAL or a DecodeError. */
  print(plan: MessagePlan, bytes: Uint8Array): void {
    this.start(bytes);
    this.message(plan, 0, bytes.length, 1);
  }

  /** The value of one field; nothing if it is not set. Throws like `print`. */
  printField(field: FieldPlan, bytes: Uint8Array): void {
    // Another member of its oneof may follow it.
    if (field.oneof >= 0) throw UNUSUAL;
    this.start(bytes);
    const end = bytes.length;
    let pos = 0;
    while (pos < end) {
      const at = pos;
      pos = this.tag(pos);
      const tag = this.low;
      if (tag >>> 3 !== field.number) pos = this.skip(tag, pos);
      else if (this.out.pos > 0) throw OUT_OF_ORDER;
      else if (!field.takesTag(tag)) throw UNUSUAL;
      else pos = field.shape === Shape.SINGULAR ? this.value(field, pos, 0) : this.several(field, at, end, 0);
      if (pos > end) throw UNUSUAL;
    }
  }

  /** Releases the bytes. */
  forget(): void {
    this.buf = NO_BYTES;
    this.words = NO_WORDS;
  }

  private start(bytes: Uint8Array): void {
    this.buf = bytes;
    this.words = bytes.length < MIN_VIEW_BYTES ? NO_WORDS : viewOf(bytes);
    this.keys.clear();
    this.out.pos = 0;
  }

  /** The message in start..end. */
  private message(plan: MessagePlan, start: number, end: number, depth: number): void {
    if (depth > MAX_DEPTH) throw UNUSUAL;
    if (plan.form === Form.FIELDS && plan.tellsByOrder) {
      const { out } = this;
      const open = out.pos;
      this.fields(plan, start, end, depth);
      closeObject(out, open);
    } else if (plan.form === Form.TIMESTAMP || plan.form === Form.DURATION) {
      this.time(plan.form, start, end);
    } else this.anyOrder.printPart(plan, this.buf, this.words, start, end, depth);
  }

  /** All fields, a comma before each. */
  private fields(plan: MessagePlan, start: number, end: number, depth: number): void {
    const { out, buf } = this;
    let next = 0;
    let oneofs = 0;
    let pos = start;
    while (pos < end) {
      const at = pos;
      let tag = buf[pos++] ?? 0;
      let field: FieldPlan | undefined;
      if (tag < 0x80) field = plan.byTag[tag];
      else {
        pos = this.tag(at);
        tag = this.low;
        field = plan.byNumber(tag >>> 3);
        if (field?.takesTag(tag) === false) field = undefined;
      }
      if (field === undefined) {
        if (plan.extensible) throw OUT_OF_ORDER;
        pos = this.skip(tag, pos);
        if (pos > end) throw UNUSUAL;
        continue;
      }
      const { index } = field;
      if (index < next) throw OUT_OF_ORDER;
      if (this.emitDefaults) this.defaults(plan, next, index);
      next = index + 1;
      if (field.oneof >= 0) {
        const flag = 1 << field.oneof;
        if ((oneofs & flag) !== 0) throw OUT_OF_ORDER;
        oneofs |= flag;
      }
      const before = out.pos;
      out.padded(field.nameWords, field.nameBytes);
      const from = out.pos;
      pos =
        field.shape === Shape.SINGULAR ? this.value(field, pos, depth) : this.several(field, at, end, depth);
      if (pos > end) throw UNUSUAL;
      if (out.pos === from || (field.implicit && isPrinted(out, from, field.printedDefault))) {
        out.pos = before;
        if (this.emitDefaults) this.defaults(plan, index, next);
      }
    }
    if (this.emitDefaults) this.defaults(plan, next, plan.fields.length);
  }

  /** Of fields from..to, which have nothing. */
  private defaults(plan: MessagePlan, from: number, to: number): void {
    const { out } = this;
    for (let i = from; i < to; i++) {
      const field = plan.fields[i];
      if (field === undefined || field.printedDefault.length === 0) continue;
      out.padded(field.nameWords, field.nameBytes);
      out.raw(field.printedDefault);
    }
  }

  /** The adjacent records of a list or a map from `at` on: returns their end. */
  private several(field: FieldPlan, at: number, end: number, depth: number): number {
    return field.shape === Shape.LIST ? this.list(field, at, end, depth) : this.map(field, at, end, depth);
  }

  private list(field: FieldPlan, at: number, end: number, depth: number): number {
    const { out } = this;
    const open = out.pos;
    let pos = at;
    while (pos < end) {
      const before = pos;
      pos = this.tag(pos);
      const tag = this.low;
      if (tag === field.tag) {
        out.byte(COMMA);
        pos = this.value(field, pos, depth);
      } else if (tag >>> 3 !== field.number) {
        pos = before;
        break;
      } else if (field.takesTag(tag)) {
        pos = this.length(pos);
        const packedEnd = pos + this.low;
        while (pos < packedEnd) {
          out.byte(COMMA);
          pos = this.value(field, pos, depth);
        }
        if (pos !== packedEnd) throw UNUSUAL;
      } else throw UNUSUAL;
      if (pos > end) throw UNUSUAL;
    }
    if (out.pos > open) {
      out.buf[open] = OPEN_LIST;
      out.byte(CLOSE_LIST);
    }
    return pos;
  }

  private map(field: FieldPlan, at: number, end: number, depth: number): number {
    const { out, keys } = this;
    const open = out.pos;
    const map = keys.begin();
    let pos = at;
    while (pos < end) {
      const before = pos;
      pos = this.tag(pos);
      if (this.low !== field.tag) {
        pos = before;
        break;
      }
      pos = this.length(pos);
      const entryEnd = pos + this.low;
      out.byte(COMMA);
      const from = out.pos;
      pos = this.key(field.key, pos, entryEnd);
      // The last entry of a key counts.
      if (!keys.add(map, out, from, out.pos)) throw UNUSUAL;
      out.byte(COLON);
      this.entryValue(field.value, pos, entryEnd, depth);
      pos = entryEnd;
    }
    keys.end(map);
    closeObject(out, open);
    return pos;
  }

  /** The key of an entry, which comes first; a missing key is zero. */
  private key(key: FieldPlan, pos: number, end: number): number {
    const { out } = this;
    const comes = pos < end && this.buf[pos] === key.tag;
    if (key.kind === Kind.STRING) {
      if (comes) return this.value(key, pos + 1, 0);
      out.raw(NO_TEXT);
      return pos;
    }
    const open = out.pos;
    out.byte(QUOTE);
    let after = pos;
    if (comes) after = this.value(key, pos + 1, 0);
    else out.raw(key.kind === Kind.BOOL ? FALSE : ZERO);
    // 64-bit integers bring their own quotes.
    if (out.buf[open + 1] === QUOTE) {
      out.buf.copyWithin(open, open + 1, out.pos);
      out.pos--;
    } else out.byte(QUOTE);
    return after;
  }

  /** The value of an entry, which is all the rest of it; left out it is zero. */
  private entryValue(value: FieldPlan, pos: number, end: number, depth: number): void {
    if (pos < end) {
      if (this.buf[pos] !== value.tag || this.value(value, pos + 1, depth) !== end) throw UNUSUAL;
    } else if (pos > end) throw UNUSUAL;
    else if (value.kind === Kind.MESSAGE) this.message(value.message, end, end, depth + 1);
    else this.out.raw(Buffer.from(value.zeroText()));
  }

  /** One value or element, after its tag: returns its end. */
  private value(field: FieldPlan, pos: number, depth: number): number {
    const { out } = this;
    switch (field.kind) {
      case Kind.STRING: {
        const start = this.length(pos);
        const end = start + this.low;
        printString(this.buf, this.words, start, end, field.strictUtf8, out);
        return end;
      }
      case Kind.MESSAGE: {
        if (field.delimited) throw OUT_OF_ORDER;
        const start = this.length(pos);
        const end = start + this.low;
        this.message(field.message, start, end, depth + 1);
        return end;
      }
      case Kind.BYTES: {
        const start = this.length(pos);
        const end = start + this.low;
        printBase64(this.buf, start, end, out);
        return end;
      }
      case Kind.ENUM:
        pos = this.varint(pos);
        this.enum(field, this.low);
        return pos;
      case Kind.BOOL:
        pos = this.varint(pos);
        out.raw((this.low | this.high) === 0 ? FALSE : TRUE);
        return pos;
      case Kind.INT32:
        pos = this.varint(pos);
        out.integer(this.low);
        return pos;
      case Kind.UINT32:
        pos = this.varint(pos);
        out.integer(this.low >>> 0);
        return pos;
      case Kind.SINT32:
        pos = this.varint(pos);
        out.integer((this.low >>> 1) ^ -(this.low & 1));
        return pos;
      case Kind.INT64:
        pos = this.varint(pos);
        printInt64(this.low, this.high, this.quoteInt64, out);
        return pos;
      case Kind.UINT64:
        pos = this.varint(pos);
        printUint64(this.low, this.high, this.quoteInt64, out);
        return pos;
      case Kind.SINT64: {
        pos = this.varint(pos);
        const { low, high } = this;
        const sign = -(low & 1);
        printInt64(((low >>> 1) | (high << 31)) ^ sign, (high >>> 1) ^ sign, this.quoteInt64, out);
        return pos;
      }
      default:
        return this.fixed(field.kind, pos);
    }
  }

  /** Numbers of a fixed size. */
  private fixed(kind: number, pos: number): number {
    const { out } = this;
    const short = kind === Kind.FIXED32 || kind === Kind.SFIXED32 || kind === Kind.FLOAT;
    const end = pos + (short ? 4 : 8);
    if (end > this.buf.length) throw UNUSUAL;
    if (this.words.byteLength === 0) this.words = viewOf(this.buf);
    const { words } = this;
    if (kind === Kind.DOUBLE) printDouble(words.getFloat64(pos, true), out);
    else if (kind === Kind.FLOAT) printFloat(words.getFloat32(pos, true), out);
    else if (kind === Kind.FIXED32) out.integer(words.getUint32(pos, true));
    else if (kind === Kind.SFIXED32) out.integer(words.getInt32(pos, true));
    else {
      const print = kind === Kind.FIXED64 ? printUint64 : printInt64;
      print(words.getInt32(pos, true), words.getInt32(pos + 4, true), this.quoteInt64, out);
    }
    return end;
  }

  /** A value that a closed enum does not have prints nothing, but in a list. */
  private enum(field: FieldPlan, number: number): void {
    const { out } = this;
    const plan = field.enum;
    const printed = plan?.printed(number);
    if (printed !== undefined) out.raw(printed);
    else if (plan?.open === false && field.shape === Shape.SINGULAR) throw UNUSUAL;
    // NullValue has only one JSON, whatever the number.
    else if (plan?.isNull === true) out.raw(NULL);
    else out.integer(number);
  }

  /** Seconds and nanos. */
  private time(form: number, start: number, end: number): void {
    const { buf } = this;
    let seconds = 0;
    let nanos = 0;
    let pos = start;
    while (pos < end) {
      const tag = buf[pos];
      pos = this.varint(pos + 1);
      if (tag === 0x08) seconds = this.high * TWO_32 + (this.low >>> 0);
      else if (tag === 0x10) nanos = this.low;
      else throw UNUSUAL;
    }
    if (pos > end) throw UNUSUAL;
    const problem =
      form === Form.TIMESTAMP
        ? writeTimestamp(seconds, nanos, this.out)
        : writeDuration(seconds, nanos, this.out);
    if (problem !== undefined) throw UNUSUAL;
  }

  /** Reads a tag into `low`: returns its end. */
  private tag(pos: number): number {
    const byte = this.buf[pos] ?? 0;
    if (byte < 0x80) {
      this.low = byte;
      return pos + 1;
    }
    const end = this.varint(pos);
    if (this.high !== 0 || end - pos > 5) throw UNUSUAL;
    return end;
  }

  /** Reads a length prefix into `low`: returns where its content begins. The content ends within the bytes. */
  private length(pos: number): number {
    const start = this.varint(pos);
    if (this.high !== 0 || this.low < 0 || this.low > this.buf.length - start) throw UNUSUAL;
    return start;
  }

  private varint(pos: number): number {
    const byte = this.buf[pos];
    if (byte === undefined) throw UNUSUAL;
    if (byte > 0x7f) return this.longVarint(pos);
    this.low = byte;
    this.high = 0;
    return pos + 1;
  }

  private longVarint(start: number): number {
    const { buf } = this;
    let pos = start;
    let low = 0;
    let high = 0;
    let shift = 0;
    let byte: number | undefined;
    do {
      byte = buf[pos++];
      if (byte === undefined || pos - start > MAX_VARINT_BYTES) throw UNUSUAL;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >> 4;
      } else high |= bits << (shift - 32);
      shift += 7;
    } while (byte > 0x7f);
    this.low = low;
    this.high = high;
    return pos;
  }

  /** Skips the value of an unknown field: returns its end. */
  private skip(tag: number, pos: number): number {
    if (tag >>> 3 === 0) throw UNUSUAL;
    switch (tag & 7) {
      case Wire.VARINT:
        return this.varint(pos);
      case Wire.FIXED64:
        return pos + 8;
      case Wire.FIXED32:
        return pos + 4;
      case Wire.LENGTH: {
        const start = this.length(pos);
        return start + this.low;
      }
      default:
        throw UNUSUAL;
    }
  }
}

const NO_BYTES = Buffer.alloc(0);
const NO_TEXT = Buffer.from('""');
const ZERO = Buffer.from("0");
