// How messages lie in an HTTP body: one JSON value, or a stream of them as an array, NDJSON or SSE, chosen by Accept.
import type { Framing } from "../core/rest.js";

const single: Framing = {
  contentType: "application/json",
  head: "",
  message: (json) => json,
  tail: () => "",
};

/** `[a,b]`; a failure after the first message is a last element `{"error": Status}`. */
const array: Framing = {
  contentType: "application/json",
  head: "[",
  message: (json, first) => (first ? json : `,${json}`),
  tail: (error, empty) => (error === undefined ? "]" : `${empty ? "" : ","}{"error":${error}}]`),
};

/** A message per line (NDJSON); a failure is a last line `{"error": Status}`. */
const ndjson: Framing = {
  contentType: "application/x-ndjson",
  head: "",
  message: (json) => `${json}\n`,
  tail: (error) => (error === undefined ? "" : `{"error":${error}}\n`),
};

/** Server-sent events (WHATWG HTML §9.2): `data:` a message; a failure is an event `error`. */
const sse: Framing = {
  contentType: "text/event-stream",
  head: "",
  message: (json) => `data: ${json}\n\n`,
  tail: (error) => (error === undefined ? "" : `event: error\ndata: ${error}\n\n`),
};

interface Offer {
  readonly type: string;
  readonly framing: Framing;
}

const UNARY_OFFERS: readonly Offer[] = [{ type: "application/json", framing: single }];
/** In order of preference where the client has none. */
const STREAM_OFFERS: readonly Offer[] = [
  { type: "application/json", framing: array },
  { type: "application/x-ndjson", framing: ndjson },
  { type: "application/ndjson", framing: ndjson },
  { type: "application/jsonl", framing: ndjson },
  { type: "text/event-stream", framing: sse },
];

/** The framing that Accept (RFC 9110 §12.5.1) likes best; undefined when it takes none of them. */
export function chooseFraming(accept: string | undefined, streaming: boolean): Framing | undefined {
  const offers = streaming ? STREAM_OFFERS : UNARY_OFFERS;
  if (accept === undefined || accept === "*/*" || accept === "") return offers[0]?.framing;
  const ranges = parseAccept(accept);
  let best: Offer | undefined;
  let bestQuality = 0;
  for (const offer of offers) {
    const quality = qualityOf(offer.type, ranges);
    if (quality > bestQuality) {
      best = offer;
      bestQuality = quality;
    }
  }
  return best?.framing;
}

/** What may be asked for, for the message of a 406. */
export function framingTypes(streaming: boolean): string[] {
  return [...new Set((streaming ? STREAM_OFFERS : UNARY_OFFERS).map((o) => o.framing.contentType))];
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
function qualityOf(type: string, ranges: readonly Range[]): number {
  const family = `${type.slice(0, type.indexOf("/"))}/*`;
  for (const wanted of [type, family, "*/*"]) {
    const range = ranges.find((r) => r.type === wanted);
    if (range !== undefined) return range.quality;
  }
  return 0;
}
