// Writes the header blocks of a connection: encoded one at a time, begun and ended without a break, and cut into
// frames.

import { HpackEncoder, maxFieldBytes } from "../hpack/encoder.js";
import { Flag, FrameType } from "../wire/protocol.js";
import type { FrameWriter } from "./frame-writer.js";

/** Blocks are encoded here first; shared by all connections of the process. */
const USUAL_SCRATCH = Buffer.allocUnsafeSlow(16 * 1024);
let scratch = USUAL_SCRATCH;
/** Whose block lies in it. */
let holder: HeaderWriter | undefined;

export class HeaderWriter {
  /** A block was begun, and not ended. */
  open = false;
  private readonly writer: FrameWriter;
  private readonly encoder = new HpackEncoder();
  private length = 0;
  private halfField = false;

  constructor(writer: FrameWriter) {
    this.writer = writer;
  }

  /** Applies the peer's SETTINGS_HEADER_TABLE_SIZE. */
  setPeerTableSize(bytes: number): void {
    this.encoder.setPeerTableSize(bytes);
  }

  /** The open block is lost, or the state of the peer's table is no longer known. */
  get torn(): boolean {
    return this.halfField || holder !== this;
  }

  begin(): void {
    this.open = true;
    holder = this;
    this.halfField = true;
    this.length = this.encoder.begin(scratch, 0);
    this.halfField = false;
  }

  field(name: string, value: string, sensitive: boolean): void {
    const need = this.length + maxFieldBytes(name, value);
    if (need > scratch.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(need, scratch.length * 2));
      scratch.copy(larger, 0, 0, this.length);
      scratch = larger;
    }
    try {
      this.length = this.encoder.field(scratch, this.length, name, value, sensitive);
    } catch (error) {
      this.halfField = true;
      throw error;
    }
  }

  /** Writes HEADERS, and CONTINUATION for what does not fit into one frame. `ends`: with END_STREAM. */
  end(id: number, ends: boolean): void {
    this.open = false;
    const { writer, length } = this;
    let sent = Math.min(length, writer.maxFrameBytes);
    const flags = (ends ? Flag.END_STREAM : 0) | (sent === length ? Flag.END_HEADERS : 0);
    writer.frame(FrameType.HEADERS, flags, id, scratch, 0, sent);
    while (sent < length) {
      const next = Math.min(length, sent + writer.maxFrameBytes);
      const last = next === length ? Flag.END_HEADERS : 0;
      writer.frame(FrameType.CONTINUATION, last, id, scratch, sent, next);
      sent = next;
    }
    scratch = USUAL_SCRATCH; // a larger one is released
  }
}
