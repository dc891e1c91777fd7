// The one port: looks at a connection's first bytes, and hands it to HTTP/2 or HTTP/1.1, each request to its adapter.
import {
  createServer as createHttpServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Peer } from "../core/call.js";
import type { Gateway } from "../core/gateway.js";
import { Connection } from "../http2/connection.js";
import { checkRequest } from "../http2/messages.js";
import { PREFACE } from "../http2/protocol.js";
import type { Stream } from "../http2/stream.js";
import type { ExchangeHandler } from "./exchange.js";
import { Http1Exchange } from "./exchange-http1.js";
import { Http2Exchange } from "./exchange-http2.js";
import { isGrpc, openGrpc, refuseHeaders } from "./grpc.js";
import { peerAddress } from "./peer.js";
import { openRest } from "./rest.js";

export interface ListenerOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly maxConcurrentStreams: number;
  /** Defaults: 10 s, 10 s, 60 s, 65 s. */
  readonly timeouts?: Partial<ListenerTimeouts>;
}

/** Milliseconds. Those of HTTP/1.1 requests are checked at least every second. */
export interface ListenerTimeouts {
  /** From the connection to the bytes that tell its protocol. */
  readonly firstBytesMs: number;
  /** From a request's first byte to the end of its head (HTTP/1.1). */
  readonly headersMs: number;
  /** From a request's first byte to its last (HTTP/1.1). */
  readonly requestMs: number;
  /** Between requests (HTTP/1.1). */
  readonly keepAliveMs: number;
}

/** A silent client is let go, and so is one that stalls in the midst of a request. */
const TIMEOUTS: ListenerTimeouts = {
  // HTTP/2 clients say their preface at once, gRPC channels that connect early too.
  firstBytesMs: 10_000,
  headersMs: 10_000,
  requestMs: 60_000,
  keepAliveMs: 65_000,
};
/** How often node:http looks for requests that stall. */
const CHECK_INTERVAL_MS = 1000;
const MAX_HEADER_BYTES = 64 * 1024;
/** How long drain waits for the PING that tells that the GOAWAY arrived. */
const GOAWAY_WAIT_MS = 1000;

/** For an exchange between its making and its adapter. */
const NOBODY: ExchangeHandler = { onBody() {}, onGone() {}, onSent() {} };

export class Listener {
  private readonly gateway: Gateway;
  private readonly options: ListenerOptions;
  private readonly server: Server;
  private readonly http1: HttpServer;
  private readonly timeouts: ListenerTimeouts;
  private readonly connections = new Set<Connection>();
  private readonly sockets = new Set<Socket>();
  /** Sockets that have not yet said which protocol they speak. */
  private readonly silent = new Set<Socket>();
  private draining = false;

  constructor(gateway: Gateway, options: ListenerOptions) {
    this.gateway = gateway;
    this.options = options;
    const timeouts = { ...TIMEOUTS, ...options.timeouts };
    this.timeouts = timeouts;
    this.server = createServer({ noDelay: true }, (socket) => this.onSocket(socket));
    this.http1 = createHttpServer({
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: timeouts.headersMs,
      requestTimeout: timeouts.requestMs,
      keepAliveTimeout: timeouts.keepAliveMs,
      connectionsCheckingInterval: Math.min(CHECK_INTERVAL_MS, timeouts.headersMs, timeouts.requestMs),
      noDelay: true,
    });
    this.http1.on("request", (request, response) => this.onRequest(request, response));
    // A server that never listens starts its timeout checks only on this event.
    this.http1.emit("listening");
  }

  /** Resolves with the bound address, e.g. `127.0.0.1:8080`. Rejects with the system's error. */
  listen(): Promise<string> {
    return new Promise((resolve, reject) => {
      this.server.once("error", reject);
      this.server.listen({ host: this.options.host, port: this.options.port, backlog: 1024 }, () => {
        this.server.removeListener("error", reject);
        const { address, port, family } = this.server.address() as AddressInfo;
        resolve(family === "IPv6" ? `[${address}]:${port}` : `${address}:${port}`);
      });
    });
  }

  /** Connections that are open now, by protocol. */
  get open(): { readonly http: number; readonly http2: number } {
    const http2 = this.connections.size;
    return { http: Math.max(0, this.sockets.size - http2), http2 };
  }

  private onSocket(socket: Socket): void {
    this.sockets.add(socket);
    this.silent.add(socket);
    const onError = (): void => {
      socket.destroy();
    };
    socket.on("error", onError);
    const timer = setTimeout(() => socket.destroy(), this.timeouts.firstBytesMs);
    socket.on("close", () => {
      clearTimeout(timer);
      this.sockets.delete(socket);
      this.silent.delete(socket);
    });
    let seen = 0;
    const onData = (chunk: Buffer): void => {
      const n = Math.min(PREFACE.length - seen, chunk.length);
      const http2 = PREFACE.compare(chunk, 0, n, seen, seen + n) === 0;
      seen += n;
      if (http2 && seen < PREFACE.length) {
        held.push(chunk);
        return;
      }
      clearTimeout(timer);
      this.silent.delete(socket);
      socket.removeListener("data", onData);
      socket.pause();
      held.push(chunk);
      // Last first, so that the bytes stand in their order again.
      for (const part of held.reverse()) socket.unshift(part);
      socket.removeListener("error", onError);
      if (http2) this.serveHttp2(socket);
      else this.serveHttp1(socket);
    };
    const held: Buffer[] = [];
    socket.on("data", onData);
  }

  private serveHttp1(socket: Socket): void {
    this.http1.emit("connection", socket);
    socket.resume();
  }

  private serveHttp2(socket: Socket): void {
    const peer: Peer = { address: peerAddress(socket), protocol: "grpc" };
    const connection: Connection = new Connection(
      socket,
      { role: "server", maxConcurrentStreams: this.options.maxConcurrentStreams },
      {
        onStream: (stream, block, end) => {
          if (block.tooLarge) {
            refuseHeaders(stream);
            return;
          }
          const head = checkRequest(block, end);
          if (typeof head === "string") return; // the connection has refused it before
          if (isGrpc(head)) openGrpc(this.gateway, stream, head, peer, end);
          else this.openHttp2(stream, new Http2Exchange(stream, head, peer.address, end, NOBODY));
        },
        onClose: () => this.connections.delete(connection),
      },
    );
    this.connections.add(connection);
    socket.resume();
    if (this.draining) connection.drain();
  }

  private openHttp2(stream: Stream, exchange: Http2Exchange): void {
    stream.handler = exchange;
    openRest(this.gateway, exchange);
  }

  private onRequest(request: IncomingMessage, response: ServerResponse): void {
    if (this.draining) response.setHeader("connection", "close");
    const exchange = new Http1Exchange(request, response, NOBODY);
    openRest(this.gateway, exchange);
    exchange.start();
  }

  /**
   * Takes no more connections, tells clients to leave, and resolves once all their calls have ended,
   * or after `graceMs`, when what is left is cut off.
   */
  async drain(graceMs: number): Promise<void> {
    this.draining = true;
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    const finishers = [...this.connections].map((connection) => connection.drain());
    const goaway = setTimeout(() => {
      for (const finish of finishers) finish();
      // Connections made ahead of need, on which nothing was ever asked.
      for (const socket of this.silent) socket.destroy();
    }, GOAWAY_WAIT_MS);
    this.http1.closeIdleConnections();
    const idle = setInterval(() => this.http1.closeIdleConnections(), 50);
    const grace = setTimeout(() => this.destroyAll(), graceMs);
    await closed;
    clearTimeout(goaway);
    clearTimeout(grace);
    clearInterval(idle);
    this.http1.close();
  }

  private destroyAll(): void {
    for (const connection of [...this.connections]) connection.destroy();
    for (const socket of this.sockets) socket.destroy();
  }

  /** Ends everything at once. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.destroyAll();
    this.http1.close();
    await closed;
  }
}
