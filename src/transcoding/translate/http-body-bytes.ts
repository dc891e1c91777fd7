// Finds a google.api.HttpBody in a response's bytes: its type and its data, skipping everything else. Other parts of a
// response, for example a million empty extensions, would take a second to become objects that nobody needs.
import { DecodeError } from "../codec/decode-error.js";
import { MAX_DEPTH, MAX_VARINT_BYTES, truncated } from "../codec/wire.js";

export interface HttpBodyBytes {
  /** As the service wrote it; "" if it wrote none. */
  readonly contentType: string;
  /** A view of the message. */
  readonly data: Uint8Array;
}

const NO_BYTES = new Uint8Array(0);
/** google/api/httpbody.proto: string content_type = 1; bytes data = 2. */
const CONTENT_TYPE = 1;
const DATA = 2;

/** @param field number of the field with the HttpBody; undefined: the message is one. Throws DecodeError. */
export function httpBodyOf(message: Uint8Array, field: number | undefined): HttpBodyBytes {
  const scan = new Scan(message);
  if (field === undefined) scan.body(message.length);
  else {
    while (scan.pos < message.length) {
      const length = scan.lengthOf(field, message.length);
      // Several of them merge, so the last data counts, wherever it is.
      if (length >= 0) scan.body(scan.pos + length);
    }
  }
  const { contentType, data } = scan;
  return { contentType: Buffer.from(contentType).toString(), data };
}

class Scan {
  pos = 0;
  contentType: Uint8Array = NO_BYTES;
  data: Uint8Array = NO_BYTES;
  readonly #bytes: Uint8Array;
  #tag = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** The HttpBody that ends at `end`. */
  body(end: number): void {
    while (this.pos < end) {
      const length = this.lengthOf(undefined, end);
      if (length < 0) continue;
      const from = this.pos;
      this.pos += length;
      if (this.#tag >>> 3 === CONTENT_TYPE) this.contentType = this.#bytes.subarray(from, this.pos);
      else if (this.#tag >>> 3 === DATA) this.data = this.#bytes.subarray(from, this.pos);
    }
  }

  /**
   * Reads a field: the length of its content, which begins at `pos`; -1, after skipping it, if it is not of type bytes
   * or has another number than `wanted`.
   */
  lengthOf(wanted: number | undefined, end: number): number {
    this.#tag = this.#varint(end);
    const number = this.#tag >>> 3;
    if (number === 0) throw new DecodeError("a field's tag is malformed");
    if ((this.#tag & 7) !== 2) {
      this.#skip(this.#tag, end);
      return -1;
    }
    const length = this.#varint(end);
    if (length > end - this.pos) throw truncated();
    if (wanted === undefined || number === wanted) return length;
    this.pos += length;
    return -1;
  }

  /** Not recursive: a hostile service's groups may be as deep as they are long. */
  #skip(first: number, end: number): void {
    const open: number[] = [];
    for (let tag = first; ; tag = this.#varint(end)) {
      const wire = tag & 7;
      if (wire === 0) this.#varint(end);
      else if (wire === 1) this.pos += 8;
      else if (wire === 2) this.pos += this.#varint(end);
      else if (wire === 5) this.pos += 4;
      else if (wire === 3) {
        if (open.push(tag >>> 3) > MAX_DEPTH)
          throw new DecodeError(`groups are nested more than ${MAX_DEPTH} deep`);
      } else if (wire !== 4 || open.pop() !== tag >>> 3) throw new DecodeError("a field's tag is malformed");
      if (this.pos > end) throw truncated();
      if (open.length === 0) return;
    }
  }

  /** Of 32 bits; a longer one is skipped, or rejected as a length, so its value does not matter. */
  #varint(end: number): number {
    let value = 0;
    for (let i = 0; i < MAX_VARINT_BYTES; i++) {
      const byte = this.#bytes[this.pos++];
      if (byte === undefined || this.pos > end) throw truncated();
      if (i < 4) value |= (byte & 0x7f) << (7 * i);
      else if (i === 4) value += (byte & 0x0f) * 2 ** 28;
      if (byte < 0x80) return value;
    }
    throw new DecodeError("a varint has more than 10 bytes");
  }
}
