// Why TLS handshakes of clients fail, as the label of a metric; the log has the details.

export const HANDSHAKE_FAILURES = [
  /** The client sent no certificate, or none signed by clientCa. */
  "client_certificate",
  /** The client rejects the hub's certificate, by its alert. */
  "server_certificate",
  /** No version, cipher or protocol that both have. */
  "no_agreement",
  "timeout",
  /** The client broke off without a word. */
  "reset",
  "other",
] as const;
export type HandshakeFailure = (typeof HANDSHAKE_FAILURES)[number];

/** In order: the first match counts. Alerts come from the client (RFC 8446 §6.2). */
const NAMES: readonly (readonly [pattern: RegExp, failure: HandshakeFailure])[] = [
  [/^ERR_TLS_HANDSHAKE_TIMEOUT$/, "timeout"],
  [/^(?:ECONNRESET|EPIPE)$/, "reset"],
  [/_ALERT_(?:BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_|UNKNOWN_CA)/, "server_certificate"],
  [/_ALERT_(?:PROTOCOL_VERSION|HANDSHAKE_FAILURE|INSUFFICIENT_SECURITY|NO_APPLICATION)/, "no_agreement"],
  [/^ERR_SSL_(?:NO_|UNSUPPORTED_|UNKNOWN_PROTOCOL|WRONG_VERSION|VERSION_TOO_LOW)/, "no_agreement"],
  [/CERT|ISSUER|SIGNATURE|INVALID_(?:CA|PURPOSE)/, "client_certificate"],
];

/** @param reason OpenSSL's or Node's name of it */
export function failureOf(reason: string): HandshakeFailure {
  return NAMES.find(([pattern]) => pattern.test(reason))?.[1] ?? "other";
}
