// A listener's HTTP/1.1 connections: plain requests are read by carriers/http1, all others by node:http, whose server
// never listens itself. Each request becomes an exchange, which is passed to its protocol.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Gateway } from "../../call/gateway.js";
import { type Reason, refusal } from "../../call/status/reasons.js";
import type { Status } from "../../call/status/status.js";
import type { ClientLimits } from "../../config/listener-limits.js";
import type { SendMemory } from "../../http2/send-memory.js";
import { attempt, reportFault } from "../../kit/faults.js";
import { guarded } from "../../kit/net/guarded.js";
import type { TimerWheel } from "../../kit/timer-wheel.js";
import { BodyWatch } from "../carriers/body-watch.js";
import type { Exchange } from "../carriers/exchange.js";
import { NodeHttpExchange } from "../carriers/exchange-node-http.js";
import { Http1Connection, type Http1ConnectionOwner } from "../carriers/http1/connection.js";
import { UnreadExchange } from "../carriers/http1/unread-exchange.js";
import {
  guardHttp1,
  headProblem,
  TIMEOUT,
  tooManyFields,
  unknownExpectation,
} from "../carriers/http1-guards.js";
import { ResponseWatch } from "../carriers/response-watch.js";
import { Client } from "../client/client.js";
import type { Rejected } from "../client/rejected.js";
import type { LimitReports } from "./limit-reports.js";
import type { Requests } from "./requests.js";
import { takeUpgrades } from "./upgrades.js";

/** How often node:http checks for stalled requests. */
const CHECK_INTERVAL_MS = 1000;
/** How often a draining hub checks for connections that have become idle. */
const IDLE_INTERVAL_MS = 50;

/** State of an HTTP/1.1 connection, whichever parser reads it. */
interface Http1Peer {
  readonly client: Client;
  readonly watch: ResponseWatch;
  /** The request that node:http has read and that has no complete response yet. */
  current: ServerResponse | undefined;
  /** Pipelined requests behind it. */
  readonly waiting: Pipelined[];
}

interface Pipelined {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The client waits for 100 before it sends the body. */
  readonly asks: boolean;
  /** Why it is rejected from the start. */
  readonly problem?: Status;
}

export interface Http1ServerOptions {
  readonly gateway: Gateway;
  readonly requests: Requests;
  readonly limits: ClientLimits;
  readonly timers: TimerWheel;
  readonly memory: SendMemory;
  readonly rejected: Rejected;
  readonly reports: LimitReports;
  /** node:http reads plain requests too. */
  readonly allByNode: boolean;
}

export class Http1Server implements Http1ConnectionOwner {
  draining = false;
  readonly #options: Http1ServerOptions;
  readonly #server: Server;
  /** Those that we read ourselves. */
  readonly #connections = new Set<Http1Connection>();
  readonly #peers = new WeakMap<Duplex, Http1Peer>();
  #idle: NodeJS.Timeout | undefined = undefined;

  constructor(options: Http1ServerOptions) {
    this.#options = options;
    const { gateway, requests, limits, rejected } = options;
    const server = createServer({
      maxHeaderSize: limits.maxHeaderListBytes,
      headersTimeout: limits.headersMs,
      // A large body may take long, as long as it progresses: see BodyWatch.
      requestTimeout: 0,
      keepAliveTimeout: limits.http1IdleMs,
      connectionsCheckingInterval: Math.min(CHECK_INTERVAL_MS, limits.headersMs),
      noDelay: true,
      // A request without Host gets a response like others: `headProblem`.
      requireHostHeader: false,
    });
    this.#server = server;
    const onRequest = (pipelined: Pipelined): void =>
      this.#guard(pipelined.request.socket, () => this.#onRequest(pipelined));
    server.on("request", (request, response) => onRequest({ request, response, asks: false }));
    server.on("checkContinue", (request, response) => onRequest({ request, response, asks: true }));
    server.on("checkExpectation", (request, response) =>
      onRequest({ request, response, asks: false, problem: unknownExpectation() }),
    );
    takeUpgrades(server, gateway, requests, limits, (socket) => this.#peerOf(socket));
    guardHttp1(server, {
      limits,
      busy: (socket) => this.#isAnswering(socket),
      owes: (socket) => this.#peers.get(socket)?.current !== undefined,
      refused: (socket, reason, message) =>
        rejected.request(
          "1.1",
          reason,
          socket instanceof Socket ? this.#peerOf(socket).client.ip : "unknown",
          message,
        ),
      reject: (socket, status) => this.reject(socket, status),
    });
    // A server that never listens starts its timeout checks only on this event.
    server.emit("listening");
  }

  /** Takes a paused socket. */
  serve(socket: Socket): void {
    const { client, watch } = this.#peerOf(socket);
    const { timers, limits, allByNode } = this.#options;
    if (allByNode) this.onHandOver(socket);
    else this.#connections.add(new Http1Connection(socket, this, { client, watch, timers, limits }));
  }

  /** Responds without a request, and ends the connection. */
  reject(socket: Duplex, status: Status): void {
    if (!(socket instanceof Socket)) socket.destroy();
    else this.#options.requests.reject(new UnreadExchange(socket, this.#peerOf(socket).client), status);
  }

  #peerOf(socket: Socket): Http1Peer {
    let peer = this.#peers.get(socket);
    if (peer === undefined) {
      const { gateway, timers, limits, memory, reports } = this.#options;
      const client = new Client(gateway, socket);
      const watch = new ResponseWatch(socket, {
        timers,
        limits,
        memory,
        onPassed: (limit, reason) => reports.passed("http1", limit, "connection", reason, client),
      });
      peer = { client, watch, current: undefined, waiting: [] };
      this.#peers.set(socket, peer);
    }
    return peer;
  }

  /** An exception ends only that socket. */
  #guard(socket: Socket, step: () => void): void {
    try {
      guarded(socket);
      step();
    } catch (error) {
      socket.destroy();
      reportFault("while a connection was taken over; it was closed", error);
    }
  }

  // ---------------------------------------------------------------- Http1ConnectionOwner

  onExchange(exchange: Exchange): void {
    this.#options.requests.open(exchange);
  }

  onRejected(exchange: Exchange, status: Status): void {
    this.#options.requests.reject(exchange, status);
  }

  onHandOver(socket: Socket): void {
    this.#server.emit("connection", socket);
    socket.resume();
  }

  onTimeout(socket: Socket): void {
    const { ip } = this.#peerOf(socket).client;
    const [reason, message] = TIMEOUT;
    this.#options.rejected.request("1.1", reason, ip, "its head did not arrive in time");
    this.reject(socket, refusal(reason, message));
  }

  onBroken(socket: Socket, id: string): void {
    const reason: Reason = "HUB_FAULT";
    this.reject(socket, refusal(reason, `the hub failed while it read the request (fault ${id})`));
  }

  onClose(connection: Http1Connection): void {
    this.#connections.delete(connection);
  }

  // ---------------------------------------------------------------- requests read by node:http

  /** Whether bytes written now would end up within a response, or before an earlier one. */
  #isAnswering(socket: Duplex): boolean {
    const peer = this.#peers.get(socket);
    return peer !== undefined && (peer.waiting.length > 0 || peer.current?.headersSent === true);
  }

  #onRequest(pipelined: Pipelined): void {
    const { socket } = pipelined.request;
    // node:http continues with what it was given, even if the connection was closed meanwhile.
    if (socket.destroyed) {
      socket.pause();
      return;
    }
    const peer = this.#peerOf(socket);
    if (peer.current === undefined) {
      this.#serveNext(peer, pipelined);
      return;
    }
    const most = this.#options.limits.http1Pipelined;
    if (peer.waiting.push(pipelined) <= most) return;
    peer.waiting.length = 0;
    peer.watch.end("http1Pipelined", `more than ${most} requests wait for the answers before them`);
  }

  /** One at a time, as on connections of our own: a few bytes could request a thousand large responses at once. */
  #serveNext(peer: Http1Peer, { request, response, asks, problem }: Pipelined): void {
    peer.current = response;
    const onClose = (): void => {
      peer.current = undefined;
      const next = request.socket.destroyed ? undefined : peer.waiting.shift();
      if (next === undefined) peer.waiting.length = 0;
      else this.#serveNext(peer, next);
    };
    const { socket } = request;
    response.once("close", () => this.#guard(socket, onClose));
    const malformed = headProblem(request);
    // The sender of such a head may mean another request by the bytes that follow (RFC 9112 §11.2).
    if (this.draining || malformed !== undefined) response.setHeader("connection", "close");
    const { requests, timers, limits } = this.#options;
    const { maxHeaderFields, bodyMs } = limits;
    const bodyWatch = new BodyWatch(timers, bodyMs);
    const exchange = new NodeHttpExchange(request, response, peer.client, bodyWatch, peer.watch);
    const refused =
      exchange.head.fields.length > maxHeaderFields ? tooManyFields(maxHeaderFields) : (malformed ?? problem);
    if (refused !== undefined) requests.refuse(exchange, refused);
    else requests.open(exchange);
    exchange.start();
    // Rejected before its body is requested (100-continue), or its body requested.
    if (asks && !response.headersSent) response.writeContinue();
  }

  // ---------------------------------------------------------------- how it ends

  /** There is no GOAWAY: a client may send one more request, and gets `connection: close`. */
  drain(): void {
    this.draining = true;
  }

  /** Closes idle connections, and those that become idle from now on. */
  closeIdle(): void {
    for (const connection of this.#connections)
      attempt("while a listener was drained", () => connection.drain());
    this.#server.closeIdleConnections();
    this.#idle = setInterval(() => this.#server.closeIdleConnections(), IDLE_INTERVAL_MS);
  }

  close(): void {
    clearInterval(this.#idle);
    this.#server.close();
  }
}
