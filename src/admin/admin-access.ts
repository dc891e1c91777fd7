// Access control of the admin listener and its pages.
import { createHash, timingSafeEqual } from "node:crypto";
import { isIP } from "node:net";
import { isLoopback } from "../config/address.js";
import type { AdminRequest } from "./admin-server.js";
import type { PageResponse } from "./pages/page.js";

/** Who has access. */
export interface AdminAccess {
  readonly host: string;
  readonly scheme: "http" | "https";
  /** SHA-256 of the token; undefined: callers on this machine need none, and others have no access. */
  readonly tokenDigest: Buffer | undefined;
}

/** Why a caller is not trusted, as the response for a page; undefined: it is trusted. */
export function rejectUntrusted(
  request: AdminRequest,
  access: AdminAccess,
): ((path: string) => PageResponse) | undefined {
  const { tokenDigest } = access;
  if (tokenDigest === undefined) {
    if (isLoopback(request.socket.remoteAddress ?? "")) return undefined;
    const who = "is shown to callers on the hub's own machine alone; /livez and /readyz are for all";
    return (path) => ({ status: 403, body: { error: `${path} ${who}` } });
  }
  const token = /^Bearer +([^ ]+) *$/i.exec(request.headers.authorization ?? "")?.[1];
  // Digests have one length, so comparing them does not reveal the token's length.
  if (token !== undefined && timingSafeEqual(sha256(token), tokenDigest)) return undefined;
  return (path) => ({
    status: 401,
    body: {
      error: `${path} needs the admin token: ${token === undefined ? "authorization: Bearer TOKEN" : "this one is wrong"}`,
    },
    headers: { "www-authenticate": `Bearer realm="linchpin admin"` },
  });
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/**
 * Rejects web pages. A page of another site can make a browser call loopback: with its own name as Host once that name
 * resolves to it (DNS rebinding), or with its Origin. Tools send neither.
 */
export function rejectWebPages(
  request: AdminRequest,
  { host: boundHost, scheme }: AdminAccess,
): PageResponse | undefined {
  const authority = request.headers[":authority"];
  const host = typeof authority === "string" ? authority : request.headers.host;
  for (const name of [host, request.headers.host]) {
    if (name === undefined || isOwnHost(hostName(name), boundHost)) continue;
    return {
      status: 421,
      body: { error: `Host ${name} is not served here; allowed: an IP address, localhost, ${boundHost}` },
    };
  }
  if (request.url?.startsWith("/") !== true) {
    return { status: 400, body: { error: "the request target must be a path" } };
  }
  const origin = request.headers.origin;
  if (
    origin !== undefined &&
    (host === undefined || origin.toLowerCase() !== `${scheme}://${host.toLowerCase()}`)
  ) {
    return { status: 403, body: { error: `Origin ${origin} may not call the admin listener` } };
  }
  return undefined;
}

/** The host of a Host header, lower case, without port and brackets; empty if it is malformed. */
function hostName(host: string): string {
  const match = /^(?:\[([0-9a-f:.%]+)\]|([^:[\]/@]+))(?::\d{1,5})?$/i.exec(host);
  return (match?.[1] ?? match?.[2] ?? "").toLowerCase();
}

function isOwnHost(name: string, boundHost: string): boolean {
  return name !== "" && (isIP(name) !== 0 || name === "localhost" || name === boundHost.toLowerCase());
}
