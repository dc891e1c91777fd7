// The send side of a connection's streams: header blocks at once, DATA as windows and socket allow, in turn (RFC 9113
// §5.2).

import type { FrameWriter } from "./frames/frame-writer.js";
import type { HeaderWriter } from "./frames/header-writer.js";
import type { Output } from "./frames/output.js";
import type { Stream } from "./stream.js";
import type { StreamTable } from "./stream-table.js";
import { ConnectionError } from "./wire/connection-error.js";
import type { Guards } from "./wire/guards.js";
import { DEFAULT_WINDOW_BYTES, ErrorCode, Flag, FrameType, MAX_WINDOW_BYTES } from "./wire/protocol.js";

/** How many dead streams the ring may hold beside twice the living, and how many slots whose turn is over. */
const RING_SLACK = 64;
/** DATA per stream and turn of the round-robin. */
const QUANTUM_BYTES = 16 * 1024;
/** If the peer's window cuts DATA to less than this, the peer caused the small frames itself: they earn nothing. */
const DRIBBLE_BYTES = 64;

export interface SenderOwner {
  /** Something threw outside any stream: the end of the connection. */
  fault(error: unknown): void;
  /** The stream's header block was sent as far as it was written, and no more of it will be. */
  brokenBlock(stream: Stream): void;
}

export class Sender {
  /** The initial window of a stream, from the peer's SETTINGS. */
  initialWindowBytes: number = DEFAULT_WINDOW_BYTES;
  private readonly owner: SenderOwner;
  private readonly out: Output;
  private readonly writer: FrameWriter;
  private readonly headers: HeaderWriter;
  private readonly streams: StreamTable;
  private readonly guards: Guards;
  /** The connection's. */
  private window = DEFAULT_WINDOW_BYTES;
  /** Streams have DATA, but the connection has no window. */
  private starved = false;
  /** From `ringAt`: streams with DATA to send and window to send it, in turn. */
  private readonly ring: Stream[] = [];
  /** Whose header block was begun. */
  private blockOf: Stream | undefined = undefined;
  private ringAt = 0;

  constructor(
    owner: SenderOwner,
    out: Output,
    writer: FrameWriter,
    headers: HeaderWriter,
    streams: StreamTable,
    guards: Guards,
  ) {
    this.owner = owner;
    this.out = out;
    this.writer = writer;
    this.headers = headers;
    this.streams = streams;
    this.guards = guards;
  }

  // ---------------------------------------------------------------- for streams

  beginHeaders(stream: Stream): void {
    if (this.headers.open) {
      this.mendBlock();
      if (stream.dead) return;
    }
    this.blockOf = stream;
    this.headers.begin();
  }

  /**
   * A block was begun, and its filler threw. It may have changed the table that both sides keep (RFC 7541 §2.2), so the
   * written part is sent, and its stream is reset: the connection's other streams continue.
   */
  mendBlock(): void {
    const stream = this.blockOf;
    if (!this.headers.open || stream === undefined) return;
    if (this.headers.torn) this.owner.fault(new Error("a header field could not be encoded"));
    else {
      this.endHeaders(stream, false);
      this.owner.brokenBlock(stream);
    }
  }

  header(name: string, value: string, sensitive: boolean): void {
    this.headers.field(name, value, sensitive);
  }

  /** An incomplete frame leaves the peer with meaningless bytes: the connection ends. */
  private torn(error: unknown): never {
    this.owner.fault(error);
    throw error;
  }

  endHeaders(stream: Stream, end: boolean): void {
    try {
      this.headers.end(stream.id, end);
    } catch (error) {
      this.torn(error);
    }
    this.guards.sentFrames++;
    // The first block counts: a request whose trailers were not sent was sent all the same.
    if (stream.headersMark === Number.POSITIVE_INFINITY) {
      stream.headersMark = this.out.appendedBytes;
      this.guards.answered++;
    }
  }

  /** Whether all of the stream's first header block has been handed to the socket. */
  headersLeft(stream: Stream): boolean {
    return stream.headersMark <= this.out.flushedBytes;
  }

  /**
   * Writes as much DATA of start..end as windows and socket allow; returns how many bytes were written. An empty range
   * with `last` is always written.
   */
  sendData(stream: Stream, chunk: Buffer, start: number, end: number, last: boolean): number {
    try {
      return this.writeData(stream, chunk, start, end, last);
    } catch (error) {
      return this.torn(error);
    }
  }

  private writeData(stream: Stream, chunk: Buffer, start: number, end: number, last: boolean): number {
    const { out, writer } = this;
    if (start === end) {
      if (last) writer.frame(FrameType.DATA, Flag.END_STREAM, stream.id, chunk, 0, 0);
      return 0;
    }
    let at = start;
    while (at < end) {
      if (out.blocked) break;
      const window = Math.min(stream.sendWindow, this.window);
      if (window <= 0) {
        if (this.window <= 0) this.starved = true;
        break;
      }
      const bytes = Math.min(end - at, window, writer.maxFrameBytes, QUANTUM_BYTES);
      const flags = last && at + bytes === end ? Flag.END_STREAM : 0;
      writer.data(flags, stream.id, chunk, at, at + bytes);
      stream.sendWindow -= bytes;
      this.window -= bytes;
      at += bytes;
      if (bytes >= DRIBBLE_BYTES || at === end) this.guards.sentFrames++;
    }
    return at - start;
  }

  /** Puts a stream with queued DATA in turn, if it has window. */
  schedule(stream: Stream): void {
    if (stream.ready || stream.dead) return;
    if (stream.sendWindow <= 0) return;
    stream.ready = true;
    this.ring.push(stream);
    if (this.ring.length - this.ringAt > 2 * this.streams.size + RING_SLACK) this.compactRing();
    this.out.touch();
  }

  /** Returns credit to the peer for a stream. */
  sendWindowUpdate(id: number, increment: number): void {
    try {
      this.writer.windowUpdate(id, increment);
    } catch (error) {
      this.torn(error);
    }
  }

  sendReset(id: number, code: number): void {
    if (this.headers.open) this.mendBlock();
    try {
      this.writer.reset(id, code);
    } catch (error) {
      this.torn(error);
    }
  }

  // ---------------------------------------------------------------- for the connection

  /** Round-robin over the ready streams, a quantum each, until the output or the window is full. */
  pump(): void {
    const ring = this.ring;
    while (ring.length > this.ringAt && !this.out.blocked) {
      if (this.window <= 0) {
        this.starved = true;
        break;
      }
      const stream = ring[this.ringAt++];
      if (this.ringAt > RING_SLACK && this.ringAt * 2 > ring.length) {
        ring.splice(0, this.ringAt);
        this.ringAt = 0;
      }
      if (stream === undefined) continue;
      stream.ready = false;
      if (stream.dead) continue;
      if (stream.pump(QUANTUM_BYTES) && !stream.ready) {
        stream.ready = true;
        ring.push(stream);
      }
    }
    if (this.ringAt === ring.length) {
      ring.length = 0;
      this.ringAt = 0;
    }
  }

  /** A WINDOW_UPDATE for the connection arrived. */
  addWindow(increment: number): void {
    this.window += increment;
    if (this.window > MAX_WINDOW_BYTES) {
      throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, "the connection's window exceeds 2^31-1");
    }
    if (!this.starved) return;
    this.starved = false;
    // Streams that stopped for want of connection window have window of their own.
    for (const stream of this.streams.values()) if (stream.hasQueued) this.schedule(stream);
    this.out.touch();
  }

  /** The peer's SETTINGS also change the windows of existing streams (RFC 9113 §6.9.2). */
  setInitialWindow(bytes: number): void {
    const change = bytes - this.initialWindowBytes;
    this.initialWindowBytes = bytes;
    for (const stream of this.streams.values()) {
      stream.sendWindow += change;
      if (stream.sendWindow > MAX_WINDOW_BYTES) {
        throw new ConnectionError(
          ErrorCode.FLOW_CONTROL_ERROR,
          "INITIAL_WINDOW_SIZE overflows a stream's window",
        );
      }
      if (stream.hasQueued) this.schedule(stream);
    }
  }

  close(): void {
    this.ring.length = 0;
    this.ringAt = 0;
  }

  /** Removes dead streams: while nothing can be sent they would accumulate, reset and replaced without end. */
  private compactRing(): void {
    const live = this.ring.slice(this.ringAt).filter((stream) => !stream.dead);
    this.ring.length = 0;
    this.ring.push(...live);
    this.ringAt = 0;
  }
}
