// HTTP/1.1 requests with Upgrade: a WebSocket becomes an exchange; any other upgrade is ignored (RFC 9110 §7.8: a
// server may ignore Upgrade).
import type { IncomingMessage, Server } from "node:http";
import { Socket } from "node:net";
import type { Gateway } from "../../call/gateway.js";
import { refusal } from "../../call/status/reasons.js";
import type { Status } from "../../call/status/status.js";
import { maxTextBytes } from "../../call/transcoding.js";
import type { ClientLimits } from "../../config/listener-limits.js";
import { field, Headers } from "../../kit/headers.js";
import { cut } from "../../kit/text/text.js";
import { WebSocketExchange, WebSockets } from "../carriers/exchange-websocket.js";
import { headProblem, onSocketEvent } from "../carriers/http1-guards.js";
import type { ResponseWatch } from "../carriers/response-watch.js";
import { unread, wholeReads } from "../carriers/short-reads.js";
import type { Client } from "../client/client.js";
import type { Requests } from "./requests.js";

/** Version of the handshake; a server that does not support the client's sends its own (RFC 6455 §4.2.2). */
const VERSION = "13";
const SPOKEN = new Headers([field("sec-websocket-version", VERSION), field("upgrade", "websocket")]);

/** The client of a socket. */
export interface Peer {
  readonly client: Client;
  readonly watch: ResponseWatch;
  /** Set: a response must be completed before this request. */
  readonly current: object | undefined;
}

/** Handles the server's upgrades. */
export function takeUpgrades(
  server: Server,
  gateway: Gateway,
  requests: Requests,
  limits: Pick<ClientLimits, "stallMs">,
  peerOf: (socket: Socket) => Peer,
): void {
  const webSockets = new WebSockets(maxTextBytes(gateway.maxMessageBytes), gateway.timers, limits.stallMs);
  onSocketEvent(server, "upgrade", (request: IncomingMessage, socket, early: Buffer) => {
    const peer = socket instanceof Socket ? peerOf(socket) : undefined;
    // No client requests another protocol before it has the responses to its earlier requests.
    if (!(socket instanceof Socket) || peer === undefined || peer.current !== undefined) {
      socket.destroy();
      return;
    }
    if (!isWebSocket(request)) {
      replay(server, request, socket, early);
      return;
    }
    wholeReads(socket);
    const { client, watch } = peer;
    const exchange = new WebSocketExchange(webSockets, request, socket, early, client, watch);
    const problem = headProblem(request) ?? problemOf(request, gateway);
    if (problem === undefined) requests.open(exchange);
    else requests.refuse(exchange, problem);
  });
}

/** A handshake (RFC 6455 §4.2.1) as every client sends it; similar requests are served as plain HTTP. */
function isWebSocket({ method, headers }: IncomingMessage): boolean {
  return (
    method === "GET" &&
    headers.upgrade?.toLowerCase() === "websocket" &&
    headers["sec-websocket-version"] !== undefined &&
    /^[+/0-9A-Za-z]{22}==$/.test(headers["sec-websocket-key"] ?? "")
  );
}

/**
 * A page of another site may open a WebSocket without a preflight, and the browser sends its cookies; only the Origin
 * field shows it (RFC 6455 §10.2). Programs other than browsers send none.
 */
function problemOf(request: IncomingMessage, gateway: Gateway): Status | undefined {
  const { webSocketOrigins } = gateway.edge;
  if (webSocketOrigins === undefined) return refusal("INVALID_REQUEST", "WebSockets are switched off here");
  const version = request.headers["sec-websocket-version"];
  if (version !== VERSION) {
    const message = `WebSockets are version ${VERSION} here (RFC 6455), got '${cut(version ?? "none", 20)}'`;
    return refusal("INVALID_REQUEST", message, { http: 426, metadata: SPOKEN });
  }
  const { origin } = request.headers;
  if (origin === undefined || webSocketOrigins.includes("*") || webSocketOrigins.includes(origin))
    return undefined;
  if (sameHost(origin, request.headers.host)) return undefined;
  const message = `pages of ${cut(origin, 100)} may not open WebSockets here: http.webSocket.origins would have to name it`;
  return refusal("ORIGIN_NOT_ALLOWED", message);
}

function sameHost(origin: string, host: string | undefined): boolean {
  try {
    return host !== undefined && new URL(origin).host === host.toLowerCase();
  } catch {
    return false;
  }
}

/** The request once more, without its wish to upgrade: node's parser has stopped at its head. */
function replay(server: Server, request: IncomingMessage, socket: Socket, early: Buffer): void {
  const lines = [`${request.method} ${request.url} HTTP/${request.httpVersion}`];
  const raw = request.rawHeaders;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? "";
    if (!/^(?:upgrade|http2-settings|connection)$/i.test(name)) lines.push(`${name}: ${raw[i + 1] ?? ""}`);
  }
  const kept = (request.headers.connection ?? "")
    .split(",")
    .map((option) => option.trim())
    .filter((option) => option !== "" && !/^(?:upgrade|http2-settings)$/i.test(option));
  if (kept.length > 0) lines.push(`Connection: ${kept.join(", ")}`);
  unread(socket, Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), early]));
  server.emit("connection", socket);
  socket.resume();
}
