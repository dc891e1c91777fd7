// A client protocol as a program of its own might have: one message each way, as text, and the call's code in a field.
import { Call } from "#src/call/call.js";
import type { Gateway } from "#src/call/gateway.js";
import { frameMessage, type MessageOwner, MessageSplitter } from "#src/call/messages.js";
import { type Plan, run } from "#src/call/pipeline.js";
import { type Abort, refuse, type Sink, type Source } from "#src/call/sink.js";
import { Code, Status, statusFromTrailers } from "#src/call/status/status.js";
import type { Exchange, ExchangeHandler } from "#src/downstream/carriers/exchange.js";
import type { ClientProtocol } from "#src/downstream/protocols/client-protocol.js";
import { field, Headers } from "#src/kit/headers.js";

export const TOY_TYPE = "text/x-toy";
const MAX_BYTES = 64 * 1024;

export const toy: ClientProtocol = {
  name: "toy",
  pauses: false,
  claims: ({ fields }) => fields.some(({ name, value }) => name === "content-type" && value === TOY_TYPE),
  open: (gateway, exchange) => start(gateway, exchange, gateway.snapshot.planFor(exchange.head.target)),
  refuse: (gateway, exchange, status) =>
    start(gateway, exchange, { ...gateway.snapshot.planFor(""), handler: refuse(() => status) }),
  reject: (_gateway, exchange, { code, message }) => say(exchange, code, message),
};

function start({ timers, calls }: Gateway, exchange: Exchange, plan: Plan): void {
  const toyCall = new ToyCall(exchange);
  exchange.handler = toyCall;
  const { client, fields, target, authority, version } = exchange.head;
  const headers = Headers.of(["content-type", "application/grpc"], ["te", "trailers"]);
  const peer = client.peer("toy", fields);
  const call = new Call(plan.method, target, authority, peer, headers, timers.clock.now());
  call.httpVersion = version;
  toyCall.service = run(plan, call, toyCall, timers, calls);
  toyCall.service.open(toyCall);
}

function say(exchange: Exchange, code: number, text: string): void {
  const body = Buffer.from(text);
  const fields = [field("x-toy-code", String(code)), field("content-length", String(body.length))];
  exchange.respond(200, fields, body.length === 0);
  if (body.length > 0) exchange.write(body, 0, body.length, true);
}

class ToyCall implements ExchangeHandler, Sink, Source, MessageOwner {
  service: Sink | undefined = undefined;
  readonly #exchange: Exchange;
  readonly #splitter = new MessageSplitter(MAX_BYTES, undefined);
  readonly #sent: Buffer[] = [];
  #answer = "";
  #ended = false;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  onBody(chunk: Buffer, start: number, end: number, last: boolean): void {
    this.#sent.push(Buffer.from(chunk.subarray(start, end)));
    this.#exchange.consumed(end - start);
    if (!last) return;
    const frame = frameMessage(Buffer.concat(this.#sent));
    this.service?.data(frame, 0, frame.length, true);
  }

  onStill(): void {
    this.#fail(new Status(Code.CANCELLED, "the body stands still"), "client");
  }

  onGone(reason: string): void {
    this.#ended = true;
    this.service?.abort({ status: new Status(Code.CANCELLED, reason), by: "client", sent: "maybe" });
  }

  onSent(): void {}

  onFault(error: unknown): void {
    this.#fail(new Status(Code.INTERNAL, String(error)), "hub");
  }

  #fail(status: Status, by: Abort["by"]): void {
    this.abort({ status });
    this.service?.abort({ status, by, sent: "maybe" });
  }

  consumed(): void {}
  cancel(): void {}
  open(): void {}

  headers(headers: Headers, end: boolean): void {
    if (end) this.trailers(headers);
  }

  data(chunk: Buffer, start: number, end: number): void {
    const problem = this.#splitter.push(chunk, start, end, this);
    if (problem !== undefined) this.#fail(problem, "upstream");
  }

  onMessage(message: Buffer): void {
    this.#answer += message.toString();
  }

  trailers(headers: Headers): void {
    const { code, message } = statusFromTrailers(headers);
    this.#end(code, code === Code.OK ? this.#answer : message);
  }

  abort({ status: { code, message } }: Pick<Abort, "status">): void {
    this.#end(code, message);
  }

  #end(code: number, text: string): void {
    if (this.#ended) return;
    this.#ended = true;
    say(this.#exchange, code, text);
  }
}
