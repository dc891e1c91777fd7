// The streams of a connection: which there are, which there have been, and how each of them ends (RFC 9113 §5.1).
import { contain } from "../kit/barrier.js";
import { Backlog } from "./backlog.js";
import type { Connection } from "./connection.js";
import { type ConnectionHandler, reportFault } from "./connection-handler.js";
import { RecentResets } from "./recent-resets.js";
import type { SendMemory } from "./send-memory.js";
import type { Sender } from "./sender.js";
import { Stream, type StreamHandler, type StreamReset } from "./stream.js";
import type { StreamTable } from "./stream-table.js";
import { ConnectionError } from "./wire/connection-error.js";
import type { Guards } from "./wire/guards.js";
import type { LimitName, Limits } from "./wire/limits.js";
import { DEFAULT_WINDOW_BYTES, ErrorCode, MAX_STREAM_ID } from "./wire/protocol.js";

/** A handler for streams without an owner (yet): drops everything. */
const NOBODY: StreamHandler = {
  onHeaders() {},
  onData(stream, _chunk, start, end) {
    stream.consumed(end - start);
  },
  onTrailers() {},
  onReset() {},
  onSent() {},
};

export interface StreamsOwner {
  /** A stream is over, and is no longer among them. */
  onStreamOver(): void;
  /** Something threw outside any stream: the end of the connection. */
  fault(error: unknown): void;
}

export class Streams {
  readonly connection: Connection;
  readonly maxWindowBytes: number;
  /** The DATA that waits in them. */
  readonly backlog: Backlog;
  private readonly owner: StreamsOwner;
  private readonly handler: ConnectionHandler;
  private readonly table: StreamTable;
  private readonly sender: Sender;
  private readonly guards: Guards;
  private readonly maxConcurrent: number;
  private readonly resets = new RecentResets();
  private readonly isClient: boolean;
  private nextId: number;
  private lastPeerId = 0;
  /** The peer's last stream that we accept, once we have announced it finally. */
  private goawayId: number | undefined = undefined;

  constructor(
    connection: Connection,
    handler: ConnectionHandler,
    table: StreamTable,
    sender: Sender,
    guards: Guards,
    limits: Limits,
    memory: SendMemory,
  ) {
    this.connection = connection;
    this.owner = connection;
    this.handler = handler;
    this.table = table;
    this.sender = sender;
    this.guards = guards;
    this.maxConcurrent = limits.maxConcurrentStreams;
    this.maxWindowBytes = limits.maxStreamWindowBytes;
    this.backlog = new Backlog(this, table, limits, memory);
    this.isClient = connection.role === "client";
    this.nextId = this.isClient ? 1 : 2;
  }

  // ---------------------------------------------------------------- which there are

  /** Open streams. */
  get size(): number {
    return this.table.size;
  }

  get(id: number): Stream | undefined {
    return this.table.get(id);
  }

  /** Of the open streams, in no order. */
  get owners(): StreamHandler[] {
    return this.table.values().map(({ handler }) => handler);
  }

  /** Client role: there is no id left for another stream. */
  get exhausted(): boolean {
    return this.nextId > MAX_STREAM_ID;
  }

  /** Client role: a stream of ours. Not when `exhausted`. */
  open(handler: StreamHandler): Stream {
    const id = this.nextId;
    this.nextId += 2;
    this.guards.opened++;
    return this.add(id, handler);
  }

  /** Whether HEADERS with this id begin a request: the id is the peer's, and above all others. */
  isNew(id: number): boolean {
    return !this.isClient && (id & 1) === 1 && id > this.lastPeerId;
  }

  /**
   * Server role: the stream of a request whose header block arrived; undefined: it was refused. Only for an id that
   * `isNew`.
   */
  accept(id: number): Stream | undefined {
    this.lastPeerId = id;
    this.guards.opened++;
    // Streams that cross the first GOAWAY are served; those after the last one are not.
    const gone = this.goawayId !== undefined;
    if (gone || this.table.size >= this.maxConcurrent) {
      this.refuse(id, ErrorCode.REFUSED_STREAM);
      if (!gone) {
        this.handler.onLimit?.("maxConcurrentStreams", "stream", "too many concurrent streams");
        this.guards.countReset();
      }
      return undefined;
    }
    const stream = this.add(id, NOBODY);
    stream.openedAt = this.guards.now();
    stream.headersReceived = true;
    return stream;
  }

  private add(id: number, handler: StreamHandler): Stream {
    const { sender } = this;
    const stream = new Stream(this, sender, id, handler, sender.initialWindowBytes, DEFAULT_WINDOW_BYTES);
    this.table.add(stream);
    return stream;
  }

  /** A frame on a stream that never was is a connection error (RFC 9113 §5.1, "idle"). */
  checkNotIdle(id: number, frame: string): void {
    const ours = (id & 1) === (this.isClient ? 1 : 0);
    const known = ours ? id < this.nextId : id <= this.lastPeerId;
    if (id === 0 || !known) {
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, `${frame} on stream ${id}, which is idle`);
    }
  }

  /** We reset it, as far as we can tell: frames on it are late, not errors. */
  wasReset(id: number): boolean {
    return this.resets.has(id);
  }

  // ---------------------------------------------------------------- the end of the connection

  /** New requests are refused. */
  stopTaking(): void {
    this.goawayId = this.lastPeerId;
  }

  get taking(): boolean {
    return this.goawayId === undefined;
  }

  /** For GOAWAY: the peer's streams above it were not processed. */
  get lastTaken(): number {
    return this.goawayId ?? this.lastPeerId;
  }

  /** The peer will not process our streams above this one. */
  refusedAbove(lastId: number, reason: string): void {
    for (const stream of this.table.values()) {
      if (stream.id <= lastId) continue;
      this.table.delete(stream.id);
      this.tell(stream, { code: ErrorCode.REFUSED_STREAM, by: "connection", sent: "refused", reason });
    }
  }

  /** The connection is over. */
  endAll(reason: string): void {
    const streams = this.table.values();
    this.table.clear();
    for (const stream of streams) {
      const sent = this.sender.headersLeft(stream) ? "maybe" : "never";
      this.tell(stream, { code: ErrorCode.CANCEL, by: "connection", sent, reason });
    }
  }

  // ---------------------------------------------------------------- the end of one

  /** The peer made an error on one stream. Called while its frames are handled. */
  error(stream: Stream, code: number, reason: string, limit?: LimitName): void {
    if (stream.closed) return;
    this.abort(stream, code, reason, limit);
    this.guards.countReset();
  }

  /** RST_STREAM to the peer, a reset to the owner. `limit`: the one that the peer exceeded, if it did. */
  abort(stream: Stream, code: number, reason: string, limit?: LimitName): void {
    if (stream.closed) return;
    if (limit !== undefined) this.handler.onLimit?.(limit, "stream", reason);
    this.refuse(stream.id, code);
    this.end(stream, { code, by: "local", sent: "maybe", reason });
  }

  /** The stream's handler threw: our bug, and that stream's end. */
  threw(stream: Stream, error: unknown): void {
    const { handler } = stream;
    this.sender.mendBlock();
    if (handler.onFault !== undefined) {
      try {
        handler.onFault(error);
        return;
      } catch (second) {
        reportFault(this.handler, second);
      }
    } else reportFault(this.handler, error);
    this.abort(stream, ErrorCode.INTERNAL_ERROR, "internal error");
  }

  /** A header block of ours on it was never finished. */
  brokenBlock(stream: Stream): void {
    this.abort(stream, ErrorCode.INTERNAL_ERROR, "internal error");
  }

  /** The stream's owner resets it, and needs no notification. */
  reset(stream: Stream, code: number): void {
    this.sender.mendBlock();
    // RFC 9113 §6.4: none for a stream that the peer has never seen.
    if (stream.headersMark !== Number.POSITIVE_INFINITY || !this.isClient) this.refuse(stream.id, code);
    this.forget(stream);
  }

  /** RST_STREAM, also for a stream that is not among them. */
  refuse(id: number, code: number): void {
    this.sender.sendReset(id, code);
    this.resets.add(id);
  }

  /** Notifies the stream's owner. */
  end(stream: Stream, reset: StreamReset): void {
    this.tell(stream, reset);
    this.forget(stream);
  }

  /** Both sides of the stream have ended, or it was reset. */
  forget(stream: Stream): void {
    if (this.table.delete(stream.id)) this.owner.onStreamOver();
  }

  private tell(stream: Stream, reset: StreamReset): void {
    if (stream.closed) return;
    stream.die();
    const { handler } = stream;
    try {
      handler.onReset(stream, reset);
    } catch (error) {
      contain(error, (fault) => {
        if (handler.onFault === undefined) reportFault(this.handler, fault);
        else handler.onFault(fault);
      });
    }
  }
}
