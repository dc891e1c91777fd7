// The config's part about HTTP answers: CORS, compression, ETag, success codes, names of metadata, forms of errors and
// streams. Keys left out are as the preset says (config/http-presets.ts).
import * as z from "zod";
import type { CompressionPolicy } from "../../call/http-policy.js";
import {
  compressionOf,
  type HttpAnswersConfig,
  PRESETS,
  presetAnswers,
  presetOf,
  STREAM_FORMATS,
} from "../http-presets.js";
import { parseSize } from "../size.js";
import { duration, isMapping } from "../values.js";

/** Of one method. */
export interface MethodHttpConfig {
  /** HTTP status of a good answer. */
  readonly success: number;
  /** Path of what was made: `{field}` are fields of the answer. */
  readonly location: string | undefined;
}

/** For the schema: what holds without a preset. */
const STRICT = presetAnswers(presetOf("strict"));

const MAX_ORIGINS = 1_000;
const MAX_MIN_BYTES = 1024 ** 3;
const MAX_NAMES = 100;
const DAY_MS = 86_400_000;
const NAME_EXPECTED = "must be the name of a header";
const ORIGIN_EXPECTED = "must be an origin such as https://app.example.com, without a path";
const PREFIX_EXPECTED = "must be the beginning of a header's name, as in grpc-metadata-";

const headerName = z
  .string({ error: NAME_EXPECTED })
  .regex(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/, { error: NAME_EXPECTED });
const origin = z
  .string({ error: ORIGIN_EXPECTED })
  .max(300, { error: ORIGIN_EXPECTED })
  .regex(/^(?:[a-z][a-z0-9+.-]*:\/\/[^\s/?#@]+|null)$/, { error: ORIGIN_EXPECTED });
const prefix = z
  .string({ error: PREFIX_EXPECTED })
  .regex(/^[A-Za-z0-9-]{0,64}$/, { error: PREFIX_EXPECTED })
  .transform((text) => text.toLowerCase());

/** What the hub itself says in headers of answers, and what services say by convention (RFC 8288 of Link). */
const EXPOSED = [
  "allow",
  "content-disposition",
  "etag",
  "link",
  "location",
  "ratelimit",
  "ratelimit-policy",
  "retry-after",
  "www-authenticate",
];

const cors = z
  .strictObject({
    origins: z
      .union([z.literal("*"), z.array(origin).min(1).max(MAX_ORIGINS)], {
        error: "must be a list of origins, or *",
      })
      .describe("Whose pages may call: origins as browsers write them, or * for all.")
      .meta({ examples: [["https://app.example.com"]] }),
    headers: z
      .array(headerName)
      .max(MAX_NAMES)
      .optional()
      .describe("Request headers that pages may send; left out: those they ask for.")
      .meta({ examples: [["authorization", "x-api-key"]] }),
    exposeHeaders: z
      .array(headerName)
      .max(MAX_NAMES)
      .prefault(EXPOSED)
      .describe("Headers of answers that pages may read, beside those that every page may."),
    maxAge: duration(0)
      .refine((ms) => ms <= DAY_MS, { error: "must be at most 24h: no browser remembers for longer" })
      .prefault("10m")
      .describe("How long browsers may remember what they were told."),
    credentials: z
      .boolean()
      .prefault(false)
      .describe("Whether pages may call with the user's cookies and certificates."),
  })
  .refine((value) => value.origins !== "*" || value.credentials !== true, {
    error: 'must not be true with origins: "*": every page could act for the user; name the origins',
    path: ["credentials"],
    when: isMapping,
  });

const compression = z.union(
  [
    z.boolean(),
    z.strictObject({
      minBytes: z
        .union([z.string(), z.number()], { error: "must be a size such as 1KiB" })
        .check((ctx) => {
          // Converted later: a schema that transforms has no default in the JSON Schema.
          const result = parseSize(String(ctx.value), 0, MAX_MIN_BYTES);
          if (!result.ok) ctx.issues.push({ code: "custom", message: result.reason, input: ctx.value });
        })
        .describe("Smaller answers are sent as they are."),
    }),
  ],
  { error: "must be true, false or { minBytes: 1KiB }" },
);

const metadata = z
  .strictObject({
    requestPrefix: prefix
      .optional()
      .describe("Request headers that begin with it become metadata without it; the others as they are.")
      .meta({ default: STRICT.metadata.requestPrefix }),
    standardPrefix: prefix
      .optional()
      .describe("Headers that HTTP itself defines become metadata under this prefix too.")
      .meta({ default: STRICT.metadata.standardPrefix }),
    responsePrefix: prefix
      .optional()
      .describe("What the names of response metadata get in front of them.")
      .meta({ default: STRICT.metadata.responsePrefix }),
    trailerPrefix: prefix
      .optional()
      .describe("The same for trailing metadata, where it becomes headers.")
      .meta({ default: STRICT.metadata.trailerPrefix }),
    prefixTrailers: z
      .boolean()
      .optional()
      .describe("Whether it is put before the names of HTTP trailers too.")
      .meta({ default: STRICT.metadata.prefixTrailers }),
  })
  .prefault({})
  .describe("Names of metadata as HTTP headers.");

/** The keys of `http` that are about answers. */
export const HTTP_ANSWERS = {
  preset: z
    .enum(PRESETS, { error: `must be ${PRESETS.join(", ")}` })
    .prefault("strict")
    .describe(
      "Whose behaviour the keys have that are left out (docs/coming-from.md): for those who come from there.",
    ),
  cors: cors.optional().describe("Which pages of other sites may call (CORS). Left out: none."),
  compression: compression
    .optional()
    .describe(
      "Whether answers of 1 KiB and more (minBytes) are compressed for clients that accept it: never for requests with cookies or from other sites, of which a compressed length may tell a secret.",
    )
    .meta({ default: true }),
  etag: z
    .boolean()
    .optional()
    .describe("Whether unary answers to GET have an ETag, and are 304 for who has them already.")
    .meta({ default: STRICT.etag }),
  emptyAs204: z
    .boolean()
    .optional()
    .describe("Whether an answer of google.protobuf.Empty is 204 without a body.")
    .meta({ default: STRICT.emptyAs204 }),
  allowActiveContent: z
    .boolean()
    .optional()
    .describe(
      "Whether HTML, SVG and XML of a google.api.HttpBody may be shown and run by browsers. Default false: they are downloads.",
    )
    .meta({ default: STRICT.allowActiveContent }),
  metadata,
  statusHeaders: z
    .boolean()
    .optional()
    .describe("Whether answers have grpc-status and grpc-message as headers.")
    .meta({ default: STRICT.statusHeaders }),
  errorForm: z
    .enum(["status", "problem", "empty"], { error: "must be status, problem or empty" })
    .optional()
    .describe(
      "The body of failures: google.rpc.Status as JSON, problem details (RFC 9457), or none. Who accepts application/problem+json gets that.",
    )
    .meta({ default: STRICT.errorForm }),
  streamFormat: z
    .enum(STREAM_FORMATS, { error: `must be ${STREAM_FORMATS.join(", ")}` })
    .optional()
    .describe("What a stream of answers looks like to clients whose Accept does not say.")
    .meta({ default: STRICT.streamFormat }),
  wrongMethodStatus: z
    .union([z.literal(404), z.literal(405), z.literal(501)], { error: "must be 404, 405 or 501" })
    .optional()
    .describe("The status where a path has routes, but none for the request's method.")
    .meta({ default: STRICT.wrongMethodStatus }),
};

const LOCATION_EXPECTED = "must be a path with fields of the answer, as in /v1/{name}";

/** Of `methods`. */
export const methodHttp = z
  .strictObject({
    success: z
      .union([z.literal(200), z.literal(201), z.literal(202), z.literal(203), z.literal(204)], {
        error: "must be 200, 201, 202, 203 or 204",
      })
      .prefault(200)
      .describe("HTTP status of a good answer."),
    location: z
      .string({ error: LOCATION_EXPECTED })
      .max(1000, { error: LOCATION_EXPECTED })
      .regex(/^\/(?:[A-Za-z0-9._~!$&'()*+,;=:@%/-]|\{[A-Za-z_][A-Za-z0-9_.]*\})*$/, {
        error: LOCATION_EXPECTED,
      })
      .optional()
      .describe("Location of the answer: {field} stands for a field of the response message.")
      .meta({ examples: ["/v1/{name}"] }),
  })
  .optional()
  .describe("The method's answers over HTTP.");

type Answers = { readonly [K in keyof typeof HTTP_ANSWERS]?: z.output<(typeof HTTP_ANSWERS)[K]> };

/** What the file says, over what its preset says. */
export function answersOf(file: Answers): HttpAnswersConfig {
  const base = presetAnswers(presetOf(file.preset ?? "strict"));
  const { metadata: names = {}, cors: sites, compression: packed } = file;
  return {
    cors: sites && {
      origins: sites.origins,
      headers: sites.headers,
      exposeHeaders: sites.exposeHeaders,
      maxAgeSeconds: Math.floor(sites.maxAge / 1000),
      credentials: sites.credentials,
    },
    compression: packed === undefined ? base.compression : packing(packed),
    etag: file.etag ?? base.etag,
    emptyAs204: file.emptyAs204 ?? base.emptyAs204,
    allowActiveContent: file.allowActiveContent ?? base.allowActiveContent,
    metadata: {
      requestPrefix: names.requestPrefix ?? base.metadata.requestPrefix,
      standardPrefix: names.standardPrefix ?? base.metadata.standardPrefix,
      responsePrefix: names.responsePrefix ?? base.metadata.responsePrefix,
      trailerPrefix: names.trailerPrefix ?? base.metadata.trailerPrefix,
      prefixTrailers: names.prefixTrailers ?? base.metadata.prefixTrailers,
    },
    statusHeaders: file.statusHeaders ?? base.statusHeaders,
    errorForm: file.errorForm ?? base.errorForm,
    streamFormat: file.streamFormat ?? base.streamFormat,
    wrongMethodStatus: file.wrongMethodStatus ?? base.wrongMethodStatus,
  };
}

function packing(value: boolean | { readonly minBytes: string | number }): CompressionPolicy | undefined {
  if (typeof value === "boolean") return compressionOf(value);
  const size = parseSize(String(value.minBytes), 0, MAX_MIN_BYTES);
  return size.ok ? { minBytes: size.value } : undefined;
}
