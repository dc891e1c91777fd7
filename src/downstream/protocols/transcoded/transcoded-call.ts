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
  // Input of the route's Transcoding (BodyRequest).
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

  /** Nothing more is accepted from the service: it has ended, or the call was given up. */
  private done = false;
  /** Code for the service's response threw: the abort that follows is not a late one. */
  private broken = false;
  /** The deadline, if the response is still being written after the service has ended. */
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
    // The steps run now; a service that takes one message is called once the body has been read and is valid.
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
   * A request that cannot be served still passes the steps: limits, the log and metrics apply to it too.
   * @param match left out: it calls no method
   */
  refuseBy(plan: Plan, statusOf: () => Status, match?: CalledMethod): void {
    this.respondBy({ ...plan, handler: refuse(statusOf) }, match);
  }

  /** The hub responds itself, by the plan's handler. */
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

  // Here and below: entries from outside have a `try`, since an exception must end only this call.

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

  /** Something of the hub threw on the path of this call: the client gets a response, and the call ends. */
  onFault(error: unknown): void {
    const where = `while a plain HTTP call to ${this.call?.method.path ?? "?"} was served`;
    const status = hubFault(FAILED, where, error);
    this.endWith(status);
    this.service?.abort({ status, by: "hub", sent: "maybe" });
  }

  /** For callbacks with a barrier. */
  private readonly faulty = (error: unknown): void => this.onFault(error);

  /** Responds with this status if the state of the response still allows it; otherwise aborts the response. */
  private endWith(status: Status): void {
    this.done = true;
    const shown = visibleStatus(this.call, status, this.gateway.edge.hints);
    if (!this.response.ended) respondToFault(this.exchange, this.response, this.writer, status, shown);
  }

  // ---------------------------------------------------------------- Sink: the service's response

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
    // The same buffer: its compressed forms may be kept with it.
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
      // The hub's decisions do not wait: a deadline has expired, though messages are still being printed.
      this.tell(status, undefined, by === "hub");
    } catch (error) {
      this.endWith(hubFault(FAILED, "while the end of a plain HTTP call was sent", error));
    }
  }

  /** The service's response is complete. `whole`: its last message was not truncated. */
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

  /** The runner's deadline ends with the service's response; a slower writer has until the deadline, too. */
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
    // A slower writer: the call's steps end before the response does.
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

  /** The call has ended, though its response may still be in transit to the client. */
  get over(): boolean {
    return this.done || this.response.ended;
  }

  /** The call cannot continue: the client is notified, and the service stopped. */
  fail(status: Status, by: Abort["by"], sent: Abort["sent"]): void {
    if (this.over) return;
    this.done = true;
    this.tell(status);
    this.service?.abort({ status, by, sent });
  }

  /**
   * After everything that was written: as the response's status before the first byte, in the body's format after it.
   * @param form has its own format for a service's failure
   * @param now without messages that are still being printed
   */
  private tell(status: Status, form?: Transcoding, now = false): void {
    if (this.writer === undefined && !this.response.begun) this.response.refuse(status, form);
    else this.writing().fail(visibleStatus(this.call, status, this.gateway.edge.hints), now);
  }
}

function broken(message: string): Status {
  return refusal("UPSTREAM_PROTOCOL_ERROR", message, { code: Code.INTERNAL });
}
