// Detects the protocol from a connection's first bytes.
import { PREFACE } from "../../http2/wire/protocol.js";
import { beginsHttp1 } from "./begins-http1.js";

export type DetectedProtocol = "http1" | "http2" | "tls" | "not-tls" | "neither";

/** The first byte of a TLS client: a handshake, or an alert if it cannot begin one (RFC 8446 §5.1). */
const TLS_RECORDS: ReadonlySet<number | undefined> = new Set([0x15, 0x16]);

/** The protocol of a client without ALPN; undefined: more bytes are needed. */
export function detectProtocol(start: Buffer): DetectedProtocol | undefined {
  if (TLS_RECORDS.has(start[0])) return "tls";
  const length = Math.min(start.length, PREFACE.length);
  if (PREFACE.compare(start, 0, length, 0, length) === 0)
    return length === PREFACE.length ? "http2" : undefined;
  const http1 = beginsHttp1(start);
  return http1 === undefined ? undefined : http1 ? "http1" : "neither";
}

/** For a port that accepts only TLS. */
export function detectTls(start: Buffer): DetectedProtocol {
  return TLS_RECORDS.has(start[0]) ? "tls" : "not-tls";
}
