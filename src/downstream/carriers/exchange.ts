// An HTTP request being answered, whatever version of HTTP carried it: what the REST adapter works on.
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
  /** It is the handshake of a WebSocket: what follows are frames, a message each. */
  readonly webSocket?: boolean;
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
export const NOBODY: ExchangeHandler = {
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
  /** Frames flow: what is answered from now on can be no HTTP status. */
  readonly framed?: boolean;
  /**
   * The call has passed its steps: what was only asked for (a WebSocket) is granted now. `binary`: what is written
   * will be bytes of any kind, not JSON.
   */
  admitted?(binary: boolean): void;
  consumed(bytes: number): void;
  /** `end`: no body follows. */
  respond(status: number, fields: readonly Field[], end: boolean): void;
  write(chunk: Buffer, last: boolean): void;
  /** Ends the body with a trailer section, where the client can take one. */
  trailers(fields: readonly Field[]): void;
  /** Breaks the answer off, so that the client sees it is not whole. */
  reset(): void;
}
