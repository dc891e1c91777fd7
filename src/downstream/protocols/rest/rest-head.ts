// The REST adapter's view of a request's fields. A connection tends to send the same block again and again (the caches
// of HPACK and of carriers/http1/head-reader.ts give the same array), so the last result is kept.
import type { Peer } from "../../../call/call.js";
import type { MetadataNames } from "../../../call/http-policy.js";
import { refusal } from "../../../call/status/reasons.js";
import type { Status } from "../../../call/status/status.js";
import { type Field, Headers } from "../../../kit/headers.js";
import { cut } from "../../../kit/text/text.js";
import type { ExchangeHead } from "../../carriers/exchange.js";
import { CODINGS_TEXT, type Coding, requestCoding } from "../transcoded/content-coding.js";
import type { TranscodedHead } from "../transcoded/transcoded-head.js";
import { readMetadata } from "./rest-headers.js";

export class RestHead implements TranscodedHead {
  readonly fields: readonly Field[];
  readonly authority: string;
  readonly names: MetadataNames;
  readonly accept: string | undefined;
  readonly contentType: string | undefined;
  readonly contentLength: number | undefined;
  /** The client sent `TE: trailers` (RFC 9110 §10.1.4), in a version that has trailers. */
  readonly takesTrailers: boolean;
  /** The body's Content-Encoding; an unsupported one is a `problem`. */
  readonly coding: Coding | "identity";
  readonly acceptEncoding: string | undefined;
  readonly ifNoneMatch: string | undefined;
  readonly origin: string | undefined;
  /**
   * A page of another site may have made it, with the user's cookies: the length of a compressed response may reveal
   * secrets.
   */
  readonly mayBeForged: boolean;
  /** Of `X-HTTP-Method-Override`. */
  readonly methodOverride: string | undefined;
  readonly peer: Peer;
  /** Metadata for the service, forwarding included. */
  readonly metadata: readonly Field[];
  /** The problem of a field (INVALID_ARGUMENT). */
  readonly problem: Status | undefined;

  constructor({ client, fields, authority, version }: ExchangeHead, names: MetadataNames) {
    let accept: string | undefined;
    let contentType: string | undefined;
    let contentLength: number | undefined;
    let takesTrailers = false;
    let methodOverride: string | undefined;
    let contentEncoding: string | undefined;
    let acceptEncoding: string | undefined;
    let ifNoneMatch: string | undefined;
    let origin: string | undefined;
    let mayBeForged = false;
    for (const { name, value } of fields) {
      if (name === "accept") accept = listed(accept, value);
      else if (name === "accept-encoding") acceptEncoding = listed(acceptEncoding, value);
      else if (name === "content-encoding") contentEncoding = listed(contentEncoding, value);
      else if (name === "if-none-match") ifNoneMatch = listed(ifNoneMatch, value);
      else if (name === "origin") origin = value;
      else if (name === "cookie" || (name === "sec-fetch-site" && value === "cross-site")) mayBeForged = true;
      else if (name === "content-type") contentType ??= value;
      // node:http, the HTTP/2 engine and carriers/http1/head-reader.ts have checked that it is a number.
      else if (name === "content-length") contentLength = Number(value);
      else if (name === "x-http-method-override") methodOverride ??= value;
      else if (name === "te") takesTrailers ||= /(?:^|,)[ \t]*trailers[ \t]*(?:$|,|;)/i.test(value);
    }
    const metadata: Field[] = [];
    const coding = requestCoding(contentEncoding);
    this.fields = fields;
    this.authority = authority;
    this.names = names;
    this.accept = accept;
    this.contentType = contentType;
    // The compressed length does not give the length of the body.
    this.contentLength = coding === "identity" ? contentLength : undefined;
    // Before HTTP/1.1 there is no place for them.
    this.takesTrailers = takesTrailers && version !== "1.0";
    this.coding = coding ?? "identity";
    this.acceptEncoding = acceptEncoding;
    this.ifNoneMatch = ifNoneMatch;
    this.origin = origin;
    this.mayBeForged = mayBeForged;
    this.methodOverride = methodOverride;
    this.problem =
      readMetadata(fields, names, metadata) ??
      (coding === undefined ? unsupportedCoding(contentEncoding) : undefined);
    for (const f of client.forwarding(fields, authority)) metadata.push(f);
    this.metadata = metadata;
    this.peer = client.peer("rest", fields);
  }
}

/** For this request, or for the previous one with the same header block. */
export function readRestHead(head: ExchangeHead, names: MetadataNames): RestHead {
  const { client, fields, authority } = head;
  const { lastHead } = client;
  if (
    lastHead instanceof RestHead &&
    lastHead.fields === fields &&
    lastHead.authority === authority &&
    lastHead.names === names
  )
    return lastHead;
  const read = new RestHead(head, names);
  client.lastHead = read;
  return read;
}

/** Several fields of a name are one list (RFC 9110 §5.3). */
function listed(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before}, ${value}`;
}

function unsupportedCoding(contentEncoding = ""): Status {
  const message = `Content-Encoding ${cut(contentEncoding, 100)} is not supported: send ${CODINGS_TEXT}, or none`;
  return refusal("UNSUPPORTED_MEDIA_TYPE", message, {
    info: { supported: CODINGS_TEXT },
    metadata: Headers.of(["accept-encoding", CODINGS_TEXT]),
  });
}
