// HTTP/JSON from clients, over HTTP/1.1 and HTTP/2: an exchange becomes a Call; messages are read and written
// by the transcoder that the snapshot carries.
import { Call, type HttpRequestInfo } from "../core/call.js";
import type { Framing } from "../core/framing.js";
import { type Gateway, mayKnow, type Snapshot, shownTo } from "../core/gateway.js";
import { type Field, field, Headers } from "../core/headers.js";
import { frameMessage, MessageSplitter } from "../core/messages.js";
import { run } from "../core/pipeline.js";
import { refusal } from "../core/reasons.js";
import type { RestMatch, RestMiss } from "../core/rest.js";
import { type Abort, deferred, type Sink, type Source } from "../core/sink.js";
import { Code, Status, statusFromTrailers } from "../core/status.js";
import type { Exchange, ExchangeHandler } from "./exchange.js";
import { metadataFromRequest, responseFields, trailerFields } from "./rest-headers.js";

/** Printed output that may wait for a slow client before the service is held back. */
const MAX_UNSENT_BYTES = 64 * 1024;
/** JSON is longer than the message it stands for: bytes grow by a third in base64, and names are spelled out. */
const JSON_GROWTH = 2;
const NO_BYTES = Buffer.alloc(0);

/** Takes an HTTP request over. The returned handler is already set on the exchange. */
export function openRest(gateway: Gateway, exchange: Exchange): void {
  const { method, target, client, fields } = exchange.head;
  const snapshot = gateway.snapshot;
  const answer = new RestExchange(gateway, snapshot, exchange);
  exchange.handler = answer;
  const match = snapshot.rest.match(method, target);
  if (match.kind === "miss") {
    const allow = match.allow.length > 0 ? [field("allow", match.allow.join(", "))] : [];
    // Nobody has proved who they are yet.
    const knows = mayKnow(gateway.edge.hints, client.peer("rest", fields), undefined);
    answer.refuse(knows ? withHints(match) : match.status, allow);
    return;
  }
  answer.begin(match);
}

/** Answers a request that is not looked at any further. */
export function refuseRest(gateway: Gateway, exchange: Exchange, status: Status): void {
  const answer = new RestExchange(gateway, gateway.snapshot, exchange);
  exchange.handler = answer;
  answer.refuse(status, []);
}

function tooLarge(what: string, maxBytes: number): Status {
  const info = { limit: String(maxBytes) };
  return refusal("MESSAGE_TOO_LARGE", `the ${what} is larger than the limit of ${maxBytes} bytes`, { info });
}

function withHints(miss: RestMiss): Status {
  const { code, message, details, http } = miss.status;
  const hints = miss.hints();
  if (hints.length === 0) return miss.status;
  return new Status(code, `${message}; the nearest are: ${hints.join(", ")}`, { details, http });
}

class RestExchange implements ExchangeHandler, Sink, Source {
  private readonly gateway: Gateway;
  private readonly snapshot: Snapshot;
  private readonly exchange: Exchange;
  private match: RestMatch | undefined = undefined;
  private info: HttpRequestInfo | undefined = undefined;
  private framing: Framing | undefined = undefined;
  private streaming = false;

  private call: Call | undefined = undefined;
  private request: Sink | undefined = undefined;
  private body: Buffer[] = [];
  private bodyBytes = 0;

  private response: Source | undefined = undefined;
  private metadata: Headers | undefined = undefined;
  private splitter: MessageSplitter | undefined = undefined;
  private message: Buffer | undefined = undefined;
  private messages = 0;
  private headSent = false;
  private ended = false;
  /** Printed and written, not yet taken by the connection. */
  private unsent = 0;
  /** Read from the service, and not given back because the client is slow. */
  private owed = 0;

  constructor(gateway: Gateway, snapshot: Snapshot, exchange: Exchange) {
    this.gateway = gateway;
    this.snapshot = snapshot;
    this.exchange = exchange;
  }

  refuse(status: Status, fields: readonly Field[]): void {
    this.answerStatus(status, fields);
  }

  begin(match: RestMatch): void {
    const { head } = this.exchange;
    const { kind, path } = match.method;
    this.match = match;
    this.streaming = kind === "server_streaming";
    if (kind === "client_streaming" || kind === "bidi_streaming") {
      const message = `${path.slice(1)} takes a stream of requests, which HTTP/JSON cannot carry here: call it by gRPC`;
      this.answerStatus(refusal("CLIENT_STREAMING_NEEDS_GRPC", message), []);
      return;
    }
    const framing = this.snapshot.framing(this.header("accept"), this.streaming);
    if (framing instanceof Status) {
      this.answerStatus(framing, []);
      return;
    }
    this.framing = framing;
    // node:http and the HTTP/2 engine have checked that it is a number.
    const max = this.gateway.maxMessageBytes * JSON_GROWTH;
    if (Number(this.header("content-length") ?? 0) > max) {
      this.answerStatus(tooLarge("body", max), []);
      return;
    }
    const metadata = metadataFromRequest(head.fields);
    if (metadata instanceof Status) {
      this.answerStatus(metadata, []);
      return;
    }
    const plan = this.snapshot.planFor(path);
    const clock = this.gateway.timers.clock;
    for (const f of head.client.forwarding(head.fields, head.authority)) metadata.append(f.name, f.value);
    const peer = head.client.peer("rest", head.fields);
    const call = new Call(plan.method, path, head.authority, peer, metadata, clock.now());
    this.info = {
      method: head.method,
      route: match.route,
      path: head.target.split("?", 1)[0] ?? "",
      status: 0,
    };
    call.http = this.info;
    this.call = call;
    // The steps run now; the service is called once the body has been read and found right.
    const request = run({ ...plan, handler: deferred(plan.handler) }, call, this, this.gateway.timers);
    this.request = request;
    request.open(this);
    if (head.ended) this.onBody(NO_BYTES, 0, 0, true);
  }

  private header(name: string): string | undefined {
    return this.exchange.head.fields.find((f) => f.name === name)?.value;
  }

  // ---------------------------------------------------------------- ExchangeHandler: from the client

  onBody(chunk: Buffer, start: number, end: number, last: boolean): void {
    this.exchange.consumed(end - start);
    if (this.ended || this.match === undefined) return;
    this.bodyBytes += end - start;
    const max = this.gateway.maxMessageBytes;
    if (this.bodyBytes > max * JSON_GROWTH) {
      this.reject(tooLarge("body", max * JSON_GROWTH));
      return;
    }
    if (end > start) this.body.push(chunk.subarray(start, end));
    if (!last) return;
    const body =
      this.body.length === 1 ? (this.body[0] ?? NO_BYTES) : Buffer.concat(this.body, this.bodyBytes);
    this.body = [];
    const message = this.match.encodeRequest(body, this.header("content-type"));
    if (message instanceof Status) {
      this.reject(message);
      return;
    }
    if (message.length > max) {
      this.reject(tooLarge("message", max));
      return;
    }
    const frame = frameMessage(message);
    this.request?.data(frame, 0, frame.length, true);
  }

  /** The request was wrong: the client is told, and the call's steps end. */
  private reject(status: Status): void {
    this.body = [];
    this.answerStatus(status, []);
    this.request?.abort({ status, by: "client", sent: "never" });
  }

  onGone(reason: string): void {
    if (this.ended) return;
    this.ended = true;
    const status = new Status(Code.CANCELLED, `the client left: ${reason}`);
    this.request?.abort({ status, by: "client", sent: "maybe" });
  }

  onSent(bytes: number): void {
    this.unsent -= bytes;
    if (this.unsent > MAX_UNSENT_BYTES || this.owed === 0) return;
    const owed = this.owed;
    this.owed = 0;
    this.response?.consumed(owed);
  }

  // ---------------------------------------------------------------- Source: the request's credit

  /** The body was given back as it came. */
  consumed(): void {}
  cancel(): void {}

  // ---------------------------------------------------------------- Sink: the service's answer

  open(source: Source): void {
    this.response = source;
  }

  headers(headers: Headers, end: boolean): void {
    if (this.ended) return;
    this.metadata = headers;
    if (end) {
      this.finish(headers, []);
      return;
    }
    this.splitter = new MessageSplitter(this.gateway.maxMessageBytes, headers.get("grpc-encoding"));
  }

  data(chunk: Buffer, start: number, end: number): void {
    if (this.ended) return;
    const problem = this.splitter?.push(chunk, start, end, this.onMessage);
    if (this.ended) return;
    if (problem !== undefined) {
      this.fail(problem);
      return;
    }
    if (this.unsent > MAX_UNSENT_BYTES) this.owed += end - start;
    else this.response?.consumed(end - start);
  }

  private readonly onMessage = (message: Buffer): void => {
    if (this.ended) return;
    this.messages++;
    if (this.streaming) {
      const json = this.print(message);
      if (json === undefined) return;
      this.sendHead();
      if (this.ended) {
        // HEAD: the fields were all that was asked for.
        const status = new Status(Code.CANCELLED, "HEAD wants no messages");
        this.request?.abort({ status, by: "client", sent: "maybe" });
        return;
      }
      this.write(this.framing?.message(json, this.messages === 1) ?? json);
      return;
    }
    if (this.messages > 1)
      this.fail(
        refusal("UPSTREAM_PROTOCOL_ERROR", "the service sent more than one message for a unary call", {
          code: Code.INTERNAL,
        }),
      );
    else this.message = message;
  };

  private print(message: Buffer): string | undefined {
    const printed = this.match?.decodeResponse(message);
    if (printed instanceof Status) {
      this.fail(printed);
      return undefined;
    }
    const body = printed?.body ?? "";
    return typeof body === "string" ? body : Buffer.from(body).toString("utf8");
  }

  trailers(headers: Headers): void {
    if (!this.ended) this.finish(headers, trailerFields(headers, "grpc-trailer-"));
  }

  abort(cause: Abort): void {
    if (!this.ended) this.answerStatus(cause.status, []);
  }

  /** The service's answer is complete. `fields` are its trailing metadata as header fields. */
  private finish(trailers: Headers, fields: readonly Field[]): void {
    const status = statusFromTrailers(trailers);
    if (status.code !== Code.OK) {
      this.answerStatus(status, fields);
      return;
    }
    if (this.splitter?.atBoundary === false) {
      this.answerStatus(
        refusal("UPSTREAM_PROTOCOL_ERROR", "the service's last message was cut short", {
          code: Code.INTERNAL,
        }),
        [],
      );
      return;
    }
    if (this.streaming) {
      this.sendHead();
      if (this.ended) return;
      this.ended = true;
      const tail = this.framing?.tail(undefined, this.messages === 0) ?? "";
      if (tail !== "") this.exchange.write(Buffer.from(tail), false);
      this.endStream(trailers);
      return;
    }
    if (this.message === undefined) {
      this.answerStatus(
        refusal("UPSTREAM_PROTOCOL_ERROR", "the service ended a unary call without a message", {
          code: Code.INTERNAL,
        }),
        [],
      );
      return;
    }
    this.answerUnary(this.message, fields);
  }

  private answerUnary(message: Buffer, trailers: readonly Field[]): void {
    const printed = this.match?.decodeResponse(message);
    if (printed === undefined) return;
    if (printed instanceof Status) {
      this.answerStatus(printed, []);
      return;
    }
    const fields = [...responseFields(this.metadata), ...trailers];
    this.answerBody(200, printed.contentType, Buffer.from(printed.body), fields);
  }

  private answerBody(status: number, contentType: string, body: Buffer, fields: readonly Field[]): void {
    this.ended = true;
    const head = [
      field("content-type", contentType),
      field("content-length", String(body.length)),
      field("x-content-type-options", "nosniff"),
      ...fields,
    ];
    const bodyless = this.exchange.head.method === "HEAD" || body.length === 0;
    this.respond(status, head, bodyless);
    if (!bodyless) this.exchange.write(body, true);
  }

  private sendHead(): void {
    if (this.headSent || this.framing === undefined) return;
    this.headSent = true;
    const fields = [
      field("content-type", this.framing.contentType),
      field("x-content-type-options", "nosniff"),
      field("cache-control", "no-store"),
      ...responseFields(this.metadata),
    ];
    this.ended = this.exchange.head.method === "HEAD";
    this.exchange.respond(200, fields, this.ended);
    if (this.ended) return;
    if (this.framing.head !== "") this.write(this.framing.head);
  }

  private respond(status: number, fields: readonly Field[], end: boolean): void {
    if (this.info !== undefined) this.info.status = status;
    this.exchange.respond(status, fields, end);
  }

  private write(text: string): void {
    const bytes = Buffer.from(text);
    this.unsent += bytes.length;
    this.exchange.write(bytes, false);
  }

  private endStream(trailers: Headers): void {
    const fields = trailerFields(trailers, "");
    fields.unshift(field("grpc-status", trailers.get("grpc-status") ?? "0"));
    this.exchange.trailers(fields);
  }

  /** What the service sent cannot be passed on: it is stopped, and the client told. */
  private fail(status: Status): void {
    this.answerStatus(status, []);
    this.request?.abort({ status, by: "hub", sent: "maybe" });
  }

  /** Ends the answer with a failure: as the HTTP status before the first byte, inside the stream's framing after it. */
  private answerStatus(status: Status, fields: readonly Field[]): void {
    if (this.ended) return;
    const json = this.snapshot.rest.renderStatus(shownTo(this.call, status, this.gateway.edge.hints));
    if (!this.headSent) {
      const all = [...responseFields(this.metadata), ...responseFields(status.metadata), ...fields];
      this.answerBody(status.http, "application/json", Buffer.from(json), all);
      return;
    }
    this.ended = true;
    const tail = this.framing?.tail(json, this.messages === 0) ?? "";
    this.exchange.write(Buffer.from(tail), false);
    this.endStream(Headers.of(["grpc-status", String(status.code)]));
  }
}
