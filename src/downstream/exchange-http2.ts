// An Exchange over a stream of our HTTP/2 engine.
import type { Field } from "../core/headers.js";
import type { RequestHead } from "../http2/messages.js";
import { ErrorCode } from "../http2/protocol.js";
import type { Stream, StreamHandler, StreamReset } from "../http2/stream.js";
import type { Client } from "./client.js";
import type { Exchange, ExchangeHandler, ExchangeHead } from "./exchange.js";

const NO_BYTES = Buffer.alloc(0);

export class Http2Exchange implements Exchange, StreamHandler {
  readonly head: ExchangeHead;
  handler: ExchangeHandler;
  private readonly stream: Stream;

  constructor(stream: Stream, head: RequestHead, client: Client, ended: boolean, handler: ExchangeHandler) {
    this.stream = stream;
    this.handler = handler;
    const { method, path, authority, fields } = head;
    this.head = { method, target: path, authority, fields, client, ended };
  }

  onHeaders(): void {}

  onData(_stream: Stream, chunk: Buffer, start: number, end: number, last: boolean): void {
    this.handler.onBody(chunk, start, end, last);
  }

  onTrailers(): void {
    this.handler.onBody(NO_BYTES, 0, 0, true);
  }

  onReset(_stream: Stream, reset: StreamReset): void {
    this.handler.onGone(reset.reason);
  }

  onSent(bytes: number): void {
    this.handler.onSent(bytes);
  }

  consumed(bytes: number): void {
    this.stream.consumed(bytes);
  }

  respond(status: number, fields: readonly Field[], end: boolean): void {
    const stream = this.stream;
    if (!stream.beginHeaders()) return;
    stream.header(":status", String(status), false);
    for (const f of fields) stream.header(f.name, f.value, f.sensitive);
    stream.endHeaders(end);
    if (end) stream.stopPeer();
  }

  write(chunk: Buffer, last: boolean): void {
    this.stream.sendData(chunk, 0, chunk.length, last);
    if (last) this.stream.stopPeer();
  }

  trailers(fields: readonly Field[]): void {
    this.stream.sendTrailers(fields);
    this.stream.stopPeer();
  }

  reset(): void {
    this.stream.reset(ErrorCode.INTERNAL_ERROR);
  }
}
