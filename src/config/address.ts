// HOST:PORT, as in config and on the command line.
import { isIP, isIPv4, isIPv6 } from "node:net";
import { type Parsed, parsed, rejected } from "../kit/text/parsed.js";

export interface ListenAddress {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

/** A socket of the file system. */
export interface UnixAddress {
  readonly path: string;
}

/** RFC 1035 §2.3.4. */
const MAX_HOST_LENGTH = 253;
// RFC 1123 §2.1 labels, and the underscore that container networks put into names.
const HOST_LABEL = /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/;

/** An address to listen on; port 0 takes any free port. */
export function parseListenAddress(text: string): Parsed<ListenAddress> {
  if (/^:?\d{1,5}$/.test(text)) {
    const port = text.replace(":", "");
    return rejected(
      `must name the host as well: 127.0.0.1:${port} for this machine only, 0.0.0.0:${port} for every interface`,
    );
  }
  return parseHostPort(text, 0);
}

/** Bytes of a socket's path on Linux, less the NUL at its end. */
const MAX_SOCKET_PATH_BYTES = 107;

/** HOST:PORT or unix:/PATH, to listen on. */
export function parseListener(text: string): Parsed<ListenAddress | UnixAddress> {
  return text.startsWith("unix:") ? parseUnix(text) : parseListenAddress(text);
}

/** HOST:PORT or unix:/PATH, to connect to. */
export function parseEndpointAddress(text: string): Parsed<ListenAddress | UnixAddress> {
  return text.startsWith("unix:") ? parseUnix(text) : parseEndpoint(text);
}

/** `unix:/PATH`, or `unix:///PATH` as gRPC has it too. */
function parseUnix(text: string): Parsed<UnixAddress> {
  const path = text.slice("unix:".length).replace(/^\/\/\//, "/");
  if (!path.startsWith("/") || path.endsWith("/") || path.includes("\0")) {
    return rejected("must name a socket by its full path, as in unix:/run/linchpin.sock");
  }
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES) {
    return rejected(`must have a path of at most ${MAX_SOCKET_PATH_BYTES} bytes`);
  }
  return parsed({ path });
}

const SCHEME_PORTS = { https: 443, http: 80 } as const;

/** `https://HOST[:PORT]` or `http://HOST[:PORT]`; undefined for a text without such a scheme. */
export function parseUrlEndpoint(
  text: string,
): Parsed<{ endpoint: ListenAddress; tls: boolean }> | undefined {
  const scheme = /^(https?):/i.exec(text)?.[1]?.toLowerCase() === "https" ? "https" : "http";
  const match = /^https?:\/\/([^/?#]*)\/?$/i.exec(text);
  if (match === null) {
    return /^https?:/i.test(text)
      ? rejected(`must be ${scheme}://HOST or ${scheme}://HOST:PORT, and no more`)
      : undefined;
  }
  const authority = match[1] ?? "";
  const hasPort = /:\d+$/.test(authority) && !isIPv6(authority);
  const endpoint = parseHostPort(hasPort ? authority : `${authority}:${SCHEME_PORTS[scheme]}`, 1);
  return endpoint.ok ? parsed({ endpoint: endpoint.value, tls: scheme === "https" }) : endpoint;
}

/** An address to connect to. */
export function parseEndpoint(text: string): Parsed<ListenAddress> {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme === "https" || scheme === "grpcs") {
    return rejected("must be HOST:PORT; the upstream's own key tls: true asks for TLS");
  }
  if (scheme !== undefined) return rejected("must be HOST:PORT, without a scheme");
  return parseHostPort(text, 1);
}

function parseHostPort(text: string, minPort: number): Parsed<ListenAddress> {
  const match = /^(?:\[([^\][]*)\]|([^:\][]*)):(\d{1,5})$/.exec(text);
  if (match === null) {
    return rejected(
      isIPv6(text.replace(/:\d+$/, ""))
        ? "must have an IPv6 host in brackets, as in [::1]:50051"
        : "must be HOST:PORT, as in 127.0.0.1:50051",
    );
  }
  const [, bracketed, bare] = match;
  const port = Number(match[3]);
  if (port < minPort || port > 65_535) return rejected(`must have a port from ${minPort} to 65535`);
  if (bracketed !== undefined) {
    if (!isIPv6(bracketed)) return rejected("must have an IPv6 address in its brackets");
    return parsed({ host: bracketed, port });
  }
  const host = bare ?? "";
  if (!isHost(host)) return rejected("must have an IP address or a host name before the port");
  return parsed({ host, port });
}

/** Whether it is a host name or an IP address. */
export function isHost(host: string): boolean {
  // All digits and dots: meant as IPv4, whatever a resolver would make of it (inet_aton accepts 127.1).
  if (/^[\d.]+$/.test(host)) return isIPv4(host);
  return host.length <= MAX_HOST_LENGTH && host.split(".").every((label) => HOST_LABEL.test(label));
}

/** `host:port`, an IPv6 host in brackets, or `unix:/path`; parses to the same address again. */
export function formatAddress(address: ListenAddress | UnixAddress): string {
  if ("path" in address) return `unix:${address.path}`;
  return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/** True for addresses that only this machine can reach. */
export function isLoopback(host: string): boolean {
  const h = host.toLowerCase();
  if (isIP(h) === 0) return h === "localhost" || h.endsWith(".localhost");
  return h === "::1" || /^(?:::ffff:)?127\./.test(h);
}
