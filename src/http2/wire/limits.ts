// Every limit that guards a connection, in one table: name, default, range, reason, source. The config's `limits:` and
// its JSON Schema are made from it; docs/security.md shows it, and a test compares them.

export interface Limit {
  /** Infinity: off unless an owner sets it. */
  readonly value: number;
  readonly unit: "" | "bytes" | "ms" | "per second";
  /** Its key in the config's `limits:`; undefined: it cannot be configured, and is fixed. */
  readonly key: string | undefined;
  /** Allowed range, both included. A `max` of Infinity: it may be turned off (`none`). */
  readonly min: number;
  readonly max: number;
  /** What it guards against, and what happens beyond it. */
  readonly reason: string;
  /** A CVE, an RFC, or where an honest peer is known to exceed a stricter limit. */
  readonly source: string;
  /** A reload changes it. Left out: that needs a restart. */
  readonly live?: true;
}

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
/** 24 days: timers of the platform count to 2^31 - 1 ms. */
const MAX_MS = 24 * 24 * 3_600_000;
const NONE = Number.POSITIVE_INFINITY;

/**
 * A budget is a pair of limits: a burst, and a refill per second. Honest traffic earns more, as the reason says, so
 * that a budget bounds the work beside the calls, not the calls.
 */
export const LIMITS = {
  maxConcurrentStreams: {
    value: 256,
    unit: "",
    key: "maxConcurrentStreams",
    min: 1,
    max: 100_000,
    reason: "Concurrent streams of a client's connection. Past it: REFUSED_STREAM, counted as a reset.",
    source: "RFC 9113 §5.1.2, §10.5",
  },
  maxHeaderListBytes: {
    value: 64 * KIB,
    unit: "bytes",
    key: "maxHeaderList",
    min: 4 * KIB,
    max: MIB,
    reason:
      "Size of a decoded header list, plus 32 bytes for each field. Past it: fields are discarded, and the call is rejected with 431 or RESOURCE_EXHAUSTED.",
    source: "RFC 9113 §10.5.1; HPACK bomb, CVE-2016-6581",
  },
  maxHeaderFields: {
    value: 128,
    unit: "",
    key: "maxHeaderFields",
    min: 16,
    max: 10_000,
    reason:
      "Number of fields in a header list; past it as above. A field of one encoded byte decodes to an object.",
    source: "CVE-2016-6581, CVE-2019-9516",
  },
  maxHeaderBlockBytes: {
    value: 128 * KIB,
    unit: "bytes",
    key: "maxHeaderBlock",
    min: 4 * KIB,
    max: 2 * MIB,
    reason:
      "Size of an encoded header block, checked before it is decoded or buffered. Past it: GOAWAY(ENHANCE_YOUR_CALM). Twice the header list limit, so that a list slightly too large still gets a 431.",
    source: "CVE-2024-27316, CVE-2024-27983",
  },
  maxContinuations: {
    value: 8,
    unit: "",
    key: "maxContinuations",
    min: 1,
    max: 1000,
    reason: "CONTINUATION frames of one header block. Past it: GOAWAY(ENHANCE_YOUR_CALM).",
    source: "CVE-2024-27983, CVE-2024-24549",
  },
  maxStreamWindowBytes: {
    value: 256 * KIB,
    unit: "bytes",
    key: "maxStreamWindow",
    min: 64 * KIB,
    max: 16 * MIB,
    reason:
      "A stream's receive window. It grows from 64 KiB − 1 up to this while the stream is read, which bounds what is buffered.",
    source: "RFC 9113 §5.2",
  },
  maxSettingsEntries: {
    value: 32,
    unit: "",
    key: "maxSettingsEntries",
    min: 8,
    max: 1000,
    reason:
      "Entries of one SETTINGS frame: each may affect every stream. Past it: GOAWAY(ENHANCE_YOUR_CALM).",
    source: "CVE-2020-11080",
  },
  maxInterimResponses: {
    value: 32,
    unit: "",
    key: undefined,
    min: 1,
    max: 1000,
    reason: "Interim (1xx) responses before the final one. Past it: the stream is reset.",
    source: "RFC 9110 §15.2",
  },
  resetYoungMs: {
    value: 100,
    unit: "ms",
    key: "resetYoung",
    min: 1,
    max: MAX_MS,
    reason:
      "A client's reset counts when its call is younger than this and has no response. An older call held one of the concurrent streams all the time, which already bounds it.",
    source: "CVE-2023-44487; grpc-node#2872 (honest cancels tripped a limit that counted all)",
  },
  resetBurst: {
    value: 1000,
    unit: "",
    key: "resetBurst",
    min: 1,
    max: 1_000_000,
    reason:
      "Resets of such calls, resets that we send because the peer broke the protocol, and refused streams, together. A call with a response returns one. Past it: GOAWAY(ENHANCE_YOUR_CALM).",
    source: "Rapid reset, CVE-2023-44487; MadeYouReset, CVE-2025-8671",
  },
  resetsPerSecond: {
    value: 33,
    unit: "per second",
    key: "resetsPerSecond",
    min: 1,
    max: 1_000_000,
    reason: "Refill rate of the reset budget.",
    source: "CVE-2023-44487",
  },
  pingBurst: {
    value: 200,
    unit: "",
    key: "pingBurst",
    min: 1,
    max: 1_000_000,
    reason:
      "PINGs, each of which requires an ACK. Each HEADERS or DATA frame, in either direction, earns one, because bandwidth probes follow data. Past it: GOAWAY(ENHANCE_YOUR_CALM).",
    source: "CVE-2019-9512",
  },
  pingsPerSecond: {
    value: 10,
    unit: "per second",
    key: "pingsPerSecond",
    min: 1,
    max: 1_000_000,
    reason: "Refill rate of the PING budget. Keepalive needs a tenth of one.",
    source: "CVE-2019-9512",
  },
  settingsBurst: {
    value: 100,
    unit: "",
    key: "settingsBurst",
    min: 1,
    max: 1_000_000,
    reason: "SETTINGS frames, each of which requires an ACK. Past it: GOAWAY(ENHANCE_YOUR_CALM).",
    source: "CVE-2019-9515",
  },
  settingsPerSecond: {
    value: 10,
    unit: "per second",
    key: "settingsPerSecond",
    min: 1,
    max: 1_000_000,
    reason: "Refill rate of the SETTINGS budget. gRPC sends some when its window grows.",
    source: "CVE-2019-9515",
  },
  emptyDataBurst: {
    value: 100,
    unit: "",
    key: "emptyDataBurst",
    min: 1,
    max: 1_000_000,
    reason:
      "Empty DATA frames without END_STREAM (grpc-go ends a request with an empty one that has it). Each HEADERS frame and each DATA frame with data earns one. Past it: GOAWAY(ENHANCE_YOUR_CALM).",
    source: "CVE-2019-9518",
  },
  emptyDataPerSecond: {
    value: 10,
    unit: "per second",
    key: "emptyDataPerSecond",
    min: 1,
    max: 1_000_000,
    reason: "Refill rate of the budget for empty DATA frames.",
    source: "CVE-2019-9518",
  },
  priorityBurst: {
    value: 200,
    unit: "",
    key: "priorityBurst",
    min: 1,
    max: 1_000_000,
    reason:
      "PRIORITY frames and frames of unknown types, which are ignored. Each stream earns four. Past it: GOAWAY(ENHANCE_YOUR_CALM).",
    source: "CVE-2019-9513; RFC 9113 §10.5",
  },
  prioritiesPerSecond: {
    value: 20,
    unit: "per second",
    key: "prioritiesPerSecond",
    min: 1,
    max: 1_000_000,
    reason: "Refill rate of the PRIORITY budget.",
    source: "CVE-2019-9513",
  },
  windowUpdateBurst: {
    value: 1000,
    unit: "",
    key: "windowUpdateBurst",
    min: 1,
    max: 1_000_000,
    reason:
      "WINDOW_UPDATE frames. Each stream earns four, and each HEADERS or DATA frame that we send earns ten, unless the peer's window cut it below 64 bytes. Past it: GOAWAY(ENHANCE_YOUR_CALM).",
    source: "CVE-2019-9511, CVE-2019-9517",
  },
  windowUpdatesPerSecond: {
    value: 100,
    unit: "per second",
    key: "windowUpdatesPerSecond",
    min: 1,
    max: 1_000_000,
    reason: "Refill rate of the WINDOW_UPDATE budget.",
    source: "CVE-2019-9511",
  },
  lateBurst: {
    value: 1000,
    unit: "",
    key: "lateBurst",
    min: 1,
    max: 1_000_000,
    reason:
      "HEADERS and RST_STREAM on closed streams. Honest ones crossed our reset; any others are an attack. Each stream earns four. Past it: GOAWAY(ENHANCE_YOUR_CALM).",
    source: "CVE-2019-9514, CVE-2023-44487",
  },
  latePerSecond: {
    value: 100,
    unit: "per second",
    key: "latePerSecond",
    min: 1,
    max: 1_000_000,
    reason: "Refill rate of the budget for late frames.",
    source: "CVE-2019-9514",
  },
  maxUnreadBytes: {
    value: 4 * MIB,
    unit: "bytes",
    key: "maxUnread",
    min: 64 * KIB,
    max: 256 * MIB,
    reason:
      "Output other than DATA buffered for a peer that does not read: PING and SETTINGS ACKs, resets, headers. Past it: the connection is closed.",
    source: "CVE-2019-9512, CVE-2019-9515",
  },
  maxQueuedBytes: {
    value: 64 * MIB,
    unit: "bytes",
    key: "maxQueued",
    min: MIB,
    max: 16 * GIB,
    reason:
      "DATA buffered for one connection: 256 streams times 256 KiB, so that senders that respect flow control never reach it. Past it: the largest streams are reset with ENHANCE_YOUR_CALM, slow ones first, then those without window.",
    source: "CVE-2019-9517",
  },
  maxProcessQueuedBytes: {
    value: 256 * MIB,
    unit: "bytes",
    key: "maxProcessQueued",
    min: MIB,
    max: 64 * GIB,
    reason:
      "DATA and HTTP/1.1 responses buffered for all connections together. Past it: streams whose peers would need more than a minute for their backlog are reset, on any connection; then as above, on the connection with the largest backlog; an HTTP/1.1 connection is closed.",
    source: "CVE-2019-9517",
  },
  stallMs: {
    value: 300_000,
    unit: "ms",
    key: "stallTimeout",
    min: 100,
    max: NONE,
    reason:
      "How long buffered DATA of a stream may make no progress, as when the peer gives no window. Past it: the stream is reset with CANCEL. On HTTP/1.1 and WebSockets the same holds for a response, and the connection is closed.",
    source: "RFC 9113 §10.5; CVE-2019-9517; Slow Read (slowhttptest)",
  },
  settingsMs: {
    value: 10_000,
    unit: "ms",
    key: "settingsTimeout",
    min: 100,
    max: MAX_MS,
    reason:
      "From accepting a client's connection to its preface and SETTINGS. There is no limit for the first request: gRPC channels connect before they are needed. Past it: GOAWAY(SETTINGS_TIMEOUT).",
    source: "RFC 9113 §3.4, §6.5.3",
  },
  headersMs: {
    value: 10_000,
    unit: "ms",
    key: "headersTimeout",
    min: 100,
    max: MAX_MS,
    reason:
      "From the first to the last byte of a header block, or of any frame except DATA. Past it: GOAWAY(ENHANCE_YOUR_CALM).",
    source: "RFC 9113 §10.5; Slowloris, CVE-2007-6750",
  },
  unreadMs: {
    value: 20_000,
    unit: "ms",
    key: undefined,
    min: 100,
    max: MAX_MS,
    reason:
      "How long output to a service may make no progress. After 5 s new calls use other connections. Past it: the connection is closed.",
    source: "gRFC A18 (TCP_USER_TIMEOUT)",
  },
  idleMs: {
    value: 3_600_000,
    unit: "ms",
    key: "idleTimeout",
    min: 100,
    max: NONE,
    reason: "How long a client's connection may be idle (no stream). Past it: it is drained.",
    source: "RFC 9113 §9.1",
  },
  keepaliveMs: {
    value: 300_000,
    unit: "ms",
    key: "keepaliveTime",
    min: 100,
    max: NONE,
    reason:
      "Keepalive: after this time without a byte from the peer a PING is sent. Toward a service only while there are calls, once after 20 s when calls were sent since, and never more often than this: gRPC servers close connections that ping more often.",
    source: "RFC 9113 §6.7; gRFC A8, A9",
  },
  keepaliveTimeoutMs: {
    value: 20_000,
    unit: "ms",
    key: "keepaliveTimeout",
    min: 100,
    max: MAX_MS,
    reason: "How long the PING's ACK may take. Past it: the connection is closed.",
    source: "gRFC A8, A9",
  },
  maxAgeMs: {
    value: NONE,
    unit: "ms",
    key: "maxAge",
    min: 100,
    max: NONE,
    reason:
      "Maximum age of a client's connection, with ±10 % jitter. Past it: it is drained in two steps, so that clients spread over new instances and no call is lost.",
    source: "gRFC A9; RFC 9113 §6.8",
  },
  maxAgeGraceMs: {
    value: NONE,
    unit: "ms",
    key: "maxAgeGrace",
    min: 100,
    max: NONE,
    reason: "Grace period for the calls of a connection drained for its age. Past it: they are cancelled.",
    source: "gRFC A9",
  },
} as const satisfies Record<string, Limit>;

export type LimitName = keyof typeof LIMITS;

/** The value of each limit, in the unit that `LIMITS` names. */
export type Limits = { readonly [K in LimitName]: number };

export const DEFAULT_LIMITS: Limits = Object.fromEntries(
  Object.entries(LIMITS).map(([name, limit]) => [name, limit.value]),
) as Record<LimitName, number>;

/** The defaults, overridden by the given values. */
export function limitsOf(given: Partial<Limits> | undefined): Limits {
  if (given === undefined) return DEFAULT_LIMITS;
  const limits = filled.get(given) ?? { ...DEFAULT_LIMITS, ...given };
  filled.set(given, limits);
  return limits;
}

/** One object for all connections of a listener or of an upstream: it is 900 bytes. */
const filled = new WeakMap<Partial<Limits>, Limits>();
