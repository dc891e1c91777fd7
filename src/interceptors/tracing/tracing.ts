// Traces: W3C context in and out, and for sampled calls a server span and a client span for each attempt. Calls that
// are not sampled pass their header on, and cost no more than the look-up.
import type { Attempt, AttemptObserver, AttemptOutcome } from "../../call/attempt.js";
import type { Call, Method, Peer } from "../../call/call.js";
import type { Interceptor, Outcome } from "../../call/interceptor.js";
import { Code, codeName } from "../../call/status/status.js";
import type { Clock } from "../../kit/clock.js";
import { type AddressRange, ipOf, matcherOf } from "../../kit/net/ip.js";
import { cut } from "../../kit/text/text.js";
import { knownVerb, methodLabel, SERVER_ERRORS } from "../../telemetry/metrics/call-metrics.js";
import { CALL_SPAN, type CallSpan } from "../../telemetry/tracing/call-span.js";
import {
  type AttributeValue,
  randomHex,
  type SpanRecord,
  type SpanSink,
} from "../../telemetry/tracing/span-record.js";
import {
  joinTracestate,
  parentIdOf,
  SAMPLED,
  traceFlags,
  traceIdOf,
  traceparent,
} from "../../telemetry/tracing/trace-context.js";

export interface TracingOptions {
  /** Share of calls that are sampled unless a trusted caller decides: 0..1. */
  readonly ratio: number;
  /** Addresses whose `sampled` flag is honoured. */
  readonly trustedPeers: readonly AddressRange[];
  /** Receives finished spans; undefined: nothing is exported, so no call is sampled here. */
  readonly spans: SpanSink | undefined;
  readonly clock: Clock;
  /** 0 ≤ n < 1 */
  readonly random?: () => number;
  /** Milliseconds since the epoch. */
  readonly wallClock?: () => number;
}

/** Length of text that the client chose. */
const MAX_TEXT = 256;
/** The wall clock is read with a sampled call; smaller differences from the monotonic clock are ignored. */
const MAX_CLOCK_SKEW_MS = 5;

export function tracing(options: TracingOptions): Interceptor {
  const { ratio, spans, clock } = options;
  const random = options.random ?? Math.random;
  const trusted = trust(options.trustedPeers);
  const epoch = new Epoch(clock, options.wallClock ?? (() => clock.wallTime()));

  const start = (label: string, method: Method, call: Call): undefined => {
    const parent = readTraceparent(call);
    const flags = parent === undefined ? -1 : traceFlags(parent);
    let sampled: boolean;
    if (flags >= 0 && trusted(call.peer)) sampled = (flags & SAMPLED) !== 0;
    else sampled = ratio > 0 && random() < ratio;
    if (sampled && spans !== undefined) {
      const traced = new TracedCall(
        label,
        method,
        call,
        flags < 0 ? undefined : parent,
        flags,
        epoch.current(),
        spans,
      );
      CALL_SPAN.set(call, traced);
    } else if (parent !== undefined) {
      if (flags < 0) {
        // §4.3: a malformed traceparent is ignored, and so is its tracestate.
        call.headers.delete("traceparent");
        call.headers.delete("tracestate");
      } else if (!sampled && (flags & SAMPLED) !== 0) {
        // No trusted caller asked for it: services must not be made to record it either.
        call.headers.set("traceparent", traceparent(traceIdOf(parent), parentIdOf(parent), flags & ~SAMPLED));
      }
    }
    return undefined;
  };

  return {
    name: "tracing",
    preflights: true,
    plan: (method) => {
      const label = methodLabel(method);
      return {
        name: "tracing",
        // Without an exporter no call is sampled.
        ...(spans === undefined ? {} : { attempts: ATTEMPTS }),
        start: (call) => start(label, method, call),
        end: (call, outcome) => {
          const span = CALL_SPAN.get(call);
          if (span instanceof TracedCall) span.finish(call, outcome);
        },
      };
    },
  };
}

/** The only traceparent; several count as malformed. */
function readTraceparent(call: Call): string | undefined {
  const fields = call.headers.fields;
  let found: string | undefined;
  for (let i = 0; i < fields.length; i++) {
    const f = fields[i];
    if (f === undefined || f.name !== "traceparent") continue;
    if (found !== undefined) return "";
    found = f.value;
  }
  return found;
}

/** A connection's peer is one object for all its calls: it is checked once. */
function trust(ranges: readonly AddressRange[]): (peer: Peer) => boolean {
  const isTrusted = matcherOf(ranges);
  const known = new WeakMap<Peer, boolean>();
  return (peer) => {
    let trusted = known.get(peer);
    if (trusted === undefined) {
      trusted = isTrusted(ipOf(peer.address));
      known.set(peer, trusted);
    }
    return trusted;
  };
}

/** Monotonic milliseconds as time of day: exact between spans of one process, and corrected when the clocks diverge. */
class Epoch {
  private readonly clock: Clock;
  private readonly wallClock: () => number;
  private offset: number;

  constructor(clock: Clock, wallClock: () => number) {
    this.clock = clock;
    this.wallClock = wallClock;
    this.offset = wallClock() - clock.now();
  }

  /** Call it with each sampled call: all times of a call use one offset. */
  current(): number {
    const offset = this.wallClock() - this.clock.now();
    if (Math.abs(offset - this.offset) > MAX_CLOCK_SKEW_MS) this.offset = offset;
    return this.offset;
  }
}

type Attributes = Record<string, AttributeValue>;

/** A client span for each attempt of a call that is sampled. */
const ATTEMPTS: AttemptObserver = {
  begin(attempt) {
    const span = CALL_SPAN.get(attempt.call);
    if (span instanceof TracedCall) span.attemptBegins(attempt);
  },
  end(attempt, outcome) {
    const span = CALL_SPAN.get(attempt.call);
    if (span instanceof TracedCall) span.attemptEnds(attempt, outcome);
  },
};

/** A sampled call: its server span, and the client spans of its attempts. */
class TracedCall implements CallSpan {
  readonly traceId: string;
  readonly spanId = randomHex(8);
  private readonly label: string;
  private readonly method: Method;
  private readonly parentSpanId: string | undefined;
  private readonly traceState: string | undefined;
  private readonly flags: number;
  private readonly offset: number;
  private readonly spans: SpanSink;
  /** The span of each attempt that runs. */
  private readonly attempts = new Map<Attempt, string>();

  constructor(
    label: string,
    method: Method,
    call: Call,
    parent: string | undefined,
    flags: number,
    offset: number,
    spans: SpanSink,
  ) {
    this.label = label;
    this.method = method;
    this.offset = offset;
    this.spans = spans;
    this.traceId = parent === undefined ? randomHex(16) : traceIdOf(parent);
    this.parentSpanId = parent === undefined ? undefined : parentIdOf(parent);
    // The other flags of a later version must not be passed on (§3.2.2.5).
    this.flags = SAMPLED | (flags < 0 ? 0 : flags & 0x02);
    const states = parent === undefined ? [] : call.headers.getAll("tracestate");
    this.traceState = states.length === 0 ? undefined : joinTracestate(states);
    if (this.traceState === undefined) call.headers.delete("tracestate");
    else if (states.length > 1) call.headers.set("tracestate", this.traceState);
  }

  attemptBegins(attempt: Attempt): void {
    const spanId = randomHex(8);
    this.attempts.set(attempt, spanId);
    attempt.setHeader("traceparent", traceparent(this.traceId, spanId, this.flags));
  }

  attemptEnds(attempt: Attempt, { code, durationMs }: AttemptOutcome): void {
    const spanId = this.attempts.get(attempt);
    if (spanId === undefined) return;
    this.attempts.delete(attempt);
    const { call, endpoint, kind, number, startedAt, upstream } = attempt;
    const attributes = this.rpcAttributes(call, code);
    attributes["linchpin.upstream"] = upstream;
    if (number > 1) attributes["linchpin.attempt"] = number;
    if (kind !== "first") attributes["linchpin.attempt.kind"] = kind;
    if (endpoint !== undefined) address(attributes, "server", endpoint.address);
    if (code !== Code.OK) attributes["error.type"] = codeName(code);
    this.spans.take({
      traceId: this.traceId,
      spanId,
      parentSpanId: this.spanId,
      parentRemote: false,
      traceState: this.traceState,
      kind: "client",
      name: this.label,
      startMs: this.offset + startedAt,
      endMs: this.offset + startedAt + durationMs,
      attributes,
      // For clients every code but OK is an error (semantic conventions for gRPC).
      error: code === Code.OK ? undefined : codeName(code),
    });
  }

  finish(call: Call, outcome: Outcome): void {
    const { code, durationMs } = outcome;
    const now = call.startedAt + durationMs;
    const { http } = call;
    const attributes = http !== undefined && http.route === undefined ? {} : this.rpcAttributes(call, code);
    peerAttributes(attributes, call.peer);
    const authority = call.peer.trusted === true ? forwardedHost(call) : call.authority;
    if (authority !== "") address(attributes, "server", authority);
    attributes["network.protocol.name"] = "http";
    attributes["network.protocol.version"] = call.httpVersion;
    const userAgent = call.headers.get("user-agent");
    if (userAgent !== undefined) attributes["user_agent.original"] = cut(userAgent, MAX_TEXT);
    let error: string | undefined;
    let name = this.label;
    if (http !== undefined) {
      const verb = knownVerb(http.method);
      // "{method} {route}", or the known parts (semantic conventions for HTTP, "Name").
      const said = verb === http.method ? verb : "HTTP";
      name = http.route === undefined ? said : `${said} ${http.route}`;
      const status = http.status === 0 ? 499 : http.status;
      attributes["http.request.method"] = verb;
      if (verb !== http.method) attributes["http.request.method_original"] = cut(http.method, 20);
      if (http.route !== undefined) attributes["http.route"] = http.route;
      attributes["url.path"] = http.path;
      attributes["url.scheme"] = call.peer.scheme ?? "http";
      attributes["http.response.status_code"] = status;
      if (status >= 500) error = String(status);
    } else if (SERVER_ERRORS.has(code)) error = codeName(code);
    if (error !== undefined) attributes["error.type"] = error;
    this.spans.take({
      traceId: this.traceId,
      spanId: this.spanId,
      parentSpanId: this.parentSpanId,
      parentRemote: true,
      traceState: this.traceState,
      kind: "server",
      name,
      startMs: this.offset + call.startedAt,
      endMs: this.offset + now,
      attributes,
      error,
    } satisfies SpanRecord);
  }

  private rpcAttributes(call: Call, code: number): Attributes {
    const attributes: Attributes = {
      "rpc.system.name": "grpc",
      "rpc.method": this.label,
      "rpc.response.status_code": codeName(code),
    };
    if (this.label !== this.method.path.slice(1)) attributes["rpc.method_original"] = call.path.slice(1, 256);
    return attributes;
  }
}

/** The client, and the other end of the connection, which is a proxy if the two differ. */
function peerAttributes(attributes: Attributes, peer: Peer): void {
  address(attributes, "network.peer", peer.address);
  const { ip } = peer;
  if (ip === undefined || ip === ipOf(peer.address)) address(attributes, "client", peer.address);
  else attributes["client.address"] = ip;
}

/** What the client requested of the first proxy, as the services see it. */
function forwardedHost({ headers, authority }: Call): string {
  return headers.get("x-forwarded-host")?.split(",", 1)[0]?.trim() ?? authority;
}

/** `server.address` and `server.port`, or those of another prefix, from HOST:PORT. */
function address(attributes: Attributes, of: "server" | "client" | "network.peer", text: string): void {
  attributes[`${of}.address`] = ipOf(text);
  const port = /:(\d{1,5})$/.exec(text)?.[1];
  if (port !== undefined) attributes[`${of}.port`] = Number(port);
}
