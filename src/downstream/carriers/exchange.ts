// An HTTP request and its response, whatever the HTTP version: the interface for client protocols.
import type { HttpVersion } from "../../call/call.js";
import { reportFault } from "../../kit/faults.js";
import type { Field } from "../../kit/headers.js";
import type { Client } from "../client/client.js";

export interface ExchangeHead {
  readonly version: HttpVersion;
  readonly method: string;
  /** Path and query, raw. */
  readonly target: string;
  readonly authority: string;
  /** Lower-case names, without pseudo-header fields. */
  readonly fields: readonly Field[];
  readonly client: Client;
  /** Nothing follows the head. */
  readonly ended: boolean;
  /** Left out: the request asks for no WebSocket. */
  readonly webSocket?: WebSocketUpgrade;
}

/**
 * The WebSocket that a request asks for (RFC 6455). Until it is accepted its exchange responds in plain HTTP; from then
 * on each `onBody` and each `write` is a message, `respond` and `trailers` do nothing, and `close` ends it. The client
 * ends its side with an empty text message.
 */
export interface WebSocketUpgrade {
  readonly accepted: boolean;
  /** @param binary messages of ours are binary frames, not text */
  accept(binary: boolean): void;
  /** @param reason cut to the room in a close frame */
  close(code: number, reason: string): void;
}

/** Receives the request's body, and is notified when the client leaves or can take more. */
export interface ExchangeHandler {
  /** Bytes of the body; credit them by `exchange.consumed`. */
  onBody(chunk: Buffer, start: number, end: number, last: boolean): void;
  /** The client made no progress with the body for too long (`limits.bodyTimeout`). */
  onStill(): void;
  /** The client left before the response was complete. Nothing follows. */
  onGone(reason: string): void;
  /** This many written bytes were passed to the connection. */
  onSent(bytes: number): void;
  /**
   * The exchange itself threw, or one of these did. Reports it, and ends the call: responds, or aborts the response.
   */
  onFault(error: unknown): void;
}

/** Of an exchange between its making and its adapter. */
export const NO_HANDLER: ExchangeHandler = {
  onBody() {},
  onStill() {},
  onGone() {},
  onSent() {},
  onFault(error) {
    reportFault("while a request was taken over", error);
  },
};

export interface Exchange {
  readonly head: ExchangeHead;
  /** Set before the first body byte can come. */
  handler: ExchangeHandler;
  /** The largest field section that the client accepts (RFC 9113 §6.5.2); Infinity: it set no limit. */
  readonly maxHeaderListBytes: number;
  /** The handler has consumed this many bytes of the body: the client may send as many more. */
  consumed(bytes: number): void;
  /**
   * `end`: no body follows. A client that accepts less than these fields may close its connection: see
   * header-list-limit.ts.
   */
  respond(status: number, fields: readonly Field[], end: boolean): void;
  /** Bytes start..end of chunk, which is not changed from now on. */
  write(chunk: Buffer, start: number, end: number, last: boolean): void;
  /** Ends the body with a trailer section, if the client supports one: cut to its limit. */
  trailers(fields: readonly Field[]): void;
  /** Aborts the response, so that the client sees that it is incomplete. */
  reset(): void;
}
