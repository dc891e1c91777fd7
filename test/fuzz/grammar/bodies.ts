// Bodies of requests: JSON, XML, lines, forms and bytes, of the shape that the services take or nearly so.
import type { Random } from "../random.js";
import { parameter, VALUES } from "./paths.js";
import { list, maybe, textOf } from "./text.js";

/** A value of any JSON type for a field of this name: of the right type or not. */
function jsonOf(random: Random, depth: number): unknown {
  switch (random.below(depth > 3 ? 7 : 10)) {
    case 0:
      return random.pick([0, 1, -1, 2 ** 31, 1e308, 0.1, -0]);
    case 1:
      return random.chance(50);
    case 2:
      return null;
    case 3:
      return random.pick(VALUES);
    case 7:
      return Array.from({ length: random.below(4) }, () => jsonOf(random, depth + 1));
    case 8:
    case 9:
      return Object.fromEntries(
        Array.from({ length: random.below(5) }, () => [
          random.chance(90) ? random.pick(BODY_FIELDS) : textOf(random),
          jsonOf(random, depth + 1),
        ]),
      );
    default:
      return textOf(random);
  }
}

const BODY_FIELDS = [
  ...[
    "name",
    "title",
    "authors",
    "genre",
    "labels",
    "rating",
    "loanPeriod",
    "otherTitles",
    "kinds",
    "text",
    "numbers",
  ],
  ...[
    "number",
    "big",
    "ratio",
    "data",
    "color",
    "shown",
    "words",
    "children",
    "child",
    "counts",
    "sides",
    "parts",
    "one",
  ],
  ...[
    "two",
    "time",
    "span",
    "mask",
    "struct",
    "value",
    "list",
    "any",
    "wrappedBig",
    "wrappedText",
    "payload",
    "book",
  ],
  ...["behavior", "@type", "responseBytes", "responseCount", "presence", "contentType"],
];
/** Values that fit, so that much of it comes to the service and back. */
const GOOD: readonly ((random: Random) => unknown)[] = [
  (random) => ({
    title: textOf(random),
    authors: [textOf(random)],
    labels: { [textOf(random)]: textOf(random) },
  }),
  (random) => ({ kinds: { text: textOf(random), words: [textOf(random)], parts: { [textOf(random)]: {} } } }),
  (random) => ({ kinds: { struct: { [textOf(random)]: jsonOf(random, 2) }, value: jsonOf(random, 2) } }),
  (random) => ({ text: textOf(random), labels: { [textOf(random)]: textOf(random) }, numbers: [1, 2, 3] }),
  (random) => ({ behavior: { responseBytes: random.below(5000), responseCount: random.below(4) } }),
  (random) => ({ payload: random.bytes(random.below(2000)).toString("base64") }),
];

/** Only here is a service told to fail: what is injected must be known. */
function failure(random: Random): unknown {
  const status = { code: 1 + random.below(20), message: textOf(random) };
  const details = list(random, 3, () => "x", "")
    .split("")
    .map(() => ({ "@type": `type.googleapis.com/${textOf(random)}` }));
  return random.pick([
    { ...status, details: [{ typeUrl: `type.googleapis.com/${textOf(random)}`, value: "AAAA" }] },
    { behavior: { refuse: status } },
    { behavior: { fail: { ...status, details }, responseCount: 2 } },
  ]);
}

function xmlOf(value: unknown, name: string): string {
  const escaped = (text: string): string =>
    text.replace(/[&<]/g, (found) => (found === "&" ? "&amp;" : "&lt;"));
  if (Array.isArray(value)) return value.map((item) => xmlOf(item, name)).join("");
  if (typeof value !== "object" || value === null) return `<${name}>${escaped(String(value))}</${name}>`;
  return `<${name}>${Object.entries(value)
    .map(([key, item]) => xmlOf(item, key))
    .join("")}</${name}>`;
}

const ROOTS = [
  "Book",
  "GiveRequest",
  "UnaryRequest",
  "ServerStreamRequest",
  "Kinds",
  "FailRequest",
  "text",
  "a",
];

export interface Body {
  readonly type: string;
  readonly bytes: Buffer;
  readonly serviceMayFail: boolean;
}

export function bodyOf(random: Random): Body {
  const fails = random.chance(10);
  const value = fails ? failure(random) : random.chance(60) ? random.pick(GOOD)(random) : jsonOf(random, 0);
  const body = (type: string, text: string | Buffer): Body => ({
    type,
    bytes: Buffer.from(text),
    serviceMayFail: fails,
  });
  switch (random.below(12)) {
    case 0:
    case 1:
      return body(random.pick(["application/xml", "text/xml"]), xmlOf(value, random.pick(ROOTS)));
    case 2:
      return body("application/x-ndjson", `${JSON.stringify(value)}\n${maybe(random, 50, "\n")}{}\n`);
    case 3:
      return body(
        "application/x-www-form-urlencoded",
        list(random, 5, () => parameter(random), "&"),
      );
    case 4:
      // Bytes by chance are a message that the service may not read.
      return { type: "application/x-protobuf", bytes: random.bytes(random.below(40)), serviceMayFail: true };
    case 5:
      return body("text/plain", textOf(random));
    case 6:
      return body("application/json", `${random.pick(["[", "{", '"', '{"title":', ""])}${textOf(random)}`);
    default:
      return body(
        "application/json",
        JSON.stringify(value, undefined, random.chance(10) ? 2 : undefined) ?? "",
      );
  }
}
