// The one class for failures, and the one table from gRPC codes to HTTP and Connect.
import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import type { Headers } from "../../kit/headers.js";
import { kindOf } from "../../kit/text/kind-of.js";
import { wellFormed } from "../../kit/text/text.js";

/** gRPC status codes (google/rpc/code.proto). */
export const Code = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;
export type Code = (typeof Code)[keyof typeof Code];

interface CodeRow {
  readonly name: string;
  readonly http: number;
  readonly connect: string;
}

// HTTP statuses: google/rpc/code.proto. Connect names: the Connect protocol, "Error codes".
const TABLE: readonly CodeRow[] = [
  { name: "OK", http: 200, connect: "ok" },
  { name: "CANCELLED", http: 499, connect: "canceled" },
  { name: "UNKNOWN", http: 500, connect: "unknown" },
  { name: "INVALID_ARGUMENT", http: 400, connect: "invalid_argument" },
  { name: "DEADLINE_EXCEEDED", http: 504, connect: "deadline_exceeded" },
  { name: "NOT_FOUND", http: 404, connect: "not_found" },
  { name: "ALREADY_EXISTS", http: 409, connect: "already_exists" },
  { name: "PERMISSION_DENIED", http: 403, connect: "permission_denied" },
  { name: "RESOURCE_EXHAUSTED", http: 429, connect: "resource_exhausted" },
  { name: "FAILED_PRECONDITION", http: 400, connect: "failed_precondition" },
  { name: "ABORTED", http: 409, connect: "aborted" },
  { name: "OUT_OF_RANGE", http: 400, connect: "out_of_range" },
  { name: "UNIMPLEMENTED", http: 501, connect: "unimplemented" },
  { name: "INTERNAL", http: 500, connect: "internal" },
  { name: "UNAVAILABLE", http: 503, connect: "unavailable" },
  { name: "DATA_LOSS", http: 500, connect: "data_loss" },
  { name: "UNAUTHENTICATED", http: 401, connect: "unauthenticated" },
];
const UNKNOWN_ROW: CodeRow = { name: "UNKNOWN", http: 500, connect: "unknown" };

/** The HTTP status for a gRPC code; 500 for a number that is no code. */
export function httpStatusOf(code: number): number {
  return (TABLE[code] ?? UNKNOWN_ROW).http;
}

/** The code's name, as in `NOT_FOUND`; `UNKNOWN` for a number that is no code. */
export function codeName(code: number): string {
  return (TABLE[code] ?? UNKNOWN_ROW).name;
}

/** The Connect protocol's name of the code, as in `not_found`. */
export function connectCodeName(code: number): string {
  return (TABLE[code] ?? UNKNOWN_ROW).connect;
}

/** The gRPC code for an HTTP response without grpc-status (grpc/doc/http-grpc-status-mapping.md). */
export function codeFromHttpStatus(status: number): Code {
  switch (status) {
    case 400:
      return Code.INTERNAL;
    case 401:
      return Code.UNAUTHENTICATED;
    case 403:
      return Code.PERMISSION_DENIED;
    case 404:
      return Code.UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
      return Code.UNAVAILABLE;
    default:
      return Code.UNKNOWN;
  }
}

/** One google.protobuf.Any of a status, its payload still in bytes. */
export interface StatusDetail {
  /** e.g. `type.googleapis.com/google.rpc.BadRequest` */
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

export type Hint = string | (() => string);

export interface StatusInit {
  readonly details?: readonly StatusDetail[];
  /** Metadata of an error: trailers for gRPC, header fields for HTTP (www-authenticate, retry-after, …). */
  readonly metadata?: Headers;
  /** HTTP status, if the table's is not specific enough (405, 413, 415, …). */
  readonly http?: number;
  /**
   * A suffix of the message with internals (addresses, reasons, names of routes), including what joins it to the
   * message: only for callers who may see them (`errors.hints`). A function is called only for such a caller.
   */
  readonly hint?: Hint;
  /** For the log only: never reaches a client. */
  readonly cause?: unknown;
}

/**
 * How a call ended, or why it is rejected. Immutable. `message` is for the client: it says what to change.
 *
 * @example
 * import { Code, errorInfo, Headers, retryInfo, Status } from "linchpin-hub";
 *
 * export const closed = new Status(Code.UNAVAILABLE, "the library is closed: try again in a minute", {
 *   details: [errorInfo("CLOSED", "library.example"), retryInfo(60_000)],
 *   metadata: Headers.of(["retry-after", "60"]),
 * });
 */
export class Status {
  readonly code: number;
  readonly message: string;
  readonly details: readonly StatusDetail[];
  readonly metadata: Headers | undefined;
  readonly hint: Hint | undefined;
  readonly cause: unknown;
  readonly #http: number | undefined;

  /** Throws a TypeError if the message is missing or the code is not a number. */
  constructor(code: number, message: string, init: StatusInit = {}) {
    if (typeof code !== "number" || typeof message !== "string") {
      const given = typeof code === "number" ? `message ${kindOf(message)}` : `code ${kindOf(code)}`;
      throw new TypeError(
        `new Status(code, message) takes a number of Code and a text for the client, not the ${given}; what admits a call returns nothing`,
      );
    }
    this.code = code;
    // Half a character cannot be sent: each response format would replace it differently, or fail.
    this.message = wellFormed(message);
    this.details = init.details ?? [];
    this.metadata = init.metadata;
    this.hint = init.hint;
    this.cause = init.cause;
    this.#http = init.http;
  }

  /** The HTTP status that a JSON client sees. */
  get http(): number {
    return this.#http ?? httpStatusOf(this.code);
  }

  /** The status for callers who may see internals: with its hint in the message. */
  withHint(): Status {
    return this.hint === undefined ? this : this.#copy(this.message + said(this.hint), undefined);
  }

  /** The same status with another message. */
  withMessage(message: string): Status {
    return this.#copy(message, this.hint);
  }

  #copy(message: string, hint: Hint | undefined): Status {
    const { code, details, metadata, cause } = this;
    return new Status(code, message, {
      details,
      cause,
      ...(hint === undefined ? {} : { hint }),
      ...(metadata === undefined ? {} : { metadata }),
      ...(this.#http === undefined ? {} : { http: this.#http }),
    });
  }

  /** For logs. */
  toString(): string {
    return `${codeName(this.code)}: ${this.withHint().message}`;
  }
}

/** Serializes a status as google.rpc.Status, the value of `grpc-status-details-bin`. */
export function encodeStatusProto(status: Status): Uint8Array {
  const w = new BinaryWriter();
  if (status.code !== 0) w.uint32(8).int32(status.code);
  if (status.message !== "") w.uint32(18).string(status.message);
  for (const detail of status.details) {
    w.uint32(26).fork();
    w.uint32(10).string(detail.typeUrl);
    if (detail.value.length > 0) w.uint32(18).bytes(detail.value);
    w.join();
  }
  return w.finish();
}

/** Reads a google.rpc.Status; undefined when the bytes are not one. */
export function decodeStatusProto(bytes: Uint8Array): Status | undefined {
  try {
    const r = new BinaryReader(bytes);
    let code = 0;
    let message = "";
    const details: StatusDetail[] = [];
    while (r.pos < r.len) {
      const [no, wire] = r.tag();
      if (no === 1) code = r.int32();
      else if (no === 2) message = r.string();
      else if (no === 3) details.push(decodeAny(r.bytes()));
      else r.skip(wire, no);
    }
    return new Status(code, message, { details });
  } catch {
    return undefined;
  }
}

function decodeAny(bytes: Uint8Array): StatusDetail {
  const r = new BinaryReader(bytes);
  let typeUrl = "";
  let value: Uint8Array = new Uint8Array(0);
  while (r.pos < r.len) {
    const [no, wire] = r.tag();
    if (no === 1) typeUrl = r.string();
    else if (no === 2) value = r.bytes();
    else r.skip(wire, no);
  }
  return { typeUrl, value };
}

/**
 * Percent-encodes a grpc-message (gRPC over HTTP/2: all but 0x20–0x7E, and `%`, as %XX of the UTF-8 bytes). Also a
 * space at either end: a field value may not have one there (RFC 9113 §8.2.1).
 */
export function encodeGrpcMessage(message: string): string {
  if (/^(?:[!-$&-~](?:[ -$&-~]*[!-$&-~])?)?$/.test(message)) return message;
  const bytes = Buffer.from(message, "utf8");
  let out = "";
  for (const [i, byte] of bytes.entries()) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    const outer = byte === 0x20 && (i === 0 || i === bytes.length - 1);
    out +=
      plain && !outer ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return out;
}

/**
 * Decodes a grpc-message, a field value as ISO-8859-1 text. Never fails: an invalid escape stays unchanged, and bytes
 * beyond ASCII, which some servers send raw, are read as UTF-8.
 */
export function decodeGrpcMessage(encoded: string): string {
  if (/^[ -$&-~]*$/.test(encoded)) return encoded;
  const bytes = Buffer.from(encoded, "latin1");
  let length = 0;
  for (let i = 0; i < encoded.length; i++) {
    const hex = encoded[i] === "%" ? encoded.slice(i + 1, i + 3) : "";
    if (/^[0-9a-fA-F]{2}$/.test(hex)) {
      bytes[length++] = Number.parseInt(hex, 16);
      i += 2;
    } else {
      bytes[length++] = bytes[i] ?? 0;
    }
  }
  return bytes.toString("utf8", 0, length);
}

const OK = new Status(Code.OK, "");

/** Reads the status from trailers: grpc-status-details-bin if it has the same code, otherwise grpc-message. */
export function statusFromTrailers(trailers: Headers): Status {
  const code = parseGrpcStatus(trailers.get("grpc-status"));
  if (code === Code.OK) return OK;
  const message = decodeGrpcMessage(trailers.get("grpc-message") ?? "");
  const bin = trailers.get("grpc-status-details-bin");
  const full = bin === undefined ? undefined : decodeStatusProto(Buffer.from(bin, "base64"));
  if (full === undefined || full.code !== code) return new Status(code, message);
  return new Status(code, full.message === "" ? message : full.message, { details: full.details });
}

/** The number in a grpc-status field; UNKNOWN (2) when it is missing or not a number. */
export function parseGrpcStatus(value: string | undefined): number {
  if (value === "0") return 0;
  return value !== undefined && /^\d{1,3}$/.test(value) ? Number(value) : Code.UNKNOWN;
}

/** A hint that throws is left out: the status itself must be sent. */
function said(hint: Hint): string {
  if (typeof hint === "string") return hint;
  try {
    return hint();
  } catch {
    return "";
  }
}
