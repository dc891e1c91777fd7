// HPACK decoding (RFC 7541): the header blocks of one connection's peer, in the order they arrive. The first code that
// sees the headers of a call, on both sides of the hub.
import type { Field } from "../../kit/headers.js";
import { DynamicTable, ENTRY_OVERHEAD_BYTES, INITIAL_TABLE_BYTES } from "./dynamic-table.js";
import { HpackError } from "./error.js";
import { huffmanDecode, huffmanDecodedRoom } from "./huffman.js";
import { COMMON_NAMES, STATIC_FIELDS, STATIC_LENGTH } from "./static-table.js";

export { HpackError } from "./error.js";

/** One decoded block. Shared by every stream whose block had exactly the same bytes: immutable. */
export class HeaderBlock {
  /** The fields in order; cut short when `tooLarge`. */
  fields: readonly Field[];
  /** The size as RFC 9113 §10.5.1 counts it: name, value and 32 for every field, those cut off included. */
  readonly listBytes: number;
  /** More bytes or fields than the limit allows. The table is still in step: only this block is rejected. */
  readonly tooLarge: boolean;
  /** For the connection: its result for the fields, so that a cached block is validated once. */
  memo: unknown = undefined;

  constructor(fields: readonly Field[], listBytes: number, tooLarge: boolean) {
    this.fields = fields;
    this.listBytes = listBytes;
    this.tooLarge = tooLarge;
  }
}

export interface HpackDecoderOptions {
  /** Our SETTINGS_HEADER_TABLE_SIZE: the largest table the peer may ask for, in bytes. Default 4096. */
  readonly maxTableBytes?: number;
  /** Our SETTINGS_MAX_HEADER_LIST_SIZE, in bytes. Default 65536. */
  readonly maxListBytes?: number;
  /** The most fields in one block. Default 128. */
  readonly maxFields?: number;
}

export class HpackDecoder {
  readonly #table = new DynamicTable(INITIAL_TABLE_BYTES);
  readonly #blocks = new BlockMemory();
  readonly #maxTableBytes: number;
  readonly #maxListBytes: number;
  readonly #maxFields: number;
  #mustResize = false;

  constructor(options: HpackDecoderOptions = {}) {
    this.#maxTableBytes = options.maxTableBytes ?? INITIAL_TABLE_BYTES;
    this.#maxListBytes = options.maxListBytes ?? 65536;
    this.#maxFields = options.maxFields ?? 128;
  }

  /** The table's present size in bytes, as RFC 7541 §4.1 counts it. */
  get tableBytes(): number {
    return this.#table.bytes;
  }

  /**
   * The peer acknowledged our SETTINGS. If they allow less than the table's default, its next block must begin with a
   * size update (RFC 7541 §4.2). Only needed with `maxTableBytes` below 4096.
   */
  settingsAcknowledged(): void {
    this.#mustResize = this.#table.maxBytes > this.#maxTableBytes;
    if (this.#mustResize) this.#blocks.forget();
  }

  /** Decodes the whole block `buf[start, end)`. Throws HpackError; the decoder is of no use after that. */
  decode(buf: Buffer, start: number, end: number): HeaderBlock {
    const blocks = this.#blocks;
    const known = blocks.find(buf, start, end);
    if (known !== undefined) return known;
    const changes = this.#table.changes;
    const block = this.#decodeFields(buf, start, end);
    if (this.#table.changes !== changes) blocks.forget();
    else if (!block.tooLarge) blocks.note(buf, start, end, block);
    return block;
  }

  #decodeFields(buf: Buffer, start: number, end: number): HeaderBlock {
    const table = this.#table;
    const maxFields = this.#maxFields;
    const maxListBytes = this.#maxListBytes;
    const fields: Field[] = [];
    let listBytes = 0;
    let tooLarge = false;
    let at = start;
    if (at < end && ((buf[at] ?? 0) & 0xe0) === 0x20) at = this.#sizeUpdates(buf, at, end);
    else if (this.#mustResize) throw new HpackError("the block must begin with a table size update");
    while (at < end) {
      const first = buf[at] ?? 0;
      let field: Field | undefined;
      if (first >= 0x80) {
        // Indexed (§6.1)
        let index = first & 0x7f;
        if (index === 0x7f) {
          index = readInteger(buf, at, end, 0x7f);
          at = cursor;
        } else at++;
        field = this.#entry(index);
      } else {
        // Literal: with indexing (§6.2.1), never indexed (§6.2.3) or without indexing (§6.2.2)
        const mask = first >= 0x40 ? 0x3f : 0x0f;
        if ((first & 0xe0) === 0x20) throw new HpackError("a table size update follows a field");
        let index = first & mask;
        if (index === mask) {
          index = readInteger(buf, at, end, mask);
          at = cursor;
        } else at++;
        let name: string;
        if (index === 0) {
          name = readName(buf, at, end);
          at = cursor;
        } else name = this.#entry(index).name;
        const value = readValue(buf, at, end);
        at = cursor;
        field = { name, value, sensitive: (first & 0xf0) === 0x10 };
        if (first >= 0x40) table.insert(field);
      }
      listBytes += field.name.length + field.value.length + ENTRY_OVERHEAD_BYTES;
      if (listBytes > maxListBytes || fields.length >= maxFields) tooLarge = true;
      if (!tooLarge) fields.push(field);
    }
    return new HeaderBlock(fields, listBytes, tooLarge);
  }

  #entry(index: number): Field {
    const field = index <= STATIC_LENGTH ? STATIC_FIELDS[index] : this.#table.get(index - STATIC_LENGTH - 1);
    if (field === undefined) throw new HpackError(`index ${index} is outside the tables`);
    return field;
  }

  #sizeUpdates(buf: Buffer, start: number, end: number): number {
    let at = start;
    while (at < end && ((buf[at] ?? 0) & 0xe0) === 0x20) {
      const bytes = readInteger(buf, at, end, 0x1f);
      at = cursor;
      if (bytes > this.#maxTableBytes) {
        throw new HpackError(`a table size of ${bytes} bytes is above the limit of ${this.#maxTableBytes}`);
      }
      this.#table.resize(bytes);
    }
    this.#mustResize = false;
    return at;
  }
}

// The readers below leave the new offset here: a second result without an object.
let cursor = 0;

// An honest integer is below 2^28 (an index, a length within a block, a table size); five continuation bytes
// also allow for an encoder that pads with zeros (RFC 7541 §5.1).
const MAX_CONTINUATION_BYTES = 5;
const MAX_INTEGER = 0x0fffffff;

/** Reads the integer (§5.1) whose prefix, under `mask`, is in the byte at `start`. */
function readInteger(buf: Buffer, start: number, end: number, mask: number): number {
  if (start >= end) throw new HpackError("the block ends where an integer is expected");
  let value = (buf[start] ?? 0) & mask;
  let at = start + 1;
  if (value === mask) {
    for (let i = 0, unit = 1; ; i++, unit *= 128) {
      if (at >= end) throw new HpackError("the block ends within an integer");
      const byte = buf[at++] ?? 0;
      value += (byte & 0x7f) * unit;
      if (value > MAX_INTEGER || i === MAX_CONTINUATION_BYTES)
        throw new HpackError("an integer is too large");
      if (byte < 0x80) break;
    }
  }
  cursor = at;
  return value;
}

// Buffer for Huffman-decoded text. Grown for a longer string, and released afterwards.
const SCRATCH_BYTES = 16384;
const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);

/** Reads a string literal (§5.2). */
function readValue(buf: Buffer, start: number, end: number): string {
  const length = readInteger(buf, start, end, 0x7f);
  const from = cursor;
  const to = from + length;
  if (to > end) throw new HpackError("the block ends within a string");
  const huffman = (buf[start] ?? 0) >= 0x80;
  cursor = to;
  if (!huffman) return latin1(buf, from, to);
  const room = huffmanDecodedRoom(length);
  const out = room <= SCRATCH_BYTES ? scratch : Buffer.allocUnsafe(room);
  const decoded = huffmanDecode(buf, from, to, out);
  if (decoded < 0) throw new HpackError("a string has invalid Huffman coding (RFC 7541 §5.2)");
  return latin1(out, 0, decoded);
}

/** Reads a name, as the one shared string when it is a common one. */
function readName(buf: Buffer, start: number, end: number): string {
  const name = readValue(buf, start, end);
  return NAMES.get(name) ?? name;
}

const NAMES = new Map<string, string>();
for (const field of STATIC_FIELDS) if (field !== undefined) NAMES.set(field.name, field.name);
for (const name of COMMON_NAMES) NAMES.set(name, name);

/**
 * ISO-8859-1 text of `b[s, end)`. Short texts, such as a grpc-timeout, are built without a call out of JavaScript:
 * 15-35 ns up to 12 characters, where Buffer.toString takes 65. For longer ones there is no difference.
 */
// biome-ignore format: a table, one length a row
function latin1(b: Buffer, s: number, end: number): string {
  switch (end - s) {
    case 0: return "";
    case 1: return fromCodes(at(b, s));
    case 2: return fromCodes(at(b, s), at(b, s + 1));
    case 3: return fromCodes(at(b, s), at(b, s + 1), at(b, s + 2));
    case 4: return fromCodes(at(b, s), at(b, s + 1), at(b, s + 2), at(b, s + 3));
    case 5: return fromCodes(at(b, s), at(b, s + 1), at(b, s + 2), at(b, s + 3), at(b, s + 4));
    case 6: return fromCodes(at(b, s), at(b, s + 1), at(b, s + 2), at(b, s + 3), at(b, s + 4), at(b, s + 5));
    case 7: return fromCodes(at(b, s), at(b, s + 1), at(b, s + 2), at(b, s + 3), at(b, s + 4), at(b, s + 5), at(b, s + 6));
    case 8: return fromCodes(at(b, s), at(b, s + 1), at(b, s + 2), at(b, s + 3), at(b, s + 4), at(b, s + 5), at(b, s + 6), at(b, s + 7));
    case 9: return fromCodes(at(b, s), at(b, s + 1), at(b, s + 2), at(b, s + 3), at(b, s + 4), at(b, s + 5), at(b, s + 6), at(b, s + 7), at(b, s + 8));
    case 10: return fromCodes(at(b, s), at(b, s + 1), at(b, s + 2), at(b, s + 3), at(b, s + 4), at(b, s + 5), at(b, s + 6), at(b, s + 7), at(b, s + 8), at(b, s + 9));
    case 11: return fromCodes(at(b, s), at(b, s + 1), at(b, s + 2), at(b, s + 3), at(b, s + 4), at(b, s + 5), at(b, s + 6), at(b, s + 7), at(b, s + 8), at(b, s + 9), at(b, s + 10));
    case 12: return fromCodes(at(b, s), at(b, s + 1), at(b, s + 2), at(b, s + 3), at(b, s + 4), at(b, s + 5), at(b, s + 6), at(b, s + 7), at(b, s + 8), at(b, s + 9), at(b, s + 10), at(b, s + 11));
    default: return b.toString("latin1", s, end);
  }
}

const fromCodes = String.fromCharCode;

function at(b: Buffer, i: number): number {
  return b[i] ?? 0;
}

const MAX_REMEMBERED_BLOCK_BYTES = 1024;
// Two slots to a set. 64 blocks of at most 1 KiB are also the bound in bytes: 64 KiB a connection.
const REMEMBERED_BLOCKS = 64;

const NOTHING_SEEN = new Int32Array(0);

interface RememberedBlock {
  readonly hash: number;
  readonly bytes: Uint8Array;
  readonly block: HeaderBlock;
}

/**
 * Blocks by their bytes, as long as the table stays the same: clients without changing fields send the same block with
 * every call. A block is stored when it is seen the second time, so one-off blocks cost a hash and no copy.
 */
class BlockMemory {
  // A kilobyte with its first block: many connections to services never carry a call.
  #slots: (RememberedBlock | undefined)[] = [];
  #seen = NOTHING_SEEN;
  #count = 0;

  find(buf: Buffer, start: number, end: number): HeaderBlock | undefined {
    if (this.#count === 0 || end - start > MAX_REMEMBERED_BLOCK_BYTES) return undefined;
    const hash = hashBytes(buf, start, end);
    const slot = hash & (REMEMBERED_BLOCKS - 1);
    const one = this.#slots[slot];
    if (one !== undefined && one.hash === hash && equalBytes(one.bytes, buf, start, end)) return one.block;
    const other = this.#slots[slot ^ 1];
    if (other !== undefined && other.hash === hash && equalBytes(other.bytes, buf, start, end)) {
      return other.block;
    }
    return undefined;
  }

  note(buf: Buffer, start: number, end: number, block: HeaderBlock): void {
    if (end - start > MAX_REMEMBERED_BLOCK_BYTES) return;
    if (this.#slots.length === 0) {
      this.#slots = new Array<RememberedBlock | undefined>(REMEMBERED_BLOCKS).fill(undefined);
      this.#seen = new Int32Array(REMEMBERED_BLOCKS);
    }
    const hash = hashBytes(buf, start, end);
    let slot = hash & (REMEMBERED_BLOCKS - 1);
    if (this.#seen[slot] !== hash) {
      this.#seen[slot] = hash;
      return;
    }
    if (this.#slots[slot] !== undefined && this.#slots[slot ^ 1] === undefined) slot ^= 1;
    if (this.#slots[slot] === undefined) this.#count++;
    // Not a Buffer: a few bytes would keep its pool of 8 KiB alive.
    const bytes = new Uint8Array(end - start);
    bytes.set(buf.subarray(start, end));
    this.#slots[slot] = { hash, bytes, block };
  }

  forget(): void {
    if (this.#count === 0) return;
    this.#count = 0;
    this.#slots.fill(undefined);
  }
}

/** 32 bits over all the bytes, four at a time. */
function hashBytes(buf: Buffer, start: number, end: number): number {
  let hash = end - start;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    const word =
      (buf[at] ?? 0) | ((buf[at + 1] ?? 0) << 8) | ((buf[at + 2] ?? 0) << 16) | ((buf[at + 3] ?? 0) << 24);
    hash = Math.imul(hash ^ word, 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  for (; at < end; at++) hash = Math.imul(hash ^ (buf[at] ?? 0), 0x01000193);
  return hash ^ (hash >>> 13);
}

function equalBytes(bytes: Uint8Array, buf: Buffer, start: number, end: number): boolean {
  if (bytes.length !== end - start) return false;
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== buf[start + i]) return false;
  return true;
}
