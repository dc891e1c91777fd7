// gRPC over HTTP/2 from clients: a stream becomes a Call and two Sinks; messages pass through unread.

import { Call } from "../../../call/call.js";
import { type Gateway, shownTo } from "../../../call/gateway.js";
import { isGrpcContentType } from "../../../call/grpc-content-type.js";
import { type Plan, run } from "../../../call/pipeline.js";
import { type Abort, refuse, type Sink, type Source } from "../../../call/sink.js";
import { hubFault } from "../../../call/status/hub-fault.js";
import { refusal } from "../../../call/status/reasons.js";
import { Code, encodeGrpcMessage, encodeStatusProto, Status } from "../../../call/status/status.js";
import type { ClientLimits } from "../../../config/listener-limits.js";
import type { RequestHead } from "../../../http2/frames/messages.js";
import type { Stream, StreamHandler, StreamReset } from "../../../http2/stream.js";
import { ErrorCode } from "../../../http2/wire/protocol.js";
import { reportFault } from "../../../kit/faults.js";
import { type Field, field, Headers } from "../../../kit/headers.js";
import { cut } from "../../../kit/text/text.js";
import { fits, fitting } from "../../carriers/fitting.js";
import type { Client } from "../../client/client.js";

const CONTENT_TYPE = "application/grpc";
const CONTENT_TYPE_FIELD = field("content-type", CONTENT_TYPE);

/** Whether a request is gRPC, by its content type. */
export function isGrpc({ fields }: { readonly fields: readonly Field[] }): boolean {
  for (let i = 0; i < fields.length; i++) {
    const f = fields[i];
    if (f?.name === "content-type") return isGrpcContentType(f.value);
  }
  return false;
}

/** Takes a gRPC request over. */
export function openGrpc(
  gateway: Gateway,
  stream: Stream,
  head: RequestHead,
  client: Client,
  end: boolean,
): void {
  const exchange = new GrpcExchange(gateway, stream);
  stream.handler = exchange;
  try {
    begin(gateway, exchange, head, client, end);
  } catch (error) {
    exchange.onFault(error);
  }
}

function begin(
  gateway: Gateway,
  exchange: GrpcExchange,
  head: RequestHead,
  client: Client,
  end: boolean,
): void {
  const isPost = head.method === "POST";
  const { snapshot } = gateway;
  const plan = isPost ? snapshot.planFor(head.path) : refusedMethod(gateway, head.method);
  const headers = new Headers(client.metadata(head.fields, head.authority, snapshot.http.metadata));
  const peer = client.peer("grpc", head.fields);
  const call = new Call(plan.method, head.path, head.authority, peer, headers, gateway.timers.clock.now());
  exchange.call = call;
  exchange.attach(run(plan, call, exchange, gateway.timers, gateway.calls), end);
}

/** Limits, the log and metrics are for it too. */
function refusedMethod({ snapshot }: Gateway, method: string): Plan {
  const message = `gRPC requests are POST, not ${cut(method, 20)}`;
  return { ...snapshot.planFor(""), handler: refuse(() => refusal("INVALID_GRPC_REQUEST", message)) };
}

const NO_BYTES = Buffer.alloc(0);

class GrpcExchange implements StreamHandler, Sink, Source {
  call: Call | undefined = undefined;
  private readonly gateway: Gateway;
  private readonly stream: Stream;
  private request: Sink | undefined = undefined;
  private response: Source | undefined = undefined;
  private headersSent = false;
  private ended = false;

  constructor(gateway: Gateway, stream: Stream) {
    this.gateway = gateway;
    this.stream = stream;
  }

  attach(request: Sink, end: boolean): void {
    this.request = request;
    request.open(this);
    // HEADERS with END_STREAM: a request without a message; the service says what it thinks of that.
    if (end) request.data(NO_BYTES, 0, 0, true);
  }

  // ---------------------------------------------------------------- StreamHandler: from the client

  onHeaders(): void {}

  onData(stream: Stream, chunk: Buffer, start: number, end: number, last: boolean): void {
    if (this.ended) {
      stream.consumed(end - start);
      return;
    }
    this.request?.data(chunk, start, end, last);
  }

  /** gRPC clients send no trailers, but HTTP/2 allows them: they end the request. */
  onTrailers(): void {
    this.request?.data(NO_BYTES, 0, 0, true);
  }

  onReset(_stream: Stream, reset: StreamReset): void {
    this.ended = true;
    const status = new Status(Code.CANCELLED, `the client left: ${reset.reason}`);
    this.request?.abort({ status, by: "client", sent: "maybe" });
  }

  onSent(bytes: number): void {
    this.response?.consumed(bytes);
  }

  /** One of these threw: the client is answered, and the call ends. */
  onFault(error: unknown): void {
    const where = `while a gRPC call to ${this.call?.method.path ?? "?"} was served`;
    const status = hubFault("the hub failed while it served the call", where, error);
    const cause: Abort = { status, by: "hub", sent: "maybe" };
    this.abort(cause);
    this.request?.abort(cause);
  }

  // ---------------------------------------------------------------- Source: the request's credit

  consumed(bytes: number): void {
    this.stream.consumed(bytes);
  }

  /** The call is over: what still comes is dropped, and the answer, once sent, resets the stream. */
  cancel(): void {}

  // ---------------------------------------------------------------- Sink: to the client

  open(source: Source): void {
    this.response = source;
  }

  headers(headers: Headers, end: boolean): void {
    if (this.ended) return;
    const { stream } = this;
    let { fields } = headers;
    if (!fits(stream, fields)) {
      if (!end) {
        this.cannotTake();
        return;
      }
      fields = fitting(stream, fields);
    }
    if (!stream.beginHeaders()) return;
    this.headersSent = true;
    stream.header(":status", "200", false);
    for (let i = 0; i < fields.length; i++) {
      const f = fields[i];
      if (f !== undefined && f.name !== "content-length") stream.header(f.name, f.value, f.sensitive);
    }
    stream.endHeaders(end);
    if (end) this.finish();
  }

  data(chunk: Buffer, start: number, end: number, last: boolean): void {
    if (this.ended) return;
    this.stream.sendData(chunk, start, end, last);
    if (last) this.finish();
  }

  trailers(headers: Headers): void {
    if (this.ended) return;
    this.stream.sendTrailers(fitting(this.stream, headers.fields));
    this.finish();
  }

  /** The service's metadata are too large for this client. */
  private cannotTake(): void {
    const { maxHeaderListBytes } = this.stream.connection;
    const message = `the service's metadata are more than the ${maxHeaderListBytes} bytes that the client takes`;
    const cause: Abort = { status: refusal("ANSWER_HEADERS_TOO_LARGE", message), by: "hub", sent: "maybe" };
    this.request?.abort(cause);
    this.abort(cause);
  }

  abort({ status }: Abort): void {
    if (this.ended) return;
    try {
      this.tell(shownTo(this.call, status, this.gateway.edge.hints));
    } catch (error) {
      this.tellBare(status.code, error);
    }
  }

  /** The status could not be told: its code alone is, or that something is wrong. */
  private tellBare(code: number, cause: unknown): void {
    const id = reportFault("while the end of a gRPC call was told", cause);
    try {
      this.tell(new Status(code, `the hub failed while it told of the call's end (fault ${id})`));
    } catch {
      this.ended = true;
      this.stream.reset(ErrorCode.INTERNAL_ERROR);
    }
  }

  private tell(status: Status): void {
    const { fields } = statusTrailers(status);
    const trailers = fitting(this.stream, this.headersSent ? fields : [CONTENT_TYPE_FIELD, ...fields]);
    if (this.headersSent) this.stream.sendTrailers(trailers);
    else if (this.stream.beginHeaders()) {
      this.stream.header(":status", "200", false);
      for (const f of trailers) this.stream.header(f.name, f.value, f.sensitive);
      this.stream.endHeaders(true);
    }
    this.finish();
  }

  private finish(): void {
    this.ended = true;
    this.stream.stopPeer();
  }
}

/** A status as trailers (gRPC over HTTP/2, "Responses"). */
export function statusTrailers(status: Status): Headers {
  const trailers = new Headers(status.metadata?.fields);
  trailers.set("grpc-status", String(status.code));
  if (status.message !== "") trailers.set("grpc-message", encodeGrpcMessage(status.message));
  if (status.details.length > 0) {
    const bytes = Buffer.from(encodeStatusProto(status));
    trailers.set("grpc-status-details-bin", bytes.toString("base64").replace(/={1,2}$/, ""));
  }
  return trailers;
}

/**
 * Refuses a stream whose headers were larger than the limit: 431 (RFC 6585 §5), or RESOURCE_EXHAUSTED where the fields
 * that were kept say that it is gRPC, whose clients make UNKNOWN of a 431.
 */
export function refuseHeaders(
  gateway: Gateway,
  stream: Stream,
  fields: readonly Field[],
  { maxHeaderFields, maxHeaderListBytes }: Pick<ClientLimits, "maxHeaderFields" | "maxHeaderListBytes">,
): void {
  const status = refusal(
    "HEADERS_TOO_LARGE",
    `the request has more than ${maxHeaderFields} header fields, or they are larger than ${maxHeaderListBytes} bytes together`,
  );
  refuseStream(gateway, stream, fields, status);
}

/** Answers a stream before there is a call: in gRPC or in JSON, by what its fields say that it is. */
export function refuseStream(
  gateway: Gateway,
  stream: Stream,
  fields: readonly Field[],
  status: Status,
): void {
  if (!stream.beginHeaders()) return;
  if (isGrpc({ fields })) {
    stream.header(":status", "200", false);
    stream.header("content-type", CONTENT_TYPE, false);
    for (const f of statusTrailers(status).fields) stream.header(f.name, f.value, f.sensitive);
    stream.endHeaders(true);
  } else {
    const body = Buffer.from(gateway.snapshot.rest.renderStatus(status));
    stream.header(":status", String(status.http), false);
    stream.header("content-type", "application/json", false);
    stream.header("x-content-type-options", "nosniff", false);
    stream.header("content-length", String(body.length), false);
    stream.endHeaders(false);
    stream.sendData(body, 0, body.length, true);
  }
  stream.stopPeer();
}
