// An HTTP/2 connection over any Duplex, either role (RFC 9113). Knows nothing of gRPC or of the hub.
// Hot path: no object, closure, promise or event per frame; frames are parsed in place from the socket's chunks.
import type { Duplex } from "node:stream";
import { type Clock, systemClock } from "../core/clock.js";
import { ConnectionError, calm, expectLength } from "./connection-error.js";
import { type ConnectionHandler, reportFault } from "./connection-handler.js";
import { foreignPeer } from "./foreign-peer.js";
import { FrameWriter } from "./frame-writer.js";
import { Guards } from "./guards.js";
import { HeaderWriter } from "./header-writer.js";
import { type HeaderBlock, HpackDecoder, HpackError } from "./hpack/decoder.js";
import { DEFAULT_LIMITS, type LimitName, type Limits, limitsOf } from "./limits.js";
import { checkRequest, checkResponse, checkTrailers } from "./messages.js";
import { Output, type OutputOwner } from "./output.js";
import {
  DEFAULT_FRAME_BYTES,
  DEFAULT_WINDOW_BYTES,
  ErrorCode,
  errorName,
  Flag,
  FRAME_HEADER_BYTES,
  FrameType,
  MAX_FRAME_BYTES,
  MAX_STREAM_ID,
  MAX_WINDOW_BYTES,
  PREFACE,
  Setting,
} from "./protocol.js";
import { SendMemory } from "./send-memory.js";
import { Sender, type SenderOwner } from "./sender.js";
import type { Stream, StreamHandler } from "./stream.js";
import { StreamTable } from "./stream-table.js";
import { Streams, type StreamsOwner } from "./streams.js";
import { Watch, type Watched } from "./watch.js";

export type { ConnectionHandler };

export interface ConnectionOptions {
  readonly role: "server" | "client";
  /** Those that differ from `DEFAULT_LIMITS`; limits.ts says what each is for. */
  readonly limits?: Partial<Limits>;
  /** Default: the system's. */
  readonly clock?: Clock;
  /** 0 ≤ n < 1, for the jitter of `maxAgeMs`. Default: Math.random. */
  readonly random?: () => number;
  /** Where the DATA that waits is counted. Default: one for the process. */
  readonly memory?: SendMemory;
}

/** The DATA that waits in all connections of the process. */
export const processSendMemory = new SendMemory(DEFAULT_LIMITS.maxProcessQueuedBytes);

/** Receive window of a connection: credit comes back on receipt, so it bounds nothing but one round trip. */
const CONNECTION_WINDOW_BYTES = 1024 * 1024;
/** How long a socket may take to close: cut off when we break off, patient when what we wrote is worth reading. */
const BREAK_OFF_MS = 1000;
const LINGER_MS = 30_000;
/** Before the peer's SETTINGS come we assume it takes this many streams (RFC 9113 §6.5.2 recommends at least 100). */
const INITIAL_PEER_STREAMS = 100;

export class Connection implements OutputOwner, SenderOwner, StreamsOwner, Watched {
  readonly socket: Duplex;
  readonly role: "server" | "client";
  private readonly handler: ConnectionHandler;
  private readonly limits: Limits;
  private readonly decoder: HpackDecoder;
  private readonly out: Output;
  private readonly writer: FrameWriter;
  private readonly headers: HeaderWriter;
  private readonly sender: Sender;
  private readonly streams: Streams;
  // What the peer told us.
  private peerMaxStreams = INITIAL_PEER_STREAMS;
  private settingsReceived = false;

  private receiveWindow = DEFAULT_WINDOW_BYTES;
  private received = 0;

  private state: "open" | "draining" | "closed" = "open";
  private peerGoaway = false;
  private peerGoawayId = MAX_STREAM_ID;
  /** PINGs sent, and what to call for those not yet answered: the last ones, in order. */
  private pingsSent = 0;
  private readonly pongs: (() => void)[] = [];
  private closeReason: string | undefined = undefined;

  // The parser: a frame header that is not complete, a frame being assembled, or a DATA frame being passed on.
  private prefaceLeft: number;
  private readonly head = Buffer.alloc(FRAME_HEADER_BYTES);
  private headLength = 0;
  private frameLength = 0;
  private frameType = 0;
  private frameFlags = 0;
  private frameStream = 0;
  private assembly: Buffer | undefined = undefined;
  private assembled = 0;
  private inData = false;
  private dataStream: Stream | undefined = undefined;
  private dataLeft = 0;
  private padLeft = 0;
  private needPadLength = false;
  /** The frame's data has all been passed on: only padding is left of it. */
  private dataDelivered = false;
  // A header block in several frames.
  private blockParts: Buffer[] | undefined = undefined;
  private blockBytes = 0;
  private blockStream = 0;
  private blockEnd = false;
  private continuations = 0;

  /** Chunks that came. */
  heard = 0;
  /** The peer's TCP has taken nothing for a while: the watch sets it, and takes it back. */
  stuck = false;
  /** Frames, and header blocks, that have begun. */
  private begun = 0;
  private readonly watch: Watch;
  private readonly guards: Guards;

  constructor(socket: Duplex, options: ConnectionOptions, handler: ConnectionHandler) {
    this.socket = socket;
    this.role = options.role;
    this.handler = handler;
    const limits = limitsOf(options.limits);
    this.limits = limits;
    const clock = options.clock ?? systemClock;
    const now = clock.now();
    this.guards = new Guards(options.role, limits, clock, now);
    const maxListBytes = limits.maxHeaderListBytes;
    this.decoder = new HpackDecoder({ maxListBytes, maxFields: limits.maxHeaderFields });
    this.out = new Output(socket, this, limits.maxUnreadBytes);
    this.writer = new FrameWriter(this.out);
    this.headers = new HeaderWriter(this.writer);
    const table = new StreamTable();
    this.sender = new Sender(this, this.out, this.writer, this.headers, table, this.guards);
    const memory = options.memory ?? processSendMemory;
    this.streams = new Streams(this, handler, table, this.sender, this.guards, limits, memory);
    this.prefaceLeft = this.role === "server" ? PREFACE.length : 0;
    this.sendPreface(maxListBytes);
    this.watch = new Watch(this, limits, clock, now, options.random ?? Math.random);
    // A client's owner sees to it that the connection comes about.
    if (this.role === "server") this.watch.start();
    socket.on("data", this.onChunk);
    socket.on("end", this.onEnd);
    socket.on("error", this.onError);
    socket.on("close", this.onSocketClose);
  }

  // ---------------------------------------------------------------- for the owner

  /** Open streams. */
  get active(): number {
    return this.streams.size;
  }

  /** The peer's first SETTINGS have come. */
  get ready(): boolean {
    return this.settingsReceived;
  }

  /** Client role: whether a stream can be opened now. */
  get canOpen(): boolean {
    return this.state === "open" && !this.peerGoaway && this.streams.size < this.peerMaxStreams;
  }

  /** Client role: no stream will be opened on this connection ever again. */
  get leaving(): boolean {
    return this.state !== "open" || this.peerGoaway;
  }

  get closed(): boolean {
    return this.state === "closed";
  }

  /** Client role: the most streams that the peer lets us have open; Infinity where it does not say. */
  get maxStreams(): number {
    return this.peerMaxStreams;
  }

  /** Streams that either side has opened. */
  get opened(): number {
    return this.guards.opened;
  }

  /** Frames of headers, and of data, that came. */
  get answers(): number {
    return this.guards.receivedFrames;
  }

  /** Client role: opens a stream; undefined when `canOpen` is false. Follow with beginHeaders at once. */
  open(handler: StreamHandler): Stream | undefined {
    if (!this.canOpen) return undefined;
    const stream = this.streams.open(handler);
    if (this.streams.exhausted) this.state = "draining"; // closes with its last stream
    return stream;
  }

  /** Sends a PING; `onPong` runs when it is answered, and never if the connection ends before. */
  ping(onPong: () => void): void {
    if (this.state === "closed") return;
    this.pongs.push(onPong);
    this.writer.ping(++this.pingsSent >>> 0);
  }

  /**
   * Tells the peer that no more streams will be taken; the connection closes when its streams have ended.
   * Server role: in two steps (RFC 9113 §6.8), so that requests under way are not lost: GOAWAY(2³¹−1), then,
   * once a PING has come back, GOAWAY with the last stream. Returns the function that ends the wait for the PING.
   */
  drain(): () => void {
    if (this.state !== "open") return () => {};
    this.state = "draining";
    const finish = (): void => {
      if (this.state !== "draining" || !this.streams.taking) return;
      this.streams.stopTaking();
      this.writer.goaway(this.streams.lastTaken, ErrorCode.NO_ERROR, "");
      this.closeWhenIdle();
    };
    if (this.role === "server") {
      this.writer.goaway(MAX_STREAM_ID, ErrorCode.NO_ERROR, "");
      this.ping(finish);
    } else finish();
    return finish;
  }

  /** Ends the connection at once, with GOAWAY. Streams are told. `limit`: the one that the peer passed, if it did. */
  destroy(code: number = ErrorCode.NO_ERROR, reason = "the connection was closed", limit?: LimitName): void {
    if (this.state === "closed") return;
    if (limit !== undefined) this.handler.onLimit?.(limit, "connection", reason);
    this.writer.goaway(this.streams.lastTaken, code, code === ErrorCode.NO_ERROR ? "" : reason);
    this.hangUp(reason, BREAK_OFF_MS);
  }

  // ---------------------------------------------------------------- for the watch, and for memory

  /** Of a frame or header block that has begun and not ended, but for DATA. -1: there is none. */
  get unfinished(): number {
    const within = this.blockParts !== undefined || this.assembly !== undefined || this.headLength > 0;
    return within || this.prefaceLeft > 0 ? this.begun : -1;
  }

  /** Bytes of DATA that wait in streams. */
  get queuedBytes(): number {
    return this.streams.backlog.queuedBytes;
  }

  /** Bytes that the socket still holds. */
  get unwritten(): number {
    return this.socket.writableLength;
  }

  /** Writes that the socket has finished. */
  get written(): number {
    return this.out.finishedWrites;
  }

  setStuck(stuck: boolean): void {
    this.stuck = stuck;
    this.tellCapacity();
  }

  resetStalled(now: number): void {
    this.streams.backlog.resetStalled(now);
  }

  // ---------------------------------------------------------------- output

  private sendPreface(maxListBytes: number): void {
    const settings: [number, number][] = [[Setting.MAX_HEADER_LIST_SIZE, maxListBytes]];
    if (this.role === "client") {
      this.writer.preface();
      settings.push([Setting.ENABLE_PUSH, 0]);
    } else {
      settings.push([Setting.MAX_CONCURRENT_STREAMS, this.limits.maxConcurrentStreams]);
    }
    this.writer.settings(settings);
    this.writer.windowUpdate(0, CONNECTION_WINDOW_BYTES - DEFAULT_WINDOW_BYTES);
    this.receiveWindow = CONNECTION_WINDOW_BYTES;
  }

  fill(): void {
    try {
      this.sender.pump();
    } catch (error) {
      this.fault(error);
    }
  }

  overflow(): void {
    this.fail(ErrorCode.ENHANCE_YOUR_CALM, "the peer does not read what is sent to it", "maxUnreadBytes");
  }

  // ---------------------------------------------------------------- life and death

  onStreamOver(): void {
    if (this.state === "draining") this.closeWhenIdle();
    if (this.role === "client" && !this.closed) this.tellCapacity();
  }

  private tellCapacity(): void {
    try {
      this.handler.onCapacity?.();
    } catch (error) {
      this.fault(error);
    }
  }

  private closeWhenIdle(): void {
    if (this.streams.size > 0 || this.state !== "draining") return;
    if (this.role === "server" && this.streams.taking) return;
    this.hangUp("the connection was drained", LINGER_MS);
  }

  private readonly onEnd = (): void => {
    // A peer that closes its half is gone: HTTP/2 has no use for a half-open connection.
    this.hangUp(this.whyOver("the peer closed the connection"), LINGER_MS);
  };

  private readonly onError = (error: NodeJS.ErrnoException): void => {
    const why = `the connection failed: ${error.message}`;
    this.lose(error.code === "ECONNRESET" ? this.whyOver(why) : why);
    // A TLS socket can tell of an error and stay open: the peer must not wait on it.
    this.socket.destroy();
  };

  private readonly onSocketClose = (): void => {
    this.lose("the connection was lost");
  };

  /** A server that goes without a word, or after an alert of seven bytes, often expects TLS. */
  private whyOver(what: string): string {
    if (this.role === "server" || this.settingsReceived) return what;
    const foreign = foreignPeer(this.head.subarray(0, this.headLength));
    if (foreign !== undefined) return foreign;
    const secure = "encrypted" in this.socket;
    return `${what}, without a word of HTTP/2${secure ? "" : ": does it expect TLS?"}`;
  }

  private fail(code: number, message: string, limit?: LimitName): void {
    this.destroy(code, `${errorName(code)}: ${message}`, limit);
  }

  /** Writes what is gathered, ends our side of the socket, and sees to it that the socket goes. */
  private hangUp(reason: string, patienceMs: number): void {
    if (this.state === "closed") return;
    const { socket } = this;
    this.stopReading(reason);
    this.out.end();
    // A peer that does not read, or does not close its side, must not keep the socket.
    const timer = setTimeout(() => socket.destroy(), patienceMs);
    timer.unref();
    socket.once("close", () => clearTimeout(timer));
    this.tellAll(reason);
  }

  private lose(reason: string): void {
    if (this.state === "closed") return;
    this.stopReading(reason);
    this.tellAll(reason);
  }

  private stopReading(reason: string): void {
    this.state = "closed";
    this.watch.stop();
    this.closeReason = reason;
    this.socket.removeListener("data", this.onChunk);
    this.socket.resume();
  }

  private tellAll(reason: string): void {
    this.streams.endAll(reason);
    this.out.close();
    this.pongs.length = 0;
    this.sender.close();
    try {
      this.handler.onClose(reason);
    } catch (error) {
      reportFault(this.handler, error);
    }
  }

  /** Something threw outside any stream: the end of the connection. */
  fault(error: unknown): void {
    reportFault(this.handler, error);
    this.fail(ErrorCode.INTERNAL_ERROR, "internal error");
  }

  // ---------------------------------------------------------------- input

  private readonly onChunk = (chunk: Buffer): void => {
    this.guards.chunkCame();
    this.heard++;
    try {
      this.parse(chunk);
    } catch (error) {
      if (error instanceof ConnectionError) this.failed(error.code, error.message, error.limit);
      else if (error instanceof HpackError) this.failed(ErrorCode.COMPRESSION_ERROR, error.message);
      else this.fault(error);
    }
  };

  private failed(code: number, message: string, limit?: LimitName): void {
    if (limit === undefined) this.handler.onMalformed?.("connection", code, message);
    this.fail(code, message, limit);
  }

  private parse(chunk: Buffer): void {
    const length = chunk.length;
    let at = this.prefaceLeft > 0 ? this.parsePreface(chunk) : 0;
    while (this.state !== "closed") {
      if (this.inData) {
        at = this.parseData(chunk, at, length);
        if (this.inData) return;
        continue;
      }
      if (this.assembly !== undefined) {
        const n = Math.min(this.frameLength - this.assembled, length - at);
        chunk.copy(this.assembly, this.assembled, at, at + n);
        this.assembled += n;
        at += n;
        if (this.assembled < this.frameLength) return;
        const whole = this.assembly;
        this.assembly = undefined;
        this.handleFrame(whole, 0, this.frameLength);
        continue;
      }
      if (this.headLength === 0 && length - at >= FRAME_HEADER_BYTES) {
        this.readFrameHeader(chunk, at);
        at += FRAME_HEADER_BYTES;
      } else {
        const n = Math.min(FRAME_HEADER_BYTES - this.headLength, length - at);
        if (n === 0) return;
        chunk.copy(this.head, this.headLength, at, at + n);
        this.headLength += n;
        at += n;
        if (this.headLength < FRAME_HEADER_BYTES) return;
        this.headLength = 0;
        this.readFrameHeader(this.head, 0);
      }
      if (this.frameType === FrameType.DATA) {
        this.beginData();
      } else if (length - at >= this.frameLength) {
        const start = at;
        at += this.frameLength;
        this.handleFrame(chunk, start, at);
      } else {
        this.assembly = Buffer.allocUnsafe(this.frameLength);
        this.assembled = 0;
      }
    }
  }

  private parsePreface(chunk: Buffer): number {
    const n = Math.min(this.prefaceLeft, chunk.length);
    const from = PREFACE.length - this.prefaceLeft;
    if (PREFACE.compare(chunk, 0, n, from, from + n) !== 0) {
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "the connection preface is not that of HTTP/2");
    }
    this.prefaceLeft -= n;
    return n;
  }

  private readFrameHeader(b: Buffer, at: number): void {
    const length = ((b[at] ?? 0) << 16) | ((b[at + 1] ?? 0) << 8) | (b[at + 2] ?? 0);
    const type = b[at + 3] ?? 0;
    this.frameLength = length;
    this.frameType = type;
    if (this.blockParts === undefined) this.begun++;
    this.frameFlags = b[at + 4] ?? 0;
    this.frameStream =
      (((b[at + 5] ?? 0) & 0x7f) << 24) |
      ((b[at + 6] ?? 0) << 16) |
      ((b[at + 7] ?? 0) << 8) |
      (b[at + 8] ?? 0);
    if (length > DEFAULT_FRAME_BYTES) {
      const foreign = this.settingsReceived ? undefined : foreignPeer(b.subarray(at));
      if (foreign !== undefined) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, foreign);
      throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, `a frame of ${length} bytes; the limit is 16384`);
    }
    if (!this.settingsReceived && type !== FrameType.SETTINGS) {
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "the first frame must be SETTINGS");
    }
    if (
      this.blockParts !== undefined &&
      (type !== FrameType.CONTINUATION || this.frameStream !== this.blockStream)
    ) {
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "a header block was interrupted by another frame");
    }
  }

  private beginData(): void {
    const id = this.frameStream;
    if (id === 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "DATA on stream 0");
    const length = this.frameLength;
    this.receiveWindow -= length;
    if (this.receiveWindow < 0) {
      throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, "DATA beyond the connection's window");
    }
    // Credit for the connection comes back on receipt: one slow stream must not stall the others.
    this.received += length;
    if (this.received * 2 >= CONNECTION_WINDOW_BYTES) {
      this.receiveWindow += this.received;
      this.writer.windowUpdate(0, this.received);
      this.received = 0;
    }
    let stream = this.streams.get(id);
    if (stream === undefined) {
      this.streams.checkNotIdle(id, "DATA");
      if (!this.streams.wasReset(id)) {
        // A client's is its stream's matter; a service that goes on behind an end is not to be trusted with others.
        if (this.role === "client") {
          throw new ConnectionError(ErrorCode.STREAM_CLOSED, `DATA on stream ${id}, which is closed`);
        }
        this.streams.refuse(id, ErrorCode.STREAM_CLOSED);
        this.guards.countReset();
      }
    } else if (stream.remoteEnded) {
      this.streams.error(stream, ErrorCode.STREAM_CLOSED, "DATA after END_STREAM");
      stream = undefined;
    } else if (!stream.headersReceived) {
      this.streams.error(stream, ErrorCode.PROTOCOL_ERROR, "DATA before HEADERS");
      stream = undefined;
    } else {
      stream.receiveWindow -= length;
      if (stream.receiveWindow < 0) {
        this.streams.error(stream, ErrorCode.FLOW_CONTROL_ERROR, "DATA beyond the stream's window");
        stream = undefined;
      }
    }
    this.dataStream = stream;
    this.inData = true;
    this.dataLeft = length;
    this.padLeft = 0;
    this.needPadLength = (this.frameFlags & Flag.PADDED) !== 0;
    if (this.needPadLength && length === 0) {
      throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "a padded DATA frame without its pad length");
    }
    if (length === 0) this.countEmptyData();
    else this.guards.receivedFrames++;
  }

  private countEmptyData(): void {
    if ((this.frameFlags & Flag.END_STREAM) === 0) this.guards.countEmptyData();
  }

  /** Passes on what the chunk has of the DATA frame; `inData` is false once the frame is complete. */
  private parseData(chunk: Buffer, start: number, length: number): number {
    let at = start;
    if (this.needPadLength) {
      if (at === length) return at;
      const pad = chunk[at++] ?? 0;
      this.needPadLength = false;
      this.dataLeft--;
      if (pad > this.dataLeft) {
        throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "padding longer than the frame");
      }
      this.dataLeft -= pad;
      this.padLeft = pad;
      if (this.dataLeft === 0) {
        this.guards.receivedFrames--;
        this.countEmptyData();
      }
      // Padding is used up on receipt.
      this.dataStream?.consumed(pad + 1);
    }
    const n = Math.min(this.dataLeft, length - at);
    const ends = (this.frameFlags & Flag.END_STREAM) !== 0;
    const complete = n === this.dataLeft;
    this.dataLeft -= n;
    const stream = this.dataStream;
    if (complete) {
      // The padding that is left carries nothing, so the frame's meaning is complete before it.
      const pad = Math.min(this.padLeft, length - at - n);
      if (stream !== undefined && !this.dataDelivered) {
        this.dataDelivered = true;
        this.deliver(stream, chunk, at, at + n, ends);
      }
      this.padLeft -= pad;
      if (this.padLeft === 0) {
        this.inData = false;
        this.dataDelivered = false;
        this.dataStream = undefined;
      }
      return at + n + pad;
    }
    if (n > 0 && stream !== undefined) this.deliver(stream, chunk, at, at + n, false);
    return at + n;
  }

  private deliver(stream: Stream, chunk: Buffer, start: number, end: number, last: boolean): void {
    if (stream.dead) return;
    if (stream.announcedBytes >= 0) {
      stream.announcedBytes -= end - start;
      if (stream.announcedBytes < 0 || (last && stream.announcedBytes !== 0)) {
        this.streams.error(
          stream,
          ErrorCode.PROTOCOL_ERROR,
          "the body is not as long as content-length says",
        );
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

  /** After the owner was told of the peer's end, so that it hears of the connection's end behind it. */
  private forgetIfClosed(stream: Stream): void {
    if (stream.closed) this.streams.forget(stream);
  }

  private handleFrame(b: Buffer, start: number, end: number): void {
    switch (this.frameType) {
      case FrameType.HEADERS:
        this.handleHeaders(b, start, end);
        break;
      case FrameType.CONTINUATION:
        this.handleContinuation(b, start, end);
        break;
      case FrameType.WINDOW_UPDATE:
        this.handleWindowUpdate(b, start, end);
        break;
      case FrameType.RST_STREAM:
        this.handleReset(b, start, end);
        break;
      case FrameType.SETTINGS:
        this.handleSettings(b, start, end);
        break;
      case FrameType.PING:
        this.handlePing(b, start, end);
        break;
      case FrameType.GOAWAY:
        this.handleGoaway(b, start, end);
        break;
      case FrameType.PRIORITY:
        this.handlePriority(b, start, end);
        break;
      case FrameType.PUSH_PROMISE:
        throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "PUSH_PROMISE, though push is off");
      default: // RFC 9113 §4.1: unknown types are ignored
        this.guards.countPriority();
    }
  }

  private handleHeaders(b: Buffer, start: number, end: number): void {
    const flags = this.frameFlags;
    const id = this.frameStream;
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
    this.blockEnd = (flags & Flag.END_STREAM) !== 0;
    this.guards.receivedFrames++;
    if ((flags & Flag.END_HEADERS) !== 0) {
      this.handleBlock(id, b, from, to);
      return;
    }
    this.blockParts = [Buffer.from(b.subarray(from, to))];
    this.blockBytes = to - from;
    this.blockStream = id;
    this.continuations = 0;
  }

  private handleContinuation(b: Buffer, start: number, end: number): void {
    const parts = this.blockParts;
    if (parts === undefined) {
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "CONTINUATION without a header block");
    }
    this.continuations++;
    this.blockBytes += end - start;
    const { maxContinuations, maxHeaderBlockBytes } = this.limits;
    if (this.continuations > maxContinuations)
      throw calm("maxContinuations", `more than ${maxContinuations} CONTINUATION frames`);
    if (this.blockBytes > maxHeaderBlockBytes)
      throw calm("maxHeaderBlockBytes", `a header block of more than ${maxHeaderBlockBytes} bytes`);
    parts.push(Buffer.from(b.subarray(start, end)));
    if ((this.frameFlags & Flag.END_HEADERS) === 0) return;
    this.blockParts = undefined;
    const block = Buffer.concat(parts, this.blockBytes);
    this.handleBlock(this.blockStream, block, 0, block.length);
  }

  /** A complete header block. It is decoded whatever becomes of it: the table must stay in step. */
  private handleBlock(id: number, b: Buffer, start: number, end: number): void {
    const block = this.decoder.decode(b, start, end);
    const ends = this.blockEnd;
    const stream = this.streams.get(id);
    if (stream !== undefined) {
      if (stream.remoteEnded) {
        this.streams.error(stream, ErrorCode.STREAM_CLOSED, "HEADERS after END_STREAM");
      } else if (!stream.headersReceived) this.handleResponse(stream, block, ends);
      else this.handleTrailers(stream, block, ends);
      return;
    }
    if (this.streams.isNew(id)) {
      this.handleRequest(id, block, ends);
      return;
    }
    this.streams.checkNotIdle(id, "HEADERS");
    if (!this.streams.wasReset(id)) {
      throw new ConnectionError(ErrorCode.STREAM_CLOSED, `HEADERS on stream ${id}, which is closed`);
    }
    this.guards.countLate();
  }

  private handleRequest(id: number, block: HeaderBlock, ends: boolean): void {
    const stream = this.streams.accept(id);
    if (stream === undefined) return;
    if (block.tooLarge)
      this.handler.onLimit?.(
        "maxHeaderListBytes",
        "stream",
        "more header fields, or larger ones, than allowed",
      );
    else {
      const problem = checkRequest(block, ends);
      if (typeof problem === "string") {
        this.handler.onMalformed?.("stream", ErrorCode.PROTOCOL_ERROR, problem);
        this.streams.error(stream, ErrorCode.PROTOCOL_ERROR, problem);
        return;
      }
      stream.announcedBytes = problem.contentLength;
    }
    if (ends) stream.remoteEnded = true;
    try {
      this.handler.onStream(stream, block, ends);
    } catch (error) {
      this.streams.threw(stream, error);
    }
  }

  private handleResponse(stream: Stream, block: HeaderBlock, ends: boolean): void {
    if (block.tooLarge) {
      this.streams.error(
        stream,
        ErrorCode.PROTOCOL_ERROR,
        "the response's headers are larger than the limit",
      );
      return;
    }
    const head = checkResponse(block);
    if (typeof head === "string") {
      this.streams.error(stream, ErrorCode.PROTOCOL_ERROR, head);
      return;
    }
    if (head.status < 200) {
      if (ends) this.streams.error(stream, ErrorCode.PROTOCOL_ERROR, "an interim response with END_STREAM");
      else if (++stream.interimResponses > this.limits.maxInterimResponses) {
        const reason = "too many interim responses";
        this.streams.error(stream, ErrorCode.ENHANCE_YOUR_CALM, reason, "maxInterimResponses");
      }
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

  private handleTrailers(stream: Stream, block: HeaderBlock, ends: boolean): void {
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
      this.streams.error(stream, ErrorCode.PROTOCOL_ERROR, "the body is shorter than content-length says");
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

  private handleWindowUpdate(b: Buffer, start: number, end: number): void {
    expectLength(end - start, 4, "WINDOW_UPDATE");
    this.guards.countWindowUpdate();
    const increment = b.readUInt32BE(start) & MAX_WINDOW_BYTES;
    const id = this.frameStream;
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

  private handleReset(b: Buffer, start: number, end: number): void {
    expectLength(end - start, 4, "RST_STREAM");
    const id = this.frameStream;
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

  private handleSettings(b: Buffer, start: number, end: number): void {
    if (this.frameStream !== 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "SETTINGS on a stream");
    const length = end - start;
    if ((this.frameFlags & Flag.ACK) !== 0) {
      if (!this.settingsReceived) {
        throw new ConnectionError(
          ErrorCode.PROTOCOL_ERROR,
          "the first frame must be SETTINGS, not an ACK of it",
        );
      }
      expectLength(length, 0, "SETTINGS with ACK");
      return;
    }
    if (length % 6 !== 0) {
      throw new ConnectionError(
        ErrorCode.FRAME_SIZE_ERROR,
        `SETTINGS of ${length} bytes, not a multiple of 6`,
      );
    }
    if (length > this.limits.maxSettingsEntries * 6)
      throw calm("maxSettingsEntries", "too many settings in one frame");
    this.guards.countSettings();
    const first = !this.settingsReceived;
    if (first) this.peerMaxStreams = Number.POSITIVE_INFINITY; // unless this very frame says otherwise
    for (let at = start; at < end; at += 6) this.applySetting(b.readUInt16BE(at), b.readUInt32BE(at + 2));
    this.writer.settingsAck();
    this.settingsReceived = true;
    if (first && this.role === "client") this.watch.start();
    if (first) this.handler.onReady?.();
    if (!this.closed) this.tellCapacity();
  }

  private applySetting(id: number, value: number): void {
    switch (id) {
      case Setting.HEADER_TABLE_SIZE:
        this.headers.setPeerTableSize(value);
        break;
      case Setting.ENABLE_PUSH:
        if (value > 1 || (value === 1 && this.role === "client")) {
          throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, `ENABLE_PUSH of ${value}`);
        }
        break;
      case Setting.MAX_CONCURRENT_STREAMS:
        this.peerMaxStreams = value;
        break;
      case Setting.INITIAL_WINDOW_SIZE: {
        if (value > MAX_WINDOW_BYTES) {
          throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, `INITIAL_WINDOW_SIZE of ${value}`);
        }
        this.sender.setInitialWindow(value);
        break;
      }
      case Setting.MAX_FRAME_SIZE:
        if (value < DEFAULT_FRAME_BYTES || value > MAX_FRAME_BYTES) {
          throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, `MAX_FRAME_SIZE of ${value}`);
        }
        this.writer.maxFrameBytes = value;
        break;
      default: // MAX_HEADER_LIST_SIZE is advice; unknown settings are ignored
    }
  }

  private handlePing(b: Buffer, start: number, end: number): void {
    if (this.frameStream !== 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "PING on a stream");
    expectLength(end - start, 8, "PING");
    if ((this.frameFlags & Flag.ACK) !== 0) {
      // Answers come in the order of the PINGs; what answers none of ours is ignored.
      const oldest = (this.pingsSent - this.pongs.length + 1) >>> 0;
      if (b.readUInt32BE(start) === 0 && b.readUInt32BE(start + 4) === oldest) this.pongs.shift()?.();
      return;
    }
    this.guards.countPing();
    this.writer.frame(FrameType.PING, Flag.ACK, 0, b, start, end);
  }

  private handleGoaway(b: Buffer, start: number, end: number): void {
    if (this.frameStream !== 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "GOAWAY on a stream");
    if (end - start < 8) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "GOAWAY shorter than 8 bytes");
    if (this.role === "server") return; // the client will open no more: it closes when it is done
    const lastId = b.readUInt32BE(start) & MAX_STREAM_ID;
    const code = b.readUInt32BE(start + 4);
    if (lastId > this.peerGoawayId) {
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "GOAWAY with a higher stream than the one before");
    }
    this.peerGoaway = true;
    this.peerGoawayId = lastId;
    const reason = `the peer is going away: ${errorName(code)}`;
    this.streams.refusedAbove(lastId, reason);
    if (this.state === "open") this.state = "draining";
    this.tellCapacity();
    this.closeWhenIdle();
  }

  private handlePriority(b: Buffer, start: number, end: number): void {
    this.guards.countPriority();
    const id = this.frameStream;
    if (id === 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "PRIORITY on stream 0");
    if (end - start !== 5) {
      const stream = this.streams.get(id);
      if (stream === undefined)
        throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "PRIORITY not of 5 bytes");
      this.streams.error(stream, ErrorCode.FRAME_SIZE_ERROR, "PRIORITY not of 5 bytes");
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

  /** Why the connection is over; undefined while it is not. */
  get whyClosed(): string | undefined {
    return this.closeReason;
  }
}
