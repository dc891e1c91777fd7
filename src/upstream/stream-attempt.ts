// One attempt on one HTTP/2 stream: carries both directions, checks that the response is gRPC, and reports the outcome.
import type {
  Attempt,
  AttemptEndpoint,
  AttemptKind,
  AttemptObserver,
  AttemptOutcome,
} from "../call/attempt.js";
import type { Call } from "../call/call.js";
import type { Abort, Sink, Source } from "../call/sink.js";
import { hubFault } from "../call/status/hub-fault.js";
import { refusal } from "../call/status/reasons.js";
import { Code, codeFromHttpStatus, parseGrpcStatus, type Status } from "../call/status/status.js";
import { isGrpcContentType } from "../call/wire/grpc-content-type.js";
import { checkResponse } from "../http2/frames/messages.js";
import type { HeaderBlock } from "../http2/hpack/decoder.js";
import type { Stream, StreamHandler, StreamReset } from "../http2/stream.js";
import { ErrorCode } from "../http2/wire/protocol.js";
import { attempt as attemptTo } from "../kit/faults.js";
import { Headers } from "../kit/headers.js";
import type { Cluster } from "./cluster.js";
import { clientOf } from "./pool/client-of.js";
import type { Link } from "./pool/link.js";
import type { Waiter } from "./queue.js";
import type { Replay } from "./replay.js";
import { statusOfReset } from "./reset-status.js";

/** Rounding of the timeout that was sent, and a slot of the timer wheel. */
const DEADLINE_SLACK_MS = 5;

/** How much sooner a client may see its deadline pass: the time the request took to arrive, and a slow timer. */
const CLIENT_DEADLINE_SLACK_MS = 50;

/** The Handler that starts a call's attempts and decides what follows each. */
export interface AttemptOwner {
  /** The response begins with these headers, and ends with them if `end`. Returns the sink for the rest. */
  onResponse(attempt: StreamAttempt, headers: Headers, end: boolean): Sink;
  /** It ended by itself, before or during its response. */
  onFailure(attempt: StreamAttempt, cause: Abort): void;
}

export class StreamAttempt implements Attempt, Source, StreamHandler {
  readonly cluster: Cluster;
  readonly call: Call;
  readonly kind: AttemptKind;
  readonly request: Replay;
  number = 0;
  startedAt = 0;
  /** The attempt has ended. */
  done = false;
  avoids: ((endpoint: AttemptEndpoint) => boolean) | undefined = undefined;
  /** Bytes of the request that were sent. */
  sentBytes = 0;
  /** While it waits for a connection. */
  waiter: Waiter | undefined = undefined;

  private readonly owner: AttemptOwner;
  private response: Sink | undefined = undefined;
  private link: Link | undefined = undefined;
  private stream: Stream | undefined = undefined;
  /** Value of its connection's `heard` when the stream was opened. */
  private heardBefore = 0;
  /** It has begun, and its observers have not been notified of the end. */
  private running = false;
  private headersMs: number | undefined = undefined;
  private ownHeaders: Headers | undefined = undefined;

  constructor(cluster: Cluster, call: Call, kind: AttemptKind, request: Replay, owner: AttemptOwner) {
    this.cluster = cluster;
    this.call = call;
    this.kind = kind;
    this.request = request;
    this.owner = owner;
  }

  // ---------------------------------------------------------------- Attempt

  get upstream(): string {
    return this.cluster.name;
  }

  get endpoint(): AttemptEndpoint | undefined {
    return this.link?.endpoint;
  }

  get headers(): Headers {
    return this.ownHeaders ?? this.call.headers;
  }

  setHeader(name: string, value: string): void {
    this.ownHeaders ??= new Headers(this.call.headers.fields);
    this.ownHeaders.set(name, value);
  }

  /** It has had a stream. */
  get begun(): boolean {
    return this.number > 0;
  }

  /** It has a stream, and has not ended. */
  get sending(): boolean {
    return this.begun && !this.done;
  }

  /** The client of the call, where clients share the capacity of the upstream. */
  get client(): string {
    return clientOf(this.call);
  }

  // ---------------------------------------------------------------- from begin to end

  /** It has a stream, whose headers are written next. */
  begin(link: Link, stream: Stream, now: number): void {
    const { call, cluster } = this;
    this.link = link;
    this.stream = stream;
    this.heardBefore = link.connection.heard;
    this.startedAt = now;
    this.number = ++call.attempts;
    this.running = true;
    call.attempt = this;
    call.stage = cluster.stage;
    tellBegin(cluster.observers, this);
    tellBegin(call.attemptObservers, this);
  }

  /** @param end the code, or the trailers of a service that ended it */
  private ends(by: Abort["by"], sent: Abort["sent"], end: number | Headers): void {
    if (!this.running) return;
    this.running = false;
    const { cluster, call } = this;
    if (cluster.observers.length === 0 && call.attemptObservers.length === 0) return;
    const trailers = typeof end === "number" ? undefined : end;
    const outcome: AttemptOutcome = {
      code: typeof end === "number" ? end : parseGrpcStatus(end.get("grpc-status")),
      by,
      sent,
      headersMs: this.headersMs,
      durationMs: cluster.clock.now() - this.startedAt,
      trailers,
    };
    tellEnd(cluster.observers, this, outcome);
    tellEnd(call.attemptObservers, this, outcome);
  }

  private tellHeaders(observers: readonly AttemptObserver[]): void {
    for (let i = 0; i < observers.length; i++) {
      const observer = observers[i];
      if (observer?.headers === undefined) continue;
      // Read the clock only for observers that need it.
      this.headersMs ??= this.cluster.clock.now() - this.startedAt;
      observer.headers(this, this.headersMs);
    }
  }

  // ---------------------------------------------------------------- the request, from Replay

  send(chunk: Buffer, start: number, end: number, last: boolean): void {
    this.stream?.sendData(chunk, start, end, last);
  }

  /** The response is no longer wanted. Idempotent. */
  abort({ by }: Abort): void {
    if (this.done) return;
    this.done = true;
    const { stream, link } = this;
    if (stream === undefined) this.stopWaiting();
    else {
      if (!stream.headersReceived && this.hasTimedOut()) link?.timedOut(this.heardBefore);
      link?.reset(stream, this.call);
      this.ends(by, "maybe", Code.CANCELLED);
    }
  }

  private stopWaiting(): void {
    if (this.waiter !== undefined) this.cluster.queue.stopWaiting(this.waiter);
  }

  /** The deadline has passed, here or at the client, which notices first. */
  private hasTimedOut(): boolean {
    const { deadline } = this.call;
    return deadline !== undefined && this.cluster.clock.now() >= deadline - CLIENT_DEADLINE_SLACK_MS;
  }

  // ---------------------------------------------------------------- Source: the response's credit

  consumed(bytes: number): void {
    this.stream?.consumed(bytes);
  }

  cancel(cause: Abort): void {
    this.abort(cause);
  }

  // ---------------------------------------------------------------- StreamHandler

  onSent(bytes: number): void {
    const before = this.sentBytes;
    this.sentBytes = before + bytes;
    this.request.sent(before, bytes);
  }

  onHeaders(stream: Stream, block: HeaderBlock, end: boolean): void {
    if (this.done) return;
    const head = checkResponse(block);
    if (typeof head === "string") return; // checked by the connection before
    this.tellHeaders(this.cluster.observers);
    this.tellHeaders(this.call.attemptObservers);
    const headers = new Headers(head.fields);
    const type = headers.get("content-type");
    const isGrpc = type !== undefined && isGrpcContentType(type);
    if (head.status !== 200 || !isGrpc) {
      if (!(end && headers.get("grpc-status") !== undefined)) {
        this.fail(notGrpc(this.upstream, head.status, type), "maybe", stream);
        return;
      }
    }
    if (end && headers.get("grpc-status") === undefined) {
      this.broken("the service ended the call without a grpc-status", stream);
      return;
    }
    // The trailers-only response of a proxy may lack it or have another one; gRPC clients need it.
    if (!isGrpc) headers.set("content-type", "application/grpc");
    // Observers are notified of the end before the call ends with it.
    if (end) this.ends("upstream", "maybe", headers);
    const response = this.owner.onResponse(this, headers, end);
    this.response = response;
    response.open(this);
    response.headers(headers, end);
    if (end) this.finish(stream);
  }

  onData(stream: Stream, chunk: Buffer, start: number, end: number, last: boolean): void {
    if (this.done) return;
    if (end > start) this.response?.data(chunk, start, end, false);
    if (last) this.broken("the service ended the call without trailers", stream);
  }

  onTrailers(stream: Stream, block: HeaderBlock): void {
    if (this.done) return;
    const trailers = new Headers(block.fields);
    if (trailers.get("grpc-status") === undefined) {
      this.broken("the service's trailers have no grpc-status", stream);
      return;
    }
    this.ends("upstream", "maybe", trailers);
    this.response?.trailers(trailers);
    this.finish(stream);
  }

  onReset(_stream: Stream, reset: StreamReset): void {
    if (this.done) return;
    this.stream = undefined;
    const { upstream } = this;
    const where = this.link?.endpoint.address ?? "?";
    const status = this.deadlineIsDue(reset)
      ? refusal("DEADLINE_EXCEEDED", `the deadline passed at upstream "${upstream}"`, {
          hint: ` (${where}): ${reset.reason}`,
        })
      : statusOfReset(reset, upstream, where);
    this.fail(status, reset.sent);
  }

  /** A service that enforces the deadline itself cancels a little before our own timer fires. */
  private deadlineIsDue(reset: StreamReset): boolean {
    const { deadline } = this.call;
    if (deadline === undefined || reset.by !== "peer" || reset.code !== ErrorCode.CANCEL) return false;
    return this.cluster.clock.now() >= deadline - DEADLINE_SLACK_MS;
  }

  // ---------------------------------------------------------------- the outcome

  /** If the request is not complete, the service wants no more of it (RFC 9113 §8.1). */
  private finish(stream: Stream): void {
    this.done = true;
    this.link?.reset(stream, this.call);
  }

  private broken(what: string, stream: Stream): void {
    this.fail(refusal("UPSTREAM_PROTOCOL_ERROR", what), "maybe", stream);
  }

  /** @param stream is reset, if given */
  fail(status: Status, sent: Abort["sent"], stream?: Stream): void {
    if (this.done) return;
    this.done = true;
    if (stream !== undefined) this.link?.reset(stream, this.call);
    this.ends("upstream", sent, status.code);
    this.owner.onFailure(this, { status, by: "upstream", sent });
  }

  /** A fault of the hub: ends this call, also at the service, and no other. */
  onFault(error: unknown): void {
    const where = `while a call to ${this.call.method.path} was on its way to upstream "${this.upstream}"`;
    const status = hubFault("the hub failed while it called the service", where, error);
    if (this.done) return;
    this.done = true;
    attemptTo(where, () => {
      if (this.stream === undefined) this.stopWaiting();
      else this.link?.reset(this.stream, this.call);
    });
    attemptTo(where, () => this.ends("hub", "maybe", status.code));
    this.owner.onFailure(this, { status, by: "hub", sent: "maybe" });
  }
}

function notGrpc(upstream: string, status: number, type: string | undefined): Status {
  const what =
    status === 200 ? `content-type ${type === undefined ? "missing" : `"${type}"`}` : `HTTP status ${status}`;
  const code = status === 200 ? Code.UNKNOWN : codeFromHttpStatus(status);
  return refusal("UPSTREAM_PROTOCOL_ERROR", `upstream "${upstream}" did not answer in gRPC`, {
    code,
    hint: `: ${what}`,
  });
}

function tellBegin(observers: readonly AttemptObserver[], attempt: Attempt): void {
  for (let i = 0; i < observers.length; i++) observers[i]?.begin?.(attempt);
}

function tellEnd(observers: readonly AttemptObserver[], attempt: Attempt, outcome: AttemptOutcome): void {
  for (let i = 0; i < observers.length; i++) observers[i]?.end?.(attempt, outcome);
}
