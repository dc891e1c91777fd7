// One HTTP/2 stream, in either role: its state, its flow-control windows, and its buffered DATA.
import type { Field } from "../kit/headers.js";
import type { Connection } from "./connection.js";
import type { HeaderBlock } from "./hpack/decoder.js";
import type { Sender } from "./sender.js";
import type { Streams } from "./streams.js";
import { ErrorCode } from "./wire/protocol.js";

/** Why a stream ended before both sides had finished. */
export interface StreamReset {
  /** HTTP/2 error code */
  readonly code: number;
  /** peer: RST_STREAM arrived; local: we sent it, or the frames were malformed; connection: it was lost or closed. */
  readonly by: "peer" | "local" | "connection";
  /**
   * never: our HEADERS were not sent; refused: the peer reported that it did not process the stream; maybe: it may
   * have.
   */
  readonly sent: "never" | "refused" | "maybe";
  /** What happened, for people. */
  readonly reason: string;
}

/** The callbacks of a stream's owner. `onReset` is the last one, and is called at most once. */
export interface StreamHandler {
  /** A response's header block (client role). 1xx blocks are not passed on. */
  onHeaders(stream: Stream, block: HeaderBlock, end: boolean): void;
  /** Bytes start..end of chunk; credit them by `stream.consumed`. The range may be empty when `last`. */
  onData(stream: Stream, chunk: Buffer, start: number, end: number, last: boolean): void;
  onTrailers(stream: Stream, block: HeaderBlock): void;
  onReset(stream: Stream, reset: StreamReset): void;
  /** This many bytes of DATA were passed to the connection: the sender may write as many again. */
  onSent(bytes: number): void;
  /**
   * One of these threw. Reports it and ends the stream, so that its peer gets a response. Left out, or if it throws
   * too: the connection reports it, and resets the stream with INTERNAL_ERROR.
   */
  onFault?(error: unknown): void;
}

interface Segment {
  readonly chunk: Buffer;
  start: number;
  end: number;
  /** A buffer of our own, which more small pieces may join behind `end`. */
  readonly own: boolean;
}

/** A smaller slice of a read buffer is copied before it is buffered, so as not to keep 64 KiB alive for a few bytes. */
const KEEP_SLICE_BYTES = 4096;

export class Stream {
  private readonly streams: Streams;
  private readonly sender: Sender;
  readonly id: number;
  handler: StreamHandler;

  /** We have sent END_STREAM. */
  localEnded = false;
  /** The peer has sent END_STREAM. */
  remoteEnded = false;
  /** Reset by either side, or lost: no event follows, nothing is sent. */
  dead = false;
  headersReceived = false;
  /** Server role: the time of the request, in ms. */
  openedAt = 0;
  /** Client role: number of 1xx responses. */
  interimResponses = 0;

  /** What the peer lets us send. May be negative after a SETTINGS change (RFC 9113 §6.9.2). */
  sendWindow: number;
  /** What the peer may still send. */
  receiveWindow: number;
  /** The window that we intend the peer to have; grows while the stream is read. */
  receiveTarget: number;
  /** Consumed by the owner, not yet returned to the peer. */
  private owed = 0;
  private readSinceGrowth = 0;
  /** Bytes announced by content-length that have not arrived; -1: not announced. */
  announcedBytes = -1;

  /** Buffered DATA, and what follows it. */
  private segments: Segment[] | undefined = undefined;
  private endQueued = false;
  /** Bytes of them. */
  queuedBytes = 0;
  /** Whether some was sent since the connection's watch last checked, or since when none was, in ms. */
  moved = true;
  stillSince = 0;
  /** Bytes sent since the watch last checked, and between its two checks before. */
  taken = 0;
  takenBefore = 0;
  private trailersQueued: readonly Field[] | undefined = undefined;
  /** Once our side has ended, the peer is asked to stop. */
  private stopAfterEnd = false;
  /** Bytes sent while the owner was being notified of others. */
  private untold = 0;
  private telling = false;
  /** In the sender's ring. */
  ready = false;
  /** Value of the connection's output counter once our HEADERS are wholly handed to the socket. */
  headersMark = Number.POSITIVE_INFINITY;

  constructor(
    streams: Streams,
    sender: Sender,
    id: number,
    handler: StreamHandler,
    sendWindow: number,
    receiveWindow: number,
  ) {
    this.streams = streams;
    this.sender = sender;
    this.id = id;
    this.handler = handler;
    this.sendWindow = sendWindow;
    this.receiveWindow = receiveWindow;
    this.receiveTarget = receiveWindow;
  }

  /** The connection it is on. */
  get connection(): Connection {
    return this.streams.connection;
  }

  /** Nothing more will be received or sent. */
  get closed(): boolean {
    return this.dead || (this.localEnded && this.remoteEnded);
  }

  get hasQueued(): boolean {
    return this.segments !== undefined;
  }

  /**
   * Starts the header block of this stream; follow at once with `header` for each field and `endHeaders`. False if the
   * stream accepts no more blocks.
   */
  beginHeaders(): boolean {
    if (this.dead || this.localEnded) return false;
    this.sender.beginHeaders(this);
    // It may have had a block that was never ended: then it has been reset by now.
    return !this.dead;
  }

  header(name: string, value: string, sensitive: boolean): void {
    this.sender.header(name, value, sensitive);
  }

  endHeaders(end: boolean): void {
    this.sender.endHeaders(this, end);
    if (end) this.finishLocal();
  }

  /** Sends bytes start..end of chunk, now or when windows and socket allow. `onSent` reports when they were sent. */
  sendData(chunk: Buffer, start: number, end: number, last: boolean): void {
    if (this.dead || this.localEnded || this.endQueued) {
      this.tellSent(end - start);
      return;
    }
    if (start === end && !last) return;
    if (this.segments !== undefined) {
      if (last) this.endQueued = true;
      this.enqueue(this.segments, chunk, start, end);
      return;
    }
    const sent = this.sender.sendData(this, chunk, start, end, last);
    if (start + sent < end) {
      if (last) this.endQueued = true;
      this.segments = [];
      this.moved = true;
      this.taken = Number.POSITIVE_INFINITY; // its rate is known after a whole interval
      this.enqueue(this.segments, chunk, start + sent, end);
      this.sender.schedule(this);
    } else if (last) this.finishLocal();
    // Last: the sender may respond with more at once.
    this.tellSent(sent);
  }

  private enqueue(segments: Segment[], chunk: Buffer, start: number, end: number): void {
    const bytes = end - start;
    if (bytes === 0) return;
    this.queuedBytes += bytes;
    this.streams.backlog.count(bytes);
    if (bytes >= KEEP_SLICE_BYTES) {
      segments.push({ chunk, start, end, own: false });
      return;
    }
    const tail = segments.at(-1);
    if (tail?.own === true && tail.chunk.length - tail.end >= bytes) {
      chunk.copy(tail.chunk, tail.end, start, end);
      tail.end += bytes;
      return;
    }
    // The first small piece gets a buffer of its size. After others there is room for more to join it, so that a sender
    // of tiny pieces does not cost many times what it sends.
    const copy = Buffer.allocUnsafeSlow(tail === undefined ? bytes : KEEP_SLICE_BYTES);
    chunk.copy(copy, 0, start, end);
    segments.push({ chunk: copy, start: 0, end: bytes, own: true });
  }

  /** Notifies the owner, but not recursively: an owner that responds with more would nest without end. */
  private tellSent(bytes: number): void {
    this.untold += bytes;
    if (this.telling) return;
    this.telling = true;
    try {
      while (this.untold > 0) {
        const sent = this.untold;
        this.untold = 0;
        this.handler.onSent(sent);
      }
    } catch (error) {
      this.untold = 0;
      this.telling = false;
      this.streams.threw(this, error);
    }
    this.telling = false;
  }

  /** Sends the trailer section, behind all DATA, and ends our side. */
  sendTrailers(fields: readonly Field[]): void {
    if (this.dead || this.localEnded || this.endQueued) return;
    if (this.segments !== undefined) {
      this.trailersQueued = fields;
      this.endQueued = true;
      return;
    }
    this.writeTrailers(fields);
  }

  private writeTrailers(fields: readonly Field[]): void {
    const { sender } = this;
    if (!this.beginHeaders()) return;
    for (let i = 0; i < fields.length; i++) {
      const f = fields[i];
      if (f !== undefined) sender.header(f.name, f.value, f.sensitive);
    }
    sender.endHeaders(this, true);
    this.finishLocal();
  }

  /**
   * Sends up to `budget` bytes of the buffered DATA. Called by the connection in turn with the other streams. Returns
   * true if more could be sent at once.
   */
  pump(budget: number): boolean {
    const segments = this.segments;
    if (segments === undefined || this.dead) return false;
    const segment = segments[0];
    let sent = 0;
    if (segment !== undefined) {
      const lastOfAll = segments.length === 1 && this.endQueued && this.trailersQueued === undefined;
      const end = Math.min(segment.end, segment.start + budget);
      const last = lastOfAll && end === segment.end;
      sent = this.sender.sendData(this, segment.chunk, segment.start, end, last);
      segment.start += sent;
      if (sent > 0) {
        this.moved = true;
        this.taken += sent;
        this.queuedBytes -= sent;
        this.streams.backlog.count(-sent);
      }
      if (segment.start === segment.end) segments.shift();
    }
    if (segments.length === 0) {
      this.segments = undefined;
      if (this.trailersQueued !== undefined) {
        const fields = this.trailersQueued;
        this.trailersQueued = undefined;
        this.writeTrailers(fields);
      } else if (this.endQueued) this.finishLocal();
    }
    this.tellSent(sent);
    return this.segments !== undefined && sent > 0 && this.sendWindow > 0;
  }

  /** The owner has consumed this many bytes of onData. Credit is returned in few, large WINDOW_UPDATEs. */
  consumed(bytes: number): void {
    if (this.remoteEnded || this.dead) return;
    this.owed += bytes;
    if (this.owed * 2 < this.receiveTarget) return;
    this.readSinceGrowth += this.owed;
    let increment = this.owed;
    this.owed = 0;
    // A stream that is read as fast as it arrives gets a larger window, doubling up to the maximum.
    const cap = this.streams.maxWindowBytes;
    if (this.readSinceGrowth >= this.receiveTarget && this.receiveTarget < cap) {
      const grown = Math.min(cap, this.receiveTarget * 2);
      increment += grown - this.receiveTarget;
      this.receiveTarget = grown;
      this.readSinceGrowth = 0;
    }
    this.receiveWindow += increment;
    this.sender.sendWindowUpdate(this.id, increment);
  }

  /** Ends the stream with RST_STREAM; the handler is not notified. Idempotent. Unsent DATA is dropped. */
  reset(code: number): void {
    if (this.closed) return;
    this.die();
    this.streams.reset(this, code);
  }

  /**
   * The server's response is complete while the request still arrives: asks the client to stop (RFC 9113 §8.1). Call
   * after the ending; does nothing if the client has ended too.
   */
  stopPeer(): void {
    if (this.remoteEnded || this.dead) return;
    if (this.localEnded) this.reset(ErrorCode.NO_ERROR);
    else this.stopAfterEnd = true;
  }

  private finishLocal(): void {
    this.localEnded = true;
    if (this.remoteEnded) this.streams.forget(this);
    else if (this.stopAfterEnd) this.reset(ErrorCode.NO_ERROR);
  }

  /** Marks the stream dead, and drops its buffer. */
  die(): void {
    this.dead = true;
    this.segments = undefined;
    if (this.queuedBytes > 0) {
      const bytes = this.queuedBytes;
      this.queuedBytes = 0;
      this.streams.backlog.count(-bytes);
    }
    this.trailersQueued = undefined;
  }
}
