// A listener's HTTP/2 connections: each stream becomes an exchange, which is passed to its protocol.

import type { Socket } from "node:net";
import type { Gateway } from "../../call/gateway.js";
import { hubFault } from "../../call/status/hub-fault.js";
import { refusal } from "../../call/status/reasons.js";
import type { ClientLimits } from "../../config/listener-limits.js";
import { Connection } from "../../http2/connection.js";
import { checkRequest } from "../../http2/frames/messages.js";
import type { HeaderBlock } from "../../http2/hpack/decoder.js";
import type { SendMemory } from "../../http2/send-memory.js";
import type { Stream } from "../../http2/stream.js";
import { errorName } from "../../http2/wire/protocol.js";
import { attempt, reportFault } from "../../kit/faults.js";
import type { Field } from "../../kit/headers.js";
import type { Meters } from "../../kit/meters.js";
import type { TimerWheel } from "../../kit/timer-wheel.js";
import { BodyWatch } from "../carriers/body-watch.js";
import type { ExchangeHead } from "../carriers/exchange.js";
import { Http2Exchange } from "../carriers/exchange-http2.js";
import { Client } from "../client/client.js";
import type { Rejected } from "../client/rejected.js";
import type { LimitReports } from "./limit-reports.js";
import type { Requests } from "./requests.js";

export interface Http2ServerOptions {
  readonly gateway: Gateway;
  readonly requests: Requests;
  readonly limits: ClientLimits;
  readonly timers: TimerWheel;
  readonly memory: SendMemory;
  readonly meters: Meters;
  readonly rejected: Rejected;
  readonly reports: LimitReports;
}

export class Http2Server {
  readonly #options: Http2ServerOptions;
  readonly #connections = new Set<Connection>();
  #draining = false;

  constructor(options: Http2ServerOptions) {
    this.#options = options;
  }

  /** Connections that are open. */
  get size(): number {
    return this.#connections.size;
  }

  /** Takes a paused socket. */
  serve(socket: Socket): void {
    const { gateway, limits, timers, memory, reports, rejected } = this.#options;
    const client = new Client(gateway, socket);
    const connection: Connection = new Connection(
      socket,
      { role: "server", limits, clock: timers.clock, memory },
      {
        onStream: (stream, block, end) => this.#onStream(client, stream, block, end),
        onClose: () => this.#connections.delete(connection),
        onLimit: (limit, ends, reason) => reports.passed("http2", limit, ends, reason, client),
        onMalformed: (ends, code, reason) =>
          rejected.request("2", ends === "stream" ? "BAD_HTTP" : errorName(code), client.ip, reason),
        onFault: (error) => this.#onFault(error, client),
      },
    );
    this.#connections.add(connection);
    socket.resume();
    if (this.#draining) connection.drain();
  }

  #onStream(client: Client, stream: Stream, block: HeaderBlock, end: boolean): void {
    try {
      this.#take(client, stream, block, end);
    } catch (error) {
      const where = "while a stream of HTTP/2 was taken over";
      const status = hubFault("the hub failed while it read the request", where, error);
      this.#options.requests.reject(new Http2Exchange(stream, unreadHead(client, block.fields)), status);
    }
  }

  #take(client: Client, stream: Stream, block: HeaderBlock, ended: boolean): void {
    const { requests, limits, timers, rejected } = this.#options;
    if (block.tooLarge) {
      rejected.request("2", "HEADERS_TOO_LARGE", client.ip, "its head is larger than the limits");
      const { maxHeaderFields, maxHeaderListBytes } = limits;
      const message = `the request has more than ${maxHeaderFields} header fields, or they are larger than ${maxHeaderListBytes} bytes together`;
      const exchange = new Http2Exchange(stream, unreadHead(client, block.fields));
      requests.reject(exchange, refusal("HEADERS_TOO_LARGE", message));
      return;
    }
    const read = checkRequest(block, ended);
    if (typeof read === "string") return; // the connection has refused it before
    const { method, path: target, authority, fields } = read;
    const exchange = new Http2Exchange(stream, {
      version: "2",
      method,
      target,
      authority,
      fields,
      client,
      ended,
    });
    const protocol = requests.protocolOf(exchange.head);
    if (!ended && !protocol.pauses) exchange.time(new BodyWatch(timers, limits.bodyMs));
    requests.open(exchange, protocol);
  }

  /** A bug of ours: its stream or connection has ended. */
  #onFault(error: unknown, client: Client): void {
    this.#options.meters
      .counter("linchpin.http2.faults", "Errors of the hub while it served HTTP/2: please report them.")
      .add();
    reportFault(`while it served ${client.ip} over HTTP/2`, error);
  }

  /** Asks clients to leave. Returns a function that announces the last stream to those that have not left yet. */
  drain(): () => void {
    this.#draining = true;
    const finishers = [...this.#connections].map((connection) => connection.drain());
    return () => {
      for (const finish of finishers) attempt("while a listener was drained", finish);
    };
  }

  destroy(): void {
    for (const connection of [...this.#connections])
      attempt("while a listener was closed", () => connection.destroy());
  }
}

/** The known part of a request whose head was not read to its end. */
function unreadHead(client: Client, fields: readonly Field[]): ExchangeHead {
  return { version: "2", method: "", target: "", authority: "", fields, client, ended: true };
}
