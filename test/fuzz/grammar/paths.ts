// Paths and queries of the services behind the hub, and of its own pages.
import type { Random } from "../random.js";
import { alt, fieldPath } from "./heads.js";
import { inPath, list, maybe, textOf } from "./text.js";

/** `{}`: any segment. Methods besides GET and POST are the exception. */
export const ROUTES = [
  ...[
    "GET /healthz",
    "GET /openapi.json",
    "GET /docs",
    "GET /v1/books",
    "GET /v1/books/{}",
    "GET /v2/books/{}",
  ],
  ...[
    "POST /v1/books",
    "POST /v2/books",
    "PATCH /v1/books/{}",
    "DELETE /v1/books/{}",
    "GET /v1/books:search",
  ],
  ...[
    "GET /v1/shelves/{}/books",
    "GET /v1/shelves/{}/books/{}",
    "POST /v1/books:import",
    "POST /v1/books:borrow",
  ],
  ...[
    "GET /test/v1/unary",
    "POST /test/v1/unary",
    "GET /test/v1/server-stream",
    "POST /test/v1/server-stream",
  ],
  ...[
    "POST /test/v1/client-stream",
    "POST /test/v1/bidi-stream",
    "POST /test/v1/files/{}",
    "POST /test/v1/bodies",
  ],
  ...["GET /test/v1/files/{}", "GET /test/v1/file/{}", "POST /kinds/give", "POST /kinds/give/text"],
  ...["POST /kinds/give/numbers", "POST /kinds/give/labels", "POST /kinds/give/kinds", "GET /kinds/give/{}"],
  ...[
    "POST /kinds/copy",
    "POST /kinds/fail",
    "GET /match/{}",
    "GET /match/deep/{}/{}/{}",
    "GET /match/{}:approve",
  ],
  ...[
    "GET /match/number/{}",
    "GET /match/color/{}",
    "GET /match/data/{}",
    "GET /match/flag/{}",
    "GET /match/time/{}",
  ],
  ...["GET /match/wrapped/{}", "GET /match/inner/{}/{}", "LOCK /match/{}", "POST /test.v1.KindsService/Give"],
  ...[
    "POST /library.v1.LibraryService/GetBook",
    "GET /{}",
    "POST /{}/{}",
    "OPTIONS /v1/books",
    "HEAD /v1/books",
  ],
];
const SEGMENTS = [
  "moby-dick",
  "emma",
  "1",
  "-1",
  "true",
  "COLOR_RED",
  "AAAA",
  "2024-05-01T10:00:00Z",
  "a:b",
  ".",
  "..",
];
export const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PROPFIND"];

const QUERY = [
  ...[
    "name",
    "page_size",
    "pageSize",
    "genre",
    "filter",
    "query",
    "title",
    "kinds.text",
    "text",
    "number",
    "inner.name",
  ],
  ...[
    "behavior.responseBytes",
    "behavior.response_count",
    "payload",
    "labels[a]",
    "labels%5Ba%5D",
    "update_mask",
    "bytes",
  ],
  ...[
    "content_type",
    "service",
    "version",
    "a.b.c",
    "__proto__",
    "kinds.struct",
    "kinds.numbers",
    "callback",
    "",
  ],
];
export const VALUES = [
  "1",
  "0",
  "100",
  "-1",
  "x",
  "true",
  "null",
  "AAAA",
  "GENRE_FICTION",
  "name,title",
  '{"a":[1]}',
  "1.5s",
  "",
];

export function parameter(random: Random): string {
  const system = random.below(12);
  if (system === 0) return `$alt=${inPath(alt(random), random)}`;
  if (system === 1)
    return `$fields=${inPath(
      list(random, 4, () => fieldPath(random), ","),
      random,
    )}`;
  if (system === 2) return `$prettyPrint=${random.pick(["true", "false", "", "1"])}`;
  const name = random.chance(85) ? random.pick(QUERY) : inPath(textOf(random), random);
  const value = random.chance(70) ? inPath(random.pick(VALUES), random) : inPath(textOf(random), random);
  return name + maybe(random, 97, "=") + value;
}

/** Of a target; node:http2 sends no more than 64 KiB of fields. */
const MOST_BYTES = 16_000;
/** The library's failures repeat the name twice, in a message and in details, and an answer's fields have a limit, too. */
const SEGMENT_BYTES = 3_000;

export function pathOf(template: string, random: Random): string {
  const segment = (): string =>
    random.chance(60) ? random.pick(SEGMENTS) : inPath(textOf(random), random).slice(0, SEGMENT_BYTES);
  let path = template.replaceAll("{}", segment);
  if (random.chance(5)) path = path.replace("/", random.pick(["//", "/./", "/../", "/%2F", "/;"]));
  if (random.chance(5)) path += random.pick(["/", ":verb", "//", ".json", "%", "%00", "%ff"]);
  if (random.chance(60))
    path += `?${list(random, random.chance(97) ? 3 : 600, () => parameter(random), "&")}`;
  return path.slice(0, MOST_BYTES);
}
