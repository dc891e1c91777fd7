// Every header that the hub reads, `$alt` and `$fields`: each form of them, right or nearly so.
import type { Random } from "../random.js";
import { list, maybe, onWire, textOf } from "./text.js";

const TYPES = [
  "json",
  "xml",
  "x-ndjson",
  "x-protobuf",
  "protobuf",
  "problem+json",
  "problem+xml",
  "grpc",
  "*",
].map((type) => `application/${type}`);
const MORE_TYPES = [
  "text/xml",
  "text/event-stream",
  "text/html",
  "text/*",
  "*/*",
  "*",
  "a/b",
  "/",
  "application/",
  "",
];

const mediaType = (random: Random): string => random.pick(random.chance(75) ? TYPES : MORE_TYPES);

function parameterOf(random: Random): string {
  const name = random.pick([
    "q",
    "Q",
    "charset",
    "version",
    "profile",
    "boundary",
    "enum-encoding",
    textOf(random),
  ]);
  const value = random.pick([
    "0",
    "1",
    "0.5",
    "1.001",
    "-1",
    "",
    "utf-8",
    '"utf-8"',
    '"a\\"b',
    "int",
    textOf(random),
  ]);
  return `${maybe(random, 20, " ")};${maybe(random, 30, " ")}${name}${maybe(random, 95, "=")}${value}`;
}

export const mediaRange = (random: Random): string =>
  mediaType(random) + list(random, random.chance(80) ? 1 : 4, () => parameterOf(random), "");
const accept = (random: Random): string =>
  list(random, random.chance(90) ? 3 : 60, () => mediaRange(random), random.pick([",", ", ", ",,"]));

const ALTS = ["json", "xml", "proto", "ndjson", "sse", "JSON", "media", "csv", ""];
export const alt = (random: Random): string =>
  random.chance(85)
    ? random.pick(ALTS) + maybe(random, 30, `;enum-encoding=${random.pick(["int", "string", "", "int;"])}`)
    : textOf(random);

const FIELDS = [
  "name",
  "title",
  "authors",
  "books",
  "kinds",
  "text",
  "labels",
  "children",
  "payload",
  "seen",
  "*",
  "parts",
];
export const fieldPath = (random: Random): string =>
  random.chance(85)
    ? list(random, 4, () => random.pick(FIELDS), ".")
    : `${random.pick(FIELDS)}.${textOf(random)}`;

const DURATIONS = [
  "1S",
  "500m",
  "99999999H",
  "100000000S",
  "0S",
  "-1S",
  "1x",
  "60",
  "5",
  "0.5",
  "1e3",
  "0x10",
  "",
  "NaN",
];
const duration = (random: Random): string => (random.chance(85) ? random.pick(DURATIONS) : textOf(random));
const CODINGS = ["gzip", "deflate", "br", "identity", "zstd", "*", "gzip, br", "gzip;q=0", "gzip;q=1.5", ""];
const coding = (random: Random): string => (random.chance(85) ? random.pick(CODINGS) : textOf(random));

/** Each header that the hub reads, and what stands in it. */
const HEADERS: Readonly<Record<string, (random: Random) => string>> = {
  accept,
  "accept-encoding": coding,
  "accept-language": (random) => random.pick(["de", "*", "", textOf(random)]),
  authorization: (random) => random.pick(["Bearer x.y.z", "Basic YTpi", "Bearer", textOf(random)]),
  cookie: textOf,
  origin: (random) => random.pick(["null", "https://a.example", textOf(random)]),
  "access-control-request-method": (random) => random.pick(["POST", textOf(random)]),
  "sec-fetch-site": (random) => random.pick(["cross-site", "same-origin", textOf(random)]),
  "content-type": mediaRange,
  "content-encoding": coding,
  "if-none-match": (random) => random.pick(["*", '"a"', 'W/"a", "b"', '"', textOf(random)]),
  "x-http-method-override": (random) => random.pick(["GET", "PATCH", "get", textOf(random)]),
  "x-request-timeout": duration,
  "grpc-timeout": duration,
  "grpc-encoding": coding,
  "grpc-accept-encoding": coding,
  te: (random) => random.pick(["trailers", "trailers;q=0.5", ""]),
  range: (random) => random.pick(["bytes=0-1", textOf(random)]),
  forwarded: (random) => random.pick(['for="[::1]";proto=https', "for=", textOf(random)]),
  "x-forwarded-for": (random) => random.pick(["1.2.3.4, ::1", ",", textOf(random)]),
  "x-forwarded-host": textOf,
  traceparent: (random) =>
    random.pick([`00-${"a".repeat(32)}-${"b".repeat(16)}-01`, "00-0-0-0", textOf(random)]),
  tracestate: (random) =>
    list(random, 40, () => `${random.pick(["a", "a@b", "A"])}=${random.pick(["1", "é", ""])}`, ","),
  baggage: textOf,
  "user-agent": textOf,
  "x-request-id": textOf,
  "x-echo-a": textOf,
  "x-trail-a": textOf,
  "x-data-bin": (random) => random.pick(["AAAA", "AAA", "A", "AA==,BB==", textOf(random)]),
  "grpc-message": textOf,
  "grpc-status": (random) => random.pick(["0", "13", "x"]),
  "grpc-status-details-bin": (random) => random.pick(["CAA=", "x"]),
};
const NAMES = Object.keys(HEADERS);

/** Of all of them: see paths.ts. */
const MOST_BYTES = 24_000;

export function headersOf(random: Random): Record<string, string> {
  const headers: Record<string, string> = {};
  for (let left = random.below(5); left > 0; left--) {
    const name = random.pick(NAMES);
    headers[name] = onWire(HEADERS[name]?.(random) ?? "").trim();
  }
  if (random.chance(60)) headers.accept = onWire(accept(random)).trim();
  let bytes = 0;
  return Object.fromEntries(
    Object.entries(headers).filter(([, value]) => {
      bytes += value.length;
      return bytes < MOST_BYTES;
    }),
  );
}
