// An error of the peer that ends the connection. Thrown while its frames are handled; the connection closes with it.
import type { LimitName } from "./limits.js";
import { ErrorCode } from "./protocol.js";

export class ConnectionError extends Error {
  readonly code: number;
  /** The limit that the peer exceeded; undefined: it broke the protocol. */
  readonly limit: LimitName | undefined;
  constructor(code: number, message: string, limit?: LimitName) {
    super(message);
    this.code = code;
    this.limit = limit;
  }
}

/** The peer caused too much work beside its calls (RFC 9113 §10.5). */
export function enhanceYourCalm(limit: LimitName, message: string): ConnectionError {
  return new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, message, limit);
}

/** RFC 9113 §4.2: a frame whose length its type does not allow. */
export function expectLength(length: number, expected: number, frame: string): void {
  if (length !== expected) {
    throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, `${frame} of ${length} bytes, not ${expected}`);
  }
}
