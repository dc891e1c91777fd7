// The hub as a TLS server: takes connections after their first bytes were read, passes them on once the handshake is
// done, and applies new certificates without losing a connection.
import { constants } from "node:crypto";
import type { Socket } from "node:net";
import { createServer, type SecureContextOptions, type Server, type TLSSocket } from "node:tls";
import { attempt, reportFault } from "../kit/faults.js";
import { type FileWatch, watchFiles } from "../kit/files/watch-files.js";
import type { Log } from "../kit/log.js";
import { guarded } from "../kit/net/guarded.js";
import { UserError } from "../kit/text/user-error.js";
import { type CertificateState, warnOfExpiry } from "./certificate-state.js";
import type { ServerTlsConfig } from "./config.js";
import { failureOf, type HandshakeFailure } from "./handshake-failure.js";
import { earliestExpiry, readCertificates, readKeyPair } from "./pem.js";

/** With TLS 1.2: only ephemeral keys and authenticated encryption, none of RFC 9113 Appendix A. */
export const CIPHERS = [
  "TLS_AES_128_GCM_SHA256",
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
].join(":");

/** Handshake, preface and SETTINGS have 10 s each (docs/security.md). */
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** Kinds of failed handshakes that are logged; the others are only counted. */
const MAX_LOGGED = 50;

export interface ServerTlsOptions {
  readonly config: ServerTlsConfig;
  /** In messages, e.g. `listener 127.0.0.1:8443`. */
  readonly name: string;
  readonly log: Log;
  /** A connection whose handshake is done; paused. */
  readonly onSecure: (socket: TLSSocket) => void;
  /** A handshake failed: for metrics. */
  readonly onFailure?: (why: HandshakeFailure) => void;
  readonly handshakeTimeoutMs?: number;
}

export class ServerTls {
  private readonly options: ServerTlsOptions;
  private readonly server: Server;
  private readonly watch: FileWatch;
  private readonly logged = new Set<string>();
  private loaded: Loaded;
  private problem: string | undefined = undefined;

  /** Throws a UserError if the files are invalid. */
  constructor(options: ServerTlsOptions) {
    this.options = options;
    const { config } = options;
    const loaded = load(config);
    if (typeof loaded === "string") throw new UserError(`${options.name}: ${loaded}`);
    this.loaded = loaded;
    this.server = createServer(
      {
        ...loaded.context,
        ALPNProtocols: ["h2", "http/1.1"],
        requestCert: config.clientCa !== undefined,
        rejectUnauthorized: config.clientCa !== undefined && config.clientAuth === "require",
        handshakeTimeout: options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS,
      },
      (socket) => {
        guarded(socket);
        try {
          options.onSecure(socket);
        } catch (error) {
          socket.destroy();
          reportFault(`while ${options.name} accepted a TLS connection`, error);
        }
      },
    );
    this.server.on("tlsClientError", (error, socket) => {
      guarded(socket);
      attempt(`while reporting a failed TLS handshake on ${options.name}`, () =>
        this.onFailure(error, socket),
      );
      socket.destroy();
    });
    this.watch = watchFiles(filesOf(config), () => this.reload());
    warnOfExpiry(this.certificates, options.log);
  }

  /** The hub's certificate, and the CAs that verify clients. */
  get certificates(): readonly CertificateState[] {
    const { config, name } = this.options;
    const { loaded, problem } = this;
    const own = {
      owner: name,
      role: "server",
      file: config.cert,
      expiresAt: loaded.expiresAt,
      problem,
    } as const;
    if (config.clientCa === undefined || loaded.caExpiresAt === undefined) return [own];
    return [own, { ...own, role: "client_ca", file: config.clientCa, expiresAt: loaded.caExpiresAt }];
  }

  /** Starts the handshake on a connection that nobody reads. */
  accept(socket: Socket): void {
    this.server.emit("connection", guarded(socket));
  }

  /** Reads the files again; an invalid pair changes nothing. Open connections keep their certificate. */
  reload(): void {
    const { log, name, config } = this.options;
    const loaded = load(config);
    const problem =
      typeof loaded === "string"
        ? loaded
        : loaded.expiresAt < Date.now() && this.loaded.expiresAt >= Date.now()
          ? `${config.cert} has expired`
          : undefined;
    if (typeof loaded === "string" || problem !== undefined) {
      if (problem !== this.problem) log.error(`${name}: the old certificate stays in use: ${problem}`);
      this.problem = problem;
      return;
    }
    this.problem = undefined;
    if (loaded.fingerprint === this.loaded.fingerprint) return;
    this.loaded = loaded;
    this.server.setSecureContext(loaded.context);
    log.info(`${name}: new certificates are in use`);
    warnOfExpiry(this.certificates, log);
  }

  private onFailure(error: Error & { code?: string }, socket: TLSSocket): void {
    const reason = socket.authorizationError?.toString() ?? error.code ?? error.message;
    this.options.onFailure?.(failureOf(reason));
    // Scanners and probes fail handshakes all day: each kind is logged once.
    if (this.logged.has(reason) || this.logged.size >= MAX_LOGGED) return;
    this.logged.add(reason);
    const { log, name } = this.options;
    log.warn(
      `${name}: a TLS handshake failed: ${handshakeProblem(reason, error)} (further ones are only counted)`,
    );
  }

  close(): void {
    this.watch.close();
    this.server.removeAllListeners("secureConnection");
  }
}

interface Loaded {
  readonly context: SecureContextOptions;
  readonly expiresAt: number;
  readonly caExpiresAt: number | undefined;
  /** Distinguishes one state of the files from another. */
  readonly fingerprint: string;
}

/** The files as a secure context, or their problem. */
function load(config: ServerTlsConfig): Loaded | string {
  const pair = readKeyPair(config.cert, config.key);
  if (!pair.ok) return pair.problems.map(({ message }) => message).join("; ");
  const { cert, keyPem } = pair.value;
  const ca = config.clientCa === undefined ? undefined : readCertificates(config.clientCa);
  if (ca?.ok === false) return ca.reason;
  // RFC 9113 §9.2.1 forbids renegotiation. Sessions are not resumed if clients send certificates: a ticket would keep
  // vouching for one whose CA is no longer trusted (CVE-2025-23419 is of this kind).
  const secureOptions =
    constants.SSL_OP_NO_RENEGOTIATION | (ca === undefined ? 0 : constants.SSL_OP_NO_TICKET);
  return {
    context: {
      cert: cert.pem,
      key: keyPem,
      ...(ca === undefined ? {} : { ca: ca.value.pem }),
      minVersion: "TLSv1.2",
      ciphers: CIPHERS,
      honorCipherOrder: false,
      secureOptions,
    },
    expiresAt: earliestExpiry(cert),
    caExpiresAt: ca === undefined ? undefined : earliestExpiry(ca.value),
    fingerprint: [cert, ...(ca === undefined ? [] : [ca.value])]
      .flatMap(({ all }) => ["|", ...all.map((certificate) => certificate.fingerprint256)])
      .join(),
  };
}

function filesOf({ cert, key, clientCa }: ServerTlsConfig): string[] {
  return clientCa === undefined ? [cert, key] : [cert, key, clientCa];
}

function handshakeProblem(reason: string, error: Error): string {
  switch (reason) {
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
      return "the client's certificate is missing, or not signed by clientCa";
    case "CERT_HAS_EXPIRED":
      return "the client's certificate has expired";
    case "ERR_TLS_HANDSHAKE_TIMEOUT":
      return "the client took too long";
    case "ECONNRESET":
      return "the client aborted the handshake; it may not trust the hub's certificate";
    default:
      return error.message;
  }
}
