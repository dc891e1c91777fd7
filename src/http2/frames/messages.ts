// Validates a header block as request, response or trailer section (RFC 9113 §8), once per block.

import { type Field, field } from "../../kit/headers.js";
import { isAuthority } from "../../kit/net/authority.js";
import type { HeaderBlock } from "../hpack/decoder.js";

/** A valid request's head. Shared by all streams whose block is the same: not to be changed. */
export class RequestHead {
  readonly method: string;
  readonly scheme: string;
  readonly path: string;
  /** `:authority`, else `host`; empty when there is neither. */
  readonly authority: string;
  /** Without the pseudo-header fields. */
  readonly fields: readonly Field[];
  /** Bytes; -1: not announced */
  readonly contentLength: number;

  constructor(
    method: string,
    scheme: string,
    path: string,
    authority: string,
    fields: readonly Field[],
    contentLength: number,
  ) {
    this.method = method;
    this.scheme = scheme;
    this.path = path;
    this.authority = authority;
    this.fields = fields;
    this.contentLength = contentLength;
  }
}

export class ResponseHead {
  readonly status: number;
  readonly fields: readonly Field[];
  readonly contentLength: number;

  constructor(status: number, fields: readonly Field[], contentLength: number) {
    this.status = status;
    this.fields = fields;
    this.contentLength = contentLength;
  }
}

/** Token characters of RFC 9110 §5.6.2 without upper case: allowed in a field name (RFC 9113 §8.2.1). */
const NAME_CHARS = new Uint8Array(256);
for (const c of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") NAME_CHARS[c.charCodeAt(0)] = 1;

/** Names known to be valid: names repeat, so a look-up saves checking their characters. Bounded. */
const validNames = new Set<string>();
const VALID_NAMES_MAX = 1024;
const VALID_NAME_CHARS_MAX = 64;

function validName(name: string): boolean {
  if (validNames.has(name)) return true;
  if (name.length === 0) return false;
  for (let i = 0; i < name.length; i++) if (NAME_CHARS[name.charCodeAt(i)] !== 1) return false;
  if (validNames.size < VALID_NAMES_MAX && name.length <= VALID_NAME_CHARS_MAX) validNames.add(name);
  return true;
}

/** No NUL, CR or LF, and no space or tab at either end (RFC 9113 §8.2.1). */
function validValue(value: string): boolean {
  const length = value.length;
  if (length === 0) return true;
  const first = value.charCodeAt(0);
  const last = value.charCodeAt(length - 1);
  if (first === 0x20 || first === 0x09 || last === 0x20 || last === 0x09) return false;
  for (let i = 0; i < length; i++) {
    const c = value.charCodeAt(i);
    if (c === 0x0d || c === 0x0a || c === 0) return false;
  }
  return true;
}

/** RFC 9110 §5.6.2: the characters of a method. */
const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** No space or control character: other software would parse such a path differently. */
function visible(value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    const c = value.charCodeAt(i);
    if (c <= 0x20 || c === 0x7f) return false;
  }
  return true;
}

/** The problem of an ordinary field, or undefined. */
function fieldProblem(f: Field): string | undefined {
  if (!validName(f.name)) {
    return f.name.startsWith(":")
      ? `pseudo-header field ${f.name} is not allowed here`
      : "a field name is not valid";
  }
  if (!validValue(f.value)) return `the value of field ${f.name} is not valid`;
  // RFC 9113 §8.2.2: fields that speak of the connection do not exist in HTTP/2.
  switch (f.name) {
    case "connection":
    case "keep-alive":
    case "proxy-connection":
    case "transfer-encoding":
    case "upgrade":
      return `field ${f.name} is not allowed in HTTP/2`;
    case "te":
      return f.value === "trailers" ? undefined : 'field te may only be "trailers" in HTTP/2';
    default:
      return undefined;
  }
}

/**
 * The received fields, or the problem of one. gRPC leaves the spaces of a grpc-message unescaped, HTTP/2 allows none at
 * its ends: they are escaped here, which means the same (gRPC over HTTP/2, "Status-Message").
 */
function mended(fields: readonly Field[]): readonly Field[] | string {
  let own: Field[] | undefined;
  for (let i = 0; i < fields.length; i++) {
    const f = fields[i];
    const problem = f === undefined ? undefined : fieldProblem(f);
    if (f === undefined || problem === undefined) continue;
    if (f.name !== "grpc-message") return problem;
    const escaped = withoutOuterSpaces(f.value);
    if (!validValue(escaped)) return problem;
    own ??= [...fields];
    own[i] = field(f.name, escaped);
  }
  return own ?? fields;
}

function withoutOuterSpaces(value: string): string {
  const isSpace = (at: number): boolean => value.charCodeAt(at) === 0x20;
  let from = 0;
  let to = value.length;
  while (from < to && isSpace(from)) from++;
  while (to > from && isSpace(to - 1)) to--;
  return "%20".repeat(from) + value.slice(from, to) + "%20".repeat(value.length - to);
}

/** RFC 9113 §8.1.1. */
export const NO_BODY_COMES = "content-length announces a body, but the stream has ended";

function parseLength(value: string, before: number): number | string {
  if (!/^\d{1,15}$/.test(value)) return "content-length is not a number";
  const length = Number(value);
  return before >= 0 && before !== length ? "content-length is repeated with different values" : length;
}

/** The head of a request, or its problem. */
export function checkRequest(block: HeaderBlock, ends: boolean): RequestHead | string {
  const memo = block.memo;
  const head = memo instanceof RequestHead ? memo : readRequest(block);
  if (typeof head === "string") return head;
  block.memo = head;
  if (ends && head.contentLength > 0) {
    return NO_BODY_COMES;
  }
  return head;
}

function readRequest(block: HeaderBlock): RequestHead | string {
  const all = block.fields;
  let method: string | undefined;
  let scheme: string | undefined;
  let path: string | undefined;
  let authority: string | undefined;
  let at = 0;
  for (; at < all.length; at++) {
    const f = all[at];
    if (f === undefined || f.name.charCodeAt(0) !== 0x3a) break;
    if (!validValue(f.value)) return `the value of ${f.name} is not valid`;
    switch (f.name) {
      case ":method":
        if (method !== undefined) return ":method is repeated";
        method = f.value;
        break;
      case ":scheme":
        if (scheme !== undefined) return ":scheme is repeated";
        scheme = f.value;
        break;
      case ":path":
        if (path !== undefined) return ":path is repeated";
        path = f.value;
        break;
      case ":authority":
        if (authority !== undefined) return ":authority is repeated";
        authority = f.value;
        break;
      default:
        return `unknown pseudo-header field ${f.name}`;
    }
  }
  const fields = all.slice(at);
  let contentLength = -1;
  let host: string | undefined;
  for (let i = 0; i < fields.length; i++) {
    const f = fields[i];
    if (f === undefined) continue;
    const problem = fieldProblem(f);
    if (problem !== undefined) return problem;
    if (f.name === "content-length") {
      const length = parseLength(f.value, contentLength);
      if (typeof length === "string") return length;
      contentLength = length;
    } else if (f.name === "host") {
      if (host !== undefined) return "field host is repeated";
      host = f.value;
    }
  }
  if (method === undefined || method === "") return ":method is missing";
  if (!METHOD.test(method)) return ":method is not a valid token";
  const names = authority ?? host ?? "";
  if (!isAuthority(names)) return "the authority is not a valid host";
  // RFC 9113 §8.3.1: a reader of one must not see another host than a reader of the other.
  if (authority !== undefined && host !== undefined && authority.toLowerCase() !== host.toLowerCase())
    return "field host differs from :authority";
  if (method === "CONNECT") {
    if (scheme !== undefined || path !== undefined) return "CONNECT with :scheme or :path";
    if (authority === undefined || authority === "") return "CONNECT without :authority";
    return new RequestHead(method, "", "", authority ?? "", fields, contentLength);
  }
  if (scheme === undefined || scheme === "") return ":scheme is missing";
  if (path === undefined || path === "") return ":path is missing";
  if (path.charCodeAt(0) !== 0x2f && !(path === "*" && method === "OPTIONS"))
    return ":path does not begin with /";
  if (!visible(path)) return ":path has a space or a control character";
  return new RequestHead(method, scheme, path, names, fields, contentLength);
}

/** The head of a response, or its problem. */
export function checkResponse(block: HeaderBlock): ResponseHead | string {
  const memo = block.memo;
  const head = memo instanceof ResponseHead ? memo : readResponse(block);
  if (typeof head !== "string") block.memo = head;
  return head;
}

function readResponse(block: HeaderBlock): ResponseHead | string {
  const all = block.fields;
  const first = all[0];
  if (first === undefined || first.name !== ":status") return ":status is missing";
  if (!/^[1-5]\d\d$/.test(first.value))
    return `:status "${first.value.slice(0, 10)}" is not a valid status code`;
  // RFC 9113 §8.6: switching protocols is not of HTTP/2.
  if (first.value === "101") return ":status 101 is not allowed in HTTP/2";
  const fields = mended(all.slice(1));
  if (typeof fields === "string") return fields;
  let contentLength = -1;
  for (let i = 0; i < fields.length; i++) {
    const f = fields[i];
    if (f === undefined) continue;
    if (f.name === "content-length") {
      const length = parseLength(f.value, contentLength);
      if (typeof length === "string") return length;
      contentLength = length;
    }
  }
  return new ResponseHead(Number(first.value), fields, contentLength);
}

/** The memo of a block that was found to be a valid trailer section. */
const TRAILERS_FINE = Symbol("valid trailers");

/** The problem of a trailer section, or undefined. */
export function checkTrailers(block: HeaderBlock): string | undefined {
  if (block.memo === TRAILERS_FINE) return undefined;
  const fields = mended(block.fields);
  if (typeof fields === "string") return fields;
  block.fields = fields;
  block.memo = TRAILERS_FINE;
  return undefined;
}
