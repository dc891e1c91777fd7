// Plain HTTP from clients, over HTTP/1.1 and HTTP/2: an exchange becomes a Call. Here are the call, its request and the
// credit of both directions; the answer is rest-answer.ts. The bodies are read and written by the Transcoding that the
// route gives (call/transcoding.ts).
import type { Transform } from "node:stream";
import { Call } from "../../../call/call.js";
import { type Gateway, type Snapshot, shownTo } from "../../../call/gateway.js";
import { frameMessage } from "../../../call/messages.js";
import { type Plan, run } from "../../../call/pipeline.js";
import type { RestMiss } from "../../../call/rest.js";
import {
  type Abort,
  DiscardSink,
  deferred,
  type Handler,
  refuse,
  type Sink,
  type Source,
} from "../../../call/sink.js";
import { hubFault } from "../../../call/status/hub-fault.js";
import { refusal } from "../../../call/status/reasons.js";
import { Code, Status, statusFromTrailers } from "../../../call/status/status.js";
import { badRequest } from "../../../call/status/status-details.js";
import {
  type BodyRequest,
  type MessageTaker,
  maxTextBytes,
  type RequestReader,
  type ResponseWriter,
  type Transcoding,
} from "../../../call/transcoding.js";
import { barrier } from "../../../kit/barrier.js";
import type { Timer } from "../../../kit/clock.js";
import { attempt } from "../../../kit/faults.js";
import { type Field, field, Headers } from "../../../kit/headers.js";
import { MESSAGE_BYTES, SLICES } from "../../../kit/slices.js";
import { answerBare } from "../../carriers/bare-answer.js";
import type { Exchange, ExchangeHandler } from "../../carriers/exchange.js";
import { AnswerMessages, type AnswerMessagesOwner } from "./answer-messages.js";
import { BodySlices, type BodySlicesOwner } from "./body-slices.js";
import { type Coding, decoderOf } from "./content-coding.js";
import { addCorsFields, preflightFields, preflightOf } from "./cors.js";
import { type AnswerOwner, NO_SNIFF, RestAnswer } from "./rest-answer.js";
import { type RestHead, readRestHead } from "./rest-head.js";
import { addFields } from "./rest-headers.js";

/** Messages that may wait for a slow service before the client is held back. */
const MAX_WAITING_BYTES = 64 * 1024;
const NO_BYTES: Buffer = Buffer.alloc(0);
/** Of a fault, to the client. */
const FAILED = "the hub failed while it served the call";
/** Of `OPTIONS *`, which asks of no path. */
const ALL_METHODS: readonly string[] = ["DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"];
/** Of requests that the hub answers by itself: what the answer says stands in `ownFields`. */
const ANSWERED: Handler = (_call, response) => {
  response.headers(Headers.of(["grpc-status", "0"]), true);
  return new DiscardSink();
};

/** Takes an HTTP request over. The returned handler is already set on the exchange. */
export function openRest(gateway: Gateway, exchange: Exchange): void {
  take(gateway, exchange, (answer) => answer.begin());
}

/** Answers a request that is not looked at any further. */
export function refuseRest(gateway: Gateway, exchange: Exchange, status: Status): void {
  take(gateway, exchange, (answer) => answer.beginRefused(() => status));
}

/** What throws on the way is the end of this request alone, and it is answered. */
function take(gateway: Gateway, exchange: Exchange, begin: (answer: RestExchange) => void): void {
  let answer: RestExchange | undefined;
  try {
    answer = new RestExchange(gateway, gateway.snapshot, exchange);
    exchange.handler = answer;
    begin(answer);
  } catch (error) {
    if (answer !== undefined) answer.onFault(error);
    else answerBare(exchange, hubFault(FAILED, "while a plain HTTP request was taken over", error));
  }
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
  const { status, allow } = miss;
  // It has a better hint than routes that are near: one is missing.
  if (status.hint !== undefined) return status;
  const { code, message, details, http } = status;
  return new Status(code, message, {
    details,
    http,
    ...(allow.length === 0 ? {} : { metadata: Headers.of(["allow", allow.join(", ")]) }),
    hint: () => {
      const hints = miss.hints();
      return hints.length === 0 ? "" : `; the nearest are: ${hints.join(", ")}`;
    },
  });
}

function notCoded(coding: string): Status {
  const description = `the body is not what Content-Encoding says: ${coding}`;
  return refusal("INVALID_REQUEST", description, { details: [badRequest([{ field: "", description }])] });
}

function tooPacked(ratio: number): Status {
  const description = `the body unpacks to more than ${ratio} times what was sent`;
  return refusal("MESSAGE_TOO_LARGE", description, { info: { limit: String(ratio) } });
}

class RestExchange
  implements
    ExchangeHandler,
    Sink,
    Source,
    BodyRequest,
    MessageTaker,
    AnswerMessagesOwner,
    AnswerOwner,
    BodySlicesOwner
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
  private readonly answer: RestAnswer;

  private transcoding: Transcoding | undefined = undefined;
  private reader: RequestReader | undefined = undefined;
  private writer: ResponseWriter | undefined = undefined;
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
  private body: BodySlices | undefined = undefined;
  private decoder: Transform | undefined = undefined;
  /** What the decoder has got, and what it has made of it, in bytes. */
  private packed = 0;
  private unpacked = 0;

  private response: Source | undefined = undefined;
  private messages: AnswerMessages | undefined = undefined;
  private givesOne = true;
  private message1: Buffer | undefined = undefined;

  /** Nothing more is taken from the service: it has ended, or the call is given up. */
  private done = false;
  /** One of the ways of the service's answer threw: the abort that comes for it is not a late one. */
  private broken = false;
  /** The deadline, where the answer is still made when the service has ended. */
  private late: Timer | undefined = undefined;
  /** Of an answer of the hub's own, which has no body. */
  private ownFields: Field[] | undefined = undefined;

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
    this.answer = new RestAnswer(gateway, snapshot, exchange, restHead, this);
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
    if (match.accept !== undefined) this.answer.accept = match.accept;
    if (transcoding instanceof Status) {
      this.start(plan, path, match.route, () => transcoding);
      return;
    }
    this.takesOne = kind === "unary" || kind === "server_streaming";
    this.givesOne = kind === "unary" || kind === "client_streaming";
    this.transcoding = transcoding;
    this.answer.success = transcoding.success;
    // The steps run now; a service that takes one message is called once the body has been read and found right.
    this.start(this.takesOne ? deferredPlan(plan) : plan, path, match.route, undefined);
  }

  /** A request that calls no method passes the steps nevertheless: limits, the log and metrics are for it too. */
  beginRefused(statusOf: () => Status): void {
    this.startWithout(this.snapshot.planFor(""), statusOf);
  }

  private startWithout(plan: Plan, statusOf: (() => Status) | undefined): void {
    this.start(plan, `/${plan.method.name}`, undefined, statusOf);
  }

  private start(
    plan: Plan,
    path: string,
    route: string | undefined,
    statusOf: (() => Status) | undefined,
  ): void {
    const { head } = this.exchange;
    const { peer, metadata, problem, coding } = this.restHead;
    const { timers, calls } = this.gateway;
    const call = new Call(plan.method, path, head.authority, peer, new Headers(metadata), timers.clock.now());
    const { version, method, target } = head;
    call.http = { version, method, route, path: withoutQuery(target), status: 0 };
    this.call = call;
    this.answer.call = call;
    const refusing = statusOf ?? (problem === undefined ? undefined : () => problem);
    if (refusing !== undefined || this.ownFields !== undefined) {
      const handler = refusing === undefined ? ANSWERED : refuse(refusing);
      this.request = run({ ...plan, handler }, call, this, timers, calls);
      return;
    }
    this.reader = this.transcoding?.reader(this);
    if (this.reader !== undefined) this.body = new BodySlices(this, this.reader.form, SLICES);
    if (coding !== "identity" && !head.ended) this.decodeBody(coding);
    this.request = run(this.framed ? this.admitting(plan) : plan, call, this, timers, calls);
    this.request.open(this);
    if (head.ended || (this.framed && this.transcoding?.bodyless === true)) this.onBody(NO_BYTES, 0, 0, true);
  }

  private admitting(plan: Plan): Plan {
    const { handler } = plan;
    return {
      ...plan,
      handler: (call, response) => {
        this.exchange.admitted?.(this.transcoding?.givesBytes === true);
        return handler(call, response);
      },
    };
  }

  /**
   * What a path knows: of the hub itself, unless a route takes OPTIONS. Who asks is asked who he is, but for
   * preflights, which never have credentials (https://fetch.spec.whatwg.org/#cors-protocol-and-credentials).
   */
  private answerOptions(): boolean {
    const { head } = this.exchange;
    const { rest, http } = this.snapshot;
    const match = rest.match("OPTIONS", head.target);
    const asked = http.cors === undefined ? undefined : preflightOf("OPTIONS", head.fields);
    if (match.kind === "match" && asked === undefined) return false;
    const plan = asked === undefined ? this.snapshot.planFor("") : this.snapshot.preflight;
    if (match.kind === "miss" && match.allow.length === 0 && head.target !== "*") {
      this.startWithout(plan, () => noRoute(match));
      return true;
    }
    let methods = head.target === "*" ? ALL_METHODS : match.kind === "miss" ? match.allow : [];
    if (match.kind === "match" && asked !== undefined) {
      methods = rest.match(asked.method, head.target).kind === "match" ? [asked.method] : [];
    }
    const fields = [NO_SNIFF, field("allow", [...methods, "OPTIONS"].join(", "))];
    if (http.cors !== undefined && asked !== undefined) {
      fields.push(...preflightFields(http.cors, asked, methods));
    } else if (http.cors !== undefined) addCorsFields(fields, http.cors, this.restHead.origin);
    this.ownFields = fields;
    this.startWithout(plan, undefined);
    return true;
  }

  // ---------------------------------------------------------------- ExchangeHandler: from the client

  // Here and below: what comes from outside has its `try`, for its throw is the end of this call and of no other.

  onBody(chunk: Buffer, start: number, end: number, last: boolean): void {
    try {
      this.takeBody(chunk, start, end, last);
    } catch (error) {
      this.onFault(error);
    }
  }

  private takeBody(chunk: Buffer, start: number, end: number, last: boolean): void {
    const { decoder } = this;
    // A body without a byte is none, however the client ends it: HTTP/1.1 says so in the head, HTTP/2 may say so later.
    const empty = last && end === start && this.packed === 0;
    if (decoder !== undefined && !empty && !this.over) {
      this.packed += end - start;
      if (end > start) {
        const written = barrier(() => this.bodyTaken(end - start), this.faulty);
        decoder.write(chunk.subarray(start, end), written);
      }
      if (last) decoder.end();
      return;
    }
    if (this.body === undefined || this.over) this.bodyTaken(end - start);
    else this.body.push(chunk, start, end, last);
  }

  onSlice(chunk: Buffer, start: number, end: number, last: boolean): void {
    if (!this.over) this.reader?.push(chunk, start, end, last);
    if (this.decoder === undefined) this.bodyTaken(end - start);
    else this.repayClient();
  }

  private bodyTaken(bytes: number): void {
    this.bodyOwed += bytes;
    this.repayClient();
  }

  /**
   * Unpacks the body: no more of it at once than the reader takes, so that a small body cannot become a big one here.
   * What a message may have is free; a stream goes on only while it is no more than so many times what was sent.
   */
  private decodeBody(coding: Coding): void {
    const decoder = decoderOf(coding);
    this.decoder = decoder;
    const { maxUnpackRatio } = this.gateway;
    const onPlain = (plain: Buffer): void => {
      this.unpacked += plain.length;
      const most = Math.max(maxTextBytes(this.maxMessageBytes), this.packed * maxUnpackRatio);
      if (this.unpacked > most && !this.over && this.reader?.form !== "collected")
        this.refuse(tooPacked(maxUnpackRatio));
      if (!this.over) this.body?.push(plain, 0, plain.length, false);
      if (this.over) decoder.destroy();
      else if (this.holdsClient || this.body?.behind === true) decoder.pause();
    };
    const onEnd = (): void => {
      if (!this.over) this.body?.push(NO_BYTES, 0, 0, true);
    };
    const onError = (): void => {
      if (!this.over) this.refuse(notCoded(coding));
    };
    decoder.on("data", barrier(onPlain, this.faulty));
    decoder.on("end", barrier(onEnd, this.faulty));
    decoder.on("error", barrier(onError, this.faulty));
  }

  onStill(): void {
    try {
      this.refuse(refusal("REQUEST_TIMEOUT", "the request's body did not go on arriving in time"));
    } catch (error) {
      this.onFault(error);
    }
  }

  onGone(reason: string): void {
    if (this.answer.ended) return;
    const status = new Status(Code.CANCELLED, `the client left: ${reason}`);
    attempt("while a client that left was taken leave of", () => this.answer.close());
    this.request?.abort({ status, by: "client", sent: "maybe" });
  }

  onSent(bytes: number): void {
    try {
      this.answer.sent(bytes);
    } catch (error) {
      this.onFault(error);
    }
  }

  /** Something of the hub threw on the way of this call: the client is answered, and the call ends. */
  onFault(error: unknown): void {
    const where = `while a plain HTTP call to ${this.call?.method.path ?? "?"} was served`;
    const status = hubFault(FAILED, where, error);
    this.endWith(status);
    this.request?.abort({ status, by: "hub", sent: "maybe" });
  }

  /** For callbacks that are made with a barrier. */
  private readonly faulty = (error: unknown): void => this.onFault(error);

  /** Answers with this, if there is a way left to answer, whatever state the answer is in; breaks it off otherwise. */
  private endWith(status: Status): void {
    const { answer, exchange } = this;
    this.done = true;
    if (answer.ended) return;
    const where = "while a fault was answered";
    if (!answer.begun && exchange.framed !== true) {
      attempt(where, () => answer.refuse(status));
      if (!answer.begun && !answer.ended) answerBare(exchange, status);
      if (answer.begun && !answer.ended) attempt(where, () => exchange.reset());
    } else {
      // The body says it in its own way, if its writer still can.
      const shown = shownTo(this.call, status, this.gateway.edge.hints);
      if (this.writer !== undefined) attempt(where, () => this.writer?.fail(shown, true));
      if (!answer.ended) attempt(where, () => exchange.reset());
    }
    if (!answer.ended) attempt(where, () => answer.close());
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
    SLICES.spend(MESSAGE_BYTES);
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

  fault(error: unknown): void {
    this.onFault(error);
  }

  get holdsClient(): boolean {
    return !this.over && (this.waiting > MAX_WAITING_BYTES || this.reader?.behind === true);
  }

  private repayClient(): void {
    if (this.holdsClient) return;
    this.body?.go();
    if (this.holdsClient) return;
    if (this.decoder?.isPaused() === true && this.body?.behind !== true) this.decoder.resume();
    const owed = this.bodyOwed;
    if (owed === 0) return;
    this.bodyOwed = 0;
    this.exchange.consumed(owed);
  }

  // ---------------------------------------------------------------- Source: the request's credit

  consumed(bytes: number): void {
    this.waiting -= bytes;
    // Whoever takes messages expects no further ones meanwhile.
    if (this.body?.behind === true) this.body.soon();
    else this.repayClient();
  }

  cancel(): void {}

  // ---------------------------------------------------------------- Sink: the service's answer

  open(source: Source): void {
    this.response = source;
  }

  headers(headers: Headers, end: boolean): void {
    if (this.over) return;
    this.answer.metadata = headers;
    if (end) this.finish(headers);
    else {
      const encoding = headers.get("grpc-encoding");
      this.messages = new AnswerMessages(this, this.maxMessageBytes, encoding, SLICES);
    }
  }

  data(chunk: Buffer, start: number, end: number): void {
    if (this.over) return;
    try {
      this.messages?.push(chunk, start, end);
    } catch (error) {
      this.broken = true;
      throw error;
    }
  }

  onTaken(bytes: number): void {
    this.response?.consumed(bytes);
  }

  onBroken(status: Status): void {
    this.fail(status, "hub", "maybe");
  }

  onMessage(message: Buffer): void {
    if (this.over) return;
    if (!this.givesOne) this.writing().message(message);
    else if (this.message1 === undefined) this.message1 = message;
    else this.fail(broken("the service sent more than one message for an answer of one"), "hub", "maybe");
  }

  trailers(headers: Headers): void {
    if (this.over) return;
    this.answer.trailing = headers;
    if (this.messages === undefined) {
      this.finish(headers);
      return;
    }
    try {
      this.messages.end();
    } catch (error) {
      this.broken = true;
      throw error;
    }
    // Messages wait for their turn, or for the client.
    this.watchDeadline();
  }

  onAllMessages(whole: boolean): void {
    if (this.over) return;
    if (this.answer.trailing !== undefined) this.finish(this.answer.trailing, whole);
  }

  abort({ status, by }: Abort): void {
    if (this.answer.ended || (this.done && !this.broken)) return;
    this.done = true;
    this.messages?.stop();
    if (this.broken) {
      this.endWith(status);
      return;
    }
    try {
      // What the hub decides waits for nothing: a deadline has passed, though messages are still being printed.
      this.tell(status, undefined, by === "hub");
    } catch (error) {
      this.endWith(hubFault(FAILED, "while the end of a plain HTTP call was told", error));
    }
  }

  /** The service's answer is complete. `whole`: its last message was not cut short. */
  private finish(trailers: Headers, whole = true): void {
    this.done = true;
    try {
      this.complete(trailers, whole);
    } catch (error) {
      this.broken = true;
      throw error;
    }
    this.watchDeadline();
  }

  /** The runner's watch is over with the service's answer; a writer that needs longer has until the deadline, too. */
  private watchDeadline(): void {
    const deadline = this.call?.deadline;
    if (this.answer.ended || deadline === undefined || this.late !== undefined) return;
    const { clock } = this.gateway.timers;
    const onLate = (): void => {
      const message = "the deadline passed while the answer was written";
      this.endWith(refusal("DEADLINE_EXCEEDED", message));
    };
    this.late = clock.setTimeout(barrier(onLate, this.faulty), Math.max(0, deadline - clock.now()));
  }

  private complete(trailers: Headers, whole: boolean): void {
    const { ownFields } = this;
    if (ownFields !== undefined) {
      addFields(ownFields, this.answer.metadata, this.snapshot.http.metadata.responsePrefix);
      this.answer.respond(204, ownFields, true);
      return;
    }
    const status = statusFromTrailers(trailers);
    if (status.code !== Code.OK) {
      this.tell(status, this.transcoding);
      return;
    }
    if (!whole) {
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
    const info = this.call?.http;
    if (info?.status === 0) info.status = this.answer.success;
  }

  get holdsService(): boolean {
    return this.answer.full || this.writer?.behind === true;
  }

  private writing(): ResponseWriter {
    this.writer ??= this.transcoding?.writer(this.answer);
    if (this.writer === undefined) throw new Error("an answer without a route");
    return this.writer;
  }

  // ---------------------------------------------------------------- AnswerOwner

  get keepAlive(): Buffer | undefined {
    return this.writer?.keepAlive;
  }

  onRoom(): void {
    this.messages?.soon();
  }

  onAnswered(): void {
    this.late?.cancel();
    this.reader?.stop();
    this.writer?.stop();
    this.messages?.stop();
    const unread = this.body?.stop() ?? 0;
    if (unread > 0 && this.decoder === undefined) this.exchange.consumed(unread);
    this.decoder?.destroy();
  }

  stopService(status: Status): void {
    if (this.done) return;
    this.done = true;
    this.request?.abort({ status, by: "hub", sent: "maybe" });
  }

  // ---------------------------------------------------------------- How it ends

  /** The call is over, though its answer may still be on the way to the client. */
  private get over(): boolean {
    return this.done || this.answer.ended;
  }

  /** The call cannot go on: the client is told, and the service stopped. */
  private fail(status: Status, by: Abort["by"], sent: Abort["sent"]): void {
    if (this.over) return;
    this.done = true;
    this.tell(status);
    this.request?.abort({ status, by, sent });
  }

  /**
   * After all that was written: as the answer's status before the first byte, in the body's own way after it.
   * @param form has a form of its own for a service's failure
   * @param now without what is still being printed
   */
  private tell(status: Status, form?: Transcoding, now = false): void {
    if (this.writer === undefined && this.exchange.framed !== true) this.answer.refuse(status, form);
    else this.writing().fail(shownTo(this.call, status, this.gateway.edge.hints), now);
  }
}

function broken(message: string): Status {
  return refusal("UPSTREAM_PROTOCOL_ERROR", message, { code: Code.INTERNAL });
}

function oneMessage(call: Call | undefined, sent: string): Status {
  return refusal("INVALID_REQUEST", `${call?.path.slice(1)} takes one message: the request has ${sent}`);
}
