// One call on its way to a service: picks an endpoint, carries both directions, and sends the call elsewhere
// when it never left or was refused unprocessed (gRFC A6, transparent retries).
import type { Call } from "../call/call.js";
import { isGrpcContentType } from "../call/grpc-content-type.js";
import { hubFault } from "../call/hub-fault.js";
import type { Abort, Sink, Source } from "../call/sink.js";
import { refusal } from "../call/status/reasons.js";
import { Code, codeFromHttpStatus, parseGrpcStatus, type Status } from "../call/status/status.js";
import { retryInfo } from "../call/status/status-details.js";
import { formatTimeout } from "../call/timeout.js";
import { listBytes } from "../http2/frames/list-bytes.js";
import { checkResponse } from "../http2/frames/messages.js";
import type { HeaderBlock } from "../http2/hpack/decoder.js";
import type { Stream, StreamHandler, StreamReset } from "../http2/stream.js";
import { ErrorCode } from "../http2/wire/protocol.js";
import { attempt } from "../kit/faults.js";
import { field, Headers } from "../kit/headers.js";
import { clientOf } from "./client-of.js";
import type { Cluster, Waiter } from "./cluster.js";
import type { Link } from "./link.js";
import { statusOfReset } from "./reset-status.js";

/** Request bytes kept until the first sign of an answer, so that the call can be sent again. */
const REPLAY_BYTES = 64 * 1024;
/** A peer that refuses gets one more chance; a call that never left is sent again without limit (A6). */
const MAX_REFUSED_RETRIES = 1;

/** Rounding of the time left that was sent, and a slot of the timer wheel. */
const DEADLINE_SLACK_MS = 5;

/** How much sooner than we a client sees its deadline pass: what the request took to come here, and a slow timer. */
const CLIENT_DEADLINE_SLACK_MS = 50;

/** Header list bytes of pseudo-header fields, te and grpc-timeout, without path and authority. */
const OWN_FIELDS_BYTES = listBytes([
  field(":method", "POST"),
  field(":scheme", "https"),
  field(":path", ""),
  field(":authority", ""),
  field("te", "trailers"),
  field("grpc-timeout", "99999999m"),
]);

interface Chunk {
  readonly chunk: Buffer;
  readonly start: number;
  readonly end: number;
  readonly last: boolean;
}

export class UpstreamCall implements Sink, Source, StreamHandler, Waiter {
  private readonly cluster: Cluster;
  readonly call: Call;
  private readonly response: Sink;
  private source: Source | undefined = undefined;
  /** The connection of `stream`, or of the last one. */
  private link: Link | undefined = undefined;
  private stream: Stream | undefined = undefined;
  /** What its connection had heard when the stream was opened. */
  private heardBefore = 0;
  private done = false;
  /** A stream is open, or was until now: its observer has not been told the end. */
  private attempting = false;

  /** What the client has sent so far, as long as it can be sent again; undefined once it cannot. */
  private kept: Chunk[] | undefined = [];
  private keptBytes = 0;
  /** Bytes that the source has credit for already: a replay does not give it twice. */
  private credited = 0;
  private replayed = 0;
  private refusedRetries = 0;

  constructor(cluster: Cluster, call: Call, response: Sink) {
    this.cluster = cluster;
    this.call = call;
    this.response = response;
  }

  start(): void {
    const link = this.cluster.pick(this.call);
    if (link === undefined) this.wait();
    else this.onLink(link);
  }

  private wait(): void {
    const { cluster } = this;
    this.call.stage = cluster.waitingStage;
    switch (cluster.wait(this)) {
      case "refused":
        this.onDropped();
        break;
      case "unavailable":
        this.onUnavailable();
        break;
      default:
    }
  }

  // ---------------------------------------------------------------- Waiter

  onLink(link: Link): void {
    const { deadline } = this.call;
    const now = this.cluster.clock.now();
    const left = deadline === undefined ? Number.POSITIVE_INFINITY : deadline - now;
    if (left <= 0) {
      // The runner's timer is a little late; a deadline that has passed is never sent.
      const status = refusal("DEADLINE_EXCEEDED", `the deadline passed while in stage: ${this.call.stage}`);
      this.fail(status, "never");
      return;
    }
    const { maxHeaderListBytes } = link.connection;
    if (maxHeaderListBytes !== Number.POSITIVE_INFINITY && this.requestBytes(link) > maxHeaderListBytes) {
      const { name } = this.cluster;
      const message = `the request's metadata are more than the ${maxHeaderListBytes} bytes that upstream "${name}" takes`;
      this.fail(refusal("HEADERS_TOO_LARGE", message, { info: { upstream: name } }), "never");
      return;
    }
    const stream = link.connection.open(this);
    if (stream === undefined) {
      this.start();
      return;
    }
    const call = this.call;
    this.link = link;
    this.stream = stream;
    this.heardBefore = link.connection.heard;
    call.stage = this.cluster.stage;
    call.upstream = this.cluster.name;
    call.endpoint = link.address;
    call.attempts++;
    call.attemptStartedAt = now;
    this.attempting = true;
    call.attemptObserver?.begin(call);
    this.writeHeaders(stream, link, left);
    this.replayed = 0;
    const kept = this.kept;
    if (kept !== undefined) {
      for (const c of kept) stream.sendData(c.chunk, c.start, c.end, c.last);
    }
  }

  onDropped(): void {
    const { name, limits } = this.cluster;
    const message = `upstream "${name}" has ${limits.maxPending} calls waiting for a connection`;
    const hint = `; upstreams.${name}.pending.max is the limit`;
    this.fail(refusal("UPSTREAM_OVERLOADED", message, { info: { upstream: name }, hint }), "never");
  }

  onUnavailable(): void {
    const { name, endpoints } = this.cluster;
    // The system's errors name the address once more.
    const reasons = endpoints
      .map((e) => `${e.address}: ${e.problem.replace(` ${e.address}`, "")}`)
      .join("; ");
    const waits = endpoints.flatMap((e) => e.retryInMs ?? []);
    // Whole seconds, and never "at once": that is what has just failed.
    const seconds = waits.length === 0 ? undefined : Math.max(1, Math.ceil(Math.min(...waits) / 1000));
    const status = refusal("UPSTREAM_UNAVAILABLE", `upstream "${name}" cannot be reached`, {
      info: { upstream: name },
      hint: ` (${reasons})`,
      ...(seconds === undefined
        ? {}
        : {
            details: [retryInfo(seconds * 1000)],
            metadata: Headers.of(["retry-after", String(seconds)]),
          }),
    });
    this.fail(status, "never");
  }

  /** What `writeHeaders` sends, and a little more: fields that it leaves out count too. */
  private requestBytes(link: Link): number {
    const { path, authority, headers } = this.call;
    const names = path.length + (link.secureAuthority ?? (authority || link.address)).length;
    return names + OWN_FIELDS_BYTES + listBytes(headers.fields);
  }

  private writeHeaders(stream: Stream, link: Link, leftMs: number): void {
    const call = this.call;
    if (!stream.beginHeaders()) return;
    stream.header(":method", "POST", false);
    const secure = link.secureAuthority;
    stream.header(":scheme", secure === undefined ? "http" : "https", false);
    stream.header(":path", call.path, false);
    // Without TLS the client's, if it named one.
    stream.header(":authority", secure ?? (call.authority || link.address), false);
    stream.header("te", "trailers", false);
    const fields = call.headers.fields;
    for (let i = 0; i < fields.length; i++) {
      const f = fields[i];
      if (f === undefined) continue;
      switch (f.name) {
        case "te":
        case "host":
        case "content-length":
        case "grpc-timeout":
          break;
        default:
          stream.header(f.name, f.value, f.sensitive);
      }
    }
    if (call.deadline !== undefined) stream.header("grpc-timeout", formatTimeout(leftMs), false);
    stream.endHeaders(false);
  }

  // ---------------------------------------------------------------- Sink: the request

  open(source: Source): void {
    this.source = source;
  }

  headers(): void {}

  data(chunk: Buffer, start: number, end: number, last: boolean): void {
    if (this.done) {
      this.source?.consumed(end - start);
      return;
    }
    if (this.kept !== undefined) {
      this.keptBytes += end - start;
      // Before there is a stream, chunks wait here without credit: the client's own window bounds them.
      if (this.keptBytes > REPLAY_BYTES && this.stream !== undefined) this.kept = undefined;
      else this.kept.push({ chunk, start, end, last });
    }
    this.stream?.sendData(chunk, start, end, last);
  }

  trailers(): void {}

  abort(_cause: Abort): void {
    if (this.done) return;
    this.done = true;
    const { stream, link } = this;
    if (stream === undefined) this.cluster.stopWaiting(this);
    else {
      if (!stream.headersReceived && this.hasTimedOut()) link?.timedOut(this.heardBefore);
      link?.reset(stream, this.call);
      this.attemptEnds(Code.CANCELLED);
    }
  }

  /** Its deadline has passed, here or at the client, which is the first to know. */
  private hasTimedOut(): boolean {
    const { deadline } = this.call;
    return deadline !== undefined && this.cluster.clock.now() >= deadline - CLIENT_DEADLINE_SLACK_MS;
  }

  /** Whose call it is, where clients share the room of the upstream. */
  get client(): string {
    return clientOf(this.call);
  }

  private attemptEnds(code: number): void {
    if (!this.attempting) return;
    this.attempting = false;
    this.call.attemptObserver?.end(this.call, code);
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
    // Bytes that were credited in an earlier attempt are not credited again.
    const before = this.replayed;
    this.replayed = before + bytes;
    const fresh = this.replayed - Math.max(before, this.credited);
    if (fresh <= 0) return;
    this.credited += fresh;
    this.source?.consumed(fresh);
  }

  onHeaders(stream: Stream, block: HeaderBlock, end: boolean): void {
    if (this.done) return;
    this.kept = undefined;
    const head = checkResponse(block);
    if (typeof head === "string") return; // checked by the connection before
    const headers = new Headers(head.fields);
    const type = headers.get("content-type");
    const isGrpc = type !== undefined && isGrpcContentType(type);
    if (head.status !== 200 || !isGrpc) {
      if (!(end && headers.get("grpc-status") !== undefined)) {
        this.notGrpc(stream, head.status, type);
        return;
      }
    }
    if (end && headers.get("grpc-status") === undefined) {
      this.fail(
        refusal("UPSTREAM_PROTOCOL_ERROR", "the service ended the call without a grpc-status"),
        "maybe",
        stream,
      );
      return;
    }
    // A proxy's trailers-only answer may lack it, or have another; gRPC clients want it.
    if (!isGrpc) headers.set("content-type", "application/grpc");
    this.response.open(this);
    this.response.headers(headers, end);
    if (end) this.finish(stream, headers);
  }

  onData(stream: Stream, chunk: Buffer, start: number, end: number, last: boolean): void {
    if (this.done) return;
    if (end > start) this.response.data(chunk, start, end, false);
    if (last)
      this.fail(
        refusal("UPSTREAM_PROTOCOL_ERROR", "the service ended the call without trailers"),
        "maybe",
        stream,
      );
  }

  onTrailers(stream: Stream, block: HeaderBlock): void {
    if (this.done) return;
    const trailers = new Headers(block.fields);
    if (trailers.get("grpc-status") === undefined) {
      this.fail(
        refusal("UPSTREAM_PROTOCOL_ERROR", "the service's trailers have no grpc-status"),
        "maybe",
        stream,
      );
      return;
    }
    this.response.trailers(trailers);
    this.finish(stream, trailers);
  }

  onReset(_stream: Stream, reset: StreamReset): void {
    if (this.done) return;
    this.stream = undefined;
    if (this.kept !== undefined && this.mayRetry(reset.sent)) {
      this.attemptEnds(Code.UNAVAILABLE);
      this.start();
      return;
    }
    const { name } = this.cluster;
    const where = this.link?.address ?? "?";
    const status = this.deadlineIsDue(reset)
      ? refusal("DEADLINE_EXCEEDED", `the deadline passed at upstream "${name}"`, {
          hint: ` (${where}): ${reset.reason}`,
        })
      : statusOfReset(reset, name, where);
    this.fail(status, reset.sent);
  }

  /** A service that keeps the deadline itself cancels a little before our own timer fires. */
  private deadlineIsDue(reset: StreamReset): boolean {
    const { deadline } = this.call;
    if (deadline === undefined || reset.by !== "peer" || reset.code !== ErrorCode.CANCEL) return false;
    return this.cluster.clock.now() >= deadline - DEADLINE_SLACK_MS;
  }

  private mayRetry(sent: StreamReset["sent"]): boolean {
    if (sent === "never") return true;
    if (sent === "refused") return this.refusedRetries++ < MAX_REFUSED_RETRIES;
    return false;
  }

  /** The answer is complete. If the request is not, the service wants no more of it (RFC 9113 §8.1). */
  private finish(stream: Stream, trailers: Headers): void {
    this.done = true;
    this.link?.reset(stream, this.call);
    if (this.call.attemptObserver !== undefined)
      this.attemptEnds(parseGrpcStatus(trailers.get("grpc-status")));
  }

  private notGrpc(stream: Stream, status: number, type: string | undefined): void {
    const what =
      status === 200
        ? `content-type ${type === undefined ? "missing" : `"${type}"`}`
        : `HTTP status ${status}`;
    const code = status === 200 ? Code.UNKNOWN : codeFromHttpStatus(status);
    this.fail(
      refusal("UPSTREAM_PROTOCOL_ERROR", `upstream "${this.cluster.name}" did not answer in gRPC`, {
        code,
        hint: `: ${what}`,
      }),
      "maybe",
      stream,
    );
  }

  /** The hub itself failed: this call ends, at the service too, and no other. */
  onFault(error: unknown): void {
    const where = `while a call to ${this.call.method.path} was on its way to upstream "${this.cluster.name}"`;
    const status = hubFault("the hub failed while it called the service", where, error);
    if (this.done) return;
    this.done = true;
    attempt(where, () => {
      if (this.stream === undefined) this.cluster.stopWaiting(this);
      else this.link?.reset(this.stream, this.call);
    });
    attempt(where, () => this.attemptEnds(status.code));
    this.response.abort({ status, by: "hub", sent: "maybe" });
  }

  private fail(status: Status, sent: Abort["sent"], stream?: Stream): void {
    if (this.done) return;
    this.done = true;
    if (stream !== undefined) this.link?.reset(stream, this.call);
    this.attemptEnds(status.code);
    this.response.abort({ status, by: "upstream", sent });
  }
}
