// An Exchange over node:http's request and response (HTTP/1.1 is parsed by node: request smuggling is not ours to invent).
import type { IncomingMessage, ServerResponse } from "node:http";
import { TLSSocket } from "node:tls";
import { barrier } from "../../kit/barrier.js";
import { type Field, field } from "../../kit/headers.js";
import type { Client } from "../client/client.js";
import type { BodyWatch } from "./body-watch.js";
import { type Exchange, type ExchangeHandler, type ExchangeHead, NO_HANDLER } from "./exchange.js";
import type { ResponseWatch } from "./response-watch.js";

const NO_BYTES = Buffer.alloc(0);
/** node:http pauses here; reading continues once the handler has consumed its bytes. */
const PAUSE_BYTES = 256 * 1024;
/** How long the rest of a body is read and dropped after its response: closing at once could lose the response. */
const LINGER_MS = 1000;

export class NodeHttpExchange implements Exchange {
  readonly head: ExchangeHead;
  handler: ExchangeHandler = NO_HANDLER;
  readonly maxHeaderListBytes = Number.POSITIVE_INFINITY;
  private readonly request: IncomingMessage;
  private readonly response: ServerResponse;
  private readonly watch: BodyWatch;
  private readonly responseWatch: ResponseWatch;
  private owed = 0;
  private finished = false;
  private lingers = false;
  private gone = false;

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    client: Client,
    watch: BodyWatch,
    responseWatch: ResponseWatch,
  ) {
    this.watch = watch;
    this.responseWatch = responseWatch;
    this.request = request;
    this.response = response;
    const { target, authority } = splitTarget(request.url ?? "/");
    this.head = {
      version: request.httpVersionMinor === 0 ? "1.0" : "1.1",
      method: request.method ?? "GET",
      target,
      authority: authority ?? request.headers.host ?? "",
      fields: fieldsOf(request.rawHeaders),
      client,
      ended: !hasBody(request),
    };
  }

  /** Starts reading the body; the handler must be in place. */
  start(): void {
    const { request, response, onFault } = this;
    const onClose = (): void => {
      if (!this.finished) this.leave("the client closed the connection");
    };
    const onError = barrier((error: Error) => this.leave(error.message), onFault);
    response.on("close", barrier(onClose, onFault));
    request.on("error", onError);
    response.on("error", onError);
    if (this.head.ended) {
      request.resume();
      return;
    }
    this.watch.start(() => this.handler.onStill());
    const onData = (chunk: Buffer): void => {
      this.watch.came(chunk.length);
      this.owed += chunk.length;
      if (this.owed > PAUSE_BYTES) request.pause();
      this.handler.onBody(chunk, 0, chunk.length, false);
    };
    const onEnd = (): void => {
      this.watch.stop();
      this.handler.onBody(NO_BYTES, 0, 0, true);
    };
    request.on("data", barrier(onData, onFault));
    request.on("end", barrier(onEnd, onFault));
  }

  private readonly onFault = (error: unknown): void => {
    this.watch.stop();
    this.handler.onFault(error);
  };

  private leave(reason: string): void {
    if (this.gone) return;
    this.gone = true;
    this.watch.stop();
    this.handler.onGone(this.responseWatch.reason ?? reason);
  }

  consumed(bytes: number): void {
    this.owed -= bytes;
    this.watch.taken(bytes);
    if (this.owed <= PAUSE_BYTES && this.request.isPaused()) this.request.resume();
  }

  respond(status: number, fields: readonly Field[], end: boolean): void {
    // From here on the pace is that of the conversation.
    this.watch.stop();
    if (this.gone || this.response.headersSent) return;
    const raw: string[] = [];
    for (const f of fields) raw.push(f.name, f.value);
    // A response before the whole body was read: the rest is not worth reading, so the connection is closed.
    if (!this.request.complete && !this.head.ended) {
      raw.push("connection", "close");
      this.lingers = true;
    }
    this.response.writeHead(status, raw);
    if (end) this.end(undefined);
  }

  write(chunk: Buffer, start: number, end: number, last: boolean): void {
    if (this.gone) return;
    const bytes = chunk.subarray(start, end);
    if (last) {
      this.end(bytes);
      return;
    }
    this.response.write(
      bytes,
      barrier(() => this.handler.onSent(bytes.length), this.onFault),
    );
    this.responseWatch.wrote();
  }

  trailers(fields: readonly Field[]): void {
    if (this.gone) return;
    if (this.response.chunkedEncoding)
      this.response.addTrailers(fields.map((f): [string, string] => [f.name, f.value]));
    this.end(undefined);
  }

  private end(chunk: Buffer | undefined): void {
    this.finished = true;
    const { request, response } = this;
    if (!this.lingers || request.complete) {
      if (chunk === undefined || chunk.length === 0) response.end();
      else response.end(chunk);
      this.responseWatch.wrote();
      return;
    }
    // The client has the whole response now. Closing a socket with unread bytes resets it, and loses data in flight.
    if (chunk === undefined || chunk.length === 0) response.flushHeaders();
    else response.write(chunk);
    this.responseWatch.wrote();
    const timer = setTimeout(() => response.end(), LINGER_MS);
    request.once("end", () => response.end());
    response.once("close", () => clearTimeout(timer));
  }

  reset(): void {
    this.watch.stop();
    this.finished = true;
    const { socket } = this.request;
    // A body of HTTP/1.0 ends with its connection: only a reset shows that it is incomplete. (TLS shows it by itself.)
    const tells =
      this.head.version === "1.0" && !(socket instanceof TLSSocket) && socket.remotePort !== undefined;
    if (tells) socket.resetAndDestroy();
    else this.response.destroy();
  }
}

/** A target in absolute form (RFC 9112 §3.2.2) contains the authority, and overrides Host. */
export function splitTarget(url: string): { target: string; authority: string | undefined } {
  const match = /^https?:\/\/([^/?#]*)([^#]*)/i.exec(url);
  if (match === null) return { target: url, authority: undefined };
  const rest = match[2] ?? "";
  return { target: rest.startsWith("/") ? rest : `/${rest}`, authority: match[1] };
}

function hasBody(request: IncomingMessage): boolean {
  const length = request.headers["content-length"];
  return request.headers["transfer-encoding"] !== undefined || (length !== undefined && length !== "0");
}

export function fieldsOf(raw: readonly string[]): Field[] {
  const fields: Field[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i];
    const value = raw[i + 1];
    if (name !== undefined && value !== undefined) fields.push(field(name.toLowerCase(), value));
  }
  return fields;
}
