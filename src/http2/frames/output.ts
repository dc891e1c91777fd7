// The output of a connection: small writes collected in pooled buffers, large data passed on as slices, all of it
// written to the socket once per turn of the event loop.
import type { Duplex } from "node:stream";
import { contain } from "../../kit/barrier.js";
import { FRAME_HEADER_BYTES } from "../wire/protocol.js";

/** Size of a pooled buffer: one DATA frame of the usual size, or the control frames and small messages of a turn. */
const BUFFER_BYTES = 16 * 1024 + FRAME_HEADER_BYTES;
/** Buffers kept for the whole process: 4 MiB. */
const POOL_MAX = 256;
const pool: Buffer[] = [];

/** Data of at least this many bytes is sent as a slice: for less, a copy is cheaper than one more iovec. */
const SLICE_BYTES = 2048;

/** Collected per turn at most: DATA beyond it waits in its stream. */
const TURN_BYTES = 64 * 1024;
/** Nothing more is passed to the socket while it buffers this many bytes, so that we keep control of the order. */
const SOCKET_HIGH_BYTES = 64 * 1024;
/** Connections with something to write this turn. */
let dirty: Output[] = [];
let scheduled = false;

function flushAll(): void {
  scheduled = false;
  const outputs = dirty;
  dirty = [];
  for (let i = 0; i < outputs.length; i++) {
    const output = outputs[i];
    try {
      output?.flush();
    } catch (error) {
      output?.threw(error);
    }
  }
}

export interface OutputOwner {
  /** Called at each flush for more, while there is room: the connection adds queued DATA. */
  fill(): void;
  /** The peer does not read: far more is buffered for it than should be. Called at most once per turn. */
  overflow(): void;
  /** The output itself threw: the end of the connection. */
  fault(error: unknown): void;
}

export class Output {
  private readonly socket: Duplex;
  private readonly owner: OutputOwner;
  private readonly maxUnreadBytes: number;
  private buffer: Buffer | undefined = undefined;
  /** Start and end of the bytes that are not in `parts` yet. */
  private from = 0;
  private at = 0;
  private parts: Buffer[] = [];
  /** Buffers of `parts` that return to the pool when they are written. */
  private used: Buffer[] = [];
  private pendingBytes = 0;
  private queued = false;
  private flushing = false;
  private ending = false;
  private closed = false;
  /** Total bytes ever appended. */
  appendedBytes = 0;
  /** Writes that the socket has finished. */
  finishedWrites = 0;
  /** One entry per write that the socket has not finished: its pooled buffers. */
  private readonly writes: Buffer[][] = [];

  /** `maxUnreadBytes`: limit of what the socket buffers beside DATA, which is held back. */
  constructor(socket: Duplex, owner: OutputOwner, maxUnreadBytes: number) {
    this.socket = socket;
    this.maxUnreadBytes = maxUnreadBytes;
    this.owner = owner;
  }

  /** True while the socket buffers more than it should, or a turn's worth is collected: DATA waits in its stream. */
  get blocked(): boolean {
    return this.pendingBytes >= TURN_BYTES || this.socket.writableLength > SOCKET_HIGH_BYTES;
  }

  /** Bytes that the socket still buffers. */
  get unwritten(): number {
    return this.socket.writableLength;
  }

  /** Of the appended bytes, those passed to the socket: the difference has not been sent. */
  get flushedBytes(): number {
    return this.ending ? this.appendedBytes : this.appendedBytes - this.pendingBytes;
  }

  /** Returns a buffer with `bytes` (at most 16 KiB) of room, to be written from `position` and then `advance`d. */
  room(bytes: number): Buffer {
    let buffer = this.buffer;
    if (buffer !== undefined && buffer.length - this.at >= bytes) return buffer;
    if (buffer !== undefined) {
      this.cut();
      this.used.push(buffer);
    }
    buffer = pool.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES);
    this.buffer = buffer;
    this.from = 0;
    this.at = 0;
    return buffer;
  }

  get position(): number {
    return this.at;
  }

  advance(to: number): void {
    const bytes = to - this.at;
    this.at = to;
    this.pendingBytes += bytes;
    this.appendedBytes += bytes;
    this.touch();
  }

  /** Appends payload bytes, by copy when few, as a slice when many. The chunk must not change afterwards. */
  append(chunk: Buffer, start: number, end: number): void {
    const bytes = end - start;
    if (bytes < SLICE_BYTES) {
      const buffer = this.room(bytes);
      if (bytes <= 32) for (let i = 0; i < bytes; i++) buffer[this.at + i] = chunk[start + i] ?? 0;
      else chunk.copy(buffer, this.at, start, end);
      this.advance(this.at + bytes);
      return;
    }
    this.cut();
    this.parts.push(chunk.subarray(start, end));
    this.pendingBytes += bytes;
    this.appendedBytes += bytes;
    this.touch();
  }

  private cut(): void {
    if (this.buffer === undefined || this.at === this.from) return;
    this.parts.push(this.buffer.subarray(this.from, this.at));
    this.from = this.at;
  }

  /** Requests a flush at the end of this turn. */
  touch(): void {
    if (this.queued || this.flushing || this.closed) return;
    this.queued = true;
    dirty.push(this);
    if (!scheduled) {
      scheduled = true;
      setImmediate(flushAll);
    }
  }

  /** Writes the collected output, as long as the socket accepts it. */
  flush(): void {
    if (this.flushing || this.closed) return;
    this.flushing = true;
    this.queued = false;
    do {
      if (!this.ending) this.owner.fill();
      if (this.pendingBytes === 0) break;
      this.write();
    } while (!this.closed && this.socket.writableLength <= SOCKET_HIGH_BYTES);
    this.flushing = false;
    if (this.ending) {
      this.closed = true;
      this.socket.end();
    } else if (this.socket.writableLength > this.maxUnreadBytes) this.owner.overflow();
    else if (this.pendingBytes > 0) this.touch();
  }

  /** Writes the collected output, without asking for more, and ends our side of the socket. */
  end(): void {
    this.ending = true;
    this.flush();
  }

  private write(): void {
    const socket = this.socket;
    const buffer = this.buffer;
    const { parts, used } = this;
    const single = parts.length === 0 && buffer !== undefined;
    const first = single ? buffer.subarray(this.from, this.at) : undefined;
    if (!single) this.cut();
    if (buffer !== undefined) used.push(buffer);
    this.buffer = undefined;
    this.used = [];
    this.pendingBytes = 0;
    this.writes.push(used);
    if (first !== undefined) {
      // The usual case: one pooled buffer, one write.
      socket.write(first, this.onWritten);
      return;
    }
    this.parts = [];
    socket.cork();
    const last = parts.length - 1;
    for (let i = 0; i < last; i++) socket.write(parts[i]);
    socket.write(parts[last], this.onWritten);
    socket.uncork();
  }

  threw(error: unknown): void {
    this.flushing = false;
    contain(error, (fault) => this.owner.fault(fault));
  }

  private readonly onWritten = (error: Error | null | undefined): void => {
    try {
      this.written(error);
    } catch (fault) {
      this.threw(fault);
    }
  };

  private written(error: Error | null | undefined): void {
    const buffers = this.writes.shift();
    this.finishedWrites++;
    if (error) return; // the socket may still reference the memory: let it be collected
    if (buffers !== undefined) {
      for (let i = 0; i < buffers.length; i++) {
        const buffer = buffers[i];
        if (buffer !== undefined && pool.length < POOL_MAX) pool.push(buffer);
      }
    }
    if (!this.closed && !this.flushing) {
      this.owner.fill(); // whatever this appends requests a flush
    }
  }

  /** Drops the collected output; nothing is written any more. Does nothing after `end`. */
  close(): void {
    if (this.ending) return;
    this.closed = true;
    this.parts = [];
    this.buffer = undefined;
    this.pendingBytes = 0;
  }
}
