// Protobuf bytes → JSON text, in any order of the fields: two passes over each message, first over its tags, to note
// where each field is, then over its fields. So order, repetition and merging on the wire need no special cases.
import { isUtf8 } from "node:buffer";
import { cut } from "../../kit/text/text.js";
import type { BytesOut } from "./bytes-out.js";
import { DecodeError } from "./decode-error.js";
import { printMaskPath } from "./field-mask.js";
import { MapKeys } from "./map-keys.js";
import { type FieldPlan, Form, Kind, type MessagePlan, type Plans, Shape, Wire } from "./plan.js";
import {
  CLOSE_LIST,
  CLOSE_OBJECT,
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
import { MAX_DEPTH, MAX_VARINT_BYTES, TWO_32, truncated } from "./wire.js";

const EMPTY = Buffer.alloc(0);
/** Steps of a budget: the cost of some operations beside the bytes that they read and print. */
const ANY_STEPS = 100;
const PATH_STEPS = 50;
const ENTRY_STEPS = 50;
const TYPE = Buffer.from('{"@type":');
const VALUE = Buffer.from(',"value":');

/** The records of an extension, by the positions of the first and the last; each plus one. */
interface ExtensionSpan {
  readonly field: FieldPlan;
  first: number;
  last: number;
}

export class AnyOrderPrinter {
  readonly #plans: Plans;
  readonly #out: BytesOut;
  readonly #emitDefaults: boolean;
  readonly #quoteInt64: boolean;
  #buf: Uint8Array = EMPTY;
  /** The same bytes, as a view for reading several at once. */
  #words: DataView = NO_WORDS;
  #pos = 0;
  #depth = 0;
  /** Maps around whose entries are being printed; see #careful. */
  #mapDepth = 0;
  /**
   * The value of an entry matters only if no later one has its key. Keys are compared as they are read; if a value
   * cannot be printed, everything is printed again, after finding out which entries count.
   */
  #careful = false;
  readonly #keys = new MapKeys();
  /**
   * A stack for the enclosing messages: two numbers for each field, the positions of its first and its last record,
   * plus one; then for each oneof the index of its set field, plus one.
   */
  #slots = new Int32Array(1024);
  #top = 0;
  /** The last varint, in two halves of 32 bits, signed. */
  #low = 0;
  #high = 0;
  /** Position of the tag that ended the last skipped group. */
  #groupEnd = 0;
  readonly #double = new Float64Array(1);
  readonly #doubleBytes = new Uint8Array(this.#double.buffer);
  readonly #float = new Float32Array(1);
  readonly #floatBytes = new Uint8Array(this.#float.buffer);

  constructor(plans: Plans, out: BytesOut) {
    this.#plans = plans;
    this.#out = out;
    this.#emitDefaults = plans.print.emitDefaults === true;
    this.#quoteInt64 = plans.print.int64AsNumbers !== true;
  }

  /** A message, or one field of it; nothing if that is not set. Throws DecodeError. */
  print(plan: MessagePlan, field: FieldPlan | undefined, bytes: Uint8Array): void {
    const words = viewOf(bytes);
    this.#out.pos = 0;
    try {
      this.#start(bytes, words);
      this.#whole(plan, field);
    } catch (e) {
      if (!(e instanceof DecodeError) || this.#mapDepth === 0) throw e;
      this.#out.pos = 0;
      this.#start(bytes, words);
      this.#careful = true;
      this.#whole(plan, field);
    } finally {
      this.#read(EMPTY, NO_WORDS);
    }
  }

  /**
   * A nested message in start..end, after earlier output; `depth`: counted from 1. Throws DecodeError, possibly for a
   * map entry that does not count.
   */
  printPart(
    plan: MessagePlan,
    bytes: Uint8Array,
    words: DataView,
    start: number,
    end: number,
    depth: number,
  ): void {
    this.#start(bytes, words);
    this.#depth = depth - 1;
    this.#message(plan, start, end);
    this.#read(EMPTY, NO_WORDS);
  }

  #whole(plan: MessagePlan, field: FieldPlan | undefined): void {
    const end = this.#buf.length;
    if (field === undefined) {
      this.#message(plan, 0, end);
      return;
    }
    const base = this.#enter(plan);
    this.#index(plan, 0, end, base);
    const first = this.#slots[base + 2 * field.index] ?? 0;
    if (first > 0) this.#contents(field, first - 1, (this.#slots[base + 2 * field.index + 1] ?? 0) - 1);
  }

  #read(bytes: Uint8Array, words: DataView): void {
    this.#buf = bytes;
    this.#words = words;
  }

  #start(bytes: Uint8Array, words: DataView): void {
    this.#read(bytes, words);
    this.#keys.clear();
    this.#depth = 0;
    this.#mapDepth = 0;
    this.#careful = false;
    this.#top = 0;
  }

  /** The message in start..end. */
  #message(plan: MessagePlan, start: number, end: number): void {
    if (++this.#depth > MAX_DEPTH) throw new DecodeError(`messages are nested more than ${MAX_DEPTH} deep`);
    const out = this.#out;
    switch (plan.form) {
      case Form.FIELDS: {
        const open = out.pos;
        this.#fields(plan, start, end);
        closeObject(out, open);
        break;
      }
      case Form.ANY:
        this.#any(start, end);
        break;
      case Form.TIMESTAMP:
      case Form.DURATION:
        this.#time(plan.form, start, end);
        break;
      case Form.FIELD_MASK:
        this.#fieldMask(plan, start, end);
        break;
      default:
        this.#dynamic(plan, start, end);
        break;
    }
    this.#depth--;
  }

  /** Room on the stack for a message. */
  #enter(plan: MessagePlan): number {
    const base = this.#top;
    const top = base + 2 * plan.fields.length + plan.oneofCount;
    this.#out.spend(top - base);
    if (top > this.#slots.length) {
      const slots = new Int32Array(Math.max(2 * this.#slots.length, top));
      slots.set(this.#slots);
      this.#slots = slots;
    }
    const slots = this.#slots;
    for (let i = base; i < top; i++) slots[i] = 0;
    this.#top = top;
    return base;
  }

  /** All fields, a comma before each. */
  #fields(plan: MessagePlan, start: number, end: number): void {
    const base = this.#enter(plan);
    const extensions = this.#index(plan, start, end, base);
    const { fields } = plan;
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i];
      if (field === undefined) continue;
      const first = this.#slots[base + 2 * i] ?? 0;
      if (first === 0) {
        if (field.required) throw new DecodeError(`the required field ${field.name} is missing`);
      } else if (this.#field(field, first - 1, (this.#slots[base + 2 * i + 1] ?? 0) - 1)) continue;
      this.#default(field);
    }
    if (extensions !== undefined) {
      for (const { field, first, last } of extensions) {
        if (!this.#field(field, first - 1, last - 1)) this.#default(field);
      }
    }
    this.#top = base;
  }

  #default(field: FieldPlan): void {
    if (!this.#emitDefaults || field.printedDefault.length === 0) return;
    this.#out.raw(field.printedName);
    this.#out.raw(field.printedDefault);
  }

  /** Notes the positions of each field's first and last record. */
  #index(plan: MessagePlan, start: number, end: number, base: number): ExtensionSpan[] | undefined {
    let extensions: ExtensionSpan[] | undefined;
    const slots = this.#slots;
    const oneofs = base + 2 * plan.fields.length;
    this.#pos = start;
    while (this.#pos < end) {
      const at = this.#pos + 1;
      const tag = this.#tag(end);
      const wire = tag & 7;
      const field = plan.byNumber(tag >>> 3);
      if (field === undefined) {
        if (plan.extensible) extensions = this.#noteExtension(plan, tag, at, extensions);
      } else if (takesWire(field, wire) && this.#isKnownValue(field)) {
        const slot = base + 2 * field.index;
        if (field.oneof >= 0) {
          const other = slots[oneofs + field.oneof] ?? 0;
          if (other !== field.index + 1) {
            if (other > 0) slots[base + 2 * (other - 1)] = 0;
            slots[oneofs + field.oneof] = field.index + 1;
          }
        }
        if (slots[slot] === 0) slots[slot] = at;
        slots[slot + 1] = at;
      }
      this.#skip(wire, tag >>> 3, end);
    }
    return extensions;
  }

  #noteExtension(
    plan: MessagePlan,
    tag: number,
    at: number,
    extensions: ExtensionSpan[] | undefined,
  ): ExtensionSpan[] | undefined {
    const desc = this.#plans.registry.getExtensionFor(plan.desc, tag >>> 3);
    if (desc === undefined) return extensions;
    const field = this.#plans.extension(desc);
    if (!takesWire(field, tag & 7) || !this.#isKnownValue(field)) return extensions;
    const spans = extensions ?? [];
    const span = spans.find((other) => other.field === field);
    if (span === undefined) spans.push({ field, first: at, last: at });
    else span.last = at;
    return spans;
  }

  /** False: a value that a closed enum does not have, which counts as an unknown field. */
  #isKnownValue(field: FieldPlan): boolean {
    if (field.enum === undefined || field.enum.open || field.shape !== Shape.SINGULAR) return true;
    const pos = this.#pos;
    this.#varint();
    this.#pos = pos;
    return field.enum.has(this.#low);
  }

  /** Name and value of a field whose records begin at `first` … `last`. False: nothing was there to print. */
  #field(field: FieldPlan, first: number, last: number): boolean {
    const out = this.#out;
    const before = out.pos;
    out.raw(field.printedName);
    const start = out.pos;
    this.#contents(field, first, last);
    if (out.pos === start || (field.implicit && isPrinted(out, start, field.printedDefault))) {
      out.pos = before;
      return false;
    }
    return true;
  }

  /** Only the value. A list without elements prints nothing. */
  #contents(field: FieldPlan, first: number, last: number): void {
    if (field.shape === Shape.LIST) this.#list(field, first, last);
    else if (field.shape === Shape.MAP) this.#map(field, first, last);
    else if (first !== last && field.kind === Kind.MESSAGE) {
      this.#merged(field.message, this.#gather(field, first, last));
    } else {
      this.#pos = last;
      this.#varint();
      this.#value(field);
    }
  }

  /** The content of several records of one message, concatenated: to protobuf that is the merged message. */
  #gather(field: FieldPlan, first: number, last: number): Buffer {
    this.#out.spend(last - first);
    const parts: Uint8Array[] = [];
    this.#pos = first;
    while (this.#pos <= last) {
      this.#varint();
      const tag = this.#low;
      if (tag !== field.tag) this.#skip(tag & 7, tag >>> 3, this.#buf.length);
      else if (field.delimited) {
        const start = this.#pos;
        this.#skip(Wire.GROUP, field.number, this.#buf.length);
        parts.push(this.#buf.subarray(start, this.#groupEnd));
      } else {
        const length = this.#length(this.#buf.length);
        parts.push(this.#buf.subarray(this.#pos, this.#pos + length));
        this.#pos += length;
      }
    }
    return Buffer.concat(parts);
  }

  #merged(plan: MessagePlan, bytes: Uint8Array): void {
    const pos = this.#pos;
    const around = this.#buf;
    const aroundWords = this.#words;
    this.#read(bytes, viewOf(bytes));
    try {
      this.#message(plan, 0, bytes.length);
    } finally {
      this.#read(around, aroundWords);
    }
    this.#pos = pos;
  }

  #list(field: FieldPlan, first: number, last: number): void {
    const out = this.#out;
    out.spend(last - first);
    const open = out.pos;
    this.#pos = first;
    while (this.#pos <= last) {
      this.#varint();
      const tag = this.#low;
      if (tag === field.tag) {
        out.byte(COMMA);
        this.#value(field);
      } else if (field.packable && tag === ((field.number << 3) | Wire.LENGTH)) {
        const length = this.#length(this.#buf.length);
        const end = this.#pos + length;
        while (this.#pos < end) {
          out.byte(COMMA);
          this.#value(field);
        }
        if (this.#pos !== end) throw new DecodeError(`the packed list of ${field.name} ends within a value`);
      } else this.#skip(tag & 7, tag >>> 3, this.#buf.length);
    }
    if (out.pos === open) return;
    out.buf[open] = OPEN_LIST;
    out.byte(CLOSE_LIST);
  }

  #map(field: FieldPlan, first: number, last: number): void {
    const out = this.#out;
    out.spend(last - first);
    const open = out.pos;
    if (this.#careful) {
      this.#mapOfLast(field, first, last, open);
      return;
    }
    this.#mapDepth++;
    const keys = this.#keys;
    const map = keys.begin();
    this.#pos = first;
    while (this.#pos <= last) {
      this.#varint();
      const tag = this.#low;
      if (tag !== field.tag) {
        this.#skip(tag & 7, tag >>> 3, this.#buf.length);
        continue;
      }
      out.spend(ENTRY_STEPS);
      const length = this.#length(this.#buf.length);
      const end = this.#pos + length;
      out.byte(COMMA);
      const from = out.pos;
      this.#entryKey(field, this.#pos, end);
      if (!keys.add(map, out, from, out.pos)) {
        keys.end(map);
        this.#mapDepth--;
        this.#mapOfLast(field, first, last, open);
        return;
      }
      out.byte(COLON);
      this.#entryValue(field, end - length, end);
      this.#pos = end;
    }
    keys.end(map);
    this.#mapDepth--;
    closeObject(out, open);
  }

  /** A map with a duplicate key: the last entry counts. */
  #mapOfLast(field: FieldPlan, first: number, last: number, open: number): void {
    const out = this.#out;
    out.spend(last - first);
    const entries = new Map<string, { start: number; end: number }>();
    this.#pos = first;
    while (this.#pos <= last) {
      this.#varint();
      const tag = this.#low;
      if (tag !== field.tag) {
        this.#skip(tag & 7, tag >>> 3, this.#buf.length);
        continue;
      }
      out.spend(ENTRY_STEPS);
      const length = this.#length(this.#buf.length);
      const start = this.#pos;
      out.pos = open;
      this.#entryKey(field, start, start + length);
      entries.set(out.buf.toString("latin1", open, out.pos), { start, end: start + length });
      this.#pos = start + length;
    }
    out.pos = open;
    // It is known which entries count, and therefore their content too: printing it twice at each level would double
    // the work with each, and some hundred bytes would never end.
    const careful = this.#careful;
    this.#careful = true;
    try {
      for (const [key, { start, end }] of entries) {
        out.byte(COMMA);
        out.ensure(key.length);
        out.pos += out.buf.write(key, out.pos, "latin1");
        out.byte(COLON);
        this.#entryValue(field, start, end);
      }
    } finally {
      this.#careful = careful;
    }
    closeObject(out, open);
  }

  #entryKey(field: FieldPlan, start: number, end: number): void {
    const { key } = field;
    const out = this.#out;
    let at = -1;
    this.#pos = start;
    while (this.#pos < end) {
      const tag = this.#tag(end);
      if (tag === key.tag) at = this.#pos;
      this.#skip(tag & 7, tag >>> 3, end);
    }
    this.#pos = at;
    if (key.kind === Kind.STRING) {
      if (at >= 0) this.#value(key);
      else out.raw(Buffer.from('""'));
      return;
    }
    const open = out.pos;
    out.byte(QUOTE);
    if (at < 0) out.raw(key.kind === Kind.BOOL ? FALSE : Buffer.from("0"));
    else {
      const from = out.pos;
      this.#value(key);
      // 64-bit integers bring their own quotes.
      if (out.buf[from] === QUOTE) {
        out.buf.copyWithin(open, from, out.pos);
        out.pos--;
        return;
      }
    }
    out.byte(QUOTE);
  }

  #entryValue(field: FieldPlan, start: number, end: number): void {
    const { value } = field;
    let first = -1;
    let last = -1;
    this.#pos = start;
    while (this.#pos < end) {
      const at = this.#pos;
      const tag = this.#tag(end);
      if (tag === value.tag) {
        last = at;
        if (first < 0) first = at;
      }
      this.#skip(tag & 7, tag >>> 3, end);
    }
    if (first >= 0) this.#contents(value, first, last);
    else if (value.kind === Kind.MESSAGE) this.#message(value.message, end, end);
    else this.#out.raw(Buffer.from(value.zeroText()));
  }

  /** One value or element, after its tag. */
  #value(field: FieldPlan): void {
    const out = this.#out;
    switch (field.kind) {
      case Kind.MESSAGE:
        if (field.delimited) {
          const start = this.#pos;
          this.#skip(Wire.GROUP, field.number, this.#buf.length);
          const after = this.#pos;
          this.#message(field.message, start, this.#groupEnd);
          this.#pos = after;
        } else {
          const length = this.#length(this.#buf.length);
          const end = this.#pos + length;
          this.#message(field.message, this.#pos, end);
          this.#pos = end;
        }
        break;
      case Kind.STRING: {
        const length = this.#length(this.#buf.length);
        const start = this.#pos;
        this.#pos = start + length;
        printString(this.#buf, this.#words, start, start + length, field.strictUtf8, out);
        break;
      }
      case Kind.BYTES: {
        const length = this.#length(this.#buf.length);
        const start = this.#pos;
        this.#pos = start + length;
        printBase64(this.#buf, start, start + length, out);
        break;
      }
      case Kind.ENUM: {
        this.#varint();
        const number = this.#low;
        const printed = field.enum?.printed(number);
        if (printed !== undefined) out.raw(printed);
        // NullValue has only one JSON, whatever the number.
        else if (field.enum?.isNull === true) out.raw(NULL);
        else out.integer(number);
        break;
      }
      case Kind.BOOL:
        this.#varint();
        out.raw((this.#low | this.#high) === 0 ? FALSE : TRUE);
        break;
      case Kind.INT32:
        this.#varint();
        out.integer(this.#low);
        break;
      case Kind.UINT32:
        this.#varint();
        out.integer(this.#low >>> 0);
        break;
      case Kind.SINT32:
        this.#varint();
        out.integer((this.#low >>> 1) ^ -(this.#low & 1));
        break;
      case Kind.FIXED32:
        out.integer(this.#fixed32() >>> 0);
        break;
      case Kind.SFIXED32:
        out.integer(this.#fixed32());
        break;
      case Kind.INT64:
        this.#varint();
        printInt64(this.#low, this.#high, this.#quoteInt64, out);
        break;
      case Kind.UINT64:
        this.#varint();
        printUint64(this.#low, this.#high, this.#quoteInt64, out);
        break;
      case Kind.SINT64: {
        this.#varint();
        const sign = -(this.#low & 1);
        printInt64(
          ((this.#low >>> 1) | (this.#high << 31)) ^ sign,
          (this.#high >>> 1) ^ sign,
          this.#quoteInt64,
          out,
        );
        break;
      }
      case Kind.FIXED64: {
        const low = this.#fixed32();
        printUint64(low, this.#fixed32(), this.#quoteInt64, out);
        break;
      }
      case Kind.SFIXED64: {
        const low = this.#fixed32();
        printInt64(low, this.#fixed32(), this.#quoteInt64, out);
        break;
      }
      case Kind.DOUBLE:
        printDouble(this.#readDouble(), out);
        break;
      case Kind.FLOAT:
        for (let i = 0; i < 4; i++)
          this.#floatBytes[LITTLE_ENDIAN ? i : 3 - i] = this.#buf[this.#pos + i] ?? 0;
        this.#pos += 4;
        printFloat(this.#float[0] ?? 0, out);
        break;
    }
  }

  #readDouble(): number {
    const pos = this.#pos;
    const buf = this.#buf;
    for (let i = 0; i < 8; i++) this.#doubleBytes[LITTLE_ENDIAN ? i : 7 - i] = buf[pos + i] ?? 0;
    this.#pos = pos + 8;
    return this.#double[0] ?? 0;
  }

  /** Seconds and nanos. */
  #time(form: number, start: number, end: number): void {
    let seconds = 0;
    let nanos = 0;
    this.#pos = start;
    while (this.#pos < end) {
      const tag = this.#tag(end);
      if (tag === 0x08) {
        this.#varint();
        seconds = this.#high * TWO_32 + (this.#low >>> 0);
      } else if (tag === 0x10) {
        this.#varint();
        nanos = this.#low;
      } else this.#skip(tag & 7, tag >>> 3, end);
      if (this.#pos > end) throw truncated();
    }
    const write = form === Form.TIMESTAMP ? writeTimestamp : writeDuration;
    const problem = write(seconds, nanos, this.#out);
    if (problem !== undefined) throw new DecodeError(problem);
  }

  #fieldMask(plan: MessagePlan, start: number, end: number): void {
    const paths: string[] = [];
    this.#pos = start;
    while (this.#pos < end) {
      const tag = this.#tag(end);
      if (tag === 0x0a) {
        this.#out.spend(PATH_STEPS);
        const length = this.#length(end);
        const bytes = this.#buf.subarray(this.#pos, this.#pos + length);
        if (!isUtf8(bytes)) throw new DecodeError("a path of a FieldMask is not UTF-8");
        const path = Buffer.from(bytes).toString();
        const printed = printMaskPath(path, plan.maskTarget);
        if (printed === undefined) {
          throw new DecodeError(
            `the FieldMask path ${JSON.stringify(cut(path, 60))} has no equivalent in lowerCamelCase`,
          );
        }
        paths.push(printed);
        this.#pos += length;
      } else this.#skip(tag & 7, tag >>> 3, end);
    }
    this.#out.text(JSON.stringify(paths.join(",")));
  }

  #any(start: number, end: number): void {
    this.#out.spend(ANY_STEPS);
    let urlStart = 0;
    let urlEnd = 0;
    let valueStart = end;
    let valueEnd = end;
    this.#pos = start;
    while (this.#pos < end) {
      const tag = this.#tag(end);
      if (tag === 0x0a) {
        const length = this.#length(end);
        urlStart = this.#pos;
        urlEnd = this.#pos + length;
        this.#pos = urlEnd;
      } else if (tag === 0x12) {
        const length = this.#length(end);
        valueStart = this.#pos;
        valueEnd = this.#pos + length;
        this.#pos = valueEnd;
      } else this.#skip(tag & 7, tag >>> 3, end);
    }
    const out = this.#out;
    const url = Buffer.from(this.#buf.subarray(urlStart, urlEnd)).toString();
    const name = url.slice(url.lastIndexOf("/") + 1);
    if (name === "") {
      out.raw(Buffer.from("{}"));
      return;
    }
    out.raw(TYPE);
    printString(this.#buf, this.#words, urlStart, urlEnd, true, out);
    const desc = this.#plans.registry.getMessage(name);
    if (desc === undefined || !this.#printsAs(this.#plans.of(desc), valueStart, valueEnd)) {
      // An unknown type, or bytes that do not fit the type, do not affect the rest.
      out.raw(VALUE);
      printBase64(this.#buf, valueStart, valueEnd, out);
    }
    out.byte(CLOSE_OBJECT);
  }

  /** The content of an Any; false, without output, if the bytes do not fit the type. */
  #printsAs(plan: MessagePlan, start: number, end: number): boolean {
    const out = this.#out;
    const { pos } = out;
    const [depth, mapDepth, top] = [this.#depth, this.#mapDepth, this.#top];
    const [buf, words] = [this.#buf, this.#words];
    try {
      if (plan.form === Form.FIELDS) {
        if (++this.#depth > MAX_DEPTH) throw new DecodeError("messages are nested too deep");
        this.#fields(plan, start, end);
        this.#depth--;
      } else {
        out.raw(VALUE);
        this.#message(plan, start, end);
      }
      return true;
    } catch (e) {
      const mayFit = this.#mapDepth > mapDepth && !this.#careful;
      if (!(e instanceof DecodeError) || mayFit) throw e;
      this.#depth = depth;
      this.#mapDepth = mapDepth;
      this.#top = top;
      this.#read(buf, words);
      out.pos = pos;
      return false;
    }
  }

  /** Struct, ListValue, Value and the wrappers: their only field, or its absence, is the whole JSON. */
  #dynamic(plan: MessagePlan, start: number, end: number): void {
    const out = this.#out;
    const base = this.#enter(plan);
    this.#index(plan, start, end, base);
    const open = out.pos;
    for (let i = 0; i < plan.fields.length; i++) {
      const field = plan.fields[i];
      const first = this.#slots[base + 2 * i] ?? 0;
      if (field === undefined || first === 0) continue;
      this.#contents(field, first - 1, (this.#slots[base + 2 * i + 1] ?? 0) - 1);
    }
    this.#top = base;
    if (plan.form === Form.VALUE) {
      // A Value without a kind means the same as null.
      if (out.pos === open) out.raw(NULL);
      // NaN and Infinity are strings in JSON, and would be parsed as such.
      const isNumber = (this.#slots[base + 2 * plan.fields.length] ?? 0) === 2;
      if (isNumber && out.buf[open] === QUOTE)
        throw new DecodeError("a google.protobuf.Value that is not a finite number");
    } else if (out.pos === open) out.raw(Buffer.from(plan.fields[0]?.zeroText() ?? "{}"));
  }

  #tag(end: number): number {
    const start = this.#pos;
    const byte = this.#buf[start] ?? 0;
    // Numbers up to 15, which most fields have.
    if (byte < 0x80 && byte > 7 && (byte & 7) <= 5) {
      this.#pos = start + 1;
      return byte;
    }
    this.#varint();
    const tag = this.#low;
    const bytes = this.#pos - start;
    if (this.#high !== 0 || bytes > 5 || tag >>> 3 === 0 || (tag & 7) > 5) {
      throw new DecodeError("a field's tag is malformed");
    }
    if (this.#pos > end) throw truncated();
    return tag;
  }

  #varint(): void {
    const buf = this.#buf;
    let pos = this.#pos;
    let byte = buf[pos++];
    if (byte === undefined) throw truncated();
    if (byte < 0x80) {
      this.#low = byte;
      this.#high = 0;
      this.#pos = pos;
      return;
    }
    const start = pos - 1;
    let low = byte & 0x7f;
    let high = 0;
    let shift = 7;
    do {
      byte = buf[pos++];
      if (byte === undefined) throw truncated();
      if (pos - start > MAX_VARINT_BYTES) throw new DecodeError("a varint has more than 10 bytes");
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >> 4;
      } else high |= bits << (shift - 32);
      shift += 7;
    } while (byte > 0x7f);
    this.#low = low;
    this.#high = high;
    this.#pos = pos;
  }

  #fixed32(): number {
    const buf = this.#buf;
    const pos = this.#pos;
    this.#pos = pos + 4;
    return (
      (buf[pos] ?? 0) | ((buf[pos + 1] ?? 0) << 8) | ((buf[pos + 2] ?? 0) << 16) | ((buf[pos + 3] ?? 0) << 24)
    );
  }

  /** The length before something that ends at `end` at the latest. */
  #length(end: number): number {
    this.#varint();
    const length = this.#low;
    if (this.#high !== 0 || length < 0 || length > end - this.#pos) throw truncated();
    return length;
  }

  /** Steps over a value, whose tag is behind. */
  #skip(wire: number, number: number, end: number): void {
    switch (wire) {
      case Wire.VARINT:
        this.#varint();
        break;
      case Wire.FIXED64:
        this.#pos += 8;
        break;
      case Wire.LENGTH: {
        // Not in `this.#pos +=`: that would read the place before the length was read.
        const length = this.#length(end);
        this.#pos += length;
        break;
      }
      case Wire.GROUP:
        this.#skipGroup(number, end);
        break;
      case Wire.FIXED32:
        this.#pos += 4;
        break;
      default:
        throw new DecodeError("a group ends without a start");
    }
    if (this.#pos > end) throw truncated();
  }

  /** Not recursive: groups of a hostile service may nest as deep as they are long. */
  #skipGroup(number: number, end: number): void {
    const open = [number];
    while (open.length > 0) {
      if (this.#pos >= end) throw truncated();
      const at = this.#pos;
      const tag = this.#tag(end);
      const wire = tag & 7;
      if (wire === Wire.GROUP) {
        if (open.push(tag >>> 3) > MAX_DEPTH) {
          throw new DecodeError(`groups are nested more than ${MAX_DEPTH} deep`);
        }
      } else if (wire === Wire.END_GROUP) {
        if (open.pop() !== tag >>> 3) throw new DecodeError("the end of a group does not match its start");
        this.#groupEnd = at;
      } else this.#skip(wire, tag >>> 3, end);
    }
  }
}

const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

function takesWire(field: FieldPlan, wire: number): boolean {
  return wire === field.wire || (field.packable && wire === Wire.LENGTH);
}
