// Parses the bytes of a connection into frames (RFC 9113 §4). Handles lengths and types, not their meaning. Frames are
// parsed in place from the socket's chunks; DATA is passed on as it arrives.
import { ConnectionError } from "../wire/connection-error.js";
import { foreignPeer } from "../wire/foreign-peer.js";
import {
  DEFAULT_FRAME_BYTES,
  ErrorCode,
  Flag,
  FRAME_HEADER_BYTES,
  FrameType,
  PREFACE,
} from "../wire/protocol.js";
import type { HeaderAssembler } from "./header-assembler.js";

/** Receives frames. It may throw a ConnectionError. */
export interface FrameSink {
  /** A whole frame, but for DATA. Its payload is start..end of `b`, and may be overwritten after the call. */
  onFrame(type: number, flags: number, id: number, b: Buffer, start: number, end: number): void;
  /** The header of a DATA frame: its `length` counts against the windows, padding and all. */
  onDataBegin(flags: number, id: number, length: number): void;
  /** The pad length of that frame: this many bytes of it are padding. `only`: it has no data. */
  onPadding(bytes: number, only: boolean): void;
  /**
   * Bytes start..end of its data; `complete`: the last ones, exactly one call for each frame, the range may be empty.
   */
  onData(chunk: Buffer, start: number, end: number, complete: boolean): void;
}

export class FrameReader {
  /** Number of chunks. */
  heard = 0;
  private readonly sink: FrameSink;
  private readonly headers: HeaderAssembler;
  private prefaceLeft: number;
  /** The peer's first frame has arrived; it is SETTINGS. */
  private begun = false;
  private stopped = false;
  /** Frames, and header blocks, that have begun. */
  private begins = 0;

  // A frame header that is not complete, a frame being assembled, or a DATA frame being passed on.
  private readonly head = Buffer.alloc(FRAME_HEADER_BYTES);
  private headLength = 0;
  private length = 0;
  private type = 0;
  private flags = 0;
  private id = 0;
  private assembly: Buffer | undefined = undefined;
  private assembled = 0;
  private inData = false;
  private dataLeft = 0;
  private padLeft = 0;
  private needPadLength = false;
  /** The frame's data has all been passed on: only padding is left of it. */
  private dataComplete = false;

  /** `headers`: whether a header block has begun, which no other frame may interrupt. */
  constructor(role: "server" | "client", sink: FrameSink, headers: HeaderAssembler) {
    this.sink = sink;
    this.headers = headers;
    this.prefaceLeft = role === "server" ? PREFACE.length : 0;
  }

  /**
   * Identifies a frame or header block (except DATA) that has begun and not ended: a number that grows with each. -1:
   * there is none.
   */
  get unfinished(): number {
    const within = this.headers.open || this.assembly !== undefined || this.headLength > 0;
    return within || this.prefaceLeft > 0 ? this.begins : -1;
  }

  /** The received part of a frame's header, while it is incomplete. */
  get partialHead(): Buffer {
    return this.head.subarray(0, this.headLength);
  }

  /** No more is read, not even of the chunk at hand. */
  stop(): void {
    this.stopped = true;
  }

  read(chunk: Buffer): void {
    this.heard++;
    const length = chunk.length;
    let at = this.prefaceLeft > 0 ? this.readPreface(chunk) : 0;
    while (!this.stopped) {
      if (this.inData) {
        at = this.readData(chunk, at, length);
        if (this.inData) return;
        continue;
      }
      if (this.assembly !== undefined) {
        const n = Math.min(this.length - this.assembled, length - at);
        chunk.copy(this.assembly, this.assembled, at, at + n);
        this.assembled += n;
        at += n;
        if (this.assembled < this.length) return;
        const whole = this.assembly;
        this.assembly = undefined;
        this.sink.onFrame(this.type, this.flags, this.id, whole, 0, this.length);
        continue;
      }
      if (this.headLength === 0 && length - at >= FRAME_HEADER_BYTES) {
        this.readHead(chunk, at);
        at += FRAME_HEADER_BYTES;
      } else {
        const n = Math.min(FRAME_HEADER_BYTES - this.headLength, length - at);
        if (n === 0) return;
        chunk.copy(this.head, this.headLength, at, at + n);
        this.headLength += n;
        at += n;
        if (this.headLength < FRAME_HEADER_BYTES) return;
        this.headLength = 0;
        this.readHead(this.head, 0);
      }
      if (this.type === FrameType.DATA) {
        this.beginData();
      } else if (length - at >= this.length) {
        const start = at;
        at += this.length;
        this.sink.onFrame(this.type, this.flags, this.id, chunk, start, at);
      } else {
        this.assembly = Buffer.allocUnsafe(this.length);
        this.assembled = 0;
      }
    }
  }

  private readPreface(chunk: Buffer): number {
    const n = Math.min(this.prefaceLeft, chunk.length);
    const from = PREFACE.length - this.prefaceLeft;
    if (PREFACE.compare(chunk, 0, n, from, from + n) !== 0) {
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "not a valid HTTP/2 connection preface");
    }
    this.prefaceLeft -= n;
    return n;
  }

  private readHead(b: Buffer, at: number): void {
    const length = ((b[at] ?? 0) << 16) | ((b[at + 1] ?? 0) << 8) | (b[at + 2] ?? 0);
    const type = b[at + 3] ?? 0;
    const id =
      (((b[at + 5] ?? 0) & 0x7f) << 24) |
      ((b[at + 6] ?? 0) << 16) |
      ((b[at + 7] ?? 0) << 8) |
      (b[at + 8] ?? 0);
    this.length = length;
    this.type = type;
    this.flags = b[at + 4] ?? 0;
    this.id = id;
    if (!this.headers.open) this.begins++;
    if (length > DEFAULT_FRAME_BYTES) {
      const foreign = this.begun ? undefined : foreignPeer(b.subarray(at));
      if (foreign !== undefined) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, foreign);
      const reason = `a frame of ${length} bytes; the limit is ${DEFAULT_FRAME_BYTES}`;
      throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, reason);
    }
    if (!this.begun) {
      if (type !== FrameType.SETTINGS)
        throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "the first frame must be SETTINGS");
      this.begun = true;
    }
    if (this.headers.open && (type !== FrameType.CONTINUATION || id !== this.headers.id)) {
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "a header block was interrupted by another frame");
    }
  }

  private beginData(): void {
    this.sink.onDataBegin(this.flags, this.id, this.length);
    this.inData = true;
    this.dataLeft = this.length;
    this.padLeft = 0;
    this.needPadLength = (this.flags & Flag.PADDED) !== 0;
  }

  /** Passes on the chunk's part of the DATA frame; `inData` is false once the frame is complete. */
  private readData(chunk: Buffer, start: number, length: number): number {
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
      this.sink.onPadding(pad + 1, this.dataLeft === 0);
    }
    const n = Math.min(this.dataLeft, length - at);
    this.dataLeft -= n;
    if (this.dataLeft > 0) {
      if (n > 0) this.sink.onData(chunk, at, at + n, false);
      return at + n;
    }
    // The padding that is left carries nothing, so the frame's meaning is complete before it.
    const pad = Math.min(this.padLeft, length - at - n);
    if (!this.dataComplete) {
      this.dataComplete = true;
      this.sink.onData(chunk, at, at + n, true);
    }
    this.padLeft -= pad;
    if (this.padLeft === 0) {
      this.inData = false;
      this.dataComplete = false;
    }
    return at + n + pad;
  }
}
