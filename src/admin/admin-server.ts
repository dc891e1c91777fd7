// The sockets of the admin listener: HTTP/1.1 and HTTP/2 on one port, in clear text or over TLS. Both are Node's own:
// no call passes here.
import {
  createServer as createHttp1Server,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from "node:http";
import { createServer as createHttp2Server, type ServerHttp2Session } from "node:http2";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { formatAddress } from "../config/address.js";
import type { AdminConfig } from "../config/listener-config.js";
import { reportFault } from "../kit/faults.js";
import type { Log } from "../kit/log.js";
import { guarded } from "../kit/net/guarded.js";
import { peek } from "../kit/net/peek.js";
import { cannotListen } from "../kit/text/user-error.js";
import { ServerTls } from "../tls/server-tls.js";
import { AdminConnections } from "./admin-connections.js";

/** The common part of requests of both versions. */
export interface AdminRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly socket: { readonly remoteAddress?: string | undefined; readonly remotePort?: number | undefined };
}

export interface AdminResponse {
  readonly headersSent: boolean;
  destroy(): unknown;
  writeHead(status: number, headers: OutgoingHttpHeaders): unknown;
  end(body: Buffer): unknown;
  /** The response is complete, or its connection is closed. */
  once(event: "close", listener: () => void): unknown;
}

export type AdminHandler = (request: AdminRequest, response: AdminResponse) => void;

// A page takes milliseconds: a slower client is stuck, or an attacker (Slowloris).
const HANDSHAKE_TIMEOUT_MS = 5_000;
const FIRST_BYTES_TIMEOUT_MS = 5_000;
const HEADERS_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 5_000;
const CHECK_INTERVAL_MS = 1_000;
const MAX_HEADER_BYTES = 16_384;
/** Concurrent requests on one connection. */
const MAX_STREAMS = 16;

/** The first bytes of an HTTP/2 client (RFC 9113 §3.4). */
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

export class AdminServer {
  private readonly config: AdminConfig;
  private readonly server: Server;
  private readonly http1;
  private readonly http2;
  private readonly tls: ServerTls | undefined;
  private readonly connections = new AdminConnections();

  /** Throws a UserError if its TLS files are invalid. */
  constructor(config: AdminConfig, log: Log, handler: AdminHandler) {
    this.config = config;
    const counted: AdminHandler = (request, response) => {
      try {
        response.once("close", this.connections.begin(request.socket));
        handler(request, response);
      } catch (error) {
        response.destroy();
        reportFault("while the admin listener took a request", error);
      }
    };
    this.http1 = createHttp1Server(
      {
        maxHeaderSize: MAX_HEADER_BYTES,
        headersTimeout: HEADERS_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS,
        keepAliveTimeout: KEEP_ALIVE_MS,
        connectionsCheckingInterval: CHECK_INTERVAL_MS,
      },
      counted,
    );
    // A server that never listens starts its timeout checks only on this event.
    this.http1.emit("listening");
    this.http2 = createHttp2Server(
      { settings: { maxConcurrentStreams: MAX_STREAMS, maxHeaderListSize: MAX_HEADER_BYTES } },
      counted,
    );
    this.http2.on("session", (session: ServerHttp2Session) =>
      session.setTimeout(REQUEST_TIMEOUT_MS, () => session.destroy()),
    );
    this.http2.on("sessionError", () => undefined);
    this.tls =
      config.tls === undefined
        ? undefined
        : new ServerTls({
            config: config.tls,
            name: `admin listener ${formatAddress(config)}`,
            log,
            onSecure: (socket) => taken(socket, () => this.onClear(socket)),
            handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS,
          });
    this.server = createServer((socket) => taken(socket, () => this.onSocket(socket)));
  }

  /** `http` or `https` */
  get scheme(): string {
    return this.tls === undefined ? "http" : "https";
  }

  get certificates(): ServerTls["certificates"] {
    return this.tls?.certificates ?? [];
  }

  /** Applies the certificates that are in the files now. */
  reloadCertificates(): void {
    this.tls?.reload();
  }

  /** Resolves with the bound port. Rejects with a UserError. */
  listen(): Promise<number> {
    const { server, config } = this;
    return new Promise((resolve, reject) => {
      server.once("error", (error) =>
        reject(cannotListen("the admin listener", formatAddress(config), error)),
      );
      server.listen({ host: config.host, port: config.port }, () => {
        server.removeAllListeners("error");
        // Later errors are of single connections (EMFILE on accept): no reason to end the hub.
        server.on("error", () => undefined);
        resolve((server.address() as AddressInfo).port);
      });
    });
  }

  /** Stops accepting, and ends open connections. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.connections.closeAll();
    this.http1.close();
    this.tls?.close();
    await closed;
  }

  private onSocket(socket: Socket): void {
    this.connections.add(socket);
    if (this.tls === undefined) this.onClear(socket);
    else this.tls.accept(socket);
  }

  private onClear(socket: Socket): void {
    peek(socket, {
      timeoutMs: FIRST_BYTES_TIMEOUT_MS,
      decide: (start) => {
        const length = Math.min(start.length, PREFACE.length);
        if (!start.subarray(0, length).equals(PREFACE.subarray(0, length))) return "http1";
        return length === PREFACE.length ? "http2" : undefined;
      },
      found: (protocol) => {
        // The protocol that ALPN selected; Node's HTTP/2 server supports TLS only with it.
        const agreed = socket instanceof TLSSocket ? socket.alpnProtocol : undefined;
        const http2 = agreed === undefined ? protocol === "http2" : agreed === "h2";
        if (http2) {
          // It reads the socket's buffer itself, a turn later.
          this.http2.emit("connection", socket);
          return;
        }
        this.http1.emit("connection", socket);
        socket.resume();
      },
    });
  }
}

/** A fault while a socket is taken over ends that socket. */
function taken(socket: Socket, take: () => void): void {
  try {
    guarded(socket);
    take();
  } catch (error) {
    socket.destroy();
    reportFault("while the admin listener took a connection", error);
  }
}
