// An HTTP/2 connection over any Duplex, in either role (RFC 9113): combines its parts, its shutdown, and the methods
// for its owner. Independent of gRPC and of the hub. docs/architecture.md, "The wire", shows the path of a frame. Hot
// path: no part makes an object, closure, promise or event per frame.
import type { Duplex } from "node:stream";
import { barrier, contain } from "../kit/barrier.js";
import { type Clock, systemClock } from "../kit/clock.js";
import { type ConnectionHandler, reportFault } from "./connection-handler.js";
import { FrameReader } from "./frames/frame-reader.js";
import { FrameWriter } from "./frames/frame-writer.js";
import { HeaderAssembler } from "./frames/header-assembler.js";
import { HeaderWriter } from "./frames/header-writer.js";
import { Output, type OutputOwner } from "./frames/output.js";
import { HpackError } from "./hpack/decoder.js";
import { Pings } from "./pings.js";
import { ReceiveWindow } from "./receive-window.js";
import { type ConnectionFrames, Receiver } from "./receiver.js";
import { SendMemory } from "./send-memory.js";
import { Sender, type SenderOwner } from "./sender.js";
import { SettingsExchange } from "./settings-exchange.js";
import type { Stream, StreamHandler } from "./stream.js";
import { StreamTable } from "./stream-table.js";
import { Streams, type StreamsOwner } from "./streams.js";
import { Watch, type Watched } from "./watch.js";
import { ConnectionError } from "./wire/connection-error.js";
import { foreignPeer } from "./wire/foreign-peer.js";
import { Guards } from "./wire/guards.js";
import { DEFAULT_LIMITS, type LimitName, type Limits, limitsOf } from "./wire/limits.js";
import { ErrorCode, errorName, MAX_STREAM_ID } from "./wire/protocol.js";

export type { ConnectionHandler };

export interface ConnectionOptions {
  readonly role: "server" | "client";
  /** Differences from `DEFAULT_LIMITS`; limits.ts describes each. */
  readonly limits?: Partial<Limits>;
  /** Default: the system's. */
  readonly clock?: Clock;
  /** 0 ≤ n < 1, for the jitter of `maxAgeMs`. Default: Math.random. */
  readonly random?: () => number;
  /** Counts buffered DATA, together with that of other connections. Default: for this connection alone. */
  readonly memory?: SendMemory | undefined;
}

/** How long a socket may take to close: short if we abort, longer if the peer should read what we wrote. */
const BREAK_OFF_MS = 1000;
const LINGER_MS = 30_000;

export class Connection implements ConnectionFrames, OutputOwner, SenderOwner, StreamsOwner, Watched {
  readonly socket: Duplex;
  readonly role: "server" | "client";
  private readonly handler: ConnectionHandler;
  private readonly guards: Guards;
  private readonly out: Output;
  private readonly writer: FrameWriter;
  private readonly sender: Sender;
  private readonly streams: Streams;
  private readonly settings: SettingsExchange;
  private readonly pings: Pings;
  private readonly reader: FrameReader;
  private readonly watch: Watch;

  private state: "open" | "draining" | "closed" = "open";
  /** The last stream of ours that the peer accepts, after its GOAWAY. */
  private peerLastId: number | undefined = undefined;
  private closeReason: string | undefined = undefined;
  private notified = false;
  /** The peer's TCP has accepted nothing for a while: set and cleared by the watch. */
  stuck = false;

  constructor(socket: Duplex, options: ConnectionOptions, handler: ConnectionHandler) {
    const {
      role,
      clock = systemClock,
      random = Math.random,
      memory = new SendMemory(DEFAULT_LIMITS.maxProcessQueuedBytes),
    } = options;
    const limits = limitsOf(options.limits);
    const now = clock.now();
    this.socket = socket;
    this.role = role;
    this.handler = handler;
    this.guards = new Guards(role, limits, clock, now);

    // The way out: stream → sender → writer → output → socket.
    const table = new StreamTable();
    this.out = new Output(socket, this, limits.maxUnreadBytes);
    this.writer = new FrameWriter(this.out);
    const headerWriter = new HeaderWriter(this.writer);
    this.sender = new Sender(this, this.out, this.writer, headerWriter, table, this.guards);
    this.streams = new Streams(this, handler, table, this.sender, this.guards, limits, memory);
    this.settings = new SettingsExchange(role, limits, this.guards, this.writer, headerWriter, this.sender);
    this.pings = new Pings(this.writer, this.guards);

    // The way in: socket → reader → receiver → stream.
    const window = new ReceiveWindow(this.writer);
    const assembler = new HeaderAssembler(limits);
    const receiver = new Receiver(
      this,
      handler,
      this.streams,
      this.sender,
      window,
      this.guards,
      assembler,
      limits,
    );
    this.reader = new FrameReader(role, receiver, assembler);

    if (role === "client") this.writer.preface();
    this.settings.announce();
    window.announce();
    this.watch = new Watch(this, this.reader, this.out, this.streams.backlog, limits, clock, now, random);
    // The owner of a client connection makes sure that it gets connected.
    if (role === "server") this.watch.start();
    const onFault = (error: unknown): void => this.fault(error);
    socket.on("data", this.onChunk);
    socket.on("end", barrier(this.onEnd, onFault));
    socket.on("error", barrier(this.onError, onFault));
    socket.on("close", barrier(this.onSocketClose, onFault));
  }

  // ---------------------------------------------------------------- for the owner

  /** Open streams. */
  get active(): number {
    return this.streams.size;
  }

  /** The peer's first SETTINGS have arrived. */
  get ready(): boolean {
    return this.settings.received;
  }

  /** Client role: whether a stream can be opened now. */
  get canOpen(): boolean {
    return !this.leaving && this.streams.size < this.settings.maxStreams;
  }

  /** Client role: no stream will be opened on this connection ever again. */
  get leaving(): boolean {
    return this.state !== "open" || this.peerLastId !== undefined;
  }

  get closed(): boolean {
    return this.state === "closed";
  }

  /** Why the connection is over; undefined while it is not. */
  get whyClosed(): string | undefined {
    return this.closeReason;
  }

  /** Client role: the peer's limit of open streams; Infinity if it sets none. */
  get maxStreams(): number {
    return this.settings.maxStreams;
  }

  /**
   * The largest header list that the peer accepts (`listBytes`); Infinity if it sets no limit. It is advisory, but some
   * peers close the whole connection over a larger block, and with it the calls of others: so check a list before
   * sending it.
   */
  get maxHeaderListBytes(): number {
    return this.settings.maxHeaderListBytes;
  }

  /** Streams that either side has opened. */
  get opened(): number {
    return this.guards.opened;
  }

  /** HEADERS and DATA frames that arrived. */
  get answers(): number {
    return this.guards.receivedFrames;
  }

  /** Bytes of DATA that wait in streams. */
  get queuedBytes(): number {
    return this.streams.backlog.queuedBytes;
  }

  /** Bytes that the socket still buffers. */
  get unwritten(): number {
    return this.out.unwritten;
  }

  /** Client role: opens a stream; undefined when `canOpen` is false. Follow with beginHeaders at once. */
  open(handler: StreamHandler): Stream | undefined {
    if (!this.canOpen) return undefined;
    const stream = this.streams.open(handler);
    if (this.streams.exhausted) this.state = "draining"; // closes with its last stream
    return stream;
  }

  /** Chunks from the peer: a service that sends anything at all is alive. */
  get heard(): number {
    return this.reader.heard;
  }

  /** The owners of open streams, to count them. Visits each. */
  get owners(): StreamHandler[] {
    return this.streams.owners;
  }

  /** Checks whether the peer is alive, at no cost but a response: `onAck` runs when it arrives. */
  probe(onAck: () => void): void {
    if (this.state !== "closed") this.settings.probe(onAck);
  }

  /** Sends a PING; `onPong` runs when it is acknowledged, and never if the connection ends before. */
  ping(onPong: () => void): void {
    if (this.state !== "closed") this.pings.send(onPong);
  }

  /**
   * Announces that no more streams are accepted; the connection closes when its streams have ended. Server role: in two
   * steps (RFC 9113 §6.8), so that requests in flight are not lost: GOAWAY(2³¹−1), then, once a PING was acknowledged,
   * GOAWAY with the last stream. Returns the function that ends the wait for the PING.
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

  /**
   * Ends the connection at once, with GOAWAY. Streams are notified. `limit`: the one that the peer exceeded, if it did.
   */
  destroy(code: number = ErrorCode.NO_ERROR, reason = "the connection was closed", limit?: LimitName): void {
    if (this.state === "closed") return;
    if (limit !== undefined) this.handler.onLimit?.(limit, "connection", reason);
    try {
      this.writer.goaway(this.streams.lastTaken, code, code === ErrorCode.NO_ERROR ? "" : reason);
    } finally {
      this.hangUp(reason, BREAK_OFF_MS);
    }
  }

  // ---------------------------------------------------------------- for the parts

  onSettings(flags: number, id: number, b: Buffer, start: number, end: number): void {
    const first = !this.settings.received;
    if (!this.settings.receive(flags, id, b, start, end)) return;
    if (first && this.role === "client") this.watch.start();
    if (first) this.handler.onReady?.();
    if (!this.closed) this.tellCapacity();
  }

  onPing(flags: number, id: number, b: Buffer, start: number, end: number): void {
    this.pings.receive(flags, id, b, start, end);
  }

  onGoaway(id: number, b: Buffer, start: number, end: number): void {
    if (id !== 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "GOAWAY on a stream");
    if (end - start < 8) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "GOAWAY shorter than 8 bytes");
    if (this.role === "server") return; // the client will open no more: it closes when it is done
    const lastId = b.readUInt32BE(start) & MAX_STREAM_ID;
    const code = b.readUInt32BE(start + 4);
    if (this.peerLastId !== undefined && lastId > this.peerLastId) {
      throw new ConnectionError(
        ErrorCode.PROTOCOL_ERROR,
        "GOAWAY with a higher last stream id than the previous one",
      );
    }
    this.peerLastId = lastId;
    this.streams.refusedAbove(lastId, `the peer is going away: ${errorName(code)}`);
    if (this.state === "open") this.state = "draining";
    this.tellCapacity();
    this.closeWhenIdle();
  }

  onStreamOver(): void {
    if (this.state === "draining") this.closeWhenIdle();
    if (this.role === "client" && !this.closed) this.tellCapacity();
  }

  setStuck(stuck: boolean): void {
    this.stuck = stuck;
    this.tellCapacity();
  }

  fill(): void {
    try {
      this.sender.pump();
    } catch (error) {
      this.fault(error);
    }
  }

  overflow(): void {
    this.fail(
      ErrorCode.ENHANCE_YOUR_CALM,
      "the peer does not read: too much output is buffered",
      "maxUnreadBytes",
    );
  }

  /** The connection's own code threw: it ends, in whatever way is still possible. */
  fault(error: unknown): void {
    reportFault(this.handler, error);
    try {
      this.fail(ErrorCode.INTERNAL_ERROR, "internal error");
    } catch (second) {
      reportFault(this.handler, second);
      this.cutOff();
    }
  }

  private cutOff(): void {
    try {
      this.socket.destroy();
      this.stopReading("internal error");
    } catch (error) {
      reportFault(this.handler, error);
    }
    this.tellAll("internal error");
  }

  brokenBlock(stream: Stream): void {
    this.streams.brokenBlock(stream);
  }

  // ---------------------------------------------------------------- the socket

  private readonly onChunk = (chunk: Buffer): void => {
    try {
      this.guards.chunkCame();
      this.reader.read(chunk);
    } catch (error) {
      contain(error, this.onReadError);
    }
  };

  private readonly onReadError = (error: unknown): void => {
    if (error instanceof ConnectionError) this.peerFailed(error.code, error.message, error.limit);
    else if (error instanceof HpackError) this.peerFailed(ErrorCode.COMPRESSION_ERROR, error.message);
    else this.fault(error);
  };

  private peerFailed(code: number, message: string, limit?: LimitName): void {
    if (limit === undefined) this.handler.onMalformed?.("connection", code, message);
    this.fail(code, message, limit);
  }

  private readonly onEnd = (): void => {
    // A peer that closes its half is gone: HTTP/2 has no use for a half-open connection.
    this.hangUp(this.whyOver("the peer closed the connection"), LINGER_MS);
  };

  private readonly onError = (error: NodeJS.ErrnoException): void => {
    const why = `the connection failed: ${error.message}`;
    this.lose(error.code === "ECONNRESET" ? this.whyOver(why) : why);
    // A TLS socket can emit an error and stay open: the peer must not wait for it.
    this.socket.destroy();
  };

  private readonly onSocketClose = (): void => {
    this.lose("the connection was lost");
  };

  /** A server that closes without sending anything, or after an alert of seven bytes, often expects TLS. */
  private whyOver(what: string): string {
    if (this.role === "server" || this.settings.received) return what;
    const foreign = foreignPeer(this.reader.partialHead);
    if (foreign !== undefined) return foreign;
    const secure = "encrypted" in this.socket;
    return `${what}, before any HTTP/2 frame arrived${secure ? "" : ": does it expect TLS?"}`;
  }

  // ---------------------------------------------------------------- the end

  private closeWhenIdle(): void {
    if (this.streams.size > 0 || this.state !== "draining") return;
    if (this.role === "server" && this.streams.taking) return;
    this.hangUp("the connection was drained", LINGER_MS);
  }

  private fail(code: number, message: string, limit?: LimitName): void {
    this.destroy(code, `${errorName(code)}: ${message}`, limit);
  }

  /** Writes the collected output, ends our side of the socket, and makes sure that the socket closes. */
  private hangUp(reason: string, patienceMs: number): void {
    if (this.state === "closed") return;
    const { socket } = this;
    this.stopReading(reason);
    // A peer that does not read, or does not close its side, must not keep the socket open.
    const timer = setTimeout(() => socket.destroy(), patienceMs);
    timer.unref();
    socket.once("close", () => clearTimeout(timer));
    try {
      this.out.end();
    } finally {
      this.tellAll(reason);
    }
  }

  private lose(reason: string): void {
    if (this.state === "closed") return;
    this.stopReading(reason);
    this.tellAll(reason);
  }

  private stopReading(reason: string): void {
    this.state = "closed";
    this.closeReason = reason;
    this.reader.stop();
    this.watch.stop();
    this.socket.removeListener("data", this.onChunk);
    this.socket.resume();
  }

  private tellAll(reason: string): void {
    if (this.notified) return;
    this.notified = true;
    // Whatever one of them does, the others are notified.
    const parts = [
      () => this.streams.endAll(reason),
      () => this.out.close(),
      () => this.pings.close(),
      () => this.sender.close(),
      () => this.handler.onClose(reason),
    ];
    for (const end of parts) {
      try {
        end();
      } catch (error) {
        reportFault(this.handler, error);
      }
    }
  }

  private tellCapacity(): void {
    try {
      this.handler.onCapacity?.();
    } catch (error) {
      this.fault(error);
    }
  }
}
