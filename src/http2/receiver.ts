// Handles the peer's frames: each is validated, counted, and passed to its stream or to the connection. A
// ConnectionError thrown here ends the connection; an error on one stream ends that stream.

import type { ConnectionHandler } from "./connection-handler.js";
import type { FrameSink } from "./frames/frame-reader.js";
import type { HeaderAssembler } from "./frames/header-assembler.js";
import { checkRequest, checkResponse, checkTrailers, NO_BODY_COMES } from "./frames/messages.js";
import { type HeaderBlock, HpackDecoder } from "./hpack/decoder.js";
import type { ReceiveWindow } from "./receive-window.js";
import type { Sender } from "./sender.js";
import type { Stream } from "./stream.js";
import type { Streams } from "./streams.js";
import { ConnectionError, expectLength } from "./wire/connection-error.js";
import type { Guards } from "./wire/guards.js";
import type { Limits } from "./wire/limits.js";
import { ErrorCode, errorName, Flag, FrameType, MAX_STREAM_ID, MAX_WINDOW_BYTES } from "./wire/protocol.js";

/** Frame types that are valid for the connection only. */
export interface ConnectionFrames {
  readonly role: "server" | "client";
  onSettings(flags: number, id: number, b: Buffer, start: number, end: number): void;
  onPing(flags: number, id: number, b: Buffer, start: number, end: number): void;
  onGoaway(id: number, b: Buffer, start: number, end: number): void;
}

export class Receiver implements FrameSink {
  private readonly connection: ConnectionFrames;
  private readonly handler: ConnectionHandler;
  private readonly streams: Streams;
  private readonly sender: Sender;
  private readonly window: ReceiveWindow;
  private readonly guards: Guards;
  private readonly headers: HeaderAssembler;
  private readonly decoder: HpackDecoder;
  private readonly maxInterimResponses: number;

  // The current DATA frame: its stream, undefined if nobody takes it, and whether it ends its stream.
  private dataStream: Stream | undefined = undefined;
  private dataEnds = false;

  constructor(
    connection: ConnectionFrames,
    handler: ConnectionHandler,
    streams: Streams,
    sender: Sender,
    window: ReceiveWindow,
    guards: Guards,
    headers: HeaderAssembler,
    limits: Limits,
  ) {
    this.connection = connection;
    this.handler = handler;
    this.streams = streams;
    this.sender = sender;
    this.window = window;
    this.guards = guards;
    this.headers = headers;
    this.decoder = new HpackDecoder({
      maxListBytes: limits.maxHeaderListBytes,
      maxFields: limits.maxHeaderFields,
    });
    this.maxInterimResponses = limits.maxInterimResponses;
  }

  onFrame(type: number, flags: number, id: number, b: Buffer, start: number, end: number): void {
    switch (type) {
      case FrameType.HEADERS:
        this.onHeaders(flags, id, b, start, end);
        break;
      case FrameType.CONTINUATION:
        this.onContinuation(flags, b, start, end);
        break;
      case FrameType.WINDOW_UPDATE:
        this.onWindowUpdate(id, b, start, end);
        break;
      case FrameType.RST_STREAM:
        this.onReset(id, b, start, end);
        break;
      case FrameType.SETTINGS:
        this.connection.onSettings(flags, id, b, start, end);
        break;
      case FrameType.PING:
        this.connection.onPing(flags, id, b, start, end);
        break;
      case FrameType.GOAWAY:
        this.connection.onGoaway(id, b, start, end);
        break;
      case FrameType.PRIORITY:
        this.onPriority(id, b, start, end);
        break;
      case FrameType.PUSH_PROMISE:
        throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "PUSH_PROMISE, though push is off");
      default: // RFC 9113 §4.1: unknown types are ignored
        this.guards.countPriority();
    }
  }

  // ---------------------------------------------------------------- header blocks

  private onHeaders(flags: number, id: number, b: Buffer, start: number, end: number): void {
    if (id === 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "HEADERS on stream 0");
    let from = start;
    let to = end;
    if ((flags & Flag.PADDED) !== 0) {
      if (to - from < 1)
        throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "HEADERS without its pad length");
      to -= b[from++] ?? 0;
    }
    if ((flags & Flag.PRIORITY) !== 0) {
      if (end - from < 5) {
        throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "HEADERS without its priority");
      }
      this.checkDependency(b, from, id);
      from += 5;
    }
    if (to < from) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "padding longer than the frame");
    const ends = (flags & Flag.END_STREAM) !== 0;
    this.guards.receivedFrames++;
    if ((flags & Flag.END_HEADERS) !== 0) this.onBlock(id, ends, b, from, to);
    else this.headers.begin(id, ends, b, from, to);
  }

  private onContinuation(flags: number, b: Buffer, start: number, end: number): void {
    const { headers } = this;
    const block = headers.add(b, start, end, (flags & Flag.END_HEADERS) !== 0);
    if (block !== undefined) this.onBlock(headers.id, headers.ends, block, 0, block.length);
  }

  /** A complete header block. It is always decoded: the table must stay in step. */
  private onBlock(id: number, ends: boolean, b: Buffer, start: number, end: number): void {
    const block = this.decoder.decode(b, start, end);
    const stream = this.streams.get(id);
    if (stream !== undefined) {
      if (stream.remoteEnded) {
        this.streams.error(stream, ErrorCode.STREAM_CLOSED, "HEADERS after END_STREAM");
      } else if (!stream.headersReceived) this.onResponse(stream, block, ends);
      else this.onTrailers(stream, block, ends);
      return;
    }
    if (this.streams.isNew(id)) {
      this.onRequest(id, block, ends);
      return;
    }
    this.streams.checkNotIdle(id, "HEADERS");
    if (!this.streams.wasReset(id)) {
      throw new ConnectionError(ErrorCode.STREAM_CLOSED, `HEADERS on stream ${id}, which is closed`);
    }
    this.guards.countLate();
  }

  private onRequest(id: number, block: HeaderBlock, ends: boolean): void {
    const stream = this.streams.accept(id);
    if (stream === undefined) return;
    try {
      this.beginRequest(stream, block, ends);
    } catch (error) {
      // Errors that end the connection, such as a used-up budget, are not the stream's.
      if (error instanceof ConnectionError) throw error;
      this.streams.threw(stream, error);
    }
  }

  private beginRequest(stream: Stream, block: HeaderBlock, ends: boolean): void {
    if (block.tooLarge) {
      const reason = "the header list is larger than the limit";
      this.handler.onLimit?.("maxHeaderListBytes", "stream", reason);
    } else {
      const head = checkRequest(block, ends);
      if (typeof head === "string") {
        this.handler.onMalformed?.("stream", ErrorCode.PROTOCOL_ERROR, head);
        this.streams.error(stream, ErrorCode.PROTOCOL_ERROR, head);
        return;
      }
      stream.announcedBytes = head.contentLength;
    }
    if (ends) stream.remoteEnded = true;
    this.handler.onStream(stream, block, ends);
  }

  private onResponse(stream: Stream, block: HeaderBlock, ends: boolean): void {
    if (block.tooLarge) {
      const reason = "the response's headers are larger than the limit";
      this.streams.error(stream, ErrorCode.PROTOCOL_ERROR, reason);
      return;
    }
    const head = checkResponse(block);
    if (typeof head === "string") {
      this.streams.error(stream, ErrorCode.PROTOCOL_ERROR, head);
      return;
    }
    if (head.status < 200) {
      this.onInterimResponse(stream, ends);
      return;
    }
    // A 304 has the length of the omitted body (RFC 9110 §8.6), as responses to HEAD do, which the hub never sends.
    if (ends && head.contentLength > 0 && head.status !== 304) {
      this.streams.error(stream, ErrorCode.PROTOCOL_ERROR, NO_BODY_COMES);
      return;
    }
    stream.headersReceived = true;
    if (ends) stream.remoteEnded = true;
    else stream.announcedBytes = head.contentLength;
    try {
      stream.handler.onHeaders(stream, block, ends);
    } catch (error) {
      this.streams.threw(stream, error);
    }
    if (ends) this.forgetIfClosed(stream);
  }

  private onInterimResponse(stream: Stream, ends: boolean): void {
    if (ends) {
      this.streams.error(stream, ErrorCode.PROTOCOL_ERROR, "an interim response with END_STREAM");
    } else if (++stream.interimResponses > this.maxInterimResponses) {
      const reason = "too many interim responses";
      this.streams.error(stream, ErrorCode.ENHANCE_YOUR_CALM, reason, "maxInterimResponses");
    }
  }

  private onTrailers(stream: Stream, block: HeaderBlock, ends: boolean): void {
    if (!ends) {
      this.streams.error(stream, ErrorCode.PROTOCOL_ERROR, "a second header block without END_STREAM");
      return;
    }
    const problem = block.tooLarge ? "the trailers are larger than the limit" : checkTrailers(block);
    if (problem !== undefined) {
      this.streams.error(stream, ErrorCode.PROTOCOL_ERROR, problem);
      return;
    }
    if (stream.announcedBytes > 0) {
      const reason = "the body is shorter than content-length";
      this.streams.error(stream, ErrorCode.PROTOCOL_ERROR, reason);
      return;
    }
    stream.remoteEnded = true;
    try {
      stream.handler.onTrailers(stream, block);
    } catch (error) {
      this.streams.threw(stream, error);
    }
    this.forgetIfClosed(stream);
  }

  /** After the owner was notified of the peer's end, so that the connection's end comes after it. */
  private forgetIfClosed(stream: Stream): void {
    if (stream.closed) this.streams.forget(stream);
  }

  // ---------------------------------------------------------------- DATA

  onDataBegin(flags: number, id: number, length: number): void {
    if (id === 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "DATA on stream 0");
    this.window.take(length);
    this.dataStream = this.takerOf(id, length);
    this.dataEnds = (flags & Flag.END_STREAM) !== 0;
    if (length > 0) this.guards.receivedFrames++;
    else {
      if ((flags & Flag.PADDED) !== 0) {
        throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "a padded DATA frame without its pad length");
      }
      if (!this.dataEnds) this.guards.countEmptyData();
    }
  }

  /** The stream of this DATA frame. Without one, the owner has been notified already. */
  private takerOf(id: number, length: number): Stream | undefined {
    const { streams } = this;
    const stream = streams.get(id);
    if (stream === undefined) {
      streams.checkNotIdle(id, "DATA");
      if (streams.wasReset(id)) return undefined;
      // A client's error is its stream's; a service that sends after an end is not trusted with other streams.
      if (this.connection.role === "client") {
        throw new ConnectionError(ErrorCode.STREAM_CLOSED, `DATA on stream ${id}, which is closed`);
      }
      streams.refuse(id, ErrorCode.STREAM_CLOSED);
      this.guards.countReset();
      return undefined;
    }
    if (stream.remoteEnded) {
      streams.error(stream, ErrorCode.STREAM_CLOSED, "DATA after END_STREAM");
      return undefined;
    }
    if (!stream.headersReceived) {
      streams.error(stream, ErrorCode.PROTOCOL_ERROR, "DATA before HEADERS");
      return undefined;
    }
    stream.receiveWindow -= length;
    if (stream.receiveWindow < 0) {
      streams.error(stream, ErrorCode.FLOW_CONTROL_ERROR, "DATA exceeds the stream's flow-control window");
      return undefined;
    }
    return stream;
  }

  onPadding(bytes: number, only: boolean): void {
    if (only) {
      this.guards.receivedFrames--;
      if (!this.dataEnds) this.guards.countEmptyData();
    }
    // Padding is used up on receipt.
    this.dataStream?.consumed(bytes);
  }

  onData(chunk: Buffer, start: number, end: number, complete: boolean): void {
    const stream = this.dataStream;
    if (complete) this.dataStream = undefined;
    if (stream === undefined || stream.dead) return;
    const last = complete && this.dataEnds;
    if (stream.announcedBytes >= 0) {
      stream.announcedBytes -= end - start;
      if (stream.announcedBytes < 0 || (last && stream.announcedBytes !== 0)) {
        const reason = "the body does not match content-length";
        this.streams.error(stream, ErrorCode.PROTOCOL_ERROR, reason);
        return;
      }
    }
    if (last) stream.remoteEnded = true;
    if (end > start || last) {
      try {
        stream.handler.onData(stream, chunk, start, end, last);
      } catch (error) {
        this.streams.threw(stream, error);
      }
    }
    if (last) this.forgetIfClosed(stream);
  }

  // ---------------------------------------------------------------- small frames

  private onWindowUpdate(id: number, b: Buffer, start: number, end: number): void {
    expectLength(end - start, 4, "WINDOW_UPDATE");
    this.guards.countWindowUpdate();
    const increment = b.readUInt32BE(start) & MAX_WINDOW_BYTES;
    if (id === 0) {
      if (increment === 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE of 0");
      this.sender.addWindow(increment);
      return;
    }
    const stream = this.streams.get(id);
    if (stream === undefined) {
      this.streams.checkNotIdle(id, "WINDOW_UPDATE");
      return;
    }
    if (increment === 0) {
      this.streams.error(stream, ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE of 0");
      return;
    }
    stream.sendWindow += increment;
    if (stream.sendWindow > MAX_WINDOW_BYTES) {
      this.streams.error(stream, ErrorCode.FLOW_CONTROL_ERROR, "the stream's window exceeds 2^31-1");
      return;
    }
    if (stream.hasQueued) this.sender.schedule(stream);
  }

  private onReset(id: number, b: Buffer, start: number, end: number): void {
    expectLength(end - start, 4, "RST_STREAM");
    if (id === 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "RST_STREAM on stream 0");
    const stream = this.streams.get(id);
    if (stream === undefined) {
      this.streams.checkNotIdle(id, "RST_STREAM");
      this.guards.countLate();
      return;
    }
    const unanswered = stream.headersMark === Number.POSITIVE_INFINITY;
    const young = unanswered && this.guards.isYoung(stream.openedAt);
    const code = b.readUInt32BE(start);
    const sent = code === ErrorCode.REFUSED_STREAM ? "refused" : "maybe";
    const reason = `the peer reset the stream: ${errorName(code)}`;
    this.streams.end(stream, { code, by: "peer", sent, reason });
    if (young) this.guards.countReset();
  }

  private onPriority(id: number, b: Buffer, start: number, end: number): void {
    this.guards.countPriority();
    if (id === 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "PRIORITY on stream 0");
    if (end - start !== 5) {
      const stream = this.streams.get(id);
      if (stream === undefined)
        throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "PRIORITY must have 5 bytes");
      this.streams.error(stream, ErrorCode.FRAME_SIZE_ERROR, "PRIORITY must have 5 bytes");
      return;
    }
    this.checkDependency(b, start, id);
  }

  /** Priorities are checked, and otherwise ignored (RFC 9113 §5.3.2). */
  private checkDependency(b: Buffer, at: number, id: number): void {
    if ((b.readUInt32BE(at) & MAX_STREAM_ID) !== id) return;
    const stream = this.streams.get(id);
    if (stream === undefined)
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, `stream ${id} depends on itself`);
    this.streams.error(stream, ErrorCode.PROTOCOL_ERROR, "the stream depends on itself");
  }
}
