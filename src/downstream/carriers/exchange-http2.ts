// An Exchange over a stream of our HTTP/2 engine.

import type { Stream, StreamHandler, StreamReset } from "../../http2/stream.js";
import { ErrorCode } from "../../http2/wire/protocol.js";
import type { Field } from "../../kit/headers.js";
import type { BodyWatch } from "./body-watch.js";
import { type Exchange, type ExchangeHandler, type ExchangeHead, NO_HANDLER } from "./exchange.js";
import { trimToHeaderListLimit } from "./header-list-limit.js";

const NO_BYTES = Buffer.alloc(0);

export class Http2Exchange implements Exchange, StreamHandler {
  readonly head: ExchangeHead;
  handler: ExchangeHandler = NO_HANDLER;
  private readonly stream: Stream;
  /** undefined: there is no body, or none with a timeout. */
  private watch: BodyWatch | undefined = undefined;

  constructor(stream: Stream, head: ExchangeHead) {
    this.stream = stream;
    this.head = head;
    stream.handler = this;
  }

  /** The body must progress until the response begins. */
  time(watch: BodyWatch): void {
    this.watch = watch;
    watch.start(() => this.handler.onStill());
  }

  get maxHeaderListBytes(): number {
    return this.stream.connection.maxHeaderListBytes;
  }

  onHeaders(): void {}

  onData(_stream: Stream, chunk: Buffer, start: number, end: number, last: boolean): void {
    if (last) this.watch?.stop();
    else this.watch?.came(end - start);
    this.handler.onBody(chunk, start, end, last);
  }

  onTrailers(): void {
    this.watch?.stop();
    this.handler.onBody(NO_BYTES, 0, 0, true);
  }

  onReset(_stream: Stream, reset: StreamReset): void {
    this.watch?.stop();
    this.handler.onGone(reset.reason);
  }

  onSent(bytes: number): void {
    this.handler.onSent(bytes);
  }

  onFault(error: unknown): void {
    this.watch?.stop();
    this.handler.onFault(error);
  }

  consumed(bytes: number): void {
    this.watch?.taken(bytes);
    this.stream.consumed(bytes);
  }

  respond(status: number, fields: readonly Field[], end: boolean): void {
    // From here on the pace is that of the conversation.
    this.watch?.stop();
    const stream = this.stream;
    if (!stream.beginHeaders()) return;
    stream.header(":status", String(status), false);
    for (let i = 0; i < fields.length; i++) {
      const f = fields[i];
      if (f !== undefined) stream.header(f.name, f.value, f.sensitive);
    }
    stream.endHeaders(end);
    if (end) stream.stopPeer();
  }

  write(chunk: Buffer, start: number, end: number, last: boolean): void {
    this.stream.sendData(chunk, start, end, last);
    if (last) this.stream.stopPeer();
  }

  trailers(fields: readonly Field[]): void {
    this.stream.sendTrailers(trimToHeaderListLimit(this.maxHeaderListBytes, fields));
    this.stream.stopPeer();
  }

  reset(): void {
    this.watch?.stop();
    this.stream.reset(ErrorCode.INTERNAL_ERROR);
  }
}
