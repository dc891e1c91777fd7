// How the bodies of one HTTP request and its response are translated: transcoding/ knows the formats, downstream/ the
// exchange. Both directions push; output may come later (a large message is translated off the event loop), but always
// in the order of the input.
import type { Field } from "../kit/headers.js";
import type { Status } from "./status/status.js";

/** JSON is longer than its message: base64 adds a third to bytes, and names are spelled out. */
const TEXT_GROWTH = 2;

/** Bytes of a text that may become a message within the limit. */
export function maxTextBytes(maxMessageBytes: number): number {
  return maxMessageBytes * TEXT_GROWTH;
}

/** The parts of a request's head that decide the formats. */
export interface BodyRequest {
  /** Content-Type and Accept as received; undefined: not sent. */
  readonly contentType: string | undefined;
  readonly accept: string | undefined;
  /** Bytes of the body, if known in advance. */
  readonly contentLength: number | undefined;
  /** Bytes of one protobuf message; its text may have `maxTextBytes` of it. */
  readonly maxMessageBytes: number;
  /** Each pushed piece is one message and each written one is one: WebSocket. Left out: a body. */
  readonly framed?: boolean;
}

/** The two translators of one call. */
export interface Transcoding {
  /** HTTP status of a success response; 204 and 205 have no body, whatever is written. */
  readonly success: number;
  /** Path and query are all of the request: a WebSocket's call waits for no frame. */
  readonly bodyless?: boolean;
  /** Responses are raw bytes (google.api.HttpBody), whatever their type. */
  readonly givesBytes?: boolean;
  /** The body of a service's failure before its first message, of the Status in JSON; left out: that Status itself. */
  firstFailure?(json: Buffer): Buffer;
  reader(out: MessageTaker): RequestReader;
  writer(out: BodyTaker): ResponseWriter;
}

/**
 * How a reader treats pushed bytes. collected: no message before the last piece. stream: messages as they are
 * completed, wherever a piece ends. pieces: a message of each piece, which must not be cut.
 */
export type BodyForm = "collected" | "stream" | "pieces";

/** The request's body → protobuf messages, combined with what path and query bind. */
export interface RequestReader {
  readonly form: BodyForm;
  /** Bytes start..end of chunk, which is immutable and may be kept. */
  push(chunk: Buffer, start: number, end: number, last: boolean): void;
  /** Its buffer is full: checked after each push and each message; no credit is given meanwhile. */
  readonly behind: boolean;
  /** The call has ended: further input is dropped. Possible from within any call. */
  stop(): void;
}

/** Takes the reader's output: message*, then end or refuse, once. A unary request has exactly one message. */
export interface MessageTaker {
  message(message: Uint8Array): void;
  end(): void;
  /**
   * The request is invalid (4xx); its status says where. Nothing follows. Also called for frames after a request's end.
   */
  refuse(status: Status): void;
  /** A later callback of the reader threw: the call ends. Nothing follows. */
  fault(error: unknown): void;
}

/**
 * Protobuf messages of the response → its body. For a unary call `message` is called once, followed at once by `end`.
 */
export interface ResponseWriter {
  message(message: Uint8Array): void;
  /** All messages were given. */
  end(): void;
  /**
   * The call failed: before the head nothing is written, and `BodyTaker.failed` follows; after it the body contains the
   * failure. `now`: without waiting for messages that are still being printed.
   */
  fail(status: Status, now?: boolean): void;
  /** Keeps an idle stream open (an SSE comment); undefined if the format has nothing for it. */
  readonly keepAlive: Buffer | undefined;
  /** Like `RequestReader.behind`; checked after each message and each write. */
  readonly behind: boolean;
  /** As `RequestReader.stop`. */
  stop(): void;
}

/** Takes the writer's output: head, write*, then end or failed, once. */
export interface BodyTaker {
  /** Before the first byte. `length`: of the whole body in bytes, if it is known: then one write has all of it. */
  head(contentType: string, fields: readonly Field[], length: number | undefined): void;
  /** `last`: the body is complete, nothing follows. */
  write(bytes: Buffer, last: boolean): void;
  /**
   * The body has failed, by `ResponseWriter.fail` or because a message cannot be written. `inBody`: the body contains the
   * failure. Otherwise the status is the whole response if there was no head yet, and a body that has begun is aborted.
   */
  failed(status: Status, inBody: boolean): void;
  /** As `MessageTaker.fault`. */
  fault(error: unknown): void;
}
