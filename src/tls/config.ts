// TLS config, for both sides of the hub. Files have full paths.

/** Of a listener. */
export interface ServerTlsConfig {
  /** PEM: the server's certificate, then the rest of its chain. */
  readonly cert: string;
  /** PEM, without a passphrase. */
  readonly key: string;
  /** PEM: CAs of clients' certificates; undefined: clients are not asked for one. */
  readonly clientCa: string | undefined;
  /** A client without a certificate signed by clientCa: no connection, or no identity. */
  readonly clientAuth: "require" | "request";
}

/** Of an upstream. */
export interface ClientTlsConfig {
  /** PEM: those whose certificates the hub trusts; undefined: those that the system trusts. */
  readonly ca: string | undefined;
  /** PEM: the hub's certificate for services that request one. Both or neither. */
  readonly cert: string | undefined;
  readonly key: string | undefined;
  /** The name that the service's certificate must have; undefined: the endpoint's host. */
  readonly serverName: string | undefined;
  /** Accepts any certificate: anyone on the network path can read and change every call. */
  readonly dangerouslyTrustAnyServer: boolean;
}
