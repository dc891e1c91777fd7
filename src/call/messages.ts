// Splits a gRPC body into its messages, and frames messages for one (gRPC over HTTP/2, "Length-Prefixed-Message").
import { gunzip, gunzipSync, inflate, inflateSync, type ZlibOptions } from "node:zlib";
import { Headers } from "../kit/headers.js";
import { cut } from "../kit/text/text.js";
import { refusal } from "./status/reasons.js";
import { Code, Status } from "./status/status.js";

/** 1 byte compressed flag, 4 bytes length, big-endian. */
export const PREFIX_BYTES = 5;

/** One frame of a message that is not compressed. */
export function frameMessage(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, PREFIX_BYTES);
  return frame;
}

/** The prefix of a payload. */
export function prefixOf(payload: Uint8Array, packed: boolean): Buffer {
  const prefix = Buffer.allocUnsafe(PREFIX_BYTES);
  prefix[0] = packed ? 1 : 0;
  prefix.writeUInt32BE(payload.length, 1);
  return prefix;
}

const NO_BYTES = Buffer.alloc(0);

/** Whose messages they are: in a request the client is at fault, in a response the service. */
export type Direction = "request" | "response";

/** Takes the output of a `MessageSplitter`; usually a view of its input. */
export interface MessageOwner {
  onMessage(message: Buffer): void;
}

/**
 * Collects the messages of one direction from chunks of any size.
 * Memory is bounded by `maxBytes`, which holds before and after decompression.
 */
export class MessageSplitter {
  readonly maxBytes: number;
  /** grpc-encoding of the direction; `identity` when absent */
  readonly encoding: string;
  private readonly direction: Direction;
  /** Whether the message that `next` returned is compressed. */
  packed = false;
  private chunk: Buffer = NO_BYTES;
  private at = 0;
  private end = 0;
  /** A prefix that arrives in pieces; most are in one chunk and are read there. */
  private prefix: Buffer | undefined = undefined;
  private prefixLength = 0;
  private body: Buffer | undefined = undefined;
  private bodyLength = 0;

  /** @param direction whose messages they are; default: the response's */
  constructor(maxBytes: number, encoding: string | undefined, direction: Direction = "response") {
    this.maxBytes = maxBytes;
    this.encoding = encoding ?? "identity";
    this.direction = direction;
  }

  /** Position of the next unread byte in the current chunk: after the message that `next` returned. */
  get offset(): number {
    return this.at;
  }

  /** True between messages: a body that ends elsewhere was cut short. */
  get atBoundary(): boolean {
    return this.prefixLength === 0;
  }

  /**
   * Gives the owner each message that is completed by bytes start..end. Returns a Status if the bytes are malformed.
   */
  push(chunk: Buffer, start: number, end: number, owner: MessageOwner): Status | undefined {
    this.give(chunk, start, end);
    for (;;) {
      const payload = this.next();
      if (payload === undefined) return undefined;
      if (payload instanceof Status) return payload;
      const plain = this.packed ? unpack(payload, this.encoding, this.maxBytes, this.direction) : payload;
      if (plain instanceof Status) return plain;
      owner.onMessage(plain);
    }
  }

  /** Adds bytes start..end, to be read by `next`; those before have been. */
  give(chunk: Buffer, start: number, end: number): void {
    this.chunk = chunk;
    this.at = start;
    this.end = end;
  }

  /** The next message unchanged, `packed` (compressed) or not; undefined: the bytes are used up. */
  next(): Buffer | Status | undefined {
    const { chunk, end } = this;
    while (this.at < end) {
      if (this.body === undefined) {
        let head = chunk;
        let headAt = this.at;
        if (this.prefixLength > 0 || end - headAt < PREFIX_BYTES) {
          this.prefix ??= Buffer.allocUnsafe(PREFIX_BYTES);
          const n = Math.min(PREFIX_BYTES - this.prefixLength, end - headAt);
          chunk.copy(this.prefix, this.prefixLength, headAt, headAt + n);
          this.prefixLength += n;
          this.at += n;
          if (this.prefixLength < PREFIX_BYTES) break;
          head = this.prefix;
          headAt = 0;
        } else {
          this.prefixLength = PREFIX_BYTES;
          this.at += PREFIX_BYTES;
        }
        const length = head.readUInt32BE(headAt + 1);
        if (length > this.maxBytes) return tooLarge(length, this.maxBytes, this.direction);
        const flag = head[headAt] ?? 0;
        if (flag > 1) {
          return malformed(`gRPC frame with compressed flag ${flag}: it must be 0 or 1`, this.direction);
        }
        this.packed = flag === 1;
        if (end - this.at >= length) {
          // The usual case: the whole message lies in this chunk, and is passed on as a view of it.
          const payload = chunk.subarray(this.at, this.at + length);
          this.at += length;
          this.prefixLength = 0;
          return payload;
        }
        this.body = Buffer.allocUnsafe(length);
        this.bodyLength = 0;
      }
      const { body } = this;
      const n = Math.min(body.length - this.bodyLength, end - this.at);
      chunk.copy(body, this.bodyLength, this.at, this.at + n);
      this.bodyLength += n;
      this.at += n;
      if (this.bodyLength === body.length) {
        this.prefixLength = 0;
        this.body = undefined;
        return body;
      }
    }
    this.chunk = NO_BYTES;
    return undefined;
  }
}

/** The message of a payload; a Status if it is malformed or too large. */
export function unpack(
  payload: Buffer,
  encoding: string,
  maxBytes: number,
  direction: Direction = "response",
): Buffer | Status {
  const known = decoderOf(encoding, direction);
  if (known instanceof Status) return known;
  try {
    return known.here(payload, { maxOutputLength: maxBytes });
  } catch (error) {
    return notUnpacked(error, encoding, maxBytes, direction);
  }
}

/** Decompressing this much in place takes less than half a millisecond; more is done in one of zlib's threads. */
const UNPACKED_HERE_BYTES = 64 * 1024;

/**
 * The same without blocking the event loop (a message may be a thousand times as large as its payload): for a large
 * message it returns undefined, and calls `done` later.
 */
export function unpackAsync(
  payload: Buffer,
  encoding: string,
  maxBytes: number,
  done: (message: Buffer | Status) => void,
  direction: Direction = "response",
): Buffer | Status | undefined {
  const known = decoderOf(encoding, direction);
  if (known instanceof Status) return known;
  if (payload.length <= UNPACKED_HERE_BYTES) {
    try {
      return known.here(payload, { maxOutputLength: Math.min(maxBytes, UNPACKED_HERE_BYTES) });
    } catch (error) {
      if (!(error instanceof RangeError) || maxBytes <= UNPACKED_HERE_BYTES)
        return notUnpacked(error, encoding, maxBytes, direction);
    }
  }
  known.later(payload, { maxOutputLength: maxBytes }, (error, message) =>
    done(error === null ? message : notUnpacked(error, encoding, maxBytes, direction)),
  );
  return undefined;
}

interface Decoder {
  readonly here: typeof gunzipSync;
  readonly later: (
    payload: Buffer,
    options: ZlibOptions,
    done: (error: Error | null, message: Buffer) => void,
  ) => void;
}

const DECODERS: Readonly<Record<string, Decoder>> = {
  gzip: { here: gunzipSync, later: gunzip },
  deflate: { here: inflateSync, later: inflate },
};

function decoderOf(encoding: string, direction: Direction): Decoder | Status {
  const known = Object.hasOwn(DECODERS, encoding) ? DECODERS[encoding] : undefined;
  if (known !== undefined) return known;
  if (encoding === "identity")
    return malformed("a message is marked compressed, but no grpc-encoding was announced", direction);
  const message = `grpc-encoding "${cut(encoding, 32)}" is not supported here: use identity, gzip or deflate`;
  return malformed(message, direction, Code.UNIMPLEMENTED, TAKEN_ENCODINGS);
}

function notUnpacked(error: unknown, encoding: string, maxBytes: number, direction: Direction): Status {
  if (error instanceof RangeError) return tooLarge(undefined, maxBytes, direction);
  return malformed(`a message is not valid ${encoding} data`, direction);
}

/** The response of a server to an unsupported encoding (gRPC's "Compression"). */
const TAKEN_ENCODINGS = Headers.of(["grpc-accept-encoding", "identity,gzip,deflate"]);

function malformed(
  message: string,
  direction: Direction,
  code: Code = Code.INTERNAL,
  metadata?: Headers,
): Status {
  if (direction === "request") return refusal("INVALID_GRPC_REQUEST", message, { code, metadata });
  return refusal("UPSTREAM_PROTOCOL_ERROR", message, { code });
}

function tooLarge(bytes: number | undefined, maxBytes: number, direction: Direction): Status {
  const size = bytes === undefined ? "a decompressed message" : `a message of ${bytes} bytes`;
  const reason = direction === "request" ? "MESSAGE_TOO_LARGE" : "RESPONSE_TOO_LARGE";
  const info = { limit: String(maxBytes) };
  return refusal(reason, `${size} is larger than the limit of ${maxBytes} bytes`, { info });
}
