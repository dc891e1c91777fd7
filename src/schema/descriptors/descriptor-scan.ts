// Scans the bytes of a FileDescriptorProto before objects are made of them: nesting depth, number of fields, and the
// position of its declarations, in one pass. So a service cannot use the hub's memory and time without bound. Fields
// with a wrong wire type are rejected: most protobuf readers skip them, but @bufbuild/protobuf reads them with the
// wrong type, and would see another schema than other readers.
import { type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { SchemaError } from "./schema-error.js";

/** Messages within messages; protoc stops at 32. */
const MAX_NESTING = 64;
/** Nested groups, in unknown fields. */
const MAX_GROUPS = 32;
/** Fields of all kinds in one file: each becomes an object of some hundred bytes. Google's largest file has 110,000. */
const MAX_RECORDS = 2_000_000;

/** Where declarations at the top of a file begin and end; the same order as in the parsed file. */
export interface Ranges {
  readonly starts: number[];
  readonly ends: number[];
}

export interface ScannedFile {
  readonly messages: Ranges;
  readonly enums: Ranges;
  readonly services: Ranges;
  readonly extensions: Ranges;
  /** The bytes without source_code_info: comments are most of many files, and rarely needed. */
  readonly withoutSource: Uint8Array;
  /** How many fields it has, at every depth. */
  readonly records: number;
}

/** The fields of each message of descriptor.proto, by number; others are unknown, and of any type. */
type Shape = readonly (ShapeField | undefined)[];

interface ShapeField {
  /** The one wire type, where there is one. */
  readonly wire: WireType;
  /** Numbers that may be packed, too. */
  readonly packable: boolean;
  /** Its message type. */
  readonly inner: Shape | undefined;
}

const shapes = new Map<DescMessage, Shape>();

function shapeOf(message: DescMessage): Shape {
  const known = shapes.get(message);
  if (known !== undefined) return known;
  const shape: (ShapeField | undefined)[] = [];
  // Before its fields, since it may contain itself.
  shapes.set(message, shape);
  for (const field of message.fields) {
    const isText = field.scalar === ScalarType.STRING || field.scalar === ScalarType.BYTES;
    const isLong = field.message !== undefined || isText;
    shape[field.number] = {
      wire: isLong
        ? WireType.LengthDelimited
        : field.scalar === ScalarType.DOUBLE
          ? WireType.Bit64
          : WireType.Varint,
      packable: field.fieldKind === "list" && !isLong,
      inner: field.message === undefined ? undefined : shapeOf(field.message),
    };
  }
  return shape;
}

const FILE = shapeOf(FileDescriptorProtoSchema);
const SOURCE_CODE_INFO = 9;

/** @throws SchemaError, whose text continues the file's name: malformed bytes, or too many fields. */
export function scanFile(bytes: Uint8Array): ScannedFile {
  return new Scanner(bytes).scan();
}

class Scanner {
  readonly #bytes: Uint8Array;
  #pos = 0;
  #records = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  scan(): ScannedFile {
    const ranges = (): Ranges => ({ starts: [], ends: [] });
    const found = { messages: ranges(), enums: ranges(), services: ranges(), extensions: ranges() };
    const by: Record<number, Ranges> = {
      4: found.messages,
      5: found.enums,
      6: found.services,
      7: found.extensions,
    };
    const kept: Uint8Array[] = [];
    let keptTo = 0;
    const { length } = this.#bytes;
    while (this.#pos < length) {
      const before = this.#pos;
      const tag = this.#varint(length);
      const no = Math.floor(tag / 8);
      const inner = this.#inner(FILE, tag);
      this.#count();
      if (tag % 8 !== 2) {
        this.#skip(tag % 8, length, 0);
        continue;
      }
      const end = this.#lengthEnd(length);
      const list = by[no];
      if (list !== undefined) {
        list.starts.push(this.#pos);
        list.ends.push(end);
      }
      if (no === SOURCE_CODE_INFO) {
        kept.push(this.#bytes.subarray(keptTo, before));
        keptTo = end;
      }
      if (inner !== undefined) this.#message(inner, end, 1);
      this.#pos = end;
    }
    kept.push(this.#bytes.subarray(keptTo));
    const [only] = kept.filter((part) => part.length > 0);
    const whole = kept.filter((part) => part.length > 0).length === 1 ? only : undefined;
    return { ...found, withoutSource: whole ?? Buffer.concat(kept), records: this.#records };
  }

  #message(shape: Shape, end: number, depth: number): void {
    if (depth > MAX_NESTING) throw new SchemaError(`nests deeper than the limit of ${MAX_NESTING} messages`);
    while (this.#pos < end) {
      const tag = this.#varint(end);
      const inner = this.#inner(shape, tag);
      this.#count();
      if (tag % 8 !== 2) {
        this.#skip(tag % 8, end, 0);
        continue;
      }
      const stop = this.#lengthEnd(end);
      if (inner !== undefined) this.#message(inner, stop, depth + 1);
      this.#pos = stop;
    }
  }

  /** The field's message type, if it is read. */
  #inner(shape: Shape, tag: number): Shape | undefined {
    const field = shape[Math.floor(tag / 8)];
    if (field === undefined) return undefined;
    const wire = tag % 8;
    if (wire !== field.wire && !(field.packable && wire === WireType.LengthDelimited))
      throw new SchemaError(`is not a file descriptor: it has a field with the wrong wire type`);
    return field.inner;
  }

  #count(): void {
    if (++this.#records > MAX_RECORDS)
      throw new SchemaError(`has more than the limit of ${MAX_RECORDS} fields, methods, values and options`);
  }

  #lengthEnd(end: number): number {
    const stop = this.#varint(end) + this.#pos;
    if (stop > end) throw new SchemaError("is not a file descriptor: it is truncated");
    return stop;
  }

  #skip(wire: number, end: number, groups: number): void {
    if (wire === 0) this.#varint(end);
    else if (wire === 1) this.#pos += 8;
    else if (wire === 5) this.#pos += 4;
    else if (wire === 2) this.#pos = this.#lengthEnd(end);
    else if (wire === 3 && groups < MAX_GROUPS) this.#group(end, groups + 1);
    else throw new SchemaError("is not a file descriptor: it has a field that cannot be read");
    if (this.#pos > end) throw new SchemaError("is not a file descriptor: it is truncated");
  }

  #group(end: number, groups: number): void {
    while (this.#pos < end) {
      const wire = this.#varint(end) % 8;
      this.#count();
      if (wire === 4) return;
      this.#skip(wire, end, groups);
    }
  }

  #varint(end: number): number {
    let value = 0;
    let factor = 1;
    for (let i = 0; i < 10; i++) {
      if (this.#pos >= end) break;
      const byte = this.#bytes[this.#pos++] ?? 0;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 128;
    }
    throw new SchemaError("is not a file descriptor: it has a number that cannot be read");
  }
}
