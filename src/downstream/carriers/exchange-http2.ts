// An Exchange over a stream of our HTTP/2 engine.

import type { RequestHead } from "../../http2/frames/messages.js";
import type { Stream, StreamHandler, StreamReset } from "../../http2/stream.js";
import { ErrorCode } from "../../http2/wire/protocol.js";
import type { Field } from "../../kit/headers.js";
import type { Client } from "../client/client.js";
import type { BodyWatch } from "./body-watch.js";
import { type Exchange, type ExchangeHandler, type ExchangeHead, NOBODY } from "./exchange.js";
import { fits, fitting } from "./fitting.js";

const NO_BYTES = Buffer.alloc(0);

export class Http2Exchange implements Exchange, StreamHandler {
  readonly head: ExchangeHead;
  handler: ExchangeHandler = NOBODY;
  private readonly stream: Stream;
  /** undefined: there is no body. */
  private readonly watch: BodyWatch | undefined;

  constructor(stream: Stream, head: RequestHead, client: Client, watch: BodyWatch | undefined) {
    this.stream = stream;
    this.watch = watch;
    const { method, path, authority, fields } = head;
    const ended = watch === undefined;
    this.head = { version: "2", method, target: path, authority, fields, client, ended };
    watch?.start(() => this.handler.onStill());
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
    if (!fits(stream, fields)) {
      this.reset();
      this.handler.onGone("the answer's header fields are more than the client takes");
      return;
    }
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
    this.stream.sendTrailers(fitting(this.stream, fields));
    this.stream.stopPeer();
  }

  reset(): void {
    this.watch?.stop();
    this.stream.reset(ErrorCode.INTERNAL_ERROR);
  }
}
