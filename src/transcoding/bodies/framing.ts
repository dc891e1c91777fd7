// The framing of messages in an HTTP body: one value, or a stream as an array, NDJSON, SSE, XML or protobuf, chosen by
// Accept.
import { refusal } from "../../call/status/reasons.js";
import type { Status } from "../../call/status/status.js";
import { prettyJson } from "../messages/pretty-json.js";
import { PROTO_TYPE } from "../translate/content-type.js";
import { STREAM, XML_DECLARATION } from "../xml/names.js";

export interface Framing {
  readonly contentType: string;
  /** The text before the first message. */
  readonly head: string;
  /** The text before a message of this many bytes, and after it; each character is one byte. */
  before(first: boolean, bytes: number): string;
  readonly after: string;
  /** The text after the last one; `error` is a google.rpc.Status in the framing's own format if the stream failed. */
  tail(error: string | undefined, empty: boolean): string;
  /** Keeps an idle stream open without content; undefined if the framing has nothing for it. */
  readonly keepAlive: Buffer | undefined;
  /** A failure is sent in the body even before the first message. */
  readonly tellsFirst?: boolean;
  /** A failure before the service's first message is in the body as it would be after it. */
  readonly wrapsFailure?: boolean;
  /** The same with a line for each member, if that is possible. */
  readonly indented?: Framing;
  /** Messages are in XML, and the `error` of `tail` too. */
  readonly xml?: boolean;
  /** Messages are in binary format; the `error` of `tail` and its result too: each character is one byte. */
  readonly proto?: boolean;
}

const single: Framing = {
  contentType: "application/json",
  head: "",
  before: () => "",
  after: "",
  tail: () => "",
  keepAlive: undefined,
};

/** An array whose elements are indented by one level. */
const indentedArray: Framing = {
  contentType: "application/json",
  head: "[",
  before: (first) => (first ? "\n  " : ",\n  "),
  after: "",
  tail: (error, empty) => {
    if (error === undefined) return empty ? "]\n" : "\n]\n";
    const last = prettyJson(Buffer.from(`{"error":${error}}`), 1);
    return `${empty ? "" : ","}\n  ${last}\n]\n`;
  },
  keepAlive: undefined,
};

/** `[a,b]`; a failure after the first message is a last element `{"error": Status}`. */
const array: Framing = {
  contentType: "application/json",
  head: "[",
  before: (first) => (first ? "" : ","),
  after: "",
  tail: (error, empty) => (error === undefined ? "]" : `${empty ? "" : ","}{"error":${error}}]`),
  keepAlive: undefined,
  indented: indentedArray,
};

/** A message per line (NDJSON); a failure is a last line `{"error": Status}`. */
const ndjson: Framing = {
  contentType: "application/x-ndjson",
  head: "",
  before: () => "",
  after: "\n",
  tail: (error) => (error === undefined ? "" : `{"error":${error}}\n`),
  keepAlive: undefined,
};

/** The same under the name of JSON, as Envoy's stream_newline_delimited sends it. */
const jsonLines: Framing = { ...ndjson, contentType: "application/json" };

/**
 * Server-sent events (WHATWG HTML §9.2): `data:` a message; then an event `end`, or `failed` with the Status. A
 * browser's EventSource fires its own `error`, without data, for each lost connection, and reconnects whenever a stream
 * ends: so the end must be an event with data.
 */
const sse: Framing = {
  contentType: "text/event-stream",
  head: "",
  before: () => "data: ",
  after: "\n\n",
  tail: (error) => (error === undefined ? "event: end\ndata: {}\n\n" : `event: failed\ndata: ${error}\n\n`),
  keepAlive: Buffer.from(":\n\n"),
};

/** A WebSocket frame for each message; a failure is a last frame `{"error": Status}`, at any time. */
export const FRAMES: Framing = {
  contentType: "application/json",
  head: "",
  before: () => "",
  after: "",
  tail: (error) => (error === undefined ? "" : `{"error":${error}}`),
  keepAlive: undefined,
  tellsFirst: true,
};

/** Lines `{"result": message}` under the name of JSON, as grpc-gateway's ForwardResponseStream writes them. */
const gateway: Framing = {
  contentType: "application/json",
  head: "",
  before: () => '{"result":',
  after: "}\n",
  tail: (error) => (error === undefined ? "" : `{"error":${error}}\n`),
  keepAlive: undefined,
  wrapsFailure: true,
};

/** One message in binary format, if Accept names it. */
const proto: Framing = { ...single, contentType: PROTO_TYPE, proto: true };

/**
 * The whole body is one google.rpc.StreamBody, like Google's APIs' response to `alt=proto`: `repeated bytes messages =
 * 1; google.rpc.Status status = 2; repeated bytes noop = 15;`, each field as soon as it is available.
 */
const streamBody: Framing = {
  contentType: PROTO_TYPE,
  head: "",
  before: (_, bytes) => `\n${varint(bytes)}`,
  after: "",
  tail: (error) => (error === undefined ? "" : `\x12${varint(error.length)}${error}`),
  keepAlive: Buffer.from("\x7a\0", "latin1"),
  proto: true,
};

/** Base 128 (protobuf encoding, "Base 128 Varints"), a byte per character. */
function varint(value: number): string {
  let text = "";
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) text += String.fromCharCode((rest & 0x7f) | 0x80);
  return text + String.fromCharCode(rest);
}

/** One message as the root, or a root around messages: a failure is a last element `<error>`. */
function xml(contentType: string): { readonly one: Framing; readonly many: Framing } {
  return {
    one: { ...single, contentType, xml: true },
    many: {
      contentType,
      head: `${XML_DECLARATION}<${STREAM}>\n`,
      before: () => "",
      after: "\n",
      tail: (error) => `${error === undefined ? "" : `${error}\n`}</${STREAM}>\n`,
      keepAlive: undefined,
      xml: true,
    },
  };
}
const APPLICATION_XML = xml("application/xml");
const TEXT_XML = xml("text/xml; charset=utf-8");

interface Offer {
  readonly type: string;
  /** A range such as `*` does not mean it. */
  readonly byName?: boolean;
  readonly framing: Framing;
}

const UNARY_OFFERS: readonly Offer[] = [
  { type: "application/json", framing: single },
  { type: PROTO_TYPE, framing: proto, byName: true },
  { type: "application/protobuf", framing: proto, byName: true },
  { type: "application/xml", framing: APPLICATION_XML.one, byName: true },
  { type: "text/xml", framing: TEXT_XML.one, byName: true },
];

/** The default framing of a stream if Accept does not decide. */
export type StreamFormat = "array" | "ndjson" | "json-lines" | "sse" | "grpc-gateway";

const ARRAY: readonly Offer[] = [{ type: "application/json", framing: array }];
const JSON_LINES: readonly Offer[] = [{ type: "application/json", framing: jsonLines }];
const GATEWAY: readonly Offer[] = [{ type: "application/json", framing: gateway }];
const NDJSON: readonly Offer[] = [
  { type: "application/x-ndjson", framing: ndjson },
  { type: "application/ndjson", framing: ndjson },
  { type: "application/jsonl", framing: ndjson },
];
const SSE: readonly Offer[] = [{ type: "text/event-stream", framing: sse }];
/** Those that a range such as `*` does not mean. */
const BY_NAME: readonly Offer[] = [
  { type: PROTO_TYPE, framing: streamBody, byName: true },
  { type: "application/protobuf", framing: streamBody, byName: true },
  { type: "application/xml", framing: APPLICATION_XML.many, byName: true },
  { type: "text/xml", framing: TEXT_XML.many, byName: true },
];

/** In the order of preference if the client has none. */
const STREAM_OFFERS: Readonly<Record<StreamFormat, readonly Offer[]>> = {
  array: [...ARRAY, ...NDJSON, ...SSE, ...BY_NAME],
  ndjson: [...NDJSON, ...ARRAY, ...SSE, ...BY_NAME],
  "json-lines": [...JSON_LINES, ...NDJSON, ...SSE, ...BY_NAME],
  sse: [...SSE, ...ARRAY, ...NDJSON, ...BY_NAME],
  "grpc-gateway": [...GATEWAY, ...NDJSON, ...SSE, ...BY_NAME],
};

/**
 * The framing that Accept (RFC 9110 §12.5.1) prefers; a Status (406) if it accepts none of ours.
 * @param stream default framing of a stream; undefined: there is one message.
 */
export function chooseFraming(
  accept: string | undefined,
  stream: StreamFormat | undefined,
): Framing | Status {
  const offers = stream === undefined ? UNARY_OFFERS : STREAM_OFFERS[stream];
  const ranges = accept === undefined || accept === "*/*" ? [] : successRanges(accept);
  if (ranges.length === 0) return offers[0]?.framing ?? single;
  let best: Offer | undefined;
  let bestQuality = 0;
  const browser = isBrowser(ranges);
  for (const offer of offers) {
    // XML is the last offer.
    if (browser && offer.framing.xml === true && best !== undefined) continue;
    const quality = qualityOf(offer.type, ranges, offer.byName === true);
    if (quality > bestQuality) {
      best = offer;
      bestQuality = quality;
    }
  }
  return best?.framing ?? notAcceptable(offers);
}

/**
 * Browsers name XML in each Accept, before everything except pages: that does not ask for it (they get XML only if
 * there is nothing else).
 */
function isBrowser(ranges: readonly Range[]): boolean {
  return ranges.some(({ type }) => type === "text/html" || type === "application/xhtml+xml");
}

/** The content type of a failure in XML; undefined if Accept prefers JSON, in any framing, as much. */
export function wantsXml(accept: string | undefined): string | undefined {
  if (accept?.toLowerCase().includes("/xml") !== true) return undefined;
  const ranges = successRanges(accept);
  const json = qualityOfJson(ranges);
  if (json > 0 && isBrowser(ranges)) return undefined;
  const application = qualityOf("application/xml", ranges, true);
  const text = qualityOf("text/xml", ranges, true);
  if (Math.max(application, text) <= json) return undefined;
  return (application >= text ? APPLICATION_XML : TEXT_XML).one.contentType;
}

/** Whether a failure is sent in protobuf's binary format: not if Accept prefers JSON as much. */
export function wantsProto(accept: string | undefined): boolean {
  if (accept?.toLowerCase().includes("protobuf") !== true) return false;
  const ranges = successRanges(accept);
  const proto = Math.max(
    qualityOf(PROTO_TYPE, ranges, true),
    qualityOf("application/protobuf", ranges, true),
  );
  return proto > qualityOfJson(ranges);
}

/** In any framing. */
function qualityOfJson(ranges: readonly Range[]): number {
  const own = qualityOf("application/json", ranges, false);
  return Math.max(own, ...[...NDJSON, ...SSE].map(({ type }) => qualityOf(type, ranges, true)));
}

function notAcceptable(offers: readonly Offer[]): Status {
  const types = new Set(offers.map((o) => o.framing.contentType));
  const message = `the request's Accept matches none of the available types: ${[...types].join(", ")}`;
  return refusal("NOT_ACCEPTABLE", message, { info: { supported: [...types].join(", ") } });
}

/** If there is no failure, types of failures do not express a preference. */
function successRanges(accept: string): Range[] {
  return parseAccept(accept).filter(({ type }) => type !== PROBLEM_TYPE);
}

export const PROBLEM_TYPE = "application/problem+json";

/** Whether a failure is sent as RFC 9457 problem details: only if Accept names that type itself. */
export function wantsProblem(accept: string | undefined): boolean {
  return (
    accept?.toLowerCase().includes(PROBLEM_TYPE) === true &&
    parseAccept(accept).some(({ type, quality }) => type === PROBLEM_TYPE && quality > 0)
  );
}

interface Range {
  readonly type: string;
  readonly quality: number;
}

function parseAccept(accept: string): Range[] {
  const ranges: Range[] = [];
  for (const part of accept.split(",").slice(0, 64)) {
    const [type = "", ...parameters] = part.split(";").map((s) => s.trim().toLowerCase());
    let quality = 1;
    for (const parameter of parameters) {
      const q = /^q\s*=\s*([01](?:\.\d{0,3})?)$/.exec(parameter)?.[1];
      if (q !== undefined) quality = Math.min(1, Number(q));
    }
    if (type !== "") ranges.push({ type, quality });
  }
  return ranges;
}

/** The most specific range decides. */
function qualityOf(type: string, ranges: readonly Range[], byName: boolean): number {
  const family = `${type.slice(0, type.indexOf("/"))}/*`;
  for (const wanted of byName ? [type] : [type, family, "*/*"]) {
    const range = ranges.find((r) => r.type === wanted);
    if (range !== undefined) return range.quality;
  }
  return 0;
}
