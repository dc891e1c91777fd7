// Why a connection to a service did not come about, as far as the label of a metric can say; messages have the rest.

export const CONNECT_FAILURES = [
  /** Nobody listens there. */
  "refused",
  /** No way there, or none that this machine may take. */
  "unreachable",
  /** The host's name has no address. */
  "unresolved",
  "timeout",
  /** The TLS handshake failed: certificates, versions, ALPN. */
  "tls",
  /** Connected, but it ended, or was spoken to in something else, before the service's SETTINGS came. */
  "no_http2",
] as const;
export type ConnectFailure = (typeof CONNECT_FAILURES)[number];

/** @param error that of the socket; undefined: the connection ended without one */
export function connectFailureOf(error: NodeJS.ErrnoException | undefined, secure: boolean): ConnectFailure {
  const code = error?.code ?? "";
  if (code === "ECONNREFUSED") return "refused";
  if (code === "ETIMEDOUT") return "timeout";
  if (code === "ENOTFOUND" || code.startsWith("EAI_")) return "unresolved";
  // Where several addresses were tried, the error of them all has a code alone.
  if (error?.syscall === "connect" || /^E(?:HOST|NET)(?:UNREACH|DOWN)$/.test(code)) return "unreachable";
  return secure && error !== undefined ? "tls" : "no_http2";
}
