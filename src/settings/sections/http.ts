// `http`: the HTTP/JSON side of the services. Most keys are rows of config/http-presets.ts.
import type * as z from "zod";
import type { CompressionPolicy, CorsPolicy } from "../../call/http-policy.js";
import {
  defaultOf,
  HTTP_KEYS,
  type HttpRow,
  METADATA_KEYS,
  PRESETS,
  PRINT_KEYS,
  presetOf,
  READ_KEYS,
  type ValuesOf,
  valuesOf,
} from "../../config/http-presets.js";
import type { HttpRuleConfig } from "../../config/http-rule.js";
import type { Kit } from "../../config/kit.js";
import { type Place, section } from "../../config/section.js";
import { parseSize } from "../../config/size.js";
import { httpRules } from "./http-rules.js";

export interface HttpConfig extends ValuesOf<typeof HTTP_KEYS> {
  /** Prefix of every REST path, as in `/api`; "" for none. */
  readonly prefix: string;
  readonly rules: readonly HttpRuleConfig[];
  /** Query parameters that are always passed over, unless they name fields. */
  readonly ignoredQuery: readonly string[];
  readonly print: ValuesOf<typeof PRINT_KEYS>;
  readonly read: ValuesOf<typeof READ_KEYS>;
  readonly metadata: ValuesOf<typeof METADATA_KEYS>;
  /** Sites whose pages may open WebSockets; undefined: no WebSockets. */
  readonly webSocketOrigins: readonly string[] | undefined;
  /** Path of the OpenAPI document without `.json` and `.yaml`; false: there is none. */
  readonly openapi: string | false;
  /** Path of the API page, which needs the document. */
  readonly docs: string | false;
  /** Path of the hub's health. */
  readonly health: string | false;
  /** undefined: no CORS. */
  readonly cors: CorsPolicy | undefined;
  /** undefined: responses are not compressed. */
  readonly compression: CompressionPolicy | undefined;
}

const MAX_IGNORED = 100;
const MAX_ORIGINS = 1_000;
const MAX_WEBSOCKET_ORIGINS = 100;
const MAX_NAMES = 100;
const MAX_MIN_BYTES = 1024 ** 3;
const MIN_COMPRESSED_BYTES = 1024;
const DAY_MS = 86_400_000;

const DEFAULTS: HttpConfig = {
  prefix: "",
  rules: [],
  ignoredQuery: [],
  webSocketOrigins: [],
  openapi: "/openapi",
  docs: "/docs",
  health: "/healthz",
  cors: undefined,
  ...ofPreset("strict"),
};

/** The defaults of a file with only the preset. */
function ofPreset(name: (typeof PRESETS)[number]) {
  return {
    ...valuesOf(HTTP_KEYS, name),
    print: valuesOf(PRINT_KEYS, name),
    read: valuesOf(READ_KEYS, name),
    metadata: valuesOf(METADATA_KEYS, name),
    compression: compressionOf(presetOf(name).compression),
  };
}

type RowKeys<T extends Readonly<Record<string, HttpRow>>> = {
  [K in keyof T]: z.ZodOptional<z.ZodType<ValuesOf<T>[K], ValuesOf<T>[K]>>;
};

/** A key for each row; a missing one has the preset's value. */
function keysOf<T extends Readonly<Record<string, HttpRow>>>(rows: T, { z }: Kit): RowKeys<T> {
  const prefix = "must be the beginning of a header's name, as in grpc-metadata-";
  const shape = Object.entries(rows).map(([key, row]) => {
    const { type, doc } = row;
    const value =
      type === "flag"
        ? z.boolean()
        : type === "prefix"
          ? z
              .string({ error: prefix })
              .regex(/^[A-Za-z0-9-]{0,64}$/, { error: prefix })
              .transform((text) => text.toLowerCase())
          : z.union(
              type.map((one) => z.literal(one as string | number)),
              { error: `must be ${choices(type)}` },
            );
    return [
      key,
      value
        .optional()
        .describe(doc)
        .meta({ default: defaultOf(row, "strict") }),
    ];
  });
  return Object.fromEntries(shape);
}

/** `a, b or c` */
function choices(all: readonly unknown[]): string {
  return `${all.slice(0, -1).join(", ")} or ${all.at(-1)}`;
}

const ORIGIN = "must be an origin such as https://app.example, or *";
const webSocket = ({ z }: Kit) =>
  z
    .union(
      [
        z.literal(false),
        z.strictObject({
          origins: z
            .array(
              z
                .string({ error: ORIGIN })
                .regex(/^(?:\*|https?:\/\/[a-z0-9.-]+(?::\d{1,5})?)$/, { error: ORIGIN }),
            )
            .max(MAX_WEBSOCKET_ORIGINS)
            .prefault([])
            .describe("Sites whose pages may open WebSockets, besides the hub's own; * stands for all.")
            .meta({ examples: [["https://app.example"]] }),
        }),
      ],
      { error: "must be false, or have origins" },
    )
    .prefault({})
    .describe("WebSockets for streaming methods; false switches them off.");

const HEADER_NAME = "must be the name of a header";
const CORS_ORIGIN = "must be an origin such as https://app.example.com, without a path";

/** Response headers of the hub, and conventional ones of services (RFC 8288 for Link). */
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

function cors({ z, duration, isMapping }: Kit) {
  const headerName = z
    .string({ error: HEADER_NAME })
    .regex(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/, { error: HEADER_NAME });
  const origin = z
    .string({ error: CORS_ORIGIN })
    .max(300, { error: CORS_ORIGIN })
    .regex(/^(?:[a-z][a-z0-9+.-]*:\/\/[^\s/?#@]+|null)$/, { error: CORS_ORIGIN });
  return z
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
        .describe("Request headers that pages may send; left out: those that they request.")
        .meta({ examples: [["authorization", "x-api-key"]] }),
      exposeHeaders: z
        .array(headerName)
        .max(MAX_NAMES)
        .prefault(EXPOSED)
        .describe("Response headers that pages may read, in addition to those that every page may."),
      maxAge: duration(0)
        .refine((ms) => ms <= DAY_MS, { error: "must be at most 24h: no browser remembers for longer" })
        .prefault("10m")
        .describe("How long browsers may cache a preflight's response."),
      credentials: z
        .boolean()
        .prefault(false)
        .describe("Whether pages may call with the user's cookies and certificates."),
    })
    .refine((value) => value.origins !== "*" || value.credentials !== true, {
      error: 'must not be true with origins: "*": every page could act for the user; name the origins',
      path: ["credentials"],
      when: isMapping,
    })
    .optional()
    .describe("Which pages of other sites may call (CORS). Left out: none.");
}

const compression = ({ z }: Kit) =>
  z
    .union(
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
            .describe("Smaller responses are not compressed."),
        }),
      ],
      { error: "must be true, false or { minBytes: 1KiB }" },
    )
    .optional()
    .describe(
      "Whether answers of 1 KiB and more (minBytes) are compressed for clients that accept it: never for requests with cookies or from other sites, of which a compressed length may tell a secret.",
    )
    .meta({ default: presetOf("strict").compression });

const PAGE = "must be a path such as /docs, or false";
const page = ({ z }: Kit) =>
  z.union([z.literal(false), z.string({ error: PAGE }).regex(/^(?:\/[A-Za-z0-9._~-]+)+$/, { error: PAGE })], {
    error: PAGE,
  });

const PARAMETER = "must be the name of a query parameter";

function schema(kit: Kit) {
  const { z } = kit;
  return z
    .strictObject({
      preset: z
        .enum(PRESETS, { error: `must be ${PRESETS.join(", ")}` })
        .prefault("strict")
        .describe(
          "Whose behaviour the keys have that are left out (docs/coming-from.md): for those who come from there.",
        ),
      prefix: z
        .string({ error: "must be a path such as /api" })
        .regex(/^(?:(?:\/[A-Za-z0-9._~-]+)+)?$/, {
          error: "must be a path such as /api, without a slash at its end",
        })
        .prefault(DEFAULTS.prefix)
        .describe("What every REST path of the services starts with.")
        .meta({ examples: ["/api"] }),
      rules: httpRules(kit),
      ...keysOf(HTTP_KEYS, kit),
      ignoredQuery: z
        .array(z.string({ error: PARAMETER }).min(1, { error: PARAMETER }).max(128, { error: PARAMETER }))
        .max(MAX_IGNORED)
        .prefault([])
        .describe(
          "Query parameters that are passed over even with unknownQuery: reject, unless they name fields.",
        )
        .meta({ examples: [["utm_source", "utm_campaign"]] }),
      print: z.strictObject(keysOf(PRINT_KEYS, kit)).prefault({}).describe("How messages print as JSON."),
      read: z.strictObject(keysOf(READ_KEYS, kit)).prefault({}).describe("How loosely requests are read."),
      metadata: z
        .strictObject(keysOf(METADATA_KEYS, kit))
        .prefault({})
        .describe("Names of metadata as HTTP headers."),
      webSocket: webSocket(kit),
      openapi: page(kit)
        .prefault(DEFAULTS.openapi)
        .describe(
          "Where the OpenAPI document of the routes is, with .json and .yaml behind it; false: nowhere.",
        ),
      docs: page(kit)
        .prefault(DEFAULTS.docs)
        .describe("Path of the API page; false, or without the OpenAPI document: none."),
      health: page(kit)
        .prefault(DEFAULTS.health)
        .describe("Path of the hub's health for HTTP clients, 200 or 503; false: none."),
      cors: cors(kit),
      compression: compression(kit),
    })
    .superRefine(({ docs, health }, ctx) => {
      if (docs !== false && docs === health) {
        ctx.addIssue({ code: "custom", message: "must not be the path of http.docs", path: ["health"] });
      }
    })
    .prefault({})
    .describe("The HTTP/JSON side of the services.");
}

type Raw = z.output<ReturnType<typeof schema>>;

export const httpSection = section({
  defaults: { http: DEFAULTS },
  schema,
  read(file, at) {
    const { preset, webSocket, cors, compression } = file;
    const http: HttpConfig = {
      prefix: file.prefix,
      rules: file.rules.map(({ selector, ...rule }) => ({ selector, rule })),
      ignoredQuery: file.ignoredQuery,
      ...valuesOf(HTTP_KEYS, preset, file),
      print: valuesOf(PRINT_KEYS, preset, file.print),
      read: valuesOf(READ_KEYS, preset, file.read),
      metadata: valuesOf(METADATA_KEYS, preset, file.metadata),
      webSocketOrigins: webSocket === false ? undefined : webSocket.origins,
      openapi: file.openapi,
      docs: file.docs,
      health: file.health,
      cors: cors && {
        origins: cors.origins,
        headers: cors.headers,
        exposeHeaders: cors.exposeHeaders,
        maxAgeSeconds: Math.floor(cors.maxAge / 1000),
        credentials: cors.credentials,
      },
      compression: compressionOf(compression ?? presetOf(preset).compression),
    };
    review(file, http, at);
    return { http };
  },
});

function compressionOf(
  value: boolean | { readonly minBytes: string | number },
): CompressionPolicy | undefined {
  if (typeof value === "boolean") return value ? { minBytes: MIN_COMPRESSED_BYTES } : undefined;
  const size = parseSize(String(value.minBytes), 0, MAX_MIN_BYTES);
  return size.ok ? { minBytes: size.value } : undefined;
}

function review(file: Raw, http: HttpConfig, at: Place): void {
  at.needs(["docs"], http.docs === false || http.openapi !== false, "http.openapi is false");
  at.needs(["ignoredQuery"], http.unknownQuery !== "ignore", "http.unknownQuery is ignore");
  at.needs(["print", "emitNulls"], http.print.emitDefaults, "print.emitDefaults is false");
  if (file.webSocket !== false) checkOrigins(file.webSocket.origins, at.at("webSocket", "origins"));
  if (Array.isArray(file.cors?.origins)) checkOrigins(file.cors.origins, at.at("cors", "origins"));
  checkStandardPrefix(http.metadata.standardPrefix, at);
}

function checkOrigins(origins: readonly string[], at: Place): void {
  for (const [i, origin] of origins.entries()) {
    const sent = originAsSent(origin);
    if (sent !== origin) at.warn([i], `never matches: browsers send ${sent ?? "no such origin"}`);
  }
}

/** As browsers write an origin (RFC 6454 §6.2): host in lower case and ASCII, without the scheme's own port. */
function originAsSent(origin: string): string | undefined {
  if (origin === "*" || origin === "null" || !/^https?:/.test(origin)) return origin;
  return URL.canParse(origin) ? new URL(origin).origin : undefined;
}

/** Fields that calls need in addition to those in a config. */
const NEEDED = [
  "grpc-timeout",
  "grpc-encoding",
  "content-type",
  "user-agent",
  "authorization",
  "traceparent",
  "tracestate",
];

/** Clients' fields under that prefix are dropped: fields that calls need must not be among them. */
function checkStandardPrefix(prefix: string, at: Place): void {
  if (prefix === "" || !at.whole.intact(["interceptors", "auth"])) return;
  const header = at.whole.value(["interceptors", "auth", "apiKeys", "header"]);
  const names = typeof header === "string" ? [header, ...NEEDED] : NEEDED;
  const swallowed = names.find((name) => name.startsWith(prefix));
  if (swallowed !== undefined)
    at.wrong(
      ["metadata", "standardPrefix"],
      `must not begin ${swallowed}: what clients send under the prefix is dropped`,
    );
}
