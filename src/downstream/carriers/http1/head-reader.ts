// The strict subset of HTTP/1.1 request heads that the hub reads itself: those that can be parsed in only one way. Any
// other head, valid or not, is passed to node:http (by connection.ts), so nothing ambiguous is ever interpreted here.

import { DEFAULT_LIMITS, type Limits } from "../../../http2/wire/limits.js";
import { type Field, field } from "../../../kit/headers.js";

/** The fields of a request, and their meaning for its body and connection. */
export interface FieldBlock {
  /** Lower-case names, in order; the very same array for the same bytes. */
  readonly fields: readonly Field[];
  readonly host: string;
  /** Bytes of the body; 0 without Content-Length. */
  readonly length: number;
  /** The client wants the connection closed after the response. */
  readonly close: boolean;
}

/** The result of `read`: the head (its parts are the reader's properties), incomplete, or one for node:http. */
export type Found = "head" | "more" | "odd";

/** Heads up to this size, fields and request line; larger ones are rare, and node:http accepts or rejects them. */
export const MAX_HEAD_BYTES = 16 * 1024;
/** Field blocks that a connection remembers, and how large they may be: 8 KiB at most for a connection. */
const REMEMBERED_BLOCKS = 4;
const MAX_REMEMBERED_BYTES = 2048;
/** If a connection's blocks change with each request, caching is useless: this many misses without a hit. */
const MAX_MISSES = 32;
/** Digits of a Content-Length, such that every number is exact. */
const MAX_LENGTH_DIGITS = 15;

const HTAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const COLON = 0x3a;
const SLASH = 0x2f;

/** The methods that have bytes to recognize them by; GET first, as most requests are. */
const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"].map((name) => ({
  name,
  bytes: Buffer.from(`${name} `),
}));
const VERSION = Buffer.from(" HTTP/1.1\r\n");

const ALPHANUMERIC = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/** Paths and queries (RFC 3986 §3.3, §3.4), and the brackets that clients leave as they are. */
const IN_TARGET = tableOf(`${ALPHANUMERIC}-._~!$&'()*+,;=:@/?%[]`);
/** A token (RFC 9110 §5.6.2). */
const IN_NAME = tableOf(`${ALPHANUMERIC}!#$%&'*+-.^_\`|~`);
/** A field value (RFC 9110 §5.5): no control bytes but HTAB, no CR or LF of any kind. */
const IN_VALUE = new Uint8Array(256).map((_, byte) =>
  byte === HTAB || (byte >= SPACE && byte !== 0x7f) ? 1 : 0,
);
const HOST = /^[A-Za-z0-9._~:[\]-]+$/;
const LENGTH = /^(?:0|[1-9][0-9]*)$/;
/** Fields that may change the framing of the message, or the protocol of the connection: never accepted here. */
const ODD_NAMES = new Set([
  "expect",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

function tableOf(characters: string): Uint8Array {
  const table = new Uint8Array(256);
  for (const byte of Buffer.from(characters)) table[byte] = 1;
  return table;
}

interface Remembered {
  readonly bytes: Buffer;
  readonly block: FieldBlock;
  /** Where each field's line ends in the bytes. */
  readonly lineEnds: readonly number[];
}

const NO_BLOCK: FieldBlock = { fields: [], host: "", length: 0, close: false };

/** Reads the heads of one connection. */
export class HeadReader {
  /** Of the head that was found last. */
  method = "";
  /** Path and query, raw. */
  target = "";
  block: FieldBlock = NO_BLOCK;
  /** End of the head in the input. */
  end = 0;
  private readonly remembered: Remembered[] = [];
  /** Repeated lines are taken from here: of most blocks that differ, only one or two lines do. */
  private latest: Remembered | undefined = undefined;
  /** Of the block that was read last. */
  private lineEnds: number[] = [];
  private replaceNext = 0;
  private misses = 0;
  private readonly maxFields: number;
  private readonly maxHeadBytes: number;

  constructor(limits: Pick<Limits, "maxHeaderFields" | "maxHeaderListBytes"> = DEFAULT_LIMITS) {
    this.maxFields = limits.maxHeaderFields;
    this.maxHeadBytes = Math.min(MAX_HEAD_BYTES, limits.maxHeaderListBytes);
  }

  /** Reads the head that begins at `start`. If it is complete its parts are set, and valid until the next call. */
  read(input: Buffer, start: number): Found {
    const found = this.readLine(input, start);
    if (found !== "head") return found;
    const from = this.end;
    for (const { bytes, block } of this.remembered) {
      const end = from + bytes.length;
      if (end <= input.length && bytes.compare(input, from, end) === 0) {
        this.end = end;
        this.block = block;
        this.misses = 0;
        return end - start > this.maxHeadBytes ? "odd" : "head";
      }
    }
    const block = this.readBlock(input, from);
    const tooLarge = (block === "more" ? input.length : this.end) - start > this.maxHeadBytes;
    if (tooLarge || block === "odd") return "odd";
    if (block === "more") return "more";
    this.block = block;
    this.remember(input, from, block);
    return "head";
  }

  private remember(input: Buffer, from: number, block: FieldBlock): void {
    if (++this.misses > MAX_MISSES || this.end - from > MAX_REMEMBERED_BYTES) return;
    const bytes = Buffer.from(input.subarray(from, this.end));
    this.latest = { bytes, block, lineEnds: this.lineEnds };
    this.remembered[this.replaceNext] = this.latest;
    this.replaceNext = (this.replaceNext + 1) % REMEMBERED_BLOCKS;
  }

  /** `METHOD SP origin-form SP HTTP/1.1 CRLF` (RFC 9112 §3). */
  private readLine(input: Buffer, start: number): Found {
    let method: (typeof METHODS)[number] | undefined;
    for (const candidate of METHODS) {
      const matched = prefix(candidate.bytes, input, start);
      if (matched === "more") return "more";
      if (matched === "odd") continue;
      method = candidate;
      break;
    }
    if (method === undefined) return "odd";
    const from = start + method.bytes.length;
    if (from === input.length) return "more";
    if (input[from] !== SLASH) return "odd";
    let at = from + 1;
    while (IN_TARGET[input[at] ?? 0] === 1) at++;
    if (at - start > MAX_HEAD_BYTES) return "odd";
    const version = prefix(VERSION, input, at);
    if (version !== "head") return version;
    this.method = method.name;
    this.target = input.toString("latin1", from, at);
    this.end = at + VERSION.length;
    return "head";
  }

  /** Field lines `token ":" OWS value OWS CRLF` to the empty line (RFC 9112 §5); no obs-fold. */
  private readBlock(input: Buffer, start: number): FieldBlock | "more" | "odd" {
    const { length } = input;
    const fields: Field[] = [];
    const lineEnds: number[] = [];
    const { latest } = this;
    let line = 0;
    let lineStart = 0;
    let host: string | undefined;
    let bodyLength: number | undefined;
    let close: boolean | undefined;
    let at = start;
    for (;;) {
      if (at >= length) return "more";
      if (input[at] === CR) {
        if (at + 1 >= length) return "more";
        if (input[at + 1] !== LF) return "odd";
        break;
      }
      let known: Field | undefined;
      if (latest !== undefined && line < latest.lineEnds.length) {
        const end = latest.lineEnds[line] ?? 0;
        if (sameBytes(latest.bytes, lineStart, end, input, at)) {
          known = latest.block.fields[line];
          at += end - lineStart;
        }
        lineStart = end;
        line++;
      }
      if (known === undefined) {
        const nameStart = at;
        while (IN_NAME[input[at] ?? 0] === 1) at++;
        if (at >= length) return "more";
        if (input[at] !== COLON || at === nameStart) return "odd";
        const name = input.toString("latin1", nameStart, at).toLowerCase();
        at++;
        while (input[at] === SPACE || input[at] === HTAB) at++;
        const valueStart = at;
        while (IN_VALUE[input[at] ?? 0] === 1) at++;
        if (at + 1 >= length) return at >= length || input[at] === CR ? "more" : "odd";
        if (input[at] !== CR || input[at + 1] !== LF) return "odd";
        let valueEnd = at;
        while (valueEnd > valueStart && (input[valueEnd - 1] === SPACE || input[valueEnd - 1] === HTAB))
          valueEnd--;
        at += 2;
        known = field(name, input.toString("latin1", valueStart, valueEnd));
      }
      const { name, value } = known;
      switch (name) {
        case "host":
          if (host !== undefined || !HOST.test(value)) return "odd";
          host = value;
          break;
        case "content-length":
          if (bodyLength !== undefined || value.length > MAX_LENGTH_DIGITS || !LENGTH.test(value))
            return "odd";
          bodyLength = Number(value);
          break;
        case "connection": {
          const option = value.toLowerCase();
          if (close !== undefined || (option !== "keep-alive" && option !== "close")) return "odd";
          close = option === "close";
          break;
        }
        default:
          if (ODD_NAMES.has(name)) return "odd";
      }
      fields.push(known);
      lineEnds.push(at - start);
      if (fields.length > this.maxFields) return "odd";
    }
    if (host === undefined) return "odd";
    this.end = at + 2;
    this.lineEnds = lineEnds;
    return { fields, host, length: bodyLength ?? 0, close: close ?? false };
  }
}

/**
 * Whether the input has the bytes from `start` to `end` at a place; compares the last ones first, where lines differ.
 */
function sameBytes(bytes: Buffer, start: number, end: number, input: Buffer, at: number): boolean {
  const last = at + end - start - 1;
  if (last >= input.length || input[last] !== LF || input[last - 2] !== bytes[end - 3]) return false;
  return bytes.compare(input, at, last + 1, start, end) === 0;
}

/** Whether the input has these bytes at a place: "head" for yes, "more" for a beginning of them at the input's end. */
function prefix(bytes: Buffer, input: Buffer, at: number): Found {
  for (let i = 0; i < bytes.length; i++) {
    if (at + i >= input.length) return "more";
    if (input[at + i] !== bytes[i]) return "odd";
  }
  return "head";
}
