// One gRPC call from a client: an exchange becomes two Sinks; messages are passed on unread.
import type { Call } from "../../../call/call.js";
import { type Gateway, visibleStatus } from "../../../call/gateway.js";
import type { Abort, Sink, Source } from "../../../call/sink.js";
import { hubFault } from "../../../call/status/hub-fault.js";
import { refusal } from "../../../call/status/reasons.js";
import { Code, Status } from "../../../call/status/status.js";
import { reportFault } from "../../../kit/faults.js";
import { type Field, field, type Headers } from "../../../kit/headers.js";
import type { Exchange, ExchangeHandler } from "../../carriers/exchange.js";
import { fitsHeaderListLimit, trimToHeaderListLimit } from "../../carriers/header-list-limit.js";
import { statusTrailers } from "./status-trailers.js";

const CONTENT_TYPE = field("content-type", "application/grpc");

const NO_BYTES = Buffer.alloc(0);

export class GrpcCall implements ExchangeHandler, Sink, Source {
  call: Call | undefined = undefined;
  private readonly gateway: Gateway;
  private readonly exchange: Exchange;
  private request: Sink | undefined = undefined;
  private response: Source | undefined = undefined;
  private headersSent = false;
  private ended = false;

  constructor(gateway: Gateway, exchange: Exchange) {
    this.gateway = gateway;
    this.exchange = exchange;
  }

  attach(request: Sink, end: boolean): void {
    this.request = request;
    request.open(this);
    // HEADERS with END_STREAM: a request without a message; the service decides what that means.
    if (end) request.data(NO_BYTES, 0, 0, true);
  }

  // ---------------------------------------------------------------- ExchangeHandler: from the client

  onBody(chunk: Buffer, start: number, end: number, last: boolean): void {
    if (this.ended) {
      this.exchange.consumed(end - start);
      return;
    }
    this.request?.data(chunk, start, end, last);
  }

  /** gRPC's streams may pause: their bodies have no timeout. */
  onStill(): void {}

  onGone(reason: string): void {
    this.ended = true;
    const status = new Status(Code.CANCELLED, `the client left: ${reason}`);
    this.request?.abort({ status, by: "client", sent: "maybe" });
  }

  onSent(bytes: number): void {
    this.response?.consumed(bytes);
  }

  /** One of these threw: the client gets a response, and the call ends. */
  onFault(error: unknown): void {
    const where = `while a gRPC call to ${this.call?.method.path ?? "?"} was served`;
    const status = hubFault("the hub failed while it served the call", where, error);
    const cause: Abort = { status, by: "hub", sent: "maybe" };
    this.abort(cause);
    this.request?.abort(cause);
  }

  // ---------------------------------------------------------------- Source: the request's credit

  consumed(bytes: number): void {
    this.exchange.consumed(bytes);
  }

  /** The call has ended: further input is dropped, and after the response the stream is reset. */
  cancel(): void {}

  // ---------------------------------------------------------------- Sink: to the client

  open(source: Source): void {
    this.response = source;
  }

  headers(headers: Headers, end: boolean): void {
    if (this.ended) return;
    const { maxHeaderListBytes } = this.exchange;
    let { fields } = headers;
    for (let i = 0; i < fields.length; i++) {
      if (fields[i]?.name !== "content-length") continue;
      fields = fields.filter((f) => f.name !== "content-length");
      break;
    }
    if (!fitsHeaderListLimit(maxHeaderListBytes, fields)) {
      if (!end) {
        this.cannotTake(maxHeaderListBytes);
        return;
      }
      fields = trimToHeaderListLimit(maxHeaderListBytes, fields);
    }
    this.exchange.respond(200, fields, end);
    // Not before: an exchange that threw has sent nothing.
    this.headersSent = true;
    if (end) this.ended = true;
  }

  data(chunk: Buffer, start: number, end: number, last: boolean): void {
    if (this.ended) return;
    this.exchange.write(chunk, start, end, last);
    if (last) this.ended = true;
  }

  trailers(headers: Headers): void {
    if (this.ended) return;
    this.exchange.trailers(headers.fields);
    this.ended = true;
  }

  /** The service's metadata are too large for this client. */
  private cannotTake(maxHeaderListBytes: number): void {
    const message = `the service's metadata are more than the ${maxHeaderListBytes} bytes that the client takes`;
    const cause: Abort = { status: refusal("ANSWER_HEADERS_TOO_LARGE", message), by: "hub", sent: "maybe" };
    this.request?.abort(cause);
    this.abort(cause);
  }

  abort({ status }: Abort): void {
    if (this.ended) return;
    try {
      this.tell(visibleStatus(this.call, status, this.gateway.edge.hints));
    } catch (error) {
      this.tellBare(status.code, error);
    }
  }

  /** The status could not be sent: send its code alone, or that there is a fault. */
  private tellBare(code: number, cause: unknown): void {
    const id = reportFault("while the end of a gRPC call was sent", cause);
    try {
      this.tell(new Status(code, `the hub failed while it sent the call's end (fault ${id})`));
    } catch {
      this.ended = true;
      this.exchange.reset();
    }
  }

  private tell(status: Status): void {
    const { exchange } = this;
    const { fields } = statusTrailers(status);
    if (this.headersSent) exchange.trailers(fields);
    else {
      const all: readonly Field[] = [CONTENT_TYPE, ...fields];
      exchange.respond(200, trimToHeaderListLimit(exchange.maxHeaderListBytes, all), true);
    }
    this.ended = true;
  }
}
