// Steps that see messages: one splitter for each direction, shared by all of them, before the handler of their plan.

import type { Headers } from "../kit/headers.js";
import type { Call } from "./call.js";
import type { Step } from "./interceptor.js";
import { type GateSides, MessageGate, type Question } from "./message-gate.js";
import type { Abort, Handler, Sink, Source } from "./sink.js";
import { refusal } from "./status/reasons.js";
import { Code, parseGrpcStatus, type Status } from "./status/status.js";

/** The questions of one plan, in order. */
interface Questions {
  readonly request: readonly Question<Buffer>[];
  readonly requestEnd: readonly Question<number>[];
  readonly response: readonly Question<Buffer>[];
}

/**
 * Wraps the handler for the steps that see messages; returns the handler itself if none does.
 *
 * Requests pass the steps in their order, responses in reverse. The handler is called once the first message has been
 * accepted, or the end of a request without one.
 *
 * @param maxBytes of one message, compressed and decompressed
 */
export function withMessageSteps(steps: readonly Step[], handler: Handler, maxBytes: number): Handler {
  const questions = questionsOf(steps);
  const { request, requestEnd, response } = questions;
  if (response.length === 0 && request.length === 0 && requestEnd.length === 0) return handler;
  const answering: Handler =
    response.length === 0
      ? handler
      : (call, to) => handler(call, new ResponseSide(questions, call, to, maxBytes));
  if (request.length === 0 && requestEnd.length === 0) return answering;
  return (call, to) => new RequestSide(questions, call, to, answering, maxBytes);
}

function questionsOf(steps: readonly Step[]): Questions {
  const request: Question<Buffer>[] = [];
  const requestEnd: Question<number>[] = [];
  const response: Question<Buffer>[] = [];
  for (const { name, messages } of steps) {
    if (messages === undefined) continue;
    if (messages.request !== undefined) request.push({ name, ask: messages.request.bind(messages) });
    if (messages.requestEnd !== undefined) requestEnd.push({ name, ask: messages.requestEnd.bind(messages) });
    if (messages.response !== undefined) response.unshift({ name, ask: messages.response.bind(messages) });
  }
  return { request, requestEnd, response };
}

/** The request direction, from the runner to the handler. */
class RequestSide implements Sink, Source, GateSides {
  readonly call: Call;
  private readonly gate: MessageGate;
  private readonly next: Handler;
  private readonly response: Sink;
  private upstream: Sink | undefined = undefined;
  private source: Source | undefined = undefined;
  private stopped: Abort | undefined = undefined;

  constructor(questions: Questions, call: Call, response: Sink, next: Handler, maxBytes: number) {
    this.call = call;
    this.response = response;
    this.next = next;
    this.gate = new MessageGate(this, {
      questions: questions.request,
      atEnd: questions.requestEnd,
      encoding: call.headers.get("grpc-encoding"),
      maxBytes,
      direction: "request",
    });
  }

  open(source: Source): void {
    this.source = source;
  }

  headers(): void {}

  data(chunk: Buffer, start: number, end: number, last: boolean): void {
    this.gate.push(chunk, start, end, last);
  }

  trailers(): void {}

  abort(cause: Abort): void {
    if (this.stopped !== undefined) return;
    this.stopped = cause;
    this.gate.stop();
    this.upstream?.abort(cause);
  }

  consumed(bytes: number): void {
    this.gate.taken(bytes);
  }

  cancel(cause: Abort): void {
    this.source?.cancel(cause);
  }

  forward(chunk: Buffer, start: number, end: number): void {
    this.give(chunk, start, end, false);
  }

  finish(chunk: Buffer, start: number, end: number): void {
    this.give(chunk, start, end, true);
  }

  credit(bytes: number): void {
    this.source?.consumed(bytes);
  }

  cutShort(): void {
    this.refuse(refusal("INVALID_GRPC_REQUEST", "the request ends within a message"));
  }

  refuse(status: Status): void {
    const cause: Abort = { status, by: "hub", sent: this.upstream === undefined ? "never" : "maybe" };
    this.gate.stop();
    this.response.abort(cause);
    // The runner does it as well, unless the response had ended.
    this.abort(cause);
  }

  private give(chunk: Buffer, start: number, end: number, last: boolean): void {
    if (this.upstream === undefined) {
      const upstream = this.next(this.call, this.response);
      this.upstream = upstream;
      // It may have responded or rejected before it returned.
      if (this.stopped !== undefined) upstream.abort(this.stopped);
      else if (this.source !== undefined) upstream.open(this);
    }
    if (this.stopped === undefined) this.upstream.data(chunk, start, end, last);
  }
}

/** The response direction, from the handler to the runner. Headers and a handler's abort do not wait for messages. */
class ResponseSide implements Sink, Source, GateSides {
  readonly call: Call;
  private readonly questions: Questions;
  private readonly client: Sink;
  private readonly maxBytes: number;
  private gate: MessageGate | undefined = undefined;
  private source: Source | undefined = undefined;
  private trailing: Headers | undefined = undefined;

  constructor(questions: Questions, call: Call, client: Sink, maxBytes: number) {
    this.questions = questions;
    this.call = call;
    this.client = client;
    this.maxBytes = maxBytes;
  }

  open(source: Source): void {
    this.source = source;
    this.client.open(this);
  }

  headers(headers: Headers, end: boolean): void {
    if (!end) {
      this.gate = new MessageGate(this, {
        questions: this.questions.response,
        atEnd: [],
        encoding: headers.get("grpc-encoding"),
        maxBytes: this.maxBytes,
        direction: "response",
      });
    }
    this.client.headers(headers, end);
  }

  data(chunk: Buffer, start: number, end: number, last: boolean): void {
    this.gate?.push(chunk, start, end, last);
  }

  trailers(headers: Headers): void {
    this.trailing = headers;
    if (this.gate === undefined) this.client.trailers(headers);
    else this.gate.end();
  }

  abort(cause: Abort): void {
    this.gate?.stop();
    this.client.abort(cause);
  }

  consumed(bytes: number): void {
    this.gate?.taken(bytes);
  }

  cancel(cause: Abort): void {
    this.gate?.stop();
    this.source?.cancel(cause);
  }

  forward(chunk: Buffer, start: number, end: number): void {
    this.client.data(chunk, start, end, false);
  }

  finish(chunk: Buffer, start: number, end: number): void {
    const { trailing } = this;
    if (trailing === undefined) {
      this.client.data(chunk, start, end, true);
      return;
    }
    if (end > start) this.client.data(chunk, start, end, false);
    this.client.trailers(trailing);
  }

  credit(bytes: number): void {
    this.source?.consumed(bytes);
  }

  /** A service that failed may leave a message unfinished; one that reports success may not. */
  cutShort(): void {
    const { trailing } = this;
    if (trailing !== undefined && parseGrpcStatus(trailing.get("grpc-status")) !== Code.OK) {
      this.gate?.stop();
      this.client.trailers(trailing);
      return;
    }
    const message = "the service's answer ends within a message";
    this.refuse(refusal("UPSTREAM_PROTOCOL_ERROR", message, { code: Code.INTERNAL }));
  }

  /** The runner stops the service. */
  refuse(status: Status): void {
    this.gate?.stop();
    this.client.abort({ status, by: "hub", sent: "maybe" });
  }
}
