// How the bodies of one HTTP request and its answer are translated: transcoding/ knows the formats, downstream/ the
// exchange. Both directions push; what comes out may come later (a large message is translated off the event loop),
// but always in the order in which things went in.
import type { Field } from "../kit/headers.js";
import type { Status } from "./status/status.js";

/** JSON is longer than the message it stands for: bytes grow by a third in base64, and names are spelled out. */
const TEXT_GROWTH = 2;

/** Bytes of a text that may become a message of the limit. */
export function maxTextBytes(maxMessageBytes: number): number {
  return maxMessageBytes * TEXT_GROWTH;
}

/** What of a request's head decides the formats. */
export interface BodyRequest {
  /** Content-Type and Accept as received; undefined: not sent. */
  readonly contentType: string | undefined;
  readonly accept: string | undefined;
  /** Bytes of the body that will be pushed, where they are known before. */
  readonly contentLength: number | undefined;
  /** Bytes of one protobuf message; its text may have `maxTextBytes` of it. */
  readonly maxMessageBytes: number;
  /** Each piece pushed is one message and each one written is one: WebSocket. Left out: a body. */
  readonly framed?: boolean;
}

/** The two translators of one call. */
export interface Transcoding {
  /** HTTP status of a good answer; 204 and 205 have no body, whatever is written. */
  readonly success: number;
  /** Path and query are all of the request: a WebSocket's call waits for no frame. */
  readonly bodyless?: boolean;
  /** Answers are bytes as they are (google.api.HttpBody), whatever type they say they have. */
  readonly givesBytes?: boolean;
  /** The body of a service's failure before its first message, of the Status in JSON; left out: that Status itself. */
  firstFailure?(json: Buffer): Buffer;
  reader(out: MessageTaker): RequestReader;
  writer(out: BodyTaker): ResponseWriter;
}

/**
 * What a reader makes of what is pushed. collected: nothing before the last piece. stream: messages as they come,
 * wherever a piece ends. pieces: a message of each, which is not to be cut.
 */
export type BodyForm = "collected" | "stream" | "pieces";

/** The request's body → protobuf messages, with what path and query bind in each. */
export interface RequestReader {
  readonly form: BodyForm;
  /** Bytes start..end of chunk, which stays as it is and may be kept. */
  push(chunk: Buffer, start: number, end: number, last: boolean): void;
  /** It holds more than it wants to: looked at after each push and each message, and no credit is given meanwhile. */
  readonly behind: boolean;
  /** The call is over: nothing more is wanted, and what comes nevertheless is dropped. May come from within any call. */
  stop(): void;
}

/** Takes what the reader makes: message*, then end or refuse, once. A unary request has exactly one message. */
export interface MessageTaker {
  message(message: Uint8Array): void;
  end(): void;
  /** The request is wrong (4xx); its status says where. Nothing follows. Frames past a request's end come to it, too. */
  refuse(status: Status): void;
  /** What the reader does later, in a callback of its own, threw: the call ends. Nothing follows. */
  fault(error: unknown): void;
}

/** Protobuf messages of the answer → its body. For a unary call `message` is called once, and `end` at once after it. */
export interface ResponseWriter {
  message(message: Uint8Array): void;
  /** All messages were given. */
  end(): void;
  /**
   * The call failed: before the head nothing is written, and `BodyTaker.failed` follows; after it the body says so.
   * `now`: without waiting for messages that are still being printed.
   */
  fail(status: Status, now?: boolean): void;
  /** Something to keep an idle stream open (an SSE comment); undefined where the format has nothing. */
  readonly keepAlive: Buffer | undefined;
  /** As `RequestReader.behind`; looked at after each message and each write. */
  readonly behind: boolean;
  /** As `RequestReader.stop`. */
  stop(): void;
}

/** Takes what the writer makes: head, write*, then end or failed, once. */
export interface BodyTaker {
  /** Before the first byte. `length`: of the whole body in bytes, where it is known: then one write has all of it. */
  head(contentType: string, fields: readonly Field[], length: number | undefined): void;
  /** `last`: the body is complete, nothing follows. */
  write(bytes: Buffer, last: boolean): void;
  /**
   * The body has failed, on `ResponseWriter.fail` or because a message cannot be written. `told`: it says so itself.
   * Otherwise the status is the whole answer where there was no head yet, and a body that has begun is broken off.
   */
  failed(status: Status, told: boolean): void;
  /** As `MessageTaker.fault`. */
  fault(error: unknown): void;
}
