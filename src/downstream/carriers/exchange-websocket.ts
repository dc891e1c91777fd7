// An Exchange whose request asks for a WebSocket (RFC 6455), over HTTP/1.1. Until it is accepted it is a plain HTTP
// request, so rejections (401, 404, 429, …) are responses that a program can read; then each message, in both
// directions, is a frame.
import { type IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import { barrier } from "../../kit/barrier.js";
import { type Field, field } from "../../kit/headers.js";
import { guarded } from "../../kit/net/guarded.js";
import type { TimerWheel } from "../../kit/timer-wheel.js";
import type { Client } from "../client/client.js";
import {
  type Exchange,
  type ExchangeHandler,
  type ExchangeHead,
  NO_HANDLER,
  type WebSocketUpgrade,
} from "./exchange.js";
import { fieldsOf, splitTarget } from "./exchange-node-http.js";
import { Heartbeat } from "./heartbeat.js";
import type { ResponseWatch } from "./response-watch.js";

const NO_BYTES = Buffer.alloc(0);
/** Read and not yet consumed by the service: the socket pauses here. */
const PAUSE_BYTES = 256 * 1024;
/** RFC 6455 §5.5: the room for a reason in a close frame. */
const MAX_REASON_BYTES = 123;
/** How long the client may take to respond to a close frame, once it was sent. */
const CLOSE_TIMEOUT_MS = 5_000;
/**
 * Keeps connections through proxies open, and detects clients that are gone: one that leaves a ping unanswered is
 * disconnected.
 */
const PING_MS = 30_000;

/** Policy violation (RFC 6455 §7.4.1). */
const POLICY = 1008;

/** Shared by all WebSockets of a listener. */
export class WebSockets {
  readonly timers: TimerWheel;
  /** How long a ping may be queued behind messages that the client has not read yet. */
  readonly stallMs: number;
  readonly #server: WebSocketServer;

  /** @param maxFrameBytes of one message of a client; beyond it the socket is closed with 1009. */
  constructor(maxFrameBytes: number, timers: TimerWheel, stallMs: number) {
    this.timers = timers;
    this.stallMs = stallMs;
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: maxFrameBytes,
      // Compression per message costs memory per socket, and mixes client data with secrets.
      perMessageDeflate: false,
    });
  }

  /** Responds to the handshake. undefined: it was malformed, and has got its response. */
  accept(request: IncomingMessage, socket: Socket, head: Buffer): WebSocket | undefined {
    let accepted: WebSocket | undefined;
    // Calls back before it returns.
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      accepted = webSocket;
    });
    return accepted;
  }
}

export class WebSocketExchange implements Exchange, WebSocketUpgrade {
  readonly head: ExchangeHead;
  handler: ExchangeHandler = NO_HANDLER;
  readonly maxHeaderListBytes = Number.POSITIVE_INFINITY;
  private readonly webSockets: WebSockets;
  private readonly request: IncomingMessage;
  private readonly socket: Socket;
  private readonly watch: ResponseWatch;
  private early: Buffer;
  private webSocket: WebSocket | undefined = undefined;
  private refusal: ServerResponse | undefined = undefined;
  private heartbeat: Heartbeat | undefined = undefined;
  /** When the unanswered ping was sent. Infinity: there is none. */
  private pingedAt = Number.POSITIVE_INFINITY;
  /** Messages were sent since the client last answered a ping: a slow one may have to read them first. */
  private wroteSince = false;
  private binary = false;
  private owed = 0;
  /** The client has announced that it sends nothing more. */
  private halfClosed = false;
  private finished = false;

  /** @param early what the client sent after its handshake. */
  constructor(
    webSockets: WebSockets,
    request: IncomingMessage,
    socket: Socket,
    early: Buffer,
    client: Client,
    watch: ResponseWatch,
  ) {
    this.watch = watch;
    this.webSockets = webSockets;
    this.request = request;
    this.socket = socket;
    this.early = early;
    const { target, authority } = splitTarget(request.url ?? "/");
    this.head = {
      version: "1.1",
      method: "GET",
      target,
      authority: authority ?? request.headers.host ?? "",
      fields: fieldsOf(request.rawHeaders).filter((f) => !f.name.startsWith("sec-websocket-")),
      client,
      ended: false,
      webSocket: this,
    };
    const onClosed = barrier(this.onSocketClosed, this.onFault);
    guarded(socket).once("close", onClosed);
    socket.on("error", onClosed);
  }

  get accepted(): boolean {
    return this.webSocket !== undefined;
  }

  private readonly onFault = (error: unknown): void => this.handler.onFault(error);

  private readonly onSocketClosed = (): void => {
    this.heartbeat?.stop();
    this.leave("the client closed the connection");
  };

  private leave(reason: string): void {
    if (this.finished) return;
    this.finished = true;
    this.handler.onGone(this.watch.reason ?? reason);
  }

  accept(binary: boolean): void {
    if (this.finished || this.webSocket !== undefined) return;
    const webSocket = this.webSockets.accept(this.request, this.socket, this.early);
    this.early = NO_BYTES;
    if (webSocket === undefined) {
      this.leave("the WebSocket handshake was wrong");
      return;
    }
    this.webSocket = webSocket;
    this.binary = binary;
    const { onFault } = this;
    const onFrame = (data: RawData, isBinary: boolean): void => this.onFrame(bufferOf(data), isBinary);
    const onClose = (): void => this.leave("the client closed the WebSocket");
    const onPong = (): void => {
      this.pingedAt = Number.POSITIVE_INFINITY;
      this.wroteSince = false;
    };
    // A malformed or too large frame: ws has closed with the corresponding code.
    webSocket.on(
      "error",
      barrier((error: Error) => this.leave(error.message), onFault),
    );
    webSocket.on("message", barrier(onFrame, onFault));
    webSocket.on("close", barrier(onClose, onFault));
    webSocket.on("pong", barrier(onPong, onFault));
    const ping = barrier(() => this.ping(), onFault);
    this.heartbeat = new Heartbeat(this.webSockets.timers, PING_MS, ping);
  }

  private ping(): void {
    const now = this.webSockets.timers.clock.now();
    if (this.pingedAt > now) {
      this.pingedAt = now;
      this.webSocket?.ping();
      return;
    }
    // The watch handles what is buffered here; what the system buffers for a slow client may take as long.
    const patienceMs = this.wroteSince ? this.webSockets.stallMs : 0;
    if (this.socket.writableLength > 0 || now - this.pingedAt < patienceMs) return;
    this.leave("the client answered no ping");
    this.socket.destroy();
  }

  private onFrame(data: Buffer, isBinary: boolean): void {
    if (this.finished) return;
    if (this.halfClosed) {
      this.close(POLICY, "a frame came after the empty one that ended the request");
      this.handler.onGone("a frame came after the end of the request");
      return;
    }
    if (data.length === 0 && !isBinary) {
      this.halfClosed = true;
      this.handler.onBody(NO_BYTES, 0, 0, true);
      return;
    }
    this.owed += data.length;
    if (this.owed > PAUSE_BYTES) this.webSocket?.pause();
    this.handler.onBody(data, 0, data.length, false);
  }

  consumed(bytes: number): void {
    this.owed -= bytes;
    if (this.owed <= PAUSE_BYTES && this.webSocket?.isPaused === true) this.webSocket.resume();
  }

  respond(status: number, fields: readonly Field[], end: boolean): void {
    // After the handshake HTTP has no place for response metadata.
    if (this.finished || this.webSocket !== undefined) return;
    this.refusal = guarded(new ServerResponse(this.request));
    this.refusal.assignSocket(this.socket);
    const raw: string[] = [];
    for (const f of [...fields, field("connection", "close")]) raw.push(f.name, f.value);
    this.refusal.writeHead(status, raw);
    if (end) this.endRefusal(NO_BYTES);
  }

  private endRefusal(body: Buffer): void {
    this.finished = true;
    this.refusal?.end(body, () => this.socket.end());
  }

  write(chunk: Buffer, start: number, end: number, last: boolean): void {
    if (this.finished) return;
    const bytes = chunk.subarray(start, end);
    if (this.refusal !== undefined) {
      if (last) this.endRefusal(bytes);
      else this.refusal.write(bytes);
      this.watch.wrote();
      return;
    }
    this.wroteSince = true;
    const onSent = barrier(() => this.handler.onSent(bytes.length), this.onFault);
    this.webSocket?.send(bytes, { binary: this.binary }, onSent);
    this.watch.wrote();
  }

  /** A rejection has no place for trailers: its body ends. */
  trailers(): void {
    if (!this.finished && this.refusal !== undefined) this.endRefusal(NO_BYTES);
  }

  close(code: number, reason: string): void {
    if (this.finished) return;
    this.finished = true;
    const { webSocket, socket } = this;
    if (webSocket === undefined) {
      socket.destroy();
      return;
    }
    try {
      webSocket.resume();
      webSocket.close(code, cut(reason, MAX_REASON_BYTES));
    } catch (error) {
      // It counts as finished: nothing else would end it.
      socket.destroy();
      throw error;
    }
    const timer = setInterval(() => {
      // Behind messages that a slow client has not read, for which the watch has its own timeout.
      if (socket.writableLength === 0) webSocket.terminate();
    }, CLOSE_TIMEOUT_MS);
    socket.once("close", () => clearInterval(timer));
  }

  reset(): void {
    this.finished = true;
    this.socket.destroy();
  }
}

function bufferOf(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}

/** At most this many bytes of UTF-8, without splitting a character. */
function cut(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return text;
  let end = maxBytes;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.toString("utf8", 0, end);
}
