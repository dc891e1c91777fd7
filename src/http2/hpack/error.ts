// The one error of the HPACK decoder: the tables of the two sides differ, so the connection cannot continue.

/** A block that RFC 7541 forbids. The connection responds with GOAWAY(COMPRESSION_ERROR) (RFC 9113 §4.3). */
export class HpackError extends Error {
  override readonly name = "HpackError";
}
