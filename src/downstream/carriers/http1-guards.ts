// Malformed and unsafe HTTP/1.1 requests: handled here, where node:http would respond with bare bytes.
import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { type Reason, refusal } from "../../call/status/reasons.js";
import type { Status } from "../../call/status/status.js";
import type { ClientLimits } from "../../config/listener-limits.js";
import { reportFault } from "../../kit/faults.js";
import { isAuthority } from "../../kit/net/authority.js";
import { guarded } from "../../kit/net/guarded.js";
import { splitTarget } from "./exchange-node-http.js";
import { shortReads } from "./short-reads.js";

/** As on HTTP/2 (docs/security.md). */
type HeadLimits = Pick<ClientLimits, "maxHeaderListBytes">;

export const TIMEOUT = ["REQUEST_TIMEOUT", "the request did not arrive in time"] as const;
/** Errors of node's parser and timers by code; every other one is a malformed request. */
const REASONS: Readonly<Record<string, readonly [reason: Reason, message: string]>> = {
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ["BAD_HTTP", "the body's chunks have too long extensions"],
  HPE_INVALID_METHOD: [
    "BAD_HTTP",
    "the request begins with no method that is known over HTTP/1.1 (GET, POST, PURGE, …); over HTTP/2 a method may have any name",
  ],
  ERR_HTTP_REQUEST_TIMEOUT: TIMEOUT,
};

export function tooManyFields(maxFields: number): Status {
  return refusal("HEADERS_TOO_LARGE", `the request has more than ${maxFields} header fields`);
}

export function unknownExpectation(): Status {
  return refusal("EXPECTATION_FAILED", "Expect can be 100-continue alone");
}

/** Requests that node:http accepts although services, or intermediaries, could parse them differently. */
export function headProblem({
  httpVersion,
  rawHeaders,
  headers,
  url = "",
}: IncomingMessage): Status | undefined {
  if (httpVersion !== "1.1" && httpVersion !== "1.0")
    return refusal("BAD_HTTP", `HTTP/${httpVersion} is not spoken in text: ask in HTTP/1.1`, { http: 505 });
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) if (rawHeaders[i]?.toLowerCase() === "host") hosts++;
  // RFC 9112 §3.2.
  if (hosts > 1 || (hosts === 0 && httpVersion === "1.1"))
    return refusal(
      "BAD_HTTP",
      `the request has ${hosts === 0 ? "no Host field" : "more than one Host field"}`,
    );
  if (!isAuthority(headers.host ?? "")) return refusal("BAD_HTTP", "the Host field names no host");
  if (!isAuthority(splitTarget(url).authority ?? "")) return refusal("BAD_HTTP", "the target names no host");
  const coding = headers["transfer-encoding"];
  // RFC 9112 §6.1.
  if (coding !== undefined && coding.toLowerCase() !== "chunked")
    return refusal("BAD_HTTP", "Transfer-Encoding can be chunked alone", { http: 501 });
  return undefined;
}

export interface Http1GuardOptions {
  readonly limits: HeadLimits;
  /** Whether a response is already being sent on the socket. */
  readonly busy: (socket: Duplex) => boolean;
  /** Whether earlier requests still have no response. */
  readonly owes: (socket: Duplex) => boolean;
  /** Called for each. */
  readonly refused: (socket: Duplex, reason: Reason, message: string) => void;
  /** Responds if that is still possible, and ends the connection. */
  readonly reject: (socket: Duplex, status: Status) => void;
}

/** Handles everything that never becomes a request. */
export function guardHttp1(
  server: Server,
  { limits: { maxHeaderListBytes }, busy, owes, refused, reject }: Http1GuardOptions,
): void {
  // Beyond its limit node drops fields silently, and a dropped field may be the one that a rule checks.
  server.maxHeadersCount = 0;
  shortReads(server);
  const failed = new WeakSet<Duplex>();
  onSocketEvent(server, "clientError", (error: NodeJS.ErrnoException, socket) => {
    // node:http continues after a parse error, and emits it again while the response is being sent.
    if (failed.has(socket)) return;
    failed.add(socket);
    const code = error.code ?? "";
    const [reason, message] = reasonOf(code, maxHeaderListBytes);
    // Other codes are the socket's own: the client disconnected. So did a client whose bytes end within the body of a
    // request, as do those whose response comes before they have sent all of it.
    const left = code === "HPE_INVALID_EOF_STATE" && owes(socket);
    if (/^(?:HPE|ERR_HTTP)_/.test(code) && !left) refused(socket, reason, message);
    if (!socket.writable || code === "ECONNRESET" || busy(socket)) socket.destroy();
    else reject(socket, refusal(reason, message));
  });
  onSocketEvent(server, "connect", (_request: IncomingMessage, socket) => {
    const message = "this is no proxy: it takes no CONNECT";
    refused(socket, "METHOD_NOT_ALLOWED", message);
    // After an unfinished request it would end up within that response, or be taken for it.
    if (owes(socket)) socket.destroy();
    else reject(socket, refusal("METHOD_NOT_ALLOWED", message));
  });
}

/**
 * Listens to an event by which node:http passes a socket on, without its own listeners: from here on an error of it, or
 * an exception while it is handled, ends only that socket.
 */
export function onSocketEvent<T, Rest extends readonly unknown[]>(
  server: Server,
  event: "clientError" | "connect" | "upgrade",
  take: (first: T, socket: Duplex, ...rest: Rest) => void,
): void {
  server.on(event, (first: T, socket: Duplex, ...rest: Rest) => {
    try {
      guarded(socket);
      take(first, socket, ...rest);
    } catch (error) {
      socket.destroy();
      reportFault(`while node:http emitted '${event}'; the connection was closed`, error);
    }
  });
}

function reasonOf(code: string, maxHeaderListBytes: number): readonly [reason: Reason, message: string] {
  if (code === "HPE_HEADER_OVERFLOW")
    return ["HEADERS_TOO_LARGE", `the request's head is larger than ${maxHeaderListBytes} bytes`];
  return REASONS[code] ?? ["BAD_HTTP", "this is no valid HTTP/1.1 request"];
}
