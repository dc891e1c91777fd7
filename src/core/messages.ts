// Splits a gRPC body into its messages, and frames messages for one (gRPC over HTTP/2, "Length-Prefixed-Message").
import { gunzipSync, inflateSync } from "node:zlib";
import { refusal } from "./reasons.js";
import { Code, Status } from "./status.js";

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

/** Takes what comes out of a `MessageSplitter`; a view of its input, mostly. */
export interface MessageOwner {
  onMessage(message: Buffer): void;
}

/**
 * Collects the messages of one direction from chunks of any size.
 * Memory is bounded by `maxBytes`, which holds before and after decompression.
 */
export class MessageSplitter {
  private readonly maxBytes: number;
  /** grpc-encoding of the direction; `identity` when absent */
  private readonly encoding: string;
  /** Of a prefix that comes in pieces; most lie in one chunk and are read there. */
  private prefix: Buffer | undefined = undefined;
  private prefixLength = 0;
  private compressed = false;
  private body: Buffer | undefined = undefined;
  private bodyLength = 0;

  constructor(maxBytes: number, encoding: string | undefined) {
    this.maxBytes = maxBytes;
    this.encoding = encoding ?? "identity";
  }

  /** True between messages: a body that ends elsewhere was cut short. */
  get atBoundary(): boolean {
    return this.prefixLength === 0;
  }

  /** Adds bytes start..end, and gives the owner each message that is complete. A Status says what is wrong with them. */
  push(chunk: Buffer, start: number, end: number, owner: MessageOwner): Status | undefined {
    let at = start;
    while (at < end) {
      if (this.body === undefined) {
        let head = chunk;
        let headAt = at;
        if (this.prefixLength > 0 || end - at < PREFIX_BYTES) {
          this.prefix ??= Buffer.allocUnsafe(PREFIX_BYTES);
          const n = Math.min(PREFIX_BYTES - this.prefixLength, end - at);
          chunk.copy(this.prefix, this.prefixLength, at, at + n);
          this.prefixLength += n;
          at += n;
          if (this.prefixLength < PREFIX_BYTES) return undefined;
          head = this.prefix;
          headAt = 0;
        } else {
          this.prefixLength = PREFIX_BYTES;
          at += PREFIX_BYTES;
        }
        const length = head.readUInt32BE(headAt + 1);
        if (length > this.maxBytes) return tooLarge(length, this.maxBytes);
        const flag = head[headAt] ?? 0;
        if (flag > 1) {
          return refusal(
            "UPSTREAM_PROTOCOL_ERROR",
            `gRPC frame with compressed flag ${flag}: it must be 0 or 1`,
            { code: Code.INTERNAL },
          );
        }
        this.compressed = flag === 1;
        if (end - at >= length) {
          // The usual case: the whole message lies in this chunk, and is passed on as a view of it.
          const failure = this.deliver(chunk.subarray(at, at + length), owner);
          at += length;
          if (failure !== undefined) return failure;
          continue;
        }
        this.body = Buffer.allocUnsafe(length);
        this.bodyLength = 0;
      }
      const n = Math.min(this.body.length - this.bodyLength, end - at);
      chunk.copy(this.body, this.bodyLength, at, at + n);
      this.bodyLength += n;
      at += n;
      if (this.bodyLength === this.body.length) {
        const failure = this.deliver(this.body, owner);
        if (failure !== undefined) return failure;
      }
    }
    return undefined;
  }

  private deliver(payload: Buffer, owner: MessageOwner): Status | undefined {
    this.prefixLength = 0;
    this.body = undefined;
    if (!this.compressed) {
      owner.onMessage(payload);
      return undefined;
    }
    const plain = decompress(payload, this.encoding, this.maxBytes);
    if (plain instanceof Status) return plain;
    owner.onMessage(plain);
    return undefined;
  }
}

function decompress(payload: Buffer, encoding: string, maxOutputLength: number): Buffer | Status {
  try {
    // Synchronous: messages are bounded by the size limit, and order must hold.
    if (encoding === "gzip") return gunzipSync(payload, { maxOutputLength });
    if (encoding === "deflate") return inflateSync(payload, { maxOutputLength });
  } catch (error) {
    if (error instanceof RangeError) return tooLarge(undefined, maxOutputLength);
    return refusal("UPSTREAM_PROTOCOL_ERROR", `a message is not valid ${encoding} data`, {
      code: Code.INTERNAL,
    });
  }
  const reason =
    encoding === "identity"
      ? "a message is marked compressed, but no grpc-encoding was announced"
      : `grpc-encoding "${encoding}" is not supported here: use identity, gzip or deflate`;
  return refusal("UPSTREAM_PROTOCOL_ERROR", reason, {
    code: encoding === "identity" ? Code.INTERNAL : Code.UNIMPLEMENTED,
  });
}

function tooLarge(bytes: number | undefined, maxBytes: number): Status {
  const size = bytes === undefined ? "a decompressed message" : `a message of ${bytes} bytes`;
  const info = { limit: String(maxBytes) };
  return refusal("RESPONSE_TOO_LARGE", `${size} is larger than the limit of ${maxBytes} bytes`, { info });
}
