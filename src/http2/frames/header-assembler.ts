// Assembles a header block from several frames: HEADERS, and CONTINUATION until END_HEADERS (RFC 9113 §4.3).
import { ConnectionError, enhanceYourCalm } from "../wire/connection-error.js";
import type { Limits } from "../wire/limits.js";
import { ErrorCode } from "../wire/protocol.js";

export class HeaderAssembler {
  /** The stream of the block that is open. */
  id = 0;
  /** Its HEADERS had END_STREAM. */
  ends = false;
  private readonly maxContinuations: number;
  private readonly maxBytes: number;
  private parts: Buffer[] | undefined = undefined;
  private bytes = 0;
  private continuations = 0;

  constructor(limits: Limits) {
    this.maxContinuations = limits.maxContinuations;
    this.maxBytes = limits.maxHeaderBlockBytes;
  }

  /** A block has begun, and not ended. */
  get open(): boolean {
    return this.parts !== undefined;
  }

  /** Keeps a copy of the first part, of HEADERS without END_HEADERS. */
  begin(id: number, ends: boolean, b: Buffer, start: number, end: number): void {
    this.id = id;
    this.ends = ends;
    this.parts = [Buffer.from(b.subarray(start, end))];
    this.bytes = end - start;
    this.continuations = 0;
  }

  /** Adds the payload of a CONTINUATION frame; with the `last` one returns the whole block. */
  add(b: Buffer, start: number, end: number, last: boolean): Buffer | undefined {
    const { parts } = this;
    if (parts === undefined) {
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "CONTINUATION without a header block");
    }
    this.continuations++;
    this.bytes += end - start;
    if (this.continuations > this.maxContinuations)
      throw enhanceYourCalm("maxContinuations", `more than ${this.maxContinuations} CONTINUATION frames`);
    if (this.bytes > this.maxBytes)
      throw enhanceYourCalm("maxHeaderBlockBytes", `a header block of more than ${this.maxBytes} bytes`);
    parts.push(Buffer.from(b.subarray(start, end)));
    if (!last) return undefined;
    this.parts = undefined;
    return Buffer.concat(parts, this.bytes);
  }
}
