// One address: detects the protocol of each connection, and passes it to HTTP/2 or HTTP/1.1, each request to its
// adapter.
import { type AddressInfo, createServer, isIP, type Server, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Gateway } from "../../call/gateway.js";
import { refusal } from "../../call/status/reasons.js";
import type { ListenAddress, UnixAddress } from "../../config/address.js";
import { formatAddress } from "../../config/address.js";
import { type ClientLimits, DEFAULT_LISTENER_LIMITS } from "../../config/listener-limits.js";
import { SendMemory } from "../../http2/send-memory.js";
import { DEFAULT_LIMITS } from "../../http2/wire/limits.js";
import { type Clock, systemClock } from "../../kit/clock.js";
import { reportFault } from "../../kit/faults.js";
import type { Log } from "../../kit/log.js";
import { LogOnce } from "../../kit/log-once.js";
import { type Meters, NO_METERS } from "../../kit/meters.js";
import { AddressCounts } from "../../kit/net/address-counts.js";
import { guarded } from "../../kit/net/guarded.js";
import { clientNetwork, ipOf } from "../../kit/net/ip.js";
import { peek } from "../../kit/net/peek.js";
import { TimerWheel } from "../../kit/timer-wheel.js";
import type { ServerTls } from "../../tls/server-tls.js";
import { markUnix, peerAddress } from "../client/peer.js";
import { Rejected } from "../client/rejected.js";
import { type DetectedProtocol, detectProtocol, detectTls } from "./first-bytes.js";
import { Http1Server } from "./http1-server.js";
import { Http2Server } from "./http2-server.js";
import { LimitReports } from "./limit-reports.js";
import { PROTOCOLS } from "./protocols.js";
import { Requests } from "./requests.js";
import { listenOnPath } from "./unix-socket.js";

export type ListenerOptions = (ListenAddress | UnixAddress) & {
  /** Those that differ from the defaults. */
  readonly limits?: Partial<ClientLimits>;
  /** Makes the listener's TLS, which passes on connections after their handshake; left out: clear text. */
  readonly tls?: ((onSecure: (socket: TLSSocket) => void, handshakeMs: number) => ServerTls) | undefined;
  readonly log?: Log;
  /** `node`: every HTTP/1.1 request is read by node:http, plain ones too, for tests and comparisons. Default: `own`. */
  readonly http1?: "own" | "node";
  /** Default: nothing is counted. */
  readonly meters?: Meters;
  /** For timeouts of HTTP/1.1 connections and bodies. Default: the system's. */
  readonly clock?: Clock;
  /** Counts buffered output, together with other connections of a hub. Default: that of this listener. */
  readonly memory?: SendMemory;
  /** The client protocols; the last one takes every request that no other claims. Default: all of the hub's. */
  readonly protocols?: typeof PROTOCOLS;
};

/**
 * How long a drain waits for the PING ACK that shows that the GOAWAY arrived, and for HTTP/1.1 clients to send one more
 * request.
 */
const GOAWAY_WAIT_MS = 1000;

export class Listener {
  private readonly gateway: Gateway;
  private readonly options: ListenerOptions;
  private readonly server: Server;
  private readonly http1: Http1Server;
  private readonly http2: Http2Server;
  private readonly limits: ClientLimits;
  private readonly sockets = new Set<Socket>();
  /** Sockets whose protocol is not known yet. */
  private readonly clock: Clock;
  private readonly silent = new Set<Socket>();
  private readonly tls: ServerTls | undefined;
  private readonly perAddress = new AddressCounts();
  private readonly rejected: Rejected;
  private readonly logOnce: LogOnce;
  private toldOfTls = false;

  constructor(gateway: Gateway, options: ListenerOptions) {
    this.gateway = gateway;
    this.options = options;
    const { log, meters = NO_METERS, clock = systemClock, protocols = PROTOCOLS } = options;
    const limits = { ...DEFAULT_LISTENER_LIMITS, ...DEFAULT_LIMITS, ...options.limits };
    this.limits = limits;
    this.clock = clock;
    const memory = options.memory ?? new SendMemory(limits.maxProcessQueuedBytes);
    const now = (): number => gateway.timers.clock.now();
    this.logOnce = new LogOnce(now);
    // A separate one: malformed traffic must not keep the log from reporting limits.
    const rejected = new Rejected({
      listener: formatAddress(options),
      meters,
      log,
      logOnce: new LogOnce(now),
    });
    this.rejected = rejected;
    const requests = new Requests(gateway, protocols);
    // Timeouts of HTTP/1.1 connections and bodies. Not the calls' wheel, so that each stays small.
    const timers = new TimerWheel(clock);
    const reports = new LimitReports({ meters, log, logOnce: this.logOnce });
    const shared = { gateway, requests, limits, timers, memory, meters, rejected, reports };
    this.http1 = new Http1Server({ ...shared, allByNode: options.http1 === "node" });
    this.http2 = new Http2Server(shared);
    this.server = createServer({ noDelay: true }, (socket) => this.take(socket, () => this.onSocket(socket)));
    this.tls = options.tls?.((socket) => this.onSecure(socket), limits.handshakeMs);
  }

  /** Its certificates; empty in clear text. */
  get certificates(): ServerTls["certificates"] {
    return this.tls?.certificates ?? [];
  }

  /** Applies the certificates that are in the files now. */
  reloadCertificates(): void {
    this.tls?.reload();
  }

  /** Resolves with the bound address, e.g. `127.0.0.1:8080` or `unix:/run/hub.sock`. Rejects with the system's error. */
  async listen(): Promise<string> {
    const { server, options } = this;
    // For example, no file descriptor for one more connection (EMFILE): existing ones continue.
    server.on("error", this.onServerError);
    if ("path" in options) {
      await listenOnPath(server, options.path);
      return `unix:${options.path}`;
    }
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host: options.host, port: options.port, backlog: 1024 }, () => {
        server.removeListener("error", reject);
        resolve();
      });
    });
    const { address, port, family } = server.address() as AddressInfo;
    return family === "IPv6" ? `[${address}]:${port}` : `${address}:${port}`;
  }

  /** Connections that are open now, by protocol. */
  get open(): { readonly http: number; readonly http2: number } {
    const http2 = this.http2.size;
    return { http: Math.max(0, this.sockets.size - http2), http2 };
  }

  private readonly onServerError = (error: NodeJS.ErrnoException): void => {
    // Errors before it listens go to the caller.
    if (!this.server.listening || !this.logOnce.first(`accept ${error.code}`)) return;
    this.options.log?.error(`connections could not be accepted: ${error.message} (logged once an hour)`);
  };

  /** An exception while a socket, or a request on it, is taken over ends only that socket. */
  private take(socket: Socket, step: () => void): void {
    try {
      guarded(socket);
      step();
    } catch (error) {
      socket.destroy();
      reportFault("while a connection was taken over; it was closed", error);
    }
  }

  private onSocket(socket: Socket): void {
    if ("path" in this.options) markUnix(socket);
    const ip = ipOf(peerAddress(socket));
    const { edge } = this.gateway;
    if (isIP(ip) !== 0 && !edge.trusts(ip)) {
      const network = clientNetwork(ip);
      if (this.perAddress.get(network) >= edge.connectionsPerAddress) {
        // Close without a response: a connection flood must stay cheap.
        this.rejected.connection("address_limit");
        socket.destroy();
        return;
      }
      this.perAddress.add(network);
      socket.once("close", () => this.take(socket, () => this.perAddress.remove(network)));
    }
    this.sockets.add(socket);
    this.silent.add(socket);
    const onClose = (): void => {
      this.sockets.delete(socket);
      this.silent.delete(socket);
    };
    socket.on("close", () => this.take(socket, onClose));
    const { tls } = this;
    peek(socket, {
      timeoutMs: this.limits.firstBytesMs,
      decide: tls === undefined ? detectProtocol : detectTls,
      found: (protocol) => {
        this.silent.delete(socket);
        if (protocol !== "tls") this.serve(socket, protocol);
        else if (tls !== undefined) tls.accept(socket);
        else this.refuseTls(socket);
      },
      silent: () => this.rejected.connection("silence"),
    });
  }

  /** After the handshake; the protocol must still be detected, with ALPN or without. */
  private onSecure(socket: TLSSocket): void {
    if ("path" in this.options) markUnix(socket);
    // `sockets` has the one below it; they end together.
    this.silent.add(socket);
    socket.on("close", () => this.silent.delete(socket));
    const agreed = socket.alpnProtocol;
    peek(socket, {
      timeoutMs: this.limits.firstBytesMs,
      decide: (start) =>
        agreed === "h2" ? "http2" : agreed === "http/1.1" ? "http1" : detectProtocol(start),
      found: (protocol) => this.serve(socket, protocol),
      silent: () => this.rejected.connection("silence"),
    });
  }

  private serve(socket: Socket, protocol: DetectedProtocol): void {
    this.silent.delete(socket);
    switch (protocol) {
      case "http2":
        this.http2.serve(socket);
        break;
      case "not-tls":
        this.rejected.connection("clear_text");
        this.http1.reject(socket, NEEDS_TLS);
        break;
      case "neither":
        this.rejected.connection("not_http");
        socket.destroy();
        break;
      default:
        this.http1.serve(socket);
    }
  }

  /** A TLS client has no use for a response in clear text. */
  private refuseTls(socket: Socket): void {
    this.rejected.connection("tls");
    socket.destroy();
    if (this.toldOfTls) return;
    this.toldOfTls = true;
    this.options.log?.warn(
      `a client (${peerAddress(socket)}) began TLS on a listener without it, and was disconnected (logged once)`,
    );
  }

  /**
   * Accepts no more connections, asks clients to leave, and resolves once all their calls have ended, or after
   * `graceMs`, when the rest is aborted.
   */
  async drain(graceMs: number): Promise<void> {
    this.http1.drain();
    const finish = this.http2.drain();
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    const goaway = this.clock.setTimeout(() => {
      finish();
      // Connections that clients opened in advance, without a request.
      for (const socket of this.silent) socket.destroy();
      this.http1.closeIdle();
    }, GOAWAY_WAIT_MS);
    const grace = this.clock.setTimeout(() => this.destroyAll(), graceMs);
    await closed;
    this.tls?.close();
    goaway.cancel();
    grace.cancel();
    this.http1.close();
  }

  private destroyAll(): void {
    this.http2.destroy();
    for (const socket of this.sockets) socket.destroy();
  }

  /** Ends everything at once. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.destroyAll();
    this.http1.close();
    this.tls?.close();
    await closed;
  }
}

/** A response for people and HTTP/1.1 clients; gRPC clients report that it is not HTTP/2. */
const NEEDS_TLS = refusal(
  "TLS_REQUIRED",
  "this port speaks TLS: call it with https://, or a gRPC client with TLS credentials",
);
