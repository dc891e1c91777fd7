// A call whose client speaks no gRPC messages: an exchange becomes a Call, the Transcoding that its route gives reads its
// request (transcoded-request.ts) and writes its response (a CallResponse). Here are the call and the credit of both directions.
import type { Call } from "../../../call/call.js";
import { type Gateway, visibleStatus } from "../../../call/gateway.js";
import { type Plan, run } from "../../../call/pipeline.js";
import { type Abort, refuse, type Sink, type Source } from "../../../call/sink.js";
import { hubFault } from "../../../call/status/hub-fault.js";
import { refusal } from "../../../call/status/reasons.js";
import { Code, Status, statusFromTrailers } from "../../../call/status/status.js";
import type { BodyRequest, ResponseWriter, Transcoding } from "../../../call/transcoding.js";
import { barrier } from "../../../kit/barrier.js";
import type { Timer } from "../../../kit/clock.js";
import { attempt } from "../../../kit/faults.js";
import type { Headers } from "../../../kit/headers.js";
import { SLICES } from "../../../kit/slices.js";
import type { Exchange, ExchangeHandler } from "../../carriers/exchange.js";
import { admittingPlan, deferredPlan } from "./adapted-plan.js";
import { type CalledMethod, callOf } from "./call-of.js";
import type { CallResponse, HubResponse, ResponseOwner } from "./call-response.js";
import { respondToFault } from "./respond-to-fault.js";
import { ResponseMessages, type ResponseMessagesOwner } from "./response-messages.js";
import type { TranscodedHead } from "./transcoded-head.js";
import { TranscodedRequest, type TranscodedRequestOwner } from "./transcoded-request.js";

const NO_BYTES: Buffer = Buffer.alloc(0);
/** Of a fault, to the client. */
const FAILED = "the hub failed while it served the call";

export class TranscodedCall
  implements ExchangeHandler, Sink, BodyRequest, ResponseMessagesOwner, ResponseOwner, TranscodedRequestOwner
{
  // What the route's Transcoding is told (BodyRequest).
  readonly contentType: string | undefined;
  readonly accept: string | undefined;
  readonly contentLength: number | undefined;
  readonly maxMessageBytes: number;
  readonly framed: boolean;

  private readonly gateway: Gateway;
  private readonly exchange: Exchange;
  private readonly head: TranscodedHead;
  private readonly response: CallResponse;

  private transcoding: Transcoding | undefined = undefined;
  private writer: ResponseWriter | undefined = undefined;
  private call: Call | undefined = undefined;

  private service: Sink | undefined = undefined;
  private request: TranscodedRequest | undefined = undefined;
  private responseSource: Source | undefined = undefined;
  private messages: ResponseMessages | undefined = undefined;
  private givesOne = true;
  private onlyMessage: Buffer | undefined = undefined;

  /** Nothing more is taken from the service: it has ended, or the call is given up. */
  private done = false;
  /** One of the ways of the service's answer threw: the abort that comes for it is not a late one. */
  private broken = false;
  /** The deadline, where the answer is still made when the service has ended. */
  private late: Timer | undefined = undefined;
  private own: HubResponse | undefined = undefined;
  private ownBody = NO_BYTES;

  /** Becomes the exchange's handler. */
  constructor(gateway: Gateway, exchange: Exchange, head: TranscodedHead, response: CallResponse) {
    this.gateway = gateway;
    this.exchange = exchange;
    this.head = head;
    this.response = response;
    this.contentType = head.contentType;
    this.accept = head.accept;
    this.contentLength = head.contentLength;
    this.maxMessageBytes = gateway.maxMessageBytes;
    this.framed = exchange.head.webSocket !== undefined;
    response.owner = this;
    exchange.handler = this;
  }

  // ---------------------------------------------------------------- How it begins: one of these, once

  /**
   * Calls the method, unless the head has a problem.
   * @param admitted the steps have let it pass
   */
  serve(plan: Plan, match: CalledMethod, transcoding: Transcoding, admitted?: () => void): void {
    const { problem, coding } = this.head;
    if (problem !== undefined) {
      this.refuseBy(plan, () => problem, match);
      return;
    }
    const { kind, path } = match.method;
    const { exchange, gateway } = this;
    const takesOne = kind === "unary" || kind === "server_streaming";
    this.givesOne = kind === "unary" || kind === "client_streaming";
    this.transcoding = transcoding;
    this.response.success = transcoding.success;
    const call = this.begin(plan, match);
    const request = new TranscodedRequest(this, {
      exchange,
      transcoding,
      coding: exchange.head.ended || this.framed ? "identity" : coding,
      limits: gateway,
      method: path.slice(1),
      takesOne,
    });
    this.request = request;
    // The steps run now; a service that takes one message is called once the body has been read and found right.
    const timely = takesOne ? deferredPlan(plan) : plan;
    const { timers, calls } = gateway;
    this.service = run(
      admitted === undefined ? timely : admittingPlan(timely, admitted),
      call,
      this,
      timers,
      calls,
    );
    request.sendTo(this.service);
    if (exchange.head.ended) this.onBody(NO_BYTES, 0, 0, true);
  }

  /**
   * A request that is not served passes the steps nevertheless: limits, the log and metrics are for it too.
   * @param match left out: it calls no method
   */
  refuseBy(plan: Plan, statusOf: () => Status, match?: CalledMethod): void {
    this.respondBy({ ...plan, handler: refuse(statusOf) }, match);
  }

  /** The hub answers by itself, by the plan's handler. */
  respondFromHub(plan: Plan, own: HubResponse, match?: CalledMethod): void {
    const { problem } = this.head;
    this.own = own;
    if (problem === undefined) this.respondBy(plan, match);
    else this.refuseBy(plan, () => problem, match);
  }

  private respondBy(plan: Plan, match: CalledMethod | undefined): void {
    const { timers, calls } = this.gateway;
    this.service = run(plan, this.begin(plan, match), this, timers, calls);
  }

  private begin(plan: Plan, match: CalledMethod | undefined): Call {
    const call = callOf(this.exchange.head, this.head, plan, match, this.gateway.timers.clock.now());
    this.call = call;
    this.response.call = call;
    return call;
  }

  // ---------------------------------------------------------------- ExchangeHandler: from the client

  // Here and below: what comes from outside has its `try`, for its throw is the end of this call and of no other.

  onBody(chunk: Buffer, start: number, end: number, last: boolean): void {
    try {
      if (this.request === undefined) this.exchange.consumed(end - start);
      else this.request.push(chunk, start, end, last);
    } catch (error) {
      this.onFault(error);
    }
  }

  onStill(): void {
    try {
      const status = refusal("REQUEST_TIMEOUT", "the request's body did not go on arriving in time");
      if (this.request === undefined) this.fail(status, "client", "never");
      else this.request.refuse(status);
    } catch (error) {
      this.onFault(error);
    }
  }

  onGone(reason: string): void {
    if (this.response.ended) return;
    const status = new Status(Code.CANCELLED, `the client left: ${reason}`);
    attempt("while a client that left was taken leave of", () => this.response.close());
    this.service?.abort({ status, by: "client", sent: "maybe" });
  }

  onSent(bytes: number): void {
    try {
      this.response.sent(bytes);
    } catch (error) {
      this.onFault(error);
    }
  }

  /** Something of the hub threw on the way of this call: the client is answered, and the call ends. */
  onFault(error: unknown): void {
    const where = `while a plain HTTP call to ${this.call?.method.path ?? "?"} was served`;
    const status = hubFault(FAILED, where, error);
    this.endWith(status);
    this.service?.abort({ status, by: "hub", sent: "maybe" });
  }

  /** For callbacks that are made with a barrier. */
  private readonly faulty = (error: unknown): void => this.onFault(error);

  /** Answers with this, if there is a way left to answer, whatever state the answer is in; breaks it off otherwise. */
  private endWith(status: Status): void {
    this.done = true;
    const shown = visibleStatus(this.call, status, this.gateway.edge.hints);
    if (!this.response.ended) respondToFault(this.exchange, this.response, this.writer, status, shown);
  }

  // ---------------------------------------------------------------- Sink: the service's answer

  open(source: Source): void {
    this.responseSource = source;
  }

  headers(headers: Headers, end: boolean): void {
    if (this.over) return;
    this.response.metadata = headers;
    if (end) this.finish(headers);
    else if (this.own === undefined) {
      const encoding = headers.get("grpc-encoding");
      this.messages = new ResponseMessages(this, this.maxMessageBytes, encoding, SLICES);
    }
  }

  data(chunk: Buffer, start: number, end: number): void {
    if (this.over) return;
    // The very buffer: its packed forms may be kept with it.
    if (this.own !== undefined)
      this.ownBody = end - start === chunk.length ? chunk : chunk.subarray(start, end);
    try {
      this.messages?.push(chunk, start, end);
    } catch (error) {
      this.broken = true;
      throw error;
    }
  }

  onTaken(bytes: number): void {
    this.responseSource?.consumed(bytes);
  }

  onBroken(status: Status): void {
    this.fail(status, "hub", "maybe");
  }

  onMessage(message: Buffer): void {
    if (this.over) return;
    if (!this.givesOne) this.writing().message(message);
    else if (this.onlyMessage === undefined) this.onlyMessage = message;
    else this.fail(broken("the service sent more than one message for an answer of one"), "hub", "maybe");
  }

  trailers(headers: Headers): void {
    if (this.over) return;
    this.response.trailing = headers;
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
    if (this.response.trailing !== undefined) this.finish(this.response.trailing, whole);
  }

  abort({ status, by }: Abort): void {
    if (this.response.ended || (this.done && !this.broken)) return;
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
    if (this.response.ended || deadline === undefined || this.late !== undefined) return;
    const { clock } = this.gateway.timers;
    const onLate = (): void => {
      const message = "the deadline passed while the answer was written";
      this.endWith(refusal("DEADLINE_EXCEEDED", message));
    };
    this.late = clock.setTimeout(barrier(onLate, this.faulty), Math.max(0, deadline - clock.now()));
  }

  private complete(trailers: Headers, whole: boolean): void {
    const status = statusFromTrailers(trailers);
    if (status.code !== Code.OK) {
      this.tell(status, this.transcoding);
      return;
    }
    if (this.own !== undefined) {
      this.own(this.response.metadata ?? trailers, this.ownBody);
      return;
    }
    if (!whole) {
      this.tell(broken("the service's last message was cut short"));
      return;
    }
    if (this.givesOne) {
      if (this.onlyMessage === undefined) {
        this.tell(broken("the service ended without a message, and its answer has one"));
        return;
      }
      this.writing().message(this.onlyMessage);
    }
    this.writing().end();
    // A writer that needs longer: the call's steps end before the answer does.
    const info = this.call?.http;
    if (info?.status === 0) info.status = this.response.success;
  }

  get holdsService(): boolean {
    return this.response.full || this.writer?.behind === true;
  }

  private writing(): ResponseWriter {
    this.writer ??= this.transcoding?.writer(this.response);
    if (this.writer === undefined) throw new Error("an answer without a route");
    return this.writer;
  }

  // ---------------------------------------------------------------- ResponseOwner

  get keepAlive(): Buffer | undefined {
    return this.writer?.keepAlive;
  }

  onRoom(): void {
    this.messages?.soon();
  }

  onResponded(): void {
    this.late?.cancel();
    this.writer?.stop();
    this.messages?.stop();
    this.request?.stop();
  }

  stopService(status: Status): void {
    if (this.done) return;
    this.done = true;
    this.service?.abort({ status, by: "hub", sent: "maybe" });
  }

  // ---------------------------------------------------------------- How it ends

  /** The call is over, though its answer may still be on the way to the client. */
  get over(): boolean {
    return this.done || this.response.ended;
  }

  /** The call cannot go on: the client is told, and the service stopped. */
  fail(status: Status, by: Abort["by"], sent: Abort["sent"]): void {
    if (this.over) return;
    this.done = true;
    this.tell(status);
    this.service?.abort({ status, by, sent });
  }

  /**
   * After all that was written: as the answer's status before the first byte, in the body's own way after it.
   * @param form has a form of its own for a service's failure
   * @param now without what is still being printed
   */
  private tell(status: Status, form?: Transcoding, now = false): void {
    if (this.writer === undefined && !this.response.begun) this.response.refuse(status, form);
    else this.writing().fail(visibleStatus(this.call, status, this.gateway.edge.hints), now);
  }
}

function broken(message: string): Status {
  return refusal("UPSTREAM_PROTOCOL_ERROR", message, { code: Code.INTERNAL });
}
