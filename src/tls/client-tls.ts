// The hub as a TLS client of a service: trusted CAs, client certificate, and why a connection failed.
import { constants } from "node:crypto";
import { isIP } from "node:net";
import {
  checkServerIdentity,
  connect,
  createSecureContext,
  type PeerCertificate,
  type SecureContext,
  type SecureContextOptions,
  type TLSSocket,
} from "node:tls";
import { attempt, reportFault } from "../kit/faults.js";
import { readRegularFile } from "../kit/files/regular-file.js";
import { type FileWatch, watchFiles } from "../kit/files/watch-files.js";
import type { Log } from "../kit/log.js";
import { guarded } from "../kit/net/guarded.js";
import type { Environment } from "../kit/runtime.js";
import { errorCode, UserError } from "../kit/text/user-error.js";
import { type CertificateState, warnOfExpiry } from "./certificate-state.js";
import type { ClientTlsConfig } from "./config.js";
import { alternativeNames } from "./peer-certificate.js";
import { earliestExpiry, readCertificates, readKeyPair } from "./pem.js";
import { CIPHERS } from "./server-tls.js";

export interface ClientTlsOptions {
  readonly config: ClientTlsConfig;
  /** In messages, e.g. `upstream "library"`. */
  readonly name: string;
  readonly log: Log;
  /** If the config names no CA, `SSL_CERT_FILE` and `NODE_EXTRA_CA_CERTS` say which CAs this machine trusts. */
  readonly env: Environment;
}

export class ClientTls {
  private readonly options: ClientTlsOptions;
  private readonly watch: FileWatch | undefined;
  private loaded: Loaded;
  private problem: string | undefined = undefined;

  /** Throws a UserError if the files are invalid. */
  constructor(options: ClientTlsOptions) {
    this.options = options;
    const { config, name, log, env } = options;
    const loaded = load(config, env);
    if (typeof loaded === "string") throw new UserError(`${name}: ${loaded}`);
    this.loaded = loaded;
    const files = [config.ca, config.cert, config.key].filter((file) => file !== undefined);
    this.watch = files.length === 0 ? undefined : watchFiles(files, () => this.reload());
    if (config.dangerouslyTrustAnyServer) {
      log.warn(
        `${name}: dangerouslyTrustAnyServer is on: the certificate is NOT verified; any server can impersonate the service, and read and change every call`,
      );
    }
    warnOfExpiry(this.certificates, log);
  }

  /** The hub's certificate and the CAs that verify the service: those of the config. */
  get certificates(): readonly CertificateState[] {
    const { config, name: owner } = this.options;
    const { loaded, problem } = this;
    const states: CertificateState[] = [];
    if (config.cert !== undefined && loaded.expiresAt !== undefined)
      states.push({ owner, role: "client", file: config.cert, expiresAt: loaded.expiresAt, problem });
    if (config.ca !== undefined && loaded.caExpiresAt !== undefined)
      states.push({ owner, role: "server_ca", file: config.ca, expiresAt: loaded.caExpiresAt, problem });
    return states;
  }

  /** `:authority` of calls to this endpoint: the name in the service's certificate. */
  authority(target: Target): string {
    const { serverName } = this.options.config;
    if (serverName !== undefined) return serverName;
    const host = nameOf(target);
    const name = host.includes(":") ? `[${host}]` : host;
    return "path" in target || target.port === 443 ? name : `${name}:${target.port}`;
  }

  /**
   * Opens a connection. It fails, with an error that says why, unless the server has a valid certificate and speaks
   * HTTP/2.
   */
  dial(target: Target): TLSSocket {
    const { config } = this.options;
    const name = config.serverName ?? nameOf(target);
    const socket = guarded(
      connect({
        ...("path" in target ? { path: target.path } : { host: target.host, port: target.port }),
        secureContext: this.loaded.context,
        ALPNProtocols: ["h2"],
        // A server name is never an address (RFC 6066 §3).
        ...(isIP(name) === 0 ? { servername: name } : {}),
        rejectUnauthorized: !config.dangerouslyTrustAnyServer,
        checkServerIdentity: (_host, certificate) => nameProblemOf(name, certificate),
      }),
    );
    socket.setNoDelay(true);
    // Before other listeners, so that later ones get the message that says what to do.
    socket.on("error", (error) =>
      attempt("while explaining a failed TLS connection", () => {
        error.message = explain(error, name, config);
      }),
    );
    socket.once("secureConnect", () => {
      if (socket.alpnProtocol !== "h2") socket.destroy(new Error(NO_HTTP2));
    });
    return socket;
  }

  /** Reads the files again, for new connections; an invalid pair changes nothing. */
  reload(): void {
    const { config, name, log, env } = this.options;
    const loaded = load(config, env);
    if (typeof loaded === "string") {
      if (loaded !== this.problem) log.error(`${name}: the old certificates stay in use: ${loaded}`);
      this.problem = loaded;
      return;
    }
    this.problem = undefined;
    if (loaded.fingerprint === this.loaded.fingerprint) return;
    this.loaded = loaded;
    log.info(`${name}: new certificates are in use for new connections`);
    warnOfExpiry(this.certificates, log);
  }

  close(): void {
    this.watch?.close();
  }
}

/** `name`: the name that the certificate must have, if `host` is its address. */
type Target =
  | { readonly host: string; readonly port: number; readonly name?: string | undefined }
  | { readonly path: string };

/** A Unix domain socket is on this machine (RFC 6761 §6.3), as in gRPC. */
function nameOf(target: Target): string {
  return "path" in target ? "localhost" : (target.name ?? target.host);
}

interface Loaded {
  readonly context: SecureContext;
  readonly expiresAt: number | undefined;
  readonly caExpiresAt: number | undefined;
  readonly fingerprint: string;
}

function load({ ca, cert, key }: ClientTlsConfig, env: Environment): Loaded | string {
  const options: SecureContextOptions = {
    minVersion: "TLSv1.2",
    ciphers: CIPHERS,
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  };
  const fingerprints: string[] = [];
  let caEnd: number | undefined;
  if (ca === undefined) {
    const pem = systemAuthorities(env);
    if (pem !== undefined) options.ca = pem;
  } else {
    const trusted = readCertificates(ca);
    if (!trusted.ok) return trusted.reason;
    options.ca = trusted.value.pem;
    caEnd = earliestExpiry(trusted.value);
    fingerprints.push(...trusted.value.all.map((certificate) => certificate.fingerprint256));
  }
  let end: number | undefined;
  if (cert !== undefined && key !== undefined) {
    const pair = readKeyPair(cert, key);
    if (!pair.ok) return pair.problems.map(({ message }) => message).join("; ");
    options.cert = pair.value.cert.pem;
    options.key = pair.value.keyPem;
    end = earliestExpiry(pair.value.cert);
    fingerprints.push("|", ...pair.value.cert.all.map((certificate) => certificate.fingerprint256));
  }
  try {
    return {
      context: createSecureContext(options),
      expiresAt: end,
      caExpiresAt: caEnd,
      fingerprint: fingerprints.join(),
    };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Where systems store the trusted CAs: Debian, Fedora, SUSE, Alpine and BSD, the same places as Go's crypto/x509. */
const SYSTEM_FILES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/** They have some 250 KB. */
const MAX_AUTHORITIES_BYTES = 16 * 1024 * 1024;

/** Read once for each pair of files that the environment names. */
const systemPem = new Map<string, readonly string[]>();

/** The CAs that this machine trusts; undefined: none found, and Node's own list (Mozilla's) is used. */
function systemAuthorities({ SSL_CERT_FILE, NODE_EXTRA_CA_CERTS }: Environment): string[] | undefined {
  const key = `${SSL_CERT_FILE}\n${NODE_EXTRA_CA_CERTS}`;
  let pem = systemPem.get(key);
  if (pem === undefined) {
    const own = firstReadable(
      SSL_CERT_FILE === undefined || SSL_CERT_FILE === "" ? SYSTEM_FILES : [SSL_CERT_FILE],
    );
    // Node adds these to its own list only.
    const extra =
      own.length > 0 && NODE_EXTRA_CA_CERTS !== undefined && NODE_EXTRA_CA_CERTS !== ""
        ? firstReadable([NODE_EXTRA_CA_CERTS])
        : [];
    pem = [...own, ...extra];
    systemPem.set(key, pem);
  }
  return pem.length === 0 ? undefined : [...pem];
}

function firstReadable(files: readonly string[]): string[] {
  for (const file of files) {
    try {
      const text = readRegularFile(file, MAX_AUTHORITIES_BYTES).toString("latin1");
      if (text.includes("-----BEGIN CERTIFICATE-----")) return [text];
    } catch {
      // The next one.
    }
  }
  return [];
}

const NO_HTTP2 = "the server did not negotiate HTTP/2 (ALPN h2): is it a gRPC server?";

/** Node falls back to the subject's common name; RFC 9525 §2 forbids that, and so do Go, Envoy and browsers. */
function nameProblem(name: string, certificate: PeerCertificate): Error | undefined {
  const names = alternativeNames(certificate.subjectaltname ?? "") ?? [];
  if (names.some(({ kind }) => kind === "DNS" || kind === "IP Address")) {
    return checkServerIdentity(name, certificate);
  }
  return new Error(
    "the server's certificate has no subjectAltName: a subject alone is not enough (RFC 9525)",
  );
}

/** The reason, in words that say what to change. */
function explain(error: Error, name: string, config: ClientTlsConfig): string {
  const code = errorCode(error);
  switch (code) {
    case "CERT_HAS_EXPIRED":
      return `the server's certificate has expired`;
    case "CERT_NOT_YET_VALID":
      return `the server's certificate is not valid yet; is this machine's clock right?`;
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
      return "the server's certificate is self-signed: to trust it, set tls.ca to it";
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
      return config.ca === undefined
        ? "the server's certificate is issued by a CA that this machine does not trust: set tls.ca to that CA"
        : "the server's certificate is not signed by tls.ca";
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return `the server's certificate is not valid for the name ${name}; tls.serverName says which name it has (${namesIn(error)})`;
    default:
      return explainAlert(error.message, config) ?? plain(error.message);
  }
}

// RFC 8446 §6; the code that Node gives such an error depends on when the alert arrived.
function explainAlert(message: string, config: ClientTlsConfig): string | undefined {
  switch (/SSL alert number (\d+)/.exec(message)?.[1]) {
    case "120":
      return NO_HTTP2;
    case "116":
      return config.cert === undefined
        ? "the server requires a client certificate: set tls.cert and tls.key"
        : "the server requires a different client certificate than the one in tls.cert";
    case "42":
    case "43":
    case "44":
    case "45":
    case "46":
    case "48":
      return `the server rejects the client certificate in tls.cert: ${plain(message)}`;
    case undefined:
      return /wrong version number|packet length too long|http request/.test(message)
        ? "the server does not speak TLS there"
        : undefined;
    default:
      return `the server aborted the TLS handshake: ${plain(message)}`;
  }
}

/** OpenSSL writes `…:error:0A000460:SSL routines:FUNCTION:REASON:FILE:LINE:…`. */
function plain(message: string): string {
  return /:error:[0-9A-F]+:[^:]*:[^:]*:([^:]+):/.exec(message)?.[1] ?? message.trim();
}

/** The names in a certificate, for a user who configured the wrong one. */
function namesIn(error: Error): string {
  const names = "cert" in error ? Reflect.get(Object(error.cert), "subjectaltname") : undefined;
  return typeof names === "string" && names.length <= 300 ? names : "it has others";
}

/** The server chose the certificate: one that cannot be read is not trusted. */
function nameProblemOf(name: string, certificate: PeerCertificate): Error | undefined {
  try {
    return nameProblem(name, certificate);
  } catch (error) {
    const id = reportFault("while inspecting a service's certificate", error);
    return new Error(`the server's certificate could not be inspected (fault ${id})`);
  }
}
