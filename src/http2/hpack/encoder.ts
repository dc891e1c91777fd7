// HPACK encoding (RFC 7541): the header blocks of one connection, in the order they are sent.
// An upstream connection is shared by tenants, so what is indexed is a policy (§7.1), not what compresses best.
import { DynamicTable, ENTRY_OVERHEAD_BYTES, INITIAL_TABLE_BYTES } from "./dynamic-table.js";
import { huffmanEncode, huffmanLength } from "./huffman.js";
import { STATIC_FIELDS, STATIC_LENGTH } from "./static-table.js";

/** The room `begin` may need, in bytes: two size updates. */
export const MAX_BEGIN_BYTES = 12;

/** The room that one field may need, in bytes: a type byte, two lengths, two strings (Huffman only if shorter). */
export function maxFieldBytes(name: string, value: string): number {
  return name.length + value.length + 16;
}

export interface HpackEncoderOptions {
  /** The most table bytes used, even if the peer offers more. Default 4096. */
  readonly maxTableBytes?: number;
}

// Never indexed, here and on any further hop: credentials (RFC 7541 §7.1.3).
const NEVER_INDEXED: ReadonlySet<string> = new Set([
  "authorization",
  "proxy-authorization",
  "cookie",
  "set-cookie",
  "x-api-key",
]);

// Fields whose values change with each call. Indexing them would only evict the stable ones.
const CHANGING: ReadonlySet<string> = new Set([
  "grpc-timeout",
  "grpc-message",
  "grpc-status-details-bin",
  "grpc-trace-bin",
  "grpc-tags-bin",
  "grpc-server-stats-bin",
  "connect-timeout-ms",
  "traceparent",
  "tracestate",
  "b3",
  "x-request-id",
  "x-correlation-id",
  "content-length",
  "content-range",
  "date",
  "age",
  "etag",
  "expires",
  "last-modified",
  "if-none-match",
  "if-modified-since",
  "location",
]);

// Longer values are not indexed: one would take an eighth of the usual table.
const MAX_INDEXED_VALUE_BYTES = 512;

// Cache of values seen: bounded, since clients choose names and values. When it is full it is cleared, which costs no
// more than filling it again.
const MAX_NAMES = 256;
const MAX_VALUES_PER_NAME = 16;
const MAX_REMEMBERED_BYTES = 65536;

// A name outside both tables gets an entry with its second literal, value and all, so that it is an index after that.
const NAME_SIGHTINGS_TO_INDEX = 2;

const SEEN_ONCE = 0;

/** State of one name on this connection. */
class NameMemory {
  readonly name: string;
  /** The first static entry with this name, or 0. */
  readonly staticIndex: number;
  readonly neverIndexed: boolean;
  readonly changing: boolean;
  /**
   * Values seen, each with the number of its entry (which may have been evicted), -index of a static one, or SEEN_ONCE.
   */
  readonly values: string[] = [];
  readonly entries: number[] = [];
  /** How many of the values are static ones, which stay. */
  readonly staticValues: number;
  /** The number of the newest entry with this name; 0 for none. */
  newest = 0;
  sightings = 0;
  /** Where the value was found last: most names have one value, which is this one. */
  hit = 0;
  /** The name that followed this one last time: fields come in the same order, which saves the look-up. */
  follower: NameMemory | undefined = undefined;
  #replace = 0;

  constructor(name: string) {
    this.name = name;
    let first = 0;
    for (let index = 1; index <= STATIC_LENGTH; index++) {
      const field = STATIC_FIELDS[index];
      if (field === undefined || field.name !== name) continue;
      if (first === 0) first = index;
      this.values.push(field.value);
      this.entries.push(-index);
    }
    this.staticIndex = first;
    this.staticValues = this.values.length;
    this.neverIndexed = NEVER_INDEXED.has(name);
    this.changing = CHANGING.has(name);
  }

  /** Caches a value; returns the bytes that this adds to the cache. */
  note(value: string, entry: number): number {
    let slot = this.values.length;
    let freed = 0;
    if (slot >= MAX_VALUES_PER_NAME) {
      slot = this.staticValues + (this.#replace++ % (MAX_VALUES_PER_NAME - this.staticValues));
      freed = this.values[slot]?.length ?? 0;
    }
    this.values[slot] = value;
    this.entries[slot] = entry;
    return value.length - freed;
  }
}

export class HpackEncoder {
  readonly #table = new DynamicTable(INITIAL_TABLE_BYTES);
  readonly #maxTableBytes: number;
  #names = new Map<string, NameMemory>();
  #rememberedBytes = 0;
  readonly #blockStart = new NameMemory("");
  #previous = this.#blockStart;
  // The smallest and the last size that the next block must announce (RFC 7541 §4.2).
  #smallestBytes: number;
  #lastBytes: number;

  constructor(options: HpackEncoderOptions = {}) {
    this.#maxTableBytes = options.maxTableBytes ?? INITIAL_TABLE_BYTES;
    this.#lastBytes = Math.min(INITIAL_TABLE_BYTES, this.#maxTableBytes);
    this.#smallestBytes = this.#lastBytes;
  }

  /** The table's present size in bytes, as RFC 7541 §4.1 counts it. */
  get tableBytes(): number {
    return this.#table.bytes;
  }

  /** Applies the peer's SETTINGS_HEADER_TABLE_SIZE; the next block begins with the size updates that it requires. */
  setPeerTableSize(bytes: number): void {
    this.#lastBytes = Math.min(bytes, this.#maxTableBytes);
    this.#smallestBytes = Math.min(this.#smallestBytes, this.#lastBytes);
  }

  /** Begins a block: writes the pending size updates (at most MAX_BEGIN_BYTES). Returns the new offset. */
  begin(out: Buffer, at: number): number {
    const table = this.#table;
    let offset = at;
    this.#previous = this.#blockStart;
    if (this.#smallestBytes < table.maxBytes && this.#smallestBytes < this.#lastBytes) {
      offset = writeInteger(out, offset, 0x20, 0x1f, this.#smallestBytes);
      table.resize(this.#smallestBytes);
    }
    if (this.#lastBytes !== table.maxBytes) {
      offset = writeInteger(out, offset, 0x20, 0x1f, this.#lastBytes);
      table.resize(this.#lastBytes);
    }
    this.#smallestBytes = this.#lastBytes;
    return offset;
  }

  /**
   * Writes one field; `out` has `maxFieldBytes(name, value)` bytes from `at`. The name is lower case, both are
   * ISO-8859-1. Returns the new offset.
   */
  field(out: Buffer, at: number, name: string, value: string, sensitive: boolean): number {
    const previous = this.#previous;
    let memory = previous.follower;
    if (memory === undefined || memory.name !== name) {
      memory = this.#names.get(name) ?? this.#learn(name);
      previous.follower = memory;
    }
    this.#previous = memory;
    if (sensitive || memory.neverIndexed) return this.#literal(out, at, 0x10, memory, name, value);
    let slot = memory.hit;
    if (memory.values[slot] !== value) {
      slot = memory.values.indexOf(value);
      if (slot < 0) return this.#unknownValue(out, at, memory, name, value);
      memory.hit = slot;
    }
    const entry = memory.entries[slot] ?? SEEN_ONCE;
    if (entry < 0) {
      out[at] = 0x80 - entry;
      return at + 1;
    }
    if (this.#live(entry)) {
      return writeInteger(out, at, 0x80, 0x7f, STATIC_LENGTH + 1 + this.#table.inserted - entry);
    }
    if (!this.#fits(name, value)) return this.#literal(out, at, 0x00, memory, name, value);
    const offset = this.#insert(out, at, memory, name, value);
    memory.entries[slot] = this.#table.inserted;
    return offset;
  }

  /** A value that is not remembered, or is not to be. */
  #unknownValue(out: Buffer, at: number, memory: NameMemory, name: string, value: string): number {
    if (!this.#fits(name, value)) return this.#literal(out, at, 0x00, memory, name, value);
    const remembers = !memory.changing && !(name === ":path" && value.includes("?"));
    let indexes = false;
    if (memory.staticIndex === 0 && !this.#live(memory.newest)) {
      memory.sightings++;
      indexes = memory.sightings >= NAME_SIGHTINGS_TO_INDEX;
    }
    const offset = indexes
      ? this.#insert(out, at, memory, name, value)
      : this.#literal(out, at, 0x00, memory, name, value);
    if (remembers) {
      this.#rememberedBytes += memory.note(value, indexes ? memory.newest : SEEN_ONCE);
      if (this.#rememberedBytes > MAX_REMEMBERED_BYTES) this.#forget();
    }
    return offset;
  }

  #fits(name: string, value: string): boolean {
    const bytes = name.length + value.length + ENTRY_OVERHEAD_BYTES;
    return value.length <= MAX_INDEXED_VALUE_BYTES && 2 * bytes <= this.#table.maxBytes;
  }

  #live(entry: number): boolean {
    return entry !== 0 && this.#table.inserted - entry < this.#table.length;
  }

  #learn(name: string): NameMemory {
    if (this.#names.size >= MAX_NAMES) this.#forget();
    const memory = new NameMemory(name);
    this.#names.set(name, memory);
    this.#rememberedBytes += name.length;
    return memory;
  }

  #forget(): void {
    this.#names = new Map();
    this.#blockStart.follower = undefined;
    this.#rememberedBytes = 0;
  }

  /** The index of an entry with this name, or 0. */
  #nameIndex(memory: NameMemory): number {
    if (memory.staticIndex !== 0) return memory.staticIndex;
    return this.#live(memory.newest) ? STATIC_LENGTH + 1 + this.#table.inserted - memory.newest : 0;
  }

  /** A literal with indexing (§6.2.1). Written once and then referenced, so it is Huffman-coded if that is shorter. */
  #insert(out: Buffer, at: number, memory: NameMemory, name: string, value: string): number {
    const index = this.#nameIndex(memory);
    let offset = writeInteger(out, at, 0x40, 0x3f, index);
    if (index === 0) offset = writePacked(out, offset, name);
    offset = writePacked(out, offset, value);
    this.#table.insert({ name, value, sensitive: false });
    memory.newest = this.#table.inserted;
    return offset;
  }

  /** A literal without indexing (`type` 0x00, §6.2.2) or never indexed (0x10, §6.2.3). */
  #literal(out: Buffer, at: number, type: number, memory: NameMemory, name: string, value: string): number {
    const index = this.#nameIndex(memory);
    let offset = writeInteger(out, at, type, 0x0f, index);
    if (index === 0) offset = writeRaw(out, offset, name);
    offset = writeRaw(out, offset, value);
    return offset;
  }
}

/** Writes an integer (§5.1) behind the bits `type`, with the prefix that `mask` covers. */
function writeInteger(out: Buffer, at: number, type: number, mask: number, value: number): number {
  if (value < mask) {
    out[at] = type | value;
    return at + 1;
  }
  out[at] = type | mask;
  let offset = at + 1;
  let rest = value - mask;
  while (rest >= 0x80) {
    out[offset++] = 0x80 | (rest & 0x7f);
    rest = Math.floor(rest / 128);
  }
  out[offset] = rest;
  return offset + 1;
}

// Up to here a loop is faster than a call of Buffer.write, which takes 70 ns whatever the length.
const MAX_LOOPED_CHARS = 24;

function writeRaw(out: Buffer, at: number, text: string): number {
  let offset = writeInteger(out, at, 0x00, 0x7f, text.length);
  if (text.length > MAX_LOOPED_CHARS) return offset + out.write(text, offset, text.length, "latin1");
  for (let i = 0; i < text.length; i++) out[offset++] = text.charCodeAt(i);
  return offset;
}

function writePacked(out: Buffer, at: number, text: string): number {
  const length = huffmanLength(text);
  if (length >= text.length) return writeRaw(out, at, text);
  return huffmanEncode(text, out, writeInteger(out, at, 0x80, 0x7f, length));
}
