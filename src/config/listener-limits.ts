// Limits of a listener for clients before and outside HTTP/2, in the same format as the limits of http2/wire/limits.ts:
// default, range, reason, source. Loads no schema.
import { LIMITS, type Limit, type Limits } from "../http2/wire/limits.js";
import { MAX_DURATION_MS } from "./duration.js";

export const LISTENER_LIMITS = {
  connectionsPerAddress: {
    value: 1024,
    unit: "",
    key: "connectionsPerAddress",
    live: true,
    min: 1,
    max: 1_000_000,
    reason:
      "Connections that one client address may have; an IPv6 address counts with its /64, those of `trustedProxies` are not counted. Far more than one client needs, few enough that a flood from one address leaves room for others. Past it: the connection is closed.",
    source: "RFC 9113 §10.5",
  },
  firstBytesMs: {
    value: 10_000,
    unit: "ms",
    key: "firstBytesTimeout",
    min: 100,
    max: MAX_DURATION_MS,
    reason:
      "From a connection, or the end of its TLS handshake, to the bytes that tell its protocol; gRPC channels that connect early say theirs at once. Past it: the connection is closed.",
    source: "Slowloris, CVE-2007-6750",
  },
  handshakeMs: {
    value: 10_000,
    unit: "ms",
    key: "handshakeTimeout",
    min: 100,
    max: MAX_DURATION_MS,
    reason: "How long a TLS handshake may take. Past it: the connection is closed.",
    source: "RFC 9113 §10.5",
  },
  bodyMs: {
    value: 60_000,
    unit: "ms",
    key: "bodyTimeout",
    min: 100,
    max: Number.POSITIVE_INFINITY,
    reason:
      "How long the body of an HTTP/JSON request may stand still while the hub has taken all that came. Past it: 408, and the call ends. A body that drips is bounded by the call's deadline, which runs from the head on; a gRPC call by its deadline alone, since its streams may pause.",
    source: "RFC 9110 §15.5.9; R.U.D.Y.",
  },
  http1IdleMs: {
    value: 65_000,
    unit: "ms",
    key: "http1IdleTimeout",
    min: 100,
    max: MAX_DURATION_MS,
    reason:
      "How long an HTTP/1.1 connection may be without a request; longer than the 60 s of usual load balancers, so that they close first. Past it: the connection is closed.",
    source: "RFC 9112 §9.5",
  },
  http1ReadRate: {
    value: 240,
    unit: "bytes",
    key: "http1ReadRate",
    min: 1,
    max: 1024 * 1024,
    reason:
      "What an HTTP/1.1 client must take per second, on average over `stallTimeout`, while an answer waits for it all that time; the slowest of phones takes ten times as much. An answer that makes little, as a stream of events, does not wait. Past it: the connection is closed.",
    source: "Slow Read (slowhttptest); as Kestrel and IIS have it",
  },
  http1Pipelined: {
    value: 64,
    unit: "",
    key: undefined,
    min: 1,
    max: 1_000_000,
    reason:
      "Requests that wait for the answers before them, on a connection that `node:http` reads; they are answered one at a time. Past it: the connection is closed.",
    source: "RFC 9112 §9.3.2",
  },
  maxUnpackRatio: {
    value: 200,
    unit: "",
    key: "maxUnpackRatio",
    live: true,
    min: 10,
    max: 2000,
    reason:
      "How many times its packed size (Content-Encoding) the body of a stream may come to, once it is larger than a message may be; JSON and logs shrink to a tenth, zeros to a thousandth. Past it: 413, and the call ends.",
    source: "Compression bombs, CWE-409; Apache's DeflateInflateRatioLimit",
  },
  maxBlankBytes: {
    value: 64 * 1024,
    unit: "bytes",
    key: undefined,
    min: 1,
    max: 64 * 1024,
    reason:
      "White space between two messages of a JSON stream, blank lines among it: a line a second as a sign of life for 18 hours. Past it: 400, and the call ends.",
    source: "RFC 8259 §2 sets no bound; CWE-409",
  },
} as const satisfies Record<string, Limit>;

/** Of each listener, in the unit that `LISTENER_LIMITS` names. */
export type ListenerLimits = { readonly [K in keyof typeof LISTENER_LIMITS]: number };

export const DEFAULT_LISTENER_LIMITS: ListenerLimits = Object.fromEntries(
  Object.entries(LISTENER_LIMITS).map(([name, limit]) => [name, limit.value]),
) as Record<keyof ListenerLimits, number>;

/** The limits for a client: those of the listener, and those of its HTTP/2 connections. */
export interface ClientLimits extends ListenerLimits, Limits {}

/** Of both tables: by the name that they have in `ClientLimits`. */
export const CLIENT_LIMITS: Readonly<Record<keyof ClientLimits, Limit>> = { ...LISTENER_LIMITS, ...LIMITS };
