// Why a connection to a service failed, as precisely as the label of a metric can say; messages have the details.

export const CONNECT_FAILURES = [
  /** Nothing listens there. */
  "refused",
  /** No route to the address, or none that this machine may use. */
  "unreachable",
  /** The host name has no address. */
  "unresolved",
  "timeout",
  /** The TLS handshake failed: certificates, versions, ALPN. */
  "tls",
  /** Connected, but the connection ended, or spoke another protocol, before the service's SETTINGS arrived. */
  "no_http2",
] as const;
export type ConnectFailure = (typeof CONNECT_FAILURES)[number];

/** @param error of the socket; undefined: the connection ended without an error */
export function connectFailureOf(error: NodeJS.ErrnoException | undefined, secure: boolean): ConnectFailure {
  const code = error?.code ?? "";
  if (code === "ECONNREFUSED") return "refused";
  if (code === "ETIMEDOUT") return "timeout";
  if (code === "ENOTFOUND" || code.startsWith("EAI_")) return "unresolved";
  // If several addresses were tried, their combined error has only a code.
  if (error?.syscall === "connect" || /^E(?:HOST|NET)(?:UNREACH|DOWN)$/.test(code)) return "unreachable";
  return secure && error !== undefined ? "tls" : "no_http2";
}
