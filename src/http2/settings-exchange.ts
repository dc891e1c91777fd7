// SETTINGS, ours and the peer's (RFC 9113 §6.5): applies the peer's, and passes them to the parts that depend on them.

import type { FrameWriter } from "./frames/frame-writer.js";
import type { HeaderWriter } from "./frames/header-writer.js";
import type { Sender } from "./sender.js";
import { ConnectionError, enhanceYourCalm, expectLength } from "./wire/connection-error.js";
import type { Guards } from "./wire/guards.js";
import type { Limits } from "./wire/limits.js";
import {
  DEFAULT_FRAME_BYTES,
  ErrorCode,
  Flag,
  MAX_FRAME_BYTES,
  MAX_WINDOW_BYTES,
  Setting,
} from "./wire/protocol.js";

/** Before the peer's SETTINGS arrive we assume this many streams (RFC 9113 §6.5.2 recommends at least 100). */
const INITIAL_MAX_STREAMS = 100;
const ENTRY_BYTES = 6;

export class SettingsExchange {
  /** The peer's first SETTINGS have arrived. */
  received = false;
  /** The peer's limit of open streams; Infinity if it sets none. */
  maxStreams = INITIAL_MAX_STREAMS;
  /** The largest header list that the peer accepts, counted as in RFC 9113 §6.5.2; Infinity if it sets no limit. */
  maxHeaderListBytes = Number.POSITIVE_INFINITY;
  private readonly role: "server" | "client";
  private readonly limits: Limits;
  private readonly guards: Guards;
  private readonly writer: FrameWriter;
  private readonly headers: HeaderWriter;
  private readonly sender: Sender;
  /** What the next ACK refers to, beside our first SETTINGS. */
  private onAck: (() => void) | undefined = undefined;

  constructor(
    role: "server" | "client",
    limits: Limits,
    guards: Guards,
    writer: FrameWriter,
    headers: HeaderWriter,
    sender: Sender,
  ) {
    this.role = role;
    this.limits = limits;
    this.guards = guards;
    this.writer = writer;
    this.headers = headers;
    this.sender = sender;
  }

  /** Our own, the first frame of the connection. */
  announce(): void {
    const { maxHeaderListBytes, maxConcurrentStreams } = this.limits;
    this.writer.settings([
      [Setting.MAX_HEADER_LIST_SIZE, maxHeaderListBytes],
      this.role === "client"
        ? [Setting.ENABLE_PUSH, 0]
        : [Setting.MAX_CONCURRENT_STREAMS, maxConcurrentStreams],
    ]);
  }

  /**
   * Checks whether the peer is alive: SETTINGS without changes, which it must acknowledge as soon as it can (RFC 9113
   * §6.5.3). gRPC servers count PINGs against the client (gRFC A8), but not these. `onAck` runs once: at the next ACK,
   * of whichever SETTINGS, since any frame of the peer's is a sign of life.
   */
  probe(onAck: () => void): void {
    this.onAck = onAck;
    this.writer.settings([]);
  }

  /** A SETTINGS frame arrived. Applies and acknowledges it; false: it acknowledges ours. */
  receive(flags: number, id: number, b: Buffer, start: number, end: number): boolean {
    if (id !== 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "SETTINGS on a stream");
    const length = end - start;
    if ((flags & Flag.ACK) !== 0) {
      if (!this.received) {
        throw new ConnectionError(
          ErrorCode.PROTOCOL_ERROR,
          "the first frame must be SETTINGS, not an ACK of it",
        );
      }
      expectLength(length, 0, "SETTINGS with ACK");
      const { onAck } = this;
      this.onAck = undefined;
      onAck?.();
      return false;
    }
    if (length % ENTRY_BYTES !== 0) {
      throw new ConnectionError(
        ErrorCode.FRAME_SIZE_ERROR,
        `SETTINGS of ${length} bytes, not a multiple of 6`,
      );
    }
    if (length > this.limits.maxSettingsEntries * ENTRY_BYTES)
      throw enhanceYourCalm("maxSettingsEntries", "too many settings in one frame");
    this.guards.countSettings();
    if (!this.received) this.maxStreams = Number.POSITIVE_INFINITY; // unless this very frame changes it
    for (let at = start; at < end; at += ENTRY_BYTES) this.apply(b.readUInt16BE(at), b.readUInt32BE(at + 2));
    this.writer.settingsAck();
    this.received = true;
    return true;
  }

  private apply(id: number, value: number): void {
    switch (id) {
      case Setting.HEADER_TABLE_SIZE:
        this.headers.setPeerTableSize(value);
        break;
      case Setting.ENABLE_PUSH:
        if (value > 1 || (value === 1 && this.role === "client")) {
          throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, `invalid ENABLE_PUSH: ${value}`);
        }
        break;
      case Setting.MAX_CONCURRENT_STREAMS:
        this.maxStreams = value;
        break;
      case Setting.INITIAL_WINDOW_SIZE:
        if (value > MAX_WINDOW_BYTES) {
          throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, `invalid INITIAL_WINDOW_SIZE: ${value}`);
        }
        this.sender.setInitialWindow(value);
        break;
      case Setting.MAX_FRAME_SIZE:
        if (value < DEFAULT_FRAME_BYTES || value > MAX_FRAME_BYTES) {
          throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, `invalid MAX_FRAME_SIZE: ${value}`);
        }
        this.writer.maxFrameBytes = value;
        break;
      case Setting.MAX_HEADER_LIST_SIZE:
        this.maxHeaderListBytes = value;
        break;
      default: // unknown settings are ignored
    }
  }
}
