// PING in both directions (RFC 9113 §6.7): the peer's are acknowledged; ours have a number to match their ACK.

import type { FrameWriter } from "./frames/frame-writer.js";
import { ConnectionError, expectLength } from "./wire/connection-error.js";
import type { Guards } from "./wire/guards.js";
import { ErrorCode, Flag, FrameType } from "./wire/protocol.js";

export class Pings {
  private readonly writer: FrameWriter;
  private readonly guards: Guards;
  private sent = 0;
  /** Callbacks of the PINGs without an ACK: the last ones, in order. */
  private readonly pongs: (() => void)[] = [];

  constructor(writer: FrameWriter, guards: Guards) {
    this.writer = writer;
    this.guards = guards;
  }

  send(onPong: () => void): void {
    this.pongs.push(onPong);
    this.writer.ping(++this.sent >>> 0);
  }

  /** A PING frame arrived. */
  receive(flags: number, id: number, b: Buffer, start: number, end: number): void {
    if (id !== 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "PING on a stream");
    expectLength(end - start, 8, "PING");
    if ((flags & Flag.ACK) !== 0) {
      // ACKs arrive in the order of the PINGs; an ACK of none of ours is ignored.
      const oldest = (this.sent - this.pongs.length + 1) >>> 0;
      if (b.readUInt32BE(start) === 0 && b.readUInt32BE(start + 4) === oldest) this.pongs.shift()?.();
      return;
    }
    this.guards.countPing();
    this.writer.frame(FrameType.PING, Flag.ACK, 0, b, start, end);
  }

  /** No more ACKs will arrive. */
  close(): void {
    this.pongs.length = 0;
  }
}
