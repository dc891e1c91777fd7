// The one error of the HPACK decoder: the two sides' tables no longer agree, so the connection cannot go on.

/** A block that RFC 7541 forbids. The connection answers with GOAWAY(COMPRESSION_ERROR) (RFC 9113 §4.3). */
export class HpackError extends Error {
  override readonly name = "HpackError";
}
