// One address: looks at a connection's first bytes, and hands it to HTTP/2 or HTTP/1.1, each request to its adapter.
import {
  createServer as createHttpServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { type AddressInfo, createServer, isIP, type Server, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { Gateway } from "../../call/gateway.js";
import { hubFault } from "../../call/status/hub-fault.js";
import type { Reason } from "../../call/status/reasons.js";
import { Code, type Status } from "../../call/status/status.js";
import type { ListenAddress, UnixAddress } from "../../config/address.js";
import { formatAddress } from "../../config/address.js";
import { CLIENT_LIMITS, type ClientLimits, DEFAULT_LISTENER_LIMITS } from "../../config/listener-limits.js";
import { Connection, processSendMemory } from "../../http2/connection.js";
import { checkRequest } from "../../http2/frames/messages.js";
import type { HeaderBlock } from "../../http2/hpack/decoder.js";
import type { Stream } from "../../http2/stream.js";
import { DEFAULT_LIMITS } from "../../http2/wire/limits.js";
import { errorName, PREFACE } from "../../http2/wire/protocol.js";
import { type Clock, systemClock } from "../../kit/clock.js";
import { attempt, reportFault } from "../../kit/faults.js";
import type { Log } from "../../kit/log.js";
import { type Meters, NO_METERS } from "../../kit/meters.js";
import { AddressCounts } from "../../kit/net/address-counts.js";
import { guarded } from "../../kit/net/guarded.js";
import { clientNetwork, ipOf } from "../../kit/net/ip.js";
import { peek } from "../../kit/net/peek.js";
import { TimerWheel } from "../../kit/timer-wheel.js";
import { Told } from "../../kit/told.js";
import type { ServerTls } from "../../tls/server-tls.js";
import { AnswerWatch } from "../carriers/answer-watch.js";
import { answerBare } from "../carriers/bare-answer.js";
import { BodyWatch } from "../carriers/body-watch.js";
import type { Exchange } from "../carriers/exchange.js";
import { Http1Exchange } from "../carriers/exchange-http1.js";
import { Http2Exchange } from "../carriers/exchange-http2.js";
import { Http1Connection, type Http1ConnectionOwner } from "../carriers/http1/connection.js";
import {
  endAndLinger,
  guardHttp1,
  headProblem,
  sayBroken,
  sayTimeout,
  tooManyFields,
  unknownExpectation,
} from "../carriers/http1-guards.js";
import { Client } from "../client/client.js";
import { markUnix, peerAddress } from "../client/peer.js";
import { TurnedAway } from "../client/turned-away.js";
import { isGrpc, openGrpc, refuseHeaders, refuseStream } from "../protocols/grpc/grpc.js";
import { openRest, refuseRest } from "../protocols/rest/rest.js";
import { beginsHttp1 } from "./begins-http1.js";
import { listenOnPath } from "./unix-socket.js";
import { takeUpgrades } from "./upgrades.js";

export type ListenerOptions = (ListenAddress | UnixAddress) & {
  /** Those that differ from the defaults. */
  readonly limits?: Partial<ClientLimits>;
  /** Makes the TLS of the listener, around what takes connections whose handshake is done; left out: clear text. */
  readonly tls?: ((onSecure: (socket: TLSSocket) => void, handshakeMs: number) => ServerTls) | undefined;
  readonly log?: Log;
  /** `node`: every HTTP/1.1 request is read by node:http, plain ones too, for tests and comparisons. Default: `own`. */
  readonly http1?: "own" | "node";
  /** Default: nothing is counted. */
  readonly meters?: Meters;
  /** For what is late on HTTP/1.1 connections, and for bodies. Default: the system's. */
  readonly clock?: Clock;
};

/** How often node:http looks for requests that stall. */
const CHECK_INTERVAL_MS = 1000;
/** How long drain waits for the PING that tells that the GOAWAY arrived, and for HTTP/1.1 clients to ask once more. */
const GOAWAY_WAIT_MS = 1000;

const PASSED = {
  http2: {
    name: "linchpin.http2.limits.passed",
    help: "How often clients passed a limit of HTTP/2 (docs/security.md), by limit and by what it ended: a stream or the connection.",
  },
  http1: {
    name: "linchpin.http1.limits.passed",
    help: "How often clients of HTTP/1.1 passed a limit that ended their connection (docs/security.md), by limit.",
  },
} as const;

/** What there is for a connection of HTTP/1.1, whoever reads it. */
interface Http1Peer {
  readonly client: Client;
  readonly watch: AnswerWatch;
  /** The request that node:http has read and that is not answered yet. */
  current: ServerResponse | undefined;
  /** Those that came behind it. */
  readonly waiting: Pipelined[];
}

interface Pipelined {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The client waits for 100 before it sends the body. */
  readonly asks: boolean;
  /** What is wrong with it from the first. */
  readonly problem?: Status;
}

export class Listener implements Http1ConnectionOwner {
  private readonly gateway: Gateway;
  private readonly options: ListenerOptions;
  private readonly server: Server;
  private readonly http1: HttpServer;
  private readonly limits: ClientLimits;
  private readonly connections = new Set<Connection>();
  /** HTTP/1.1, while we read it ourselves. */
  private readonly plain = new Set<Http1Connection>();
  /** What is late on HTTP/1.1 connections, and bodies. Not the wheel of the calls, so that each stays as small as its own. */
  private readonly timers: TimerWheel;
  private readonly sockets = new Set<Socket>();
  /** Sockets that have not yet said which protocol they speak. */
  private readonly silent = new Set<Socket>();
  private readonly tls: ServerTls | undefined;
  private readonly http1Peers = new WeakMap<Duplex, Http1Peer>();
  private readonly perAddress = new AddressCounts();
  private readonly meters: Meters;
  private readonly turnedAway: TurnedAway;
  draining = false;
  private readonly told: Told;
  private toldOfTls = false;

  constructor(gateway: Gateway, options: ListenerOptions) {
    this.gateway = gateway;
    this.options = options;
    const limits = { ...DEFAULT_LISTENER_LIMITS, ...DEFAULT_LIMITS, ...options.limits };
    this.limits = limits;
    this.timers = new TimerWheel(options.clock ?? systemClock);
    processSendMemory.maxBytes = limits.maxProcessQueuedBytes;
    this.meters = options.meters ?? NO_METERS;
    const now = (): number => gateway.timers.clock.now();
    this.told = new Told(now);
    // Of its own: what strangers send must not keep the log from telling of limits.
    const told = new Told(now);
    this.turnedAway = new TurnedAway({
      listener: formatAddress(options),
      meters: this.meters,
      log: options.log,
      told,
    });
    this.server = createServer({ noDelay: true }, (socket) => this.take(socket, () => this.onSocket(socket)));
    this.http1 = createHttpServer({
      maxHeaderSize: limits.maxHeaderListBytes,
      headersTimeout: limits.headersMs,
      // A large body may take its time, as long as it moves: see BodyWatch.
      requestTimeout: 0,
      keepAliveTimeout: limits.http1IdleMs,
      connectionsCheckingInterval: Math.min(CHECK_INTERVAL_MS, limits.headersMs),
      noDelay: true,
      // A request without one gets an answer like others: `headProblem`.
      requireHostHeader: false,
    });
    const onRequest = (pipelined: Pipelined): void =>
      this.take(pipelined.request.socket, () => this.onRequest(pipelined));
    this.http1.on("request", (request, response) => onRequest({ request, response, asks: false }));
    this.http1.on("checkContinue", (request, response) => onRequest({ request, response, asks: true }));
    takeUpgrades(this.http1, gateway, limits, (socket) => this.peerOf(socket));
    this.http1.on("checkExpectation", (request, response) =>
      onRequest({ request, response, asks: false, problem: unknownExpectation() }),
    );
    guardHttp1(this.http1, gateway, {
      limits,
      busy: (socket) => this.isAnswering(socket),
      owes: (socket) => this.http1Peers.get(socket)?.current !== undefined,
      refused: (socket, reason, message) => this.onUnreadable(socket, reason, message),
    });
    // A server that never listens starts its timeout checks only on this event.
    this.http1.emit("listening");
    this.tls = options.tls?.((socket) => this.onSecure(socket), limits.handshakeMs);
  }

  /** Its certificates; none in clear text. */
  get certificates(): ServerTls["certificates"] {
    return this.tls?.certificates ?? [];
  }

  /** Takes over the certificates that lie in the files now. */
  reloadCertificates(): void {
    this.tls?.reload();
  }

  /** Resolves with the bound address, e.g. `127.0.0.1:8080` or `unix:/run/hub.sock`. Rejects with the system's error. */
  async listen(): Promise<string> {
    const { server, options } = this;
    // None left for one more connection (EMFILE), say: those that there are go on.
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
    const http2 = this.connections.size;
    return { http: Math.max(0, this.sockets.size - http2), http2 };
  }

  private readonly onServerError = (error: NodeJS.ErrnoException): void => {
    // Before it listens, who asked for that is told.
    if (!this.server.listening || !this.told.first(`accept ${error.code}`)) return;
    this.options.log?.error(`connections could not be accepted: ${error.message} (told once an hour)`);
  };

  /** Whoever speaks there: a throw while a socket, or a request on it, is taken over ends that socket alone. */
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
        // Nothing is said: whoever opens so many is to cost as little as can be.
        this.turnedAway.connection("address_limit");
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
      decide: tls === undefined ? protocolOf : tlsOrNot,
      found: (protocol) => {
        this.silent.delete(socket);
        if (protocol !== "tls") this.serve(socket, protocol);
        else if (tls !== undefined) tls.accept(socket);
        else this.refuseTls(socket);
      },
      silent: () => this.turnedAway.connection("silence"),
    });
  }

  /** After the handshake; the client still has to say what it speaks, be it by ALPN or not. */
  private onSecure(socket: TLSSocket): void {
    if ("path" in this.options) markUnix(socket);
    // `sockets` has the one below it, which goes with it, and it with that.
    this.silent.add(socket);
    socket.on("close", () => this.silent.delete(socket));
    const agreed = socket.alpnProtocol;
    peek(socket, {
      timeoutMs: this.limits.firstBytesMs,
      decide: (start) => (agreed === "h2" ? "http2" : agreed === "http/1.1" ? "http1" : protocolOf(start)),
      found: (protocol) => this.serve(socket, protocol),
      silent: () => this.turnedAway.connection("silence"),
    });
  }

  private serve(socket: Socket, protocol: Protocol): void {
    this.silent.delete(socket);
    switch (protocol) {
      case "http2":
        this.serveHttp2(socket);
        break;
      case "not-tls":
        this.turnedAway.connection("clear_text");
        refuseClearText(socket);
        break;
      case "neither":
        this.turnedAway.connection("not_http");
        socket.destroy();
        break;
      default:
        this.serveHttp1(socket);
    }
  }

  /** A TLS client has no use for an answer in clear text. */
  private refuseTls(socket: Socket): void {
    this.turnedAway.connection("tls");
    socket.destroy();
    if (this.toldOfTls) return;
    this.toldOfTls = true;
    this.options.log?.warn(
      `a client (${peerAddress(socket)}) began TLS on a listener without it, and was let go (told once)`,
    );
  }

  private serveHttp1(socket: Socket): void {
    const { client, watch } = this.peerOf(socket);
    const { timers, limits } = this;
    if (this.options.http1 === "node") this.onHandOver(socket);
    else this.plain.add(new Http1Connection(socket, this, { client, watch, timers, limits }));
  }

  private peerOf(socket: Socket): Http1Peer {
    let peer = this.http1Peers.get(socket);
    if (peer === undefined) {
      const client = new Client(this.gateway, socket);
      const watch = new AnswerWatch(socket, {
        timers: this.timers,
        limits: this.limits,
        memory: processSendMemory,
        onPassed: (limit, reason) => this.onLimit("http1", limit, "connection", reason, client),
      });
      peer = { client, watch, current: undefined, waiting: [] };
      this.http1Peers.set(socket, peer);
    }
    return peer;
  }

  // ---------------------------------------------------------------- Http1ConnectionOwner

  onExchange(exchange: Exchange): void {
    openRest(this.gateway, exchange);
  }

  onHandOver(socket: Socket): void {
    this.http1.emit("connection", socket);
    socket.resume();
  }

  onTimeout(socket: Socket): void {
    this.onUnreadable(socket, "REQUEST_TIMEOUT", "its head did not arrive in time");
    sayTimeout(socket, this.gateway);
  }

  onBroken(socket: Socket, id: string): void {
    sayBroken(socket, this.gateway, id);
  }

  onClose(connection: Http1Connection): void {
    this.plain.delete(connection);
  }

  private serveHttp2(socket: Socket): void {
    const client = new Client(this.gateway, socket);
    const connection: Connection = new Connection(
      socket,
      { role: "server", limits: this.limits },
      {
        onStream: (stream, block, end) => {
          try {
            this.onStream(client, stream, block, end);
          } catch (error) {
            const where = "while a stream of HTTP/2 was taken over";
            const status = hubFault("the hub failed while it read the request", where, error);
            refuseStream(this.gateway, stream, block.fields, status);
          }
        },
        onClose: () => this.connections.delete(connection),
        onLimit: (limit, ends, reason) => this.onLimit("http2", limit, ends, reason, client),
        onMalformed: (ends, code, reason) =>
          this.turnedAway.request("2", ends === "stream" ? "BAD_HTTP" : errorName(code), client.ip, reason),
        onFault: (error) => this.onFault(error, client),
      },
    );
    this.connections.add(connection);
    socket.resume();
    if (this.draining) connection.drain();
  }

  private onStream(client: Client, stream: Stream, block: HeaderBlock, end: boolean): void {
    if (block.tooLarge) {
      this.turnedAway.request("2", "HEADERS_TOO_LARGE", client.ip, "its head is larger than the limits");
      refuseHeaders(this.gateway, stream, block.fields, this.limits);
      return;
    }
    const head = checkRequest(block, end);
    if (typeof head === "string") return; // the connection has refused it before
    if (isGrpc(head)) openGrpc(this.gateway, stream, head, client, end);
    else {
      const watch = end ? undefined : this.bodyWatch();
      this.openHttp2(stream, new Http2Exchange(stream, head, client, watch));
    }
  }

  private bodyWatch(): BodyWatch {
    return new BodyWatch(this.timers, this.limits.bodyMs);
  }

  /** A guard of the wire acted: counted, and told once for each limit and address. */
  private onLimit(
    version: keyof typeof PASSED,
    limit: keyof ClientLimits,
    ends: "stream" | "connection",
    reason: string,
    client: Client,
  ): void {
    const { key = limit } = CLIENT_LIMITS[limit];
    const { name, help } = PASSED[version];
    const labels = { "linchpin.limit": key, ...(version === "http2" ? { "linchpin.ends": ends } : {}) };
    this.meters.counter(name, help, labels).add();
    if (ends === "stream") return; // an honest client may have a slow reader, or a cookie too many
    const { log } = this.options;
    if (log === undefined || !this.told.first(`${key} ${clientNetwork(client.ip)}`)) return;
    const setting = CLIENT_LIMITS[limit].key === undefined ? "" : `limits.${key}; `;
    log.warn(`a connection of ${client.ip} was closed: ${reason} (${setting}told once an hour)`);
  }

  /** A bug of ours: the stream or the connection that met it is gone. */
  private onFault(error: unknown, client: Client): void {
    this.meters
      .counter("linchpin.http2.faults", "Errors of the hub while it served HTTP/2: please report them.")
      .add();
    reportFault(`while it served ${client.ip} over HTTP/2`, error);
  }

  private openHttp2(stream: Stream, exchange: Http2Exchange): void {
    stream.handler = exchange;
    openRest(this.gateway, exchange);
  }

  /** Whether bytes written now would fall into an answer, or before one that comes first. */
  private isAnswering(socket: Duplex): boolean {
    const peer = this.http1Peers.get(socket);
    return peer !== undefined && (peer.waiting.length > 0 || peer.current?.headersSent === true);
  }

  /** What node:http, or the patience with a head, has refused: there is no request to tell of it. */
  private onUnreadable(socket: Duplex, reason: Reason, message: string): void {
    const ip = socket instanceof Socket ? this.peerOf(socket).client.ip : "unknown";
    this.turnedAway.request("1.1", reason, ip, message);
  }

  private onRequest(pipelined: Pipelined): void {
    const { socket } = pipelined.request;
    // node:http reads on in what it was given, be the connection closed meanwhile.
    if (socket.destroyed) {
      socket.pause();
      return;
    }
    const peer = this.peerOf(socket);
    if (peer.current === undefined) {
      this.serveNext(peer, pipelined);
      return;
    }
    const most = this.limits.http1Pipelined;
    if (peer.waiting.push(pipelined) <= most) return;
    peer.waiting.length = 0;
    peer.watch.end("http1Pipelined", `more than ${most} requests wait for the answers before them`);
  }

  /** One at a time, as on connections of our own: a few bytes could ask for a thousand large answers at once. */
  private serveNext(peer: Http1Peer, { request, response, asks, problem }: Pipelined): void {
    peer.current = response;
    const onClose = (): void => {
      peer.current = undefined;
      const next = request.socket.destroyed ? undefined : peer.waiting.shift();
      if (next === undefined) peer.waiting.length = 0;
      else this.serveNext(peer, next);
    };
    const { socket } = request;
    response.once("close", () => this.take(socket, onClose));
    const malformed = headProblem(request);
    // Who sends such a head may mean another request by what follows (RFC 9112 §11.2).
    if (this.draining || malformed !== undefined) response.setHeader("connection", "close");
    const { client, watch } = peer;
    const exchange = new Http1Exchange(request, response, client, this.bodyWatch(), watch);
    const { maxHeaderFields } = this.limits;
    const refused =
      exchange.head.fields.length > maxHeaderFields ? tooManyFields(maxHeaderFields) : (malformed ?? problem);
    try {
      if (refused !== undefined) refuseRest(this.gateway, exchange, refused);
      else openRest(this.gateway, exchange);
    } catch (error) {
      const where = "while a request of HTTP/1.1 was taken over";
      answerBare(exchange, hubFault("the hub failed while it read the request", where, error));
    }
    exchange.start();
    // Refused before its body is asked for, or asked for it.
    if (asks && !response.headersSent) response.writeContinue();
  }

  /**
   * Takes no more connections, tells clients to leave, and resolves once all their calls have ended,
   * or after `graceMs`, when what is left is cut off.
   */
  async drain(graceMs: number): Promise<void> {
    this.draining = true;
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    const finishers = [...this.connections].map((connection) => connection.drain());
    const where = "while a listener was drained";
    const goaway = setTimeout(() => {
      for (const finish of finishers) attempt(where, finish);
      // Connections made ahead of need, on which nothing was ever asked.
      for (const socket of this.silent) socket.destroy();
      // HTTP/1.1 has no GOAWAY: until now a client could ask once more, and was told by `connection: close`.
      for (const connection of this.plain) attempt(where, () => connection.drain());
      this.http1.closeIdleConnections();
      idle = setInterval(() => this.http1.closeIdleConnections(), 50);
    }, GOAWAY_WAIT_MS);
    let idle: NodeJS.Timeout | undefined;
    const grace = setTimeout(() => this.destroyAll(), graceMs);
    await closed;
    this.tls?.close();
    clearTimeout(goaway);
    clearTimeout(grace);
    clearInterval(idle);
    this.http1.close();
  }

  private destroyAll(): void {
    for (const connection of [...this.connections])
      attempt("while a listener was closed", () => connection.destroy());
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

type Protocol = "http1" | "http2" | "tls" | "not-tls" | "neither";

/** The first byte of what a TLS client sends: a handshake, or an alert if it can't begin one (RFC 8446 §5.1). */
const TLS_RECORDS: ReadonlySet<number | undefined> = new Set([0x15, 0x16]);

/** What a client without ALPN speaks. */
function protocolOf(start: Buffer): Protocol | undefined {
  if (TLS_RECORDS.has(start[0])) return "tls";
  const length = Math.min(start.length, PREFACE.length);
  if (PREFACE.compare(start, 0, length, 0, length) === 0)
    return length === PREFACE.length ? "http2" : undefined;
  const http1 = beginsHttp1(start);
  return http1 === undefined ? undefined : http1 ? "http1" : "neither";
}

function tlsOrNot(start: Buffer): Protocol {
  return TLS_RECORDS.has(start[0]) ? "tls" : "not-tls";
}

const NEEDS_TLS = JSON.stringify({
  code: Code.INVALID_ARGUMENT,
  message: "this port speaks TLS: call it with https://, or a gRPC client with TLS credentials",
  details: [],
});

/** An answer for people, and for HTTP/1.1 clients; gRPC clients show it as what it is, no HTTP/2. */
function refuseClearText(socket: Socket): void {
  endAndLinger(
    socket,
    `HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: ${NEEDS_TLS.length}\r\n` +
      `connection: close\r\n\r\n${NEEDS_TLS}`,
  );
}

/** DATA that waits for slow peers, in the whole process: clients and services alike. */
export function waitingBytes(): number {
  return processSendMemory.bytes;
}
