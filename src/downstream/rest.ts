// Plain HTTP from clients, over HTTP/1.1 and HTTP/2: an exchange becomes a Call. Here are credit, headers, trailers and
// status; the bodies are read and written by the Transcoding that the route gives (core/transcoding.ts).
import type { Transform } from "node:stream";
import { Call, type HttpRequestInfo } from "../core/call.js";
import { type Gateway, type Snapshot, shownTo } from "../core/gateway.js";
import { type Field, field, Headers } from "../core/headers.js";
import type { CorsPolicy } from "../core/http-policy.js";
import { frameMessage, type MessageOwner, MessageSplitter } from "../core/messages.js";
import { type Plan, run } from "../core/pipeline.js";
import { refusal } from "../core/reasons.js";
import type { RestMiss } from "../core/rest.js";
import { type Abort, deferred, refuse, type Sink, type Source } from "../core/sink.js";
import { Code, encodeGrpcMessage, Status, statusFromTrailers } from "../core/status.js";
import { badRequest, retrySeconds } from "../core/status-details.js";
import type {
  BodyRequest,
  BodyTaker,
  MessageTaker,
  RequestReader,
  ResponseWriter,
  Transcoding,
} from "../core/transcoding.js";
import {
  type Coding,
  decoderOf,
  encoderOf,
  encodeWhole,
  isCompressible,
  responseCoding,
} from "./content-coding.js";
import { addCorsFields, preflightFields, preflightOf } from "./cors.js";
import { codedTag, etagOf, matchesTag } from "./etag.js";
import type { Exchange, ExchangeHandler } from "./exchange.js";
import { Heartbeat } from "./heartbeat.js";
import { type RestHead, readRestHead } from "./rest-head.js";
import { addErrorFields, addFields } from "./rest-headers.js";

/** Printed output that may wait for a slow client before the service is held back. */
const MAX_UNSENT_BYTES = 64 * 1024;
/** Messages that may wait for a slow service before the client is held back. */
const MAX_WAITING_BYTES = 64 * 1024;
/** Proxies and load balancers close what is silent for a minute; half of that is far enough from it. */
const KEEP_ALIVE_MS = 30_000;
const NO_BYTES: Buffer = Buffer.alloc(0);
const JSON_CONTENT = field("content-type", "application/json");
const VARY_ENCODING = field("vary", "accept-encoding");
/** Of `OPTIONS *`, which asks of no path. */
const ALL_METHODS: readonly string[] = ["DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"];
const NO_SNIFF = field("x-content-type-options", "nosniff");
/** Of a 401 that says nothing itself: there must be a challenge (RFC 9110 §15.5.2). */
const BEARER = field("www-authenticate", "Bearer");
/** Of streams: what comes is of this moment. */
const NO_STORE = field("cache-control", "no-store");

/** Takes an HTTP request over. The returned handler is already set on the exchange. */
export function openRest(gateway: Gateway, exchange: Exchange): void {
  const answer = new RestExchange(gateway, gateway.snapshot, exchange);
  exchange.handler = answer;
  answer.begin();
}

/** Answers a request that is not looked at any further. */
export function refuseRest(gateway: Gateway, exchange: Exchange, status: Status): void {
  const answer = new RestExchange(gateway, gateway.snapshot, exchange);
  exchange.handler = answer;
  answer.beginRefused(() => status);
}

function withoutQuery(target: string): string {
  const question = target.indexOf("?");
  return question === -1 ? target : target.slice(0, question);
}

/** Plans whose service is called only once the body has been read and found right; made once for each. */
const DEFERRED = new WeakMap<Plan, Plan>();

function deferredPlan(plan: Plan): Plan {
  let later = DEFERRED.get(plan);
  if (later === undefined) {
    later = { ...plan, handler: deferred(plan.handler) };
    DEFERRED.set(plan, later);
  }
  return later;
}

/** What to say where there is no route: the methods there are, and the nearest routes to those who may know. */
function noRoute(miss: RestMiss): Status {
  const { code, message, details, http } = miss.status;
  const hints = miss.hints();
  return new Status(code, message, {
    details,
    http,
    ...(miss.allow.length === 0 ? {} : { metadata: Headers.of(["allow", miss.allow.join(", ")]) }),
    ...(hints.length === 0 ? {} : { hint: `; the nearest are: ${hints.join(", ")}` }),
  });
}

function notCoded(coding: string): Status {
  const description = `the body is not what Content-Encoding says: ${coding}`;
  return refusal("INVALID_REQUEST", description, { details: [badRequest([{ field: "", description }])] });
}

class RestExchange
  implements ExchangeHandler, Sink, Source, BodyRequest, MessageTaker, MessageOwner, BodyTaker
{
  private readonly gateway: Gateway;
  private readonly snapshot: Snapshot;
  private readonly exchange: Exchange;

  // What the route's Transcoding is told (BodyRequest).
  readonly contentType: string | undefined;
  readonly accept: string | undefined;
  readonly contentLength: number | undefined;
  readonly maxMessageBytes: number;
  readonly framed: boolean;
  private readonly restHead: RestHead;

  private transcoding: Transcoding | undefined = undefined;
  private reader: RequestReader | undefined = undefined;
  private writer: ResponseWriter | undefined = undefined;
  private info: HttpRequestInfo | undefined = undefined;
  private call: Call | undefined = undefined;

  private request: Sink | undefined = undefined;
  /** The service takes exactly one message: it goes with the end of the request in one piece. */
  private takesOne = true;
  private frame: Buffer | undefined = undefined;
  private sentMessages = 0;
  /** Given to the service, not yet taken by it. */
  private waiting = 0;
  /** Read from the client, and not given back because the service is slow. */
  private bodyOwed = 0;
  private decoder: Transform | undefined = undefined;

  private response: Source | undefined = undefined;
  private metadata: Headers | undefined = undefined;
  private trailing: Headers | undefined = undefined;
  private splitter: MessageSplitter | undefined = undefined;
  private givesOne = true;
  private message1: Buffer | undefined = undefined;
  /** Printed and written, not yet taken by the connection. */
  private unsent = 0;
  /** Read from the service, and not given back because the client is slow. */
  private owed = 0;

  /** Nothing more is taken from the service: it has ended, or the call is given up. */
  private done = false;
  private headSent = false;
  /** What the one write of a whole body is, once its head is known. */
  private wholeType: string | undefined = undefined;
  private wholeFields: readonly Field[] = [];
  private encoder: Transform | undefined = undefined;
  private heartbeat: Heartbeat | undefined = undefined;
  /** The answer is complete, or the client has left. */
  private ended = false;

  constructor(gateway: Gateway, snapshot: Snapshot, exchange: Exchange) {
    this.gateway = gateway;
    this.snapshot = snapshot;
    this.exchange = exchange;
    this.maxMessageBytes = gateway.maxMessageBytes;
    const restHead = readRestHead(exchange.head, snapshot.http.metadata);
    this.restHead = restHead;
    this.contentType = restHead.contentType;
    this.accept = restHead.accept;
    this.contentLength = restHead.contentLength;
    this.framed = exchange.head.webSocket === true;
  }

  begin(): void {
    const { method, target } = this.exchange.head;
    const { rest } = this.snapshot;
    if (method === "OPTIONS" && !this.framed && this.answerOptions()) return;
    const match = this.framed
      ? rest.matchWebSocket(target)
      : rest.match(method, target, this.restHead.methodOverride);
    if (match.kind === "miss") {
      this.beginRefused(() => noRoute(match));
      return;
    }
    const { kind, path } = match.method;
    const plan = this.snapshot.planFor(path);
    const transcoding = match.open(this);
    if (transcoding instanceof Status) {
      this.start(plan, path, match.route, () => transcoding);
      return;
    }
    this.takesOne = kind === "unary" || kind === "server_streaming";
    this.givesOne = kind === "unary" || kind === "client_streaming";
    this.transcoding = transcoding;
    // The steps run now; a service that takes one message is called once the body has been read and found right.
    this.start(this.takesOne ? deferredPlan(plan) : plan, path, match.route, undefined);
  }

  /** A request that calls no method passes the steps nevertheless: limits, the log and metrics are for it too. */
  beginRefused(statusOf: () => Status): void {
    const plan = this.snapshot.planFor("");
    this.start(plan, `/${plan.method.name}`, plan.method.name, statusOf);
  }

  private start(plan: Plan, path: string, route: string, statusOf: (() => Status) | undefined): void {
    const { head } = this.exchange;
    const { peer, metadata, problem, coding } = this.restHead;
    const { timers } = this.gateway;
    const call = new Call(plan.method, path, head.authority, peer, new Headers(metadata), timers.clock.now());
    this.info = { method: head.method, route, path: withoutQuery(head.target), status: 0 };
    call.http = this.info;
    this.call = call;
    const refusing = statusOf ?? (problem === undefined ? undefined : () => problem);
    if (refusing !== undefined) {
      this.request = run({ ...plan, handler: refuse(refusing) }, call, this, timers);
      return;
    }
    this.reader = this.transcoding?.reader(this);
    if (coding !== "identity" && !head.ended) this.decodeBody(coding);
    this.request = run(this.framed ? this.admitting(plan) : plan, call, this, timers);
    this.request.open(this);
    if (head.ended) this.onBody(NO_BYTES, 0, 0, true);
  }

  private admitting(plan: Plan): Plan {
    const { handler } = plan;
    return {
      ...plan,
      handler: (call, response) => {
        this.exchange.admitted?.();
        return handler(call, response);
      },
    };
  }

  /** What a path knows: of the hub itself, unless a route takes OPTIONS. Nobody need say who he is for that. */
  private answerOptions(): boolean {
    const { head } = this.exchange;
    const { rest, http } = this.snapshot;
    const match = rest.match("OPTIONS", head.target);
    const asked = http.cors === undefined ? undefined : preflightOf("OPTIONS", head.fields);
    if (match.kind === "match" && asked === undefined) return false;
    if (match.kind === "miss" && match.allow.length === 0 && head.target !== "*") return false;
    let methods = head.target === "*" ? ALL_METHODS : match.kind === "miss" ? match.allow : [];
    if (match.kind === "match" && asked !== undefined) {
      methods = rest.match(asked.method, head.target).kind === "match" ? [asked.method] : [];
    }
    const fields = [NO_SNIFF, field("allow", [...methods, "OPTIONS"].join(", "))];
    if (http.cors !== undefined && asked !== undefined) {
      fields.push(...preflightFields(http.cors, asked, methods));
    } else if (http.cors !== undefined) addCorsFields(fields, http.cors, this.restHead.origin);
    this.respond(204, fields, true);
    return true;
  }

  // ---------------------------------------------------------------- ExchangeHandler: from the client

  onBody(chunk: Buffer, start: number, end: number, last: boolean): void {
    const { decoder } = this;
    if (decoder !== undefined && !this.over) {
      if (end > start) decoder.write(chunk.subarray(start, end), () => this.bodyTaken(end - start));
      if (last) decoder.end();
      return;
    }
    if (!this.over) this.reader?.push(chunk, start, end, last);
    this.bodyTaken(end - start);
  }

  private bodyTaken(bytes: number): void {
    if (this.holdsClient()) this.bodyOwed += bytes;
    else this.exchange.consumed(bytes);
  }

  /** Unpacks the body: no more of it at once than the reader takes, so that a small body cannot become a big one here. */
  private decodeBody(coding: Coding): void {
    const decoder = decoderOf(coding);
    this.decoder = decoder;
    decoder.on("data", (plain: Buffer) => {
      if (!this.over) this.reader?.push(plain, 0, plain.length, false);
      if (this.over) decoder.destroy();
      else if (this.holdsClient()) decoder.pause();
    });
    decoder.on("end", () => {
      if (!this.over) this.reader?.push(NO_BYTES, 0, 0, true);
    });
    decoder.on("error", () => {
      if (!this.over) this.refuse(notCoded(coding));
    });
  }

  onStill(): void {
    this.refuse(refusal("REQUEST_TIMEOUT", "the request's body did not go on arriving in time"));
  }

  onGone(reason: string): void {
    if (this.ended) return;
    this.close();
    const status = new Status(Code.CANCELLED, `the client left: ${reason}`);
    this.request?.abort({ status, by: "client", sent: "maybe" });
  }

  onSent(bytes: number): void {
    this.unsent -= bytes;
    this.repayService();
  }

  // ---------------------------------------------------------------- MessageTaker: the request's messages

  message(message: Uint8Array): void {
    if (this.over) return;
    const frame = frameMessage(message);
    if (this.takesOne) {
      if (this.frame === undefined) this.frame = frame;
      else this.refuse(oneMessage(this.call, "more than one"));
      return;
    }
    this.sentMessages++;
    this.waiting += frame.length;
    this.request?.data(frame, 0, frame.length, false);
    this.repayClient();
  }

  end(): void {
    if (this.over) return;
    let frame = NO_BYTES;
    if (this.takesOne) {
      if (this.frame === undefined) {
        this.refuse(oneMessage(this.call, "none"));
        return;
      }
      frame = this.frame;
      this.frame = undefined;
    }
    this.waiting += frame.length;
    this.request?.data(frame, 0, frame.length, true);
  }

  refuse(status: Status): void {
    this.fail(status, "client", this.sentMessages === 0 ? "never" : "maybe");
  }

  private holdsClient(): boolean {
    return !this.over && (this.waiting > MAX_WAITING_BYTES || this.reader?.behind === true);
  }

  private repayClient(): void {
    const owed = this.bodyOwed;
    if (this.holdsClient()) return;
    if (this.decoder?.isPaused() === true) this.decoder.resume();
    if (owed === 0) return;
    this.bodyOwed = 0;
    this.exchange.consumed(owed);
  }

  // ---------------------------------------------------------------- Source: the request's credit

  consumed(bytes: number): void {
    this.waiting -= bytes;
    this.repayClient();
  }

  cancel(): void {}

  // ---------------------------------------------------------------- Sink: the service's answer

  open(source: Source): void {
    this.response = source;
  }

  headers(headers: Headers, end: boolean): void {
    if (this.over) return;
    this.metadata = headers;
    if (end) this.finish(headers);
    else this.splitter = new MessageSplitter(this.maxMessageBytes, headers.get("grpc-encoding"));
  }

  data(chunk: Buffer, start: number, end: number): void {
    if (this.over) return;
    const problem = this.splitter?.push(chunk, start, end, this);
    if (problem !== undefined) this.fail(problem, "hub", "maybe");
    if (this.over) return;
    if (this.holdsService()) this.owed += end - start;
    else this.response?.consumed(end - start);
  }

  onMessage(message: Buffer): void {
    if (this.over) return;
    if (!this.givesOne) this.writing().message(message);
    else if (this.message1 === undefined) this.message1 = message;
    else this.fail(broken("the service sent more than one message for an answer of one"), "hub", "maybe");
  }

  trailers(headers: Headers): void {
    if (this.over) return;
    this.trailing = headers;
    this.finish(headers);
  }

  abort(cause: Abort): void {
    if (this.over) return;
    this.done = true;
    this.tell(cause.status);
  }

  /** The service's answer is complete. */
  private finish(trailers: Headers): void {
    this.done = true;
    const status = statusFromTrailers(trailers);
    if (status.code !== Code.OK) {
      this.tell(status);
      return;
    }
    if (this.splitter?.atBoundary === false) {
      this.tell(broken("the service's last message was cut short"));
      return;
    }
    if (this.givesOne) {
      if (this.message1 === undefined) {
        this.tell(broken("the service ended without a message, and its answer has one"));
        return;
      }
      this.writing().message(this.message1);
    }
    this.writing().end();
    // A writer that needs longer: the call's steps end before the answer does.
    if (this.info?.status === 0) this.info.status = this.transcoding?.success ?? 200;
  }

  private holdsService(): boolean {
    return this.unsent > MAX_UNSENT_BYTES || this.writer?.behind === true;
  }

  private repayService(): void {
    const owed = this.owed;
    if (owed === 0 || this.holdsService()) return;
    this.owed = 0;
    this.response?.consumed(owed);
  }

  private writing(): ResponseWriter {
    this.writer ??= this.transcoding?.writer(this);
    if (this.writer === undefined) throw new Error("an answer without a route");
    return this.writer;
  }

  // ---------------------------------------------------------------- BodyTaker: the answer's body

  head(contentType: string, fields: readonly Field[], length: number | undefined): void {
    if (this.ended || this.headSent) return;
    if (length !== undefined) {
      // What stands in the head depends on the body.
      this.wholeType = contentType;
      this.wholeFields = fields;
      return;
    }
    const all = this.answerFields(contentType, fields);
    if (fieldOf(all, "cache-control") === undefined) all.push(NO_STORE);
    const status = this.transcoding?.success ?? 200;
    const bodyless = this.exchange.head.method === "HEAD" || isBodyless(status);
    const coding = this.codingOf(contentType, Number.POSITIVE_INFINITY, all);
    if (coding !== undefined) all.push(field("content-encoding", coding));
    if (coding !== undefined && !bodyless) this.encodeBody(coding);
    this.respond(status, all, bodyless);
    if (bodyless)
      this.stopService(new Status(Code.CANCELLED, "nothing of the answer is wanted but its head"));
    else if (this.writer?.keepAlive !== undefined)
      this.heartbeat = new Heartbeat(this.gateway.timers, KEEP_ALIVE_MS, () => this.sendKeepAlive());
  }

  private sendKeepAlive(): void {
    const comment = this.writer?.keepAlive;
    // Where something waits to be sent, the stream is not idle.
    if (comment !== undefined && this.unsent === 0) this.write(comment, false);
  }

  write(bytes: Buffer, last: boolean): void {
    if (this.ended) return;
    if (this.wholeType !== undefined) {
      this.answerWhole(this.wholeType, bytes);
      return;
    }
    if (bytes.length > 0) {
      if (!last || this.encoder !== undefined) this.unsent += bytes.length;
      if (this.encoder === undefined) this.exchange.write(bytes, false);
      else this.encoder.write(bytes, () => this.onSent(bytes.length));
    }
    if (last) this.endBody(undefined);
    else this.repayService();
  }

  failed(status: Status, told: boolean): void {
    if (this.ended) return;
    if (!this.headSent) this.answerStatus(status);
    else if (told || this.exchange.framed === true) this.endBody(status);
    else this.breakOff();
    this.stopService(status);
  }

  private breakOff(): void {
    if (this.ended) return;
    this.close();
    this.exchange.reset();
  }

  /** A body that is known to its last byte. */
  private answerWhole(contentType: string, body: Buffer): void {
    const { http } = this.snapshot;
    const { method } = this.exchange.head;
    const all = this.answerFields(contentType, this.wholeFields);
    const status = this.transcoding?.success ?? 200;
    if (isBodyless(status)) {
      addFields(all, this.trailing, http.metadata.trailerPrefix);
      this.respond(status, withoutContent(all), true);
      return;
    }
    const coding = this.codingOf(contentType, body.length, all);
    if (status === 200 && (method === "GET" || method === "HEAD")) {
      const own = fieldOf(all, "etag");
      const etag = own ?? (http.etag ? etagOf(body) : undefined);
      if (etag !== undefined && own === undefined) {
        all.push(field("etag", coding === undefined ? etag : codedTag(etag, coding)));
      } else if (etag !== undefined && coding !== undefined && !etag.startsWith("W/")) {
        // Packed, it is no longer byte for byte what the service has given the tag to (RFC 9110 §8.8.3.3).
        replace(all, field("etag", `W/${etag}`));
      }
      const { ifNoneMatch } = this.restHead;
      if (etag !== undefined && ifNoneMatch !== undefined && matchesTag(ifNoneMatch, etag)) {
        this.respond(304, withoutContent(all), true);
        return;
      }
    }
    if (coding === undefined) {
      this.sendWhole(status, all, body);
      return;
    }
    encodeWhole(body, coding, (packed) => {
      if (this.ended) return;
      if (packed !== undefined) all.push(field("content-encoding", coding));
      this.sendWhole(status, all, packed ?? body);
    });
  }

  private sendWhole(status: number, fields: Field[], body: Buffer): void {
    const bodyless = this.exchange.head.method === "HEAD" || body.length === 0;
    if (this.restHead.takesTrailers && !bodyless && this.announceTrailers(fields)) {
      this.respond(status, fields, false);
      this.exchange.write(body, false);
      this.endStream(undefined);
      return;
    }
    fields.push(field("content-length", String(body.length)));
    addFields(fields, this.trailing, this.snapshot.http.metadata.trailerPrefix);
    this.respond(status, fields, bodyless);
    if (bodyless) return;
    this.exchange.write(body, true);
    this.close();
  }

  /** Trailing metadata behind a whole body; false where there is none. */
  private announceTrailers(fields: Field[]): boolean {
    const trailers: Field[] = [];
    addFields(trailers, this.trailing, "");
    if (trailers.length === 0) return false;
    const names = ["grpc-status", ...new Set(trailers.map((f) => f.name))];
    fields.push(field("trailer", names.join(", ")));
    return true;
  }

  /** What every good answer has, and the service's metadata. */
  private answerFields(contentType: string, own: readonly Field[]): Field[] {
    const { http } = this.snapshot;
    const all = [
      contentType === "application/json" ? JSON_CONTENT : field("content-type", contentType),
      NO_SNIFF,
    ];
    addFields(all, this.metadata, http.metadata.responsePrefix);
    if (http.statusHeaders) all.push(field("grpc-status", "0"));
    for (const f of own) replace(all, f);
    return http.cors === undefined ? all : withCors(all, http.cors, this.restHead.origin);
  }

  /** How the body is packed, if at all; whoever else asks for the same may get it otherwise (Vary). */
  private codingOf(contentType: string, bytes: number, fields: Field[]): Coding | undefined {
    const { compression } = this.snapshot.http;
    if (compression === undefined || this.framed || bytes === 0 || !isCompressible(contentType))
      return undefined;
    const big = bytes >= compression.minBytes;
    const { coding, must } = responseCoding(this.restHead.acceptEncoding);
    if (big || must) fields.push(VARY_ENCODING);
    if (this.restHead.mayBeForged || fieldOf(fields, "cache-control")?.includes("no-transform") === true)
      return undefined;
    return big || must ? coding : undefined;
  }

  private encodeBody(coding: Coding): void {
    const encoder = encoderOf(coding);
    this.encoder = encoder;
    encoder.on("data", (packed: Buffer) => {
      if (this.ended) return;
      this.unsent += packed.length;
      this.exchange.write(packed, false);
    });
    encoder.on("error", () => this.breakOff());
  }

  private endBody(failure: Status | undefined): void {
    const { encoder } = this;
    if (encoder === undefined) {
      this.endStream(failure);
      return;
    }
    encoder.on("end", () => {
      if (!this.ended) this.endStream(failure);
    });
    encoder.end();
  }

  private respond(status: number, fields: readonly Field[], end: boolean): void {
    this.headSent = true;
    if (this.info !== undefined) this.info.status = status;
    this.exchange.respond(status, fields, end);
    if (end) this.close();
  }

  /** @param failure undefined: all went well */
  private endStream(failure: Status | undefined): void {
    const fields = [field("grpc-status", String(failure?.code ?? Code.OK))];
    if (failure !== undefined && failure.message !== "")
      fields.push(field("grpc-message", encodeGrpcMessage(failure.message)));
    addFields(fields, this.trailing, "");
    this.exchange.trailers(fields);
    this.close();
  }

  // ---------------------------------------------------------------- How it ends

  /** The call is over, though its answer may still be on the way to the client. */
  private get over(): boolean {
    return this.done || this.ended;
  }

  private close(): void {
    this.ended = true;
    this.heartbeat?.stop();
    this.reader?.stop();
    this.writer?.stop();
    this.decoder?.destroy();
    this.encoder?.destroy();
  }

  /** The call cannot go on: the client is told, and the service stopped. */
  private fail(status: Status, by: Abort["by"], sent: Abort["sent"]): void {
    if (this.over) return;
    this.done = true;
    this.tell(status);
    this.request?.abort({ status, by, sent });
  }

  /** Where the call is still running when its answer is complete. */
  private stopService(status: Status): void {
    if (this.done) return;
    this.done = true;
    this.request?.abort({ status, by: "hub", sent: "maybe" });
  }

  /** After all that was written: as the answer's status before the first byte, in the body's own way after it. */
  private tell(status: Status): void {
    if (this.writer === undefined && this.exchange.framed !== true) this.answerStatus(status);
    else this.writing().fail(shownTo(this.call, status, this.gateway.edge.hints));
  }

  private answerStatus(status: Status): void {
    if (this.ended) return;
    const { head } = this.exchange;
    const { http, rest } = this.snapshot;
    const shown = shownTo(this.call, status, this.gateway.edge.hints);
    const accept = http.errorForm === "problem" ? "application/problem+json" : this.accept;
    const { contentType, body } = rest.renderError(shown, accept, head.target);
    const empty = http.errorForm === "empty";
    let all = [field("content-length", String(empty ? 0 : body.length)), NO_SNIFF];
    if (!empty) all.push(field("content-type", contentType));
    if (http.statusHeaders) {
      all.push(field("grpc-status", String(shown.code)));
      if (shown.message !== "") all.push(field("grpc-message", encodeGrpcMessage(shown.message)));
    }
    addErrorFields(all, this.metadata, http.metadata.responsePrefix);
    // The hub's own: a service's status has none.
    if (status.metadata !== undefined) all.push(...status.metadata.fields);
    addErrorFields(all, this.trailing, http.metadata.trailerPrefix);
    if (status.http === 401 && fieldOf(all, "www-authenticate") === undefined) all.push(BEARER);
    if ((status.http === 429 || status.http === 503) && fieldOf(all, "retry-after") === undefined) {
      const seconds = retrySeconds(status.details);
      if (seconds !== undefined) all.push(field("retry-after", String(seconds)));
    }
    if (http.cors !== undefined) all = withCors(all, http.cors, this.restHead.origin);
    const bodyless = empty || head.method === "HEAD";
    this.respond(status.http, all, bodyless);
    if (bodyless) return;
    this.exchange.write(body, true);
    this.close();
  }
}

function fieldOf(fields: readonly Field[], name: string): string | undefined {
  for (const f of fields) if (f.name === name) return f.value;
  return undefined;
}

/** Puts a field of the format in place of the service's own, but for a download that the service gives a name. */
function replace(fields: Field[], own: Field): void {
  const at = fields.findIndex((f) => f.name === own.name);
  if (at === -1) fields.push(own);
  else if (own.name !== "content-disposition" || !/^attachment\b/i.test(fields[at]?.value ?? ""))
    fields[at] = own;
}

/** What pages of other sites may do is the hub's to say: the service's word on it is left out. */
function withCors(fields: readonly Field[], policy: CorsPolicy, origin: string | undefined): Field[] {
  const all = fields.filter((f) => !f.name.startsWith("access-control-"));
  addCorsFields(all, policy, origin);
  return all;
}

function isBodyless(status: number): boolean {
  return status === 204 || status === 205;
}

function withoutContent(fields: readonly Field[]): Field[] {
  return fields.filter((f) => f.name !== "content-type" && f.name !== "content-disposition");
}

function broken(message: string): Status {
  return refusal("UPSTREAM_PROTOCOL_ERROR", message, { code: Code.INTERNAL });
}

function oneMessage(call: Call | undefined, sent: string): Status {
  return refusal("INVALID_REQUEST", `${call?.path.slice(1)} takes one message: the request has ${sent}`);
}
