// For tests of an interceptor: one call through it, without a hub and without a socket. In a program:
// `import { callThrough } from "linchpin-hub/testing"`.
import { Call, type Identity, type MethodKind } from "./call/call.js";
import type { Interceptor, InterceptorContext, Outcome } from "./call/interceptor.js";
import { frameMessage, MessageSplitter } from "./call/messages.js";
import { plan, run } from "./call/pipeline.js";
import { RunningCalls } from "./call/running-calls.js";
import type { Abort, Sink } from "./call/sink.js";
import type { Status } from "./call/status/status.js";
import { ownInterceptors } from "./hub/own/own-interceptors.js";
import { type Clock, systemClock } from "./kit/clock.js";
import { Headers } from "./kit/headers.js";
import type { Log } from "./kit/log.js";
import { NO_METERS } from "./kit/meters.js";
import { Retained } from "./kit/retained.js";
import { TimerWheel } from "./kit/timer-wheel.js";

export interface TestCall {
  /** e.g. `/library.v1.LibraryService/GetBook`. Default: `/test.v1.Test/Call`. */
  readonly path?: string;
  /** Default: `unary`. */
  readonly kind?: MethodKind;
  /** Request metadata, by names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The caller, as interceptors before would have set it. */
  readonly identity?: Identity;
  /** The client's messages as protobuf bytes. Default: one empty message. */
  readonly requests?: readonly Uint8Array[];
  /** The service's messages. Default: one empty message. */
  readonly responses?: readonly Uint8Array[];
  /** The gRPC code that the service ends with. Default: 0. */
  readonly code?: number;
}

/** The result. */
export interface TestResult {
  /** False: the interceptor is not on the method's path. */
  readonly planned: boolean;
  /** The client's response; a service's message is not decoded. */
  readonly code: number;
  /** The hub's error, if it is one. */
  readonly status: Status | undefined;
  /** What the service received; undefined: it was not called. */
  readonly service: { readonly headers: Headers; readonly requests: readonly Buffer[] } | undefined;
  /** Messages that the client got. */
  readonly responses: readonly Buffer[];
  /** Header fields that the client got. */
  readonly headers: Headers | undefined;
  readonly call: Call;
  readonly outcome: Outcome;
}

const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
const SILENT: Log = { info() {}, warn() {}, error() {} };

/** The context of an interceptor in a test. Default: a silent log, and the system's clock. */
export function testContext(own: Partial<InterceptorContext> = {}): InterceptorContext {
  const retained = new Retained();
  retained.begin();
  return { clock: systemClock, log: SILENT, retained, meters: NO_METERS, ...own };
}

/**
 * Plans a method, and takes one call through the interceptor to a service that answers once it has all of the request.
 * It is held to what a hub holds it to. Rejects with a UserError where a hub would not start with it; what fails later
 * is the call's status.
 *
 * @param clock of deadlines. Default: that of the system
 *
 * @example
 * import assert from "node:assert/strict";
 * import { Code, type Interceptor, Status } from "linchpin-hub";
 * import { callThrough } from "linchpin-hub/testing";
 *
 * const closed: Interceptor = {
 *   name: "closed",
 *   plan: () => ({ name: "closed", start: () => new Status(Code.UNAVAILABLE, "closed") }),
 * };
 * const { code, service } = await callThrough(closed, { path: "/library.v1.LibraryService/GetBook" });
 * assert.equal(code, Code.UNAVAILABLE);
 * assert.equal(service, undefined);
 */
export async function callThrough(
  interceptor: Interceptor | Promise<Interceptor>,
  test: TestCall = {},
  clock: Clock = systemClock,
): Promise<TestResult> {
  const path = test.path ?? "/test.v1.Test/Call";
  const [, service = "", name = ""] = path.split("/");
  const kind = test.kind ?? "unary";
  const method = { service, name, path, kind, idempotent: false, descriptor: undefined };
  const places = { places: ["auth"], names: [] };
  const [, list = []] = await ownInterceptors([await interceptor], places, testContext({ clock }));
  const headers = new Headers(Headers.of(...Object.entries(test.headers ?? {})).fields);
  const call = new Call(
    method,
    path,
    "test",
    { address: "127.0.0.1:1", protocol: "grpc" },
    headers,
    clock.now(),
  );
  call.identity = test.identity;

  return new Promise((resolve) => {
    const requests = new Collected();
    const client = new Collected();
    let called = false;
    let outcome: Outcome | undefined;
    const handler = (_call: Call, response: Sink): Sink => {
      called = true;
      requests.onEnd = () => {
        if (requests.aborted === undefined) answer(response, test);
      };
      return requests;
    };
    const planned = plan(method, list, handler, MAX_MESSAGE_BYTES);
    const last = {
      name: "test",
      end: (_call: Call, ended: Outcome): void => {
        outcome = ended;
      },
    };
    client.onEnd = () =>
      // The steps end after the client got its response.
      setImmediate(() => {
        if (outcome === undefined) return;
        const { code } = outcome;
        resolve({
          planned: planned.steps.length > 0,
          code,
          status: client.aborted?.status,
          service: called ? { headers: call.headers, requests: requests.messages } : undefined,
          responses: client.messages,
          headers: client.received,
          call,
          outcome,
        });
      });
    const steps = [last, ...planned.steps];
    const request = run({ ...planned, steps }, call, client, new TimerWheel(clock), new RunningCalls());
    request.open({ consumed() {}, cancel() {} });
    const body = Buffer.concat((test.requests ?? [Buffer.alloc(0)]).map(frameMessage));
    request.data(body, 0, body.length, true);
  });
}

function answer(response: Sink, { responses = [Buffer.alloc(0)], code = 0 }: TestCall): void {
  response.open({ consumed() {}, cancel() {} });
  response.headers(Headers.of(["content-type", "application/grpc"]), false);
  const body = Buffer.concat(responses.map(frameMessage));
  response.data(body, 0, body.length, false);
  response.trailers(Headers.of(["grpc-status", String(code)]));
}

/** One end of the call. */
class Collected implements Sink {
  readonly messages: Buffer[] = [];
  received: Headers | undefined = undefined;
  aborted: Abort | undefined = undefined;
  onEnd: () => void = () => {};
  private readonly splitter = new MessageSplitter(MAX_MESSAGE_BYTES, undefined);

  open(): void {}

  headers(headers: Headers, end: boolean): void {
    this.received = headers;
    if (end) this.onEnd();
  }

  data(chunk: Buffer, start: number, end: number, last: boolean): void {
    this.splitter.push(chunk, start, end, { onMessage: (message) => void this.messages.push(message) });
    if (last) this.onEnd();
  }

  trailers(): void {
    this.onEnd();
  }

  abort(cause: Abort): void {
    this.aborted = cause;
    this.onEnd();
  }
}
