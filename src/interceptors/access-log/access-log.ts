// One line for each call when it has ended: who called what, how it ended and where it was sent; never a credential, a
// message or a query string.
import { BinaryReader } from "@bufbuild/protobuf/wire";
import type { Call } from "../../call/call.js";
import { CallKey } from "../../call/call-key.js";
import type { Interceptor, Outcome } from "../../call/interceptor.js";
import { Code, codeName, type Status } from "../../call/status/status.js";
import { ipOf } from "../../kit/net/ip.js";
import { cut } from "../../kit/text/text.js";
import type { AccessLevel, AccessRecord } from "../../telemetry/log/access-log.js";
import { methodLabel } from "../../telemetry/metrics/call-metrics.js";
import { CALL_SPAN } from "../../telemetry/tracing/call-span.js";
import { traceFlags, traceIdOf } from "../../telemetry/tracing/trace-context.js";

export interface AccessLogOptions {
  /** Share of successful calls that are logged: 0..1. Failures are always logged. */
  readonly sample: number;
  readonly write: (level: AccessLevel, record: AccessRecord) => void;
  /** 0 ≤ n < 1 */
  readonly random?: () => number;
  /** Milliseconds since the epoch. */
  readonly wallClock?: () => number;
}

/** Length of text that the client chose. */
const MAX_TEXT = 200;
const MAX_PATH = 500;

/** Of all attempts that have ended. */
const UPSTREAM_MS = new CallKey<number>("upstream milliseconds");

export function accessLog(options: AccessLogOptions): Interceptor {
  const { sample, write } = options;
  const random = options.random ?? Math.random;
  const wallClock = options.wallClock ?? Date.now;
  return {
    name: "access log",
    preflights: true,
    plan: (method) => {
      const label = methodLabel(method);
      return {
        name: "access log",
        attempts: {
          end: ({ call }, { durationMs }) => {
            UPSTREAM_MS.set(call, (UPSTREAM_MS.get(call) ?? 0) + durationMs);
          },
        },
        end: (call, outcome) => {
          const ok = outcome.code === Code.OK && (call.http === undefined || call.http.status < 400);
          if (ok && sample < 1 && random() >= sample) return;
          write(ok ? "info" : "warn", record(label, call, outcome, wallClock()));
        },
      };
    },
  };
}

function record(label: string, call: Call, outcome: Outcome, now: number): AccessRecord {
  const { http, peer, headers } = call;
  const status = outcome.cause?.status;
  const userAgent = headers.get("user-agent");
  return {
    time: new Date(now).toISOString(),
    protocol: peer.protocol,
    // A request that calls no method has the path as received.
    method:
      http !== undefined && http.route === undefined
        ? undefined
        : label === "_OTHER"
          ? cut(call.path.slice(1), MAX_PATH, "…")
          : label,
    httpMethod: http?.method,
    httpRoute: http?.route,
    httpPath: http === undefined ? undefined : cut(http.path, MAX_PATH, "…"),
    httpStatus: http === undefined ? undefined : http.status === 0 ? 499 : http.status,
    code: outcome.code,
    status: codeName(outcome.code),
    // A call that the hub served itself was sent nowhere.
    by: outcome.by === "upstream" && call.attempts === 0 ? "hub" : outcome.by,
    // A service's message may contain the request; the hub's does not.
    message:
      outcome.by === "upstream" || status === undefined ? undefined : cut(status.message, MAX_PATH, "…"),
    reason: status === undefined ? undefined : reasonOf(status),
    durationMs: round(outcome.durationMs),
    upstreamMs: call.attempts === 0 ? undefined : round(UPSTREAM_MS.get(call) ?? 0),
    requestBytes: outcome.requestBytes,
    responseBytes: outcome.responseBytes,
    identity: call.identity === undefined ? undefined : cut(call.identity.name, MAX_TEXT, "…"),
    identityKind: call.identity?.kind,
    upstream: call.attempt?.upstream,
    endpoint: call.attempt?.endpoint?.address,
    attempts: call.attempts,
    traceId: CALL_SPAN.get(call)?.traceId ?? passedTraceId(headers.get("traceparent")),
    peer: ipOf(peer.address),
    userAgent: userAgent === undefined ? undefined : cut(userAgent, MAX_TEXT, "…"),
  };
}

/** Of a call that is not traced here. */
function passedTraceId(header: string | undefined): string | undefined {
  return header !== undefined && traceFlags(header) >= 0 ? traceIdOf(header) : undefined;
}

/** The reason in the error's google.rpc.ErrorInfo: its first field. */
function reasonOf({ details }: Status): string | undefined {
  for (const { typeUrl, value } of details) {
    if (!typeUrl.endsWith("/google.rpc.ErrorInfo")) continue;
    try {
      const reader = new BinaryReader(value);
      while (reader.pos < reader.len) {
        const [field, wire] = reader.tag();
        if (field === 1) return cut(reader.string(), MAX_TEXT, "…");
        reader.skip(wire, field);
      }
    } catch {
      return undefined;
    }
  }
  return undefined;
}

/** Microseconds are precise enough. */
function round(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}
