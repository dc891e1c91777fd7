// An Exchange over a connection of our own (connection.ts).
import type { Field } from "../../../kit/headers.js";
import { type Exchange, type ExchangeHandler, type ExchangeHead, NO_HANDLER } from "../exchange.js";
import type { Http1Connection } from "./connection.js";
import { type BodyFraming, chunkHead, formatHead, lastChunk } from "./response-head.js";

const NO_PIECES: readonly Buffer[] = [];
/** At most this much of a stream is collected before the turn of the event loop ends. */
const TURN_BYTES = 64 * 1024;

/** Exchanges that collected output this turn: the output of one turn is sent in one write, and in one chunk. */
let gathering: Http1Exchange[] = [];

function flushAll(): void {
  const exchanges = gathering;
  gathering = [];
  for (const exchange of exchanges) {
    try {
      exchange.flush();
    } catch (error) {
      exchange.fault(error);
    }
  }
}

export class Http1Exchange implements Exchange {
  readonly head: ExchangeHead;
  handler: ExchangeHandler = NO_HANDLER;
  readonly maxHeaderListBytes = Number.POSITIVE_INFINITY;
  /** The response is complete, or never will be: nothing more is written. */
  done = false;
  /** The response has begun. */
  headSent = false;
  private readonly connection: Http1Connection;
  private framing: BodyFraming = "none";
  /** Collected: the head, until it is sent, and pieces of the body. */
  private text = "";
  private pieces: Buffer[] = [];
  private bytes = 0;
  private isGathering = false;
  /** Bytes that the socket buffers because the client does not read. */
  private unsent = 0;

  constructor(connection: Http1Connection, head: ExchangeHead) {
    this.connection = connection;
    this.head = head;
  }

  consumed(bytes: number): void {
    if (!this.done) this.connection.consumed(bytes);
  }

  respond(status: number, fields: readonly Field[], end: boolean): void {
    if (this.done || this.headSent) return;
    const isHead = this.head.method === "HEAD";
    const { text, framing } = formatHead(status, fields, end, isHead, this.connection.connectionLines());
    this.headSent = true;
    this.text = text;
    this.framing = framing;
    if (end) this.finish("");
    else this.gather();
  }

  write(chunk: Buffer, start: number, end: number, last: boolean): void {
    if (this.done) return;
    const bytes = end - start;
    if (this.framing !== "none" && bytes > 0) {
      this.pieces.push(bytes === chunk.length ? chunk : chunk.subarray(start, end));
      this.bytes += bytes;
    }
    if (last) this.finish(this.framing === "chunked" ? lastChunk([]) : "");
    else if (this.bytes >= TURN_BYTES) this.flush();
    else this.gather();
  }

  trailers(fields: readonly Field[]): void {
    if (!this.done) this.finish(this.framing === "chunked" ? lastChunk(fields) : "");
  }

  reset(): void {
    if (this.done) return;
    this.done = true;
    this.connection.destroy();
  }

  private finish(tail: string): void {
    this.done = true;
    try {
      this.send(tail);
      this.connection.responded();
    } catch (error) {
      this.fault(error);
    }
  }

  /** It is no longer certain what was sent, and in which order. */
  fault(error: unknown): void {
    this.connection.onFault(error);
  }

  private gather(): void {
    if (this.isGathering) return;
    this.isGathering = true;
    if (gathering.push(this) === 1) setImmediate(flushAll);
  }

  /** Sends the collected output. */
  flush(): void {
    this.isGathering = false;
    if (this.done || (this.text === "" && this.bytes === 0)) return;
    const { bytes } = this;
    this.send("");
    const flowing = this.connection.writeOut();
    if (bytes === 0) return;
    if (flowing) this.handler.onSent(bytes);
    else this.unsent += bytes;
  }

  private send(tail: string): void {
    const { text, pieces, bytes } = this;
    this.text = "";
    this.pieces = [];
    this.bytes = 0;
    if (bytes === 0) this.connection.send(text, NO_PIECES, 0, tail);
    else if (this.framing !== "chunked") this.connection.send(text, pieces, bytes, tail);
    else this.connection.send(text + chunkHead(bytes), pieces, bytes, `\r\n${tail}`);
  }

  /** The socket can take more. */
  drained(): void {
    const { unsent } = this;
    if (unsent === 0 || this.done) return;
    this.unsent = 0;
    this.handler.onSent(unsent);
  }

  /** The client or the connection is gone. */
  leave(reason: string): void {
    if (this.done) return;
    this.done = true;
    this.handler.onGone(reason);
  }
}
