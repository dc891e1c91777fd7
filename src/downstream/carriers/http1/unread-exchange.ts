// An Exchange over an HTTP/1.1 socket whose request is malformed: the last response on its connection.
import type { Duplex } from "node:stream";
import type { Field } from "../../../kit/headers.js";
import type { Client } from "../../client/client.js";
import { type Exchange, type ExchangeHandler, type ExchangeHead, NO_HANDLER } from "../exchange.js";
import { formatHead } from "./response-head.js";

/** How long further bytes of a rejected client are read and dropped. */
const LINGER_MS = 1000;

export class UnreadExchange implements Exchange {
  readonly head: ExchangeHead;
  handler: ExchangeHandler = NO_HANDLER;
  readonly maxHeaderListBytes = Number.POSITIVE_INFINITY;
  readonly #socket: Duplex;
  readonly #pieces: Buffer[] = [];
  #ended = false;

  constructor(socket: Duplex, client: Client) {
    this.#socket = socket;
    this.head = { version: "1.1", method: "", target: "", authority: "", fields: [], client, ended: true };
  }

  consumed(): void {}

  respond(status: number, fields: readonly Field[], end: boolean): void {
    const { text } = formatHead(status, fields, end, false, "connection: close\r\n");
    this.#pieces.push(Buffer.from(text, "latin1"));
    if (end) this.#end();
  }

  write(chunk: Buffer, start: number, end: number, last: boolean): void {
    this.#pieces.push(chunk.subarray(start, end));
    if (last) this.#end();
  }

  trailers(): void {
    this.#end();
  }

  reset(): void {
    this.#ended = true;
    this.#socket.destroy();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    endAndLinger(this.#socket, Buffer.concat(this.#pieces));
  }
}

/**
 * Sends the last bytes of a connection, and reads and drops input for a while: unread bytes at the close reset the
 * connection, and the response may be lost (RFC 9112, 9.6).
 */
function endAndLinger(socket: Duplex, bytes: Buffer): void {
  socket.end(bytes);
  socket.removeAllListeners("data");
  socket.resume();
  // A socket whose sides have both ended destroys itself, once the response was sent.
  const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
  socket.once("close", () => clearTimeout(timer));
}
