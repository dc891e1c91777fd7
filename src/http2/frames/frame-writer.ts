// Writes frames as bytes: each is a header of nine bytes and its payload (RFC 9113 §4.1).

import { DEFAULT_FRAME_BYTES, Flag, FRAME_HEADER_BYTES, FrameType, PREFACE } from "../wire/protocol.js";
import type { Output } from "./output.js";

/** A frame of up to this many bytes is copied into one buffer of the output. */
const COPIED_FRAME_BYTES = 16 * 1024;
/** Payloads up to here are copied by a loop: a call of `copy` costs more. */
const LOOP_COPY_BYTES = 32;
/** As much of a reason as GOAWAY carries, in characters. */
const DEBUG_CHARS = 256;

export class FrameWriter {
  /** The largest payload that the peer accepts. */
  maxFrameBytes: number = DEFAULT_FRAME_BYTES;
  private readonly out: Output;

  constructor(out: Output) {
    this.out = out;
  }

  /** The beginning of a client's connection. */
  preface(): void {
    this.out.append(PREFACE, 0, PREFACE.length);
  }

  settings(entries: readonly (readonly [id: number, value: number])[]): void {
    const b = this.begin(FrameType.SETTINGS, 0, 0, entries.length * 6);
    let at = this.out.position + FRAME_HEADER_BYTES;
    for (const [id, value] of entries) {
      at = b.writeUInt16BE(id, at);
      at = b.writeUInt32BE(value, at);
    }
    this.out.advance(at);
  }

  settingsAck(): void {
    this.begin(FrameType.SETTINGS, Flag.ACK, 0, 0);
    this.out.advance(this.out.position + FRAME_HEADER_BYTES);
  }

  /** `number`: below 2³². */
  ping(number: number): void {
    const b = this.begin(FrameType.PING, 0, 0, 8);
    const at = b.writeUInt32BE(0, this.out.position + FRAME_HEADER_BYTES);
    this.out.advance(b.writeUInt32BE(number, at));
  }

  windowUpdate(id: number, increment: number): void {
    const b = this.begin(FrameType.WINDOW_UPDATE, 0, id, 4);
    this.out.advance(b.writeUInt32BE(increment, this.out.position + FRAME_HEADER_BYTES));
  }

  reset(id: number, code: number): void {
    const b = this.begin(FrameType.RST_STREAM, 0, id, 4);
    this.out.advance(b.writeUInt32BE(code, this.out.position + FRAME_HEADER_BYTES));
  }

  /** `debug`: a text for people; cut if it is long. */
  goaway(lastId: number, code: number, debug: string): void {
    const text = Buffer.from(debug.slice(0, DEBUG_CHARS), "utf8");
    const b = this.begin(FrameType.GOAWAY, 0, 0, 8 + text.length);
    let at = b.writeUInt32BE(lastId, this.out.position + FRAME_HEADER_BYTES);
    at = b.writeUInt32BE(code, at);
    text.copy(b, at);
    this.out.advance(at + text.length);
  }

  /** DATA start..end of `chunk`, which must not change afterwards. */
  data(flags: number, id: number, chunk: Buffer, start: number, end: number): void {
    this.begin(FrameType.DATA, flags, id, 0, end - start);
    this.out.advance(this.out.position + FRAME_HEADER_BYTES);
    this.out.append(chunk, start, end);
  }

  /** A frame of any type with a copy of the payload, which is at most one frame. */
  frame(type: number, flags: number, id: number, payload: Buffer, start: number, end: number): void {
    const bytes = end - start;
    if (bytes + FRAME_HEADER_BYTES <= COPIED_FRAME_BYTES) {
      const b = this.begin(type, flags, id, bytes);
      const at = this.out.position + FRAME_HEADER_BYTES;
      if (bytes <= LOOP_COPY_BYTES) for (let i = 0; i < bytes; i++) b[at + i] = payload[start + i] ?? 0;
      else payload.copy(b, at, start, end);
      this.out.advance(at + bytes);
      return;
    }
    this.begin(type, flags, id, 0, bytes);
    this.out.advance(this.out.position + FRAME_HEADER_BYTES);
    const copy = Buffer.from(payload.subarray(start, end));
    this.out.append(copy, 0, bytes);
  }

  /** Writes a frame's header; `room` bytes follow it in the buffer that is returned. */
  private begin(type: number, flags: number, id: number, room: number, length = room): Buffer {
    const b = this.out.room(FRAME_HEADER_BYTES + room);
    const at = this.out.position;
    b[at] = length >>> 16;
    b[at + 1] = length >>> 8;
    b[at + 2] = length;
    b[at + 3] = type;
    b[at + 4] = flags;
    b[at + 5] = id >>> 24;
    b[at + 6] = id >>> 16;
    b[at + 7] = id >>> 8;
    b[at + 8] = id;
    return b;
  }
}
