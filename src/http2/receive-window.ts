// The connection's receive window. Credit is returned on receipt: one slow stream must not stall the others, and each
// stream's own window bounds its buffer (stream.ts).

import type { FrameWriter } from "./frames/frame-writer.js";
import { ConnectionError } from "./wire/connection-error.js";
import { DEFAULT_WINDOW_BYTES, ErrorCode } from "./wire/protocol.js";

/** It bounds nothing but one round trip. */
const WINDOW_BYTES = 1024 * 1024;

export class ReceiveWindow {
  private readonly writer: FrameWriter;
  private left = DEFAULT_WINDOW_BYTES;
  /** Not returned yet. */
  private owed = 0;

  constructor(writer: FrameWriter) {
    this.writer = writer;
  }

  /** Behind our SETTINGS: every connection begins with the default window, which no setting changes (RFC 9113 §6.9.2). */
  announce(): void {
    this.writer.windowUpdate(0, WINDOW_BYTES - this.left);
    this.left = WINDOW_BYTES;
  }

  /** The payload of a DATA frame is coming. */
  take(bytes: number): void {
    this.left -= bytes;
    if (this.left < 0) {
      throw new ConnectionError(
        ErrorCode.FLOW_CONTROL_ERROR,
        "DATA exceeds the connection's flow-control window",
      );
    }
    this.owed += bytes;
    if (this.owed * 2 < WINDOW_BYTES) return;
    this.left += this.owed;
    this.writer.windowUpdate(0, this.owed);
    this.owed = 0;
  }
}
