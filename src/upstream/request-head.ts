// The headers of a request as sent to a service (gRPC over HTTP/2, "Requests").
import type { Attempt } from "../call/attempt.js";
import { formatTimeout } from "../call/wire/timeout.js";
import { listBytes } from "../http2/frames/list-bytes.js";
import type { Stream } from "../http2/stream.js";
import { field } from "../kit/headers.js";
import type { Link } from "./pool/link.js";

/** Header list bytes of pseudo-header fields, te and grpc-timeout, without path and authority. */
const OWN_FIELDS_BYTES = listBytes([
  field(":method", "POST"),
  field(":scheme", "https"),
  field(":path", ""),
  field(":authority", ""),
  field("te", "trailers"),
  field("grpc-timeout", "99999999m"),
]);

/** Header list bytes of what `writeHead` writes; a slight overestimate, since fields that it leaves out count too. */
export function headBytes({ call, headers }: Attempt, link: Link): number {
  return (
    call.path.length + authorityOf(call.authority, link).length + OWN_FIELDS_BYTES + listBytes(headers.fields)
  );
}

/** @param leftMs until the deadline; Infinity: no deadline */
export function writeHead(stream: Stream, { call, headers }: Attempt, link: Link, leftMs: number): void {
  if (!stream.beginHeaders()) return;
  stream.header(":method", "POST", false);
  stream.header(":scheme", link.secureAuthority === undefined ? "http" : "https", false);
  stream.header(":path", call.path, false);
  stream.header(":authority", authorityOf(call.authority, link), false);
  stream.header("te", "trailers", false);
  const { fields } = headers;
  for (let i = 0; i < fields.length; i++) {
    const f = fields[i];
    if (f === undefined) continue;
    switch (f.name) {
      case "te":
      case "host":
      case "content-length":
      case "grpc-timeout":
        break;
      default:
        stream.header(f.name, f.value, f.sensitive);
    }
  }
  if (leftMs !== Number.POSITIVE_INFINITY) stream.header("grpc-timeout", formatTimeout(leftMs), false);
  stream.endHeaders(false);
}

/** Without TLS the client's, if it sent one. */
function authorityOf(clients: string, link: Link): string {
  return link.secureAuthority ?? (clients || link.authority);
}
