// An HTTP request being answered, whatever carried it: what client protocols work on.
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
  /** Left out: no WebSocket is asked for. */
  readonly webSocket?: WebSocketUpgrade;
}

/**
 * The WebSocket that a request asks for (RFC 6455). Until it is accepted its exchange answers in plain HTTP; from then
 * on each `onBody` and each `write` is a message, `respond` and `trailers` do nothing, and `close` ends it. The client
 * ends its side by an empty text message.
 */
export interface WebSocketUpgrade {
  readonly accepted: boolean;
  /** @param binary messages of ours are binary frames, not text */
  accept(binary: boolean): void;
  /** @param reason cut to what a close frame can carry */
  close(code: number, reason: string): void;
}

/** Who takes the request's body, and is told when the client leaves or can take more. */
export interface ExchangeHandler {
  /** Bytes of the body; credit goes back by `exchange.consumed`. */
  onBody(chunk: Buffer, start: number, end: number, last: boolean): void;
  /** The client let the body stand still for longer than it may (`limits.bodyTimeout`). */
  onStill(): void;
  /** The client left before the answer was complete. Nothing follows. */
  onGone(reason: string): void;
  /** So many bytes written have gone to the connection. */
  onSent(bytes: number): void;
  /** The exchange itself threw, or one of these did. Tells of it, and ends the call: answers, or breaks the answer off. */
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
  /** The largest list of fields that the client takes in one section (RFC 9113 §6.5.2); Infinity: it has not said. */
  readonly maxHeaderListBytes: number;
  /** The handler is done with so many bytes of the body: the client may send as many more. */
  consumed(bytes: number): void;
  /** `end`: no body follows. A client that takes less than these fields ends its connection: see `fits`. */
  respond(status: number, fields: readonly Field[], end: boolean): void;
  /** Bytes start..end of chunk, which is not changed from now on. */
  write(chunk: Buffer, start: number, end: number, last: boolean): void;
  /** Ends the body with a trailer section, where the client can take one: cut to what it takes. */
  trailers(fields: readonly Field[]): void;
  /** Breaks the answer off, so that the client sees it is not whole. */
  reset(): void;
}
