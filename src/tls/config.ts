// What a config says about TLS, on both sides of the hub. Files are named by full path.

/** Of a listener. */
export interface ServerTlsConfig {
  /** PEM: the server's certificate, then the rest of its chain. */
  readonly cert: string;
  /** PEM, without a passphrase. */
  readonly key: string;
  /** PEM: those who sign clients' certificates; undefined: clients are not asked for one. */
  readonly clientCa: string | undefined;
  /** What becomes of a client without a certificate that clientCa has signed: no connection, or no identity. */
  readonly clientAuth: "require" | "request";
}

/** Of an upstream. */
export interface ClientTlsConfig {
  /** PEM: those whose certificates the hub trusts; undefined: those that the system trusts. */
  readonly ca: string | undefined;
  /** PEM: what the hub shows to services that ask. Both or neither. */
  readonly cert: string | undefined;
  readonly key: string | undefined;
  /** The name that the service's certificate must have; undefined: the endpoint's host. */
  readonly serverName: string | undefined;
  /** Any certificate will do: whoever is in between can read and change every call. */
  readonly dangerouslyTrustAnyServer: boolean;
}
