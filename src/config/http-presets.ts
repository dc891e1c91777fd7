// The keys of `http` that are flags, choices or prefixes, a row each: its meaning, and its default, in the hub's own
// preset (strict) and in those that imitate other gateways. docs/coming-from.md has the table; a test compares them.
// Sources: Envoy's GrpcJsonTranscoder (envoy.extensions.filters.http.grpc_json_transcoder.v3) and grpc-gateway's
// runtime.NewServeMux, each with its defaults.

export const PRESETS = ["strict", "envoy", "grpc-gateway"] as const;
export type HttpPresetName = (typeof PRESETS)[number];

/** A flag; one of a list; or a prefix of header names. */
export type HttpRow<T = unknown> = {
  readonly type: "flag" | "prefix" | readonly T[];
  readonly doc: string;
} & (
  | { readonly default: T }
  /** By preset; if one is missing it is as in `strict`. */
  | { readonly strict: T; readonly envoy?: T; readonly "grpc-gateway"?: T }
);

type HttpRows = Readonly<Record<string, HttpRow>>;
type ValueOf<R> = R extends { readonly type: "flag" }
  ? boolean
  : R extends { readonly type: "prefix" }
    ? string
    : R extends { readonly type: readonly (infer T)[] }
      ? T
      : never;
/** A value for each row. */
export type ValuesOf<T extends HttpRows> = { readonly [K in keyof T]: ValueOf<T[K]> };

/**
 * Envoy: unknown fields are always ignored (ProtoStreamObjectWriter's ignore_unknown_fields); unknown parameters are
 * rejected unless ignore_unknown_query_parameters is set; without convert_grpc_status a failure has no body, and its
 * status is in the fields grpc-status and grpc-message. A path with another method matches no rule. grpc-gateway:
 * JSONPb with EmitUnpopulated and DiscardUnknown; PopulateQueryParameters ignores unknown parameters;
 * ForwardResponseStream's lines; a wrong method is codes.Unimplemented.
 */
export const HTTP_KEYS = {
  unknownQuery: {
    type: ["reject", "ignore"],
    strict: "reject",
    "grpc-gateway": "ignore",
    doc: "Query parameters that name no field: reject responds with 400.",
  },
  unknownFields: {
    type: ["reject", "ignore"],
    strict: "reject",
    envoy: "ignore",
    "grpc-gateway": "ignore",
    doc: "Fields of a JSON body that its message does not have: reject responds with 400. Default reject.",
  },
  bareSystemParameters: {
    type: "flag",
    default: false,
    doc: "Whether alt, fields and prettyPrint in a query mean $alt, $fields and $prettyPrint, unless the request has a field of that name.",
  },
  methodOverride: {
    type: "flag",
    strict: false,
    "grpc-gateway": true,
    doc: "Whether POST with X-HTTP-Method-Override counts as a request of the method named there.",
  },
  etag: {
    type: "flag",
    strict: true,
    envoy: false,
    "grpc-gateway": false,
    doc: "Whether unary responses to GET have an ETag, and are 304 if the client has them.",
  },
  emptyAs204: {
    type: "flag",
    default: false,
    doc: "Whether a response of google.protobuf.Empty is 204 without a body.",
  },
  allowActiveContent: {
    type: "flag",
    strict: false,
    envoy: true,
    "grpc-gateway": true,
    doc: "Whether HTML, SVG and XML of a google.api.HttpBody may be shown and run by browsers. Default false: they are downloads.",
  },
  statusHeaders: {
    type: "flag",
    strict: false,
    envoy: true,
    doc: "Whether responses have grpc-status and grpc-message as headers.",
  },
  errorForm: {
    type: ["status", "problem", "empty"],
    strict: "status",
    envoy: "empty",
    doc: "The body of failures: google.rpc.Status as JSON, problem details (RFC 9457), or none. Who accepts application/problem+json gets that.",
  },
  streamFormat: {
    // As NDJSON under the name of application/json (as Envoy has it), and as lines as grpc-gateway writes them, too.
    type: ["array", "ndjson", "json-lines", "sse", "grpc-gateway"],
    strict: "array",
    "grpc-gateway": "grpc-gateway",
    doc: "Format of a stream of responses if Accept does not decide.",
  },
  wrongMethodStatus: {
    type: [404, 405, 501],
    strict: 405,
    envoy: 404,
    "grpc-gateway": 501,
    doc: "The status if a path has routes, but none for the request's method.",
  },
} as const satisfies HttpRows;

/** `http.print`: how messages print as JSON. */
export const PRINT_KEYS = {
  emitDefaults: {
    type: "flag",
    strict: false,
    "grpc-gateway": true,
    doc: "Print fields without presence even if they have their default: 0, false, empty. Default false.",
  },
  emitNulls: {
    type: "flag",
    strict: false,
    "grpc-gateway": true,
    doc: "With emitDefaults: print null for messages that are not set, and proto2's scalars; members of a oneof are left out.",
  },
  protoNames: { type: "flag", default: false, doc: "Print display_name instead of displayName." },
  enumsAsNumbers: { type: "flag", default: false, doc: "Print enums as numbers instead of names." },
  int64AsNumbers: {
    type: "flag",
    default: false,
    doc: "Print 64-bit integers as numbers instead of strings: JavaScript loses digits beyond 2^53.",
  },
} as const satisfies HttpRows;

/**
 * `http.read`: how leniently requests are parsed. Envoy ignores Content-Type and Accept; query_param_unescape_plus is
 * off, url_unescape_spec ALL_CHARACTERS_EXCEPT_RESERVED. grpc-gateway parses with strconv.ParseBool and
 * time.ParseDuration, never reads a body that the rule does not name, and has UnescapingModeLegacy.
 */
export const READ_KEYS = {
  anyContentType: {
    type: "flag",
    strict: false,
    envoy: true,
    "grpc-gateway": true,
    doc: "Whether a body with an unknown Content-Type, or none, is read as JSON if a rule was written for its path: pages of other sites can then send it without a preflight. Default false: 415.",
  },
  anyAccept: {
    type: "flag",
    strict: false,
    envoy: true,
    "grpc-gateway": true,
    doc: "Whether an Accept that nothing meets is passed over. Default false: 406.",
  },
  extraBody: {
    type: ["reject", "ignore"],
    strict: "reject",
    "grpc-gateway": "ignore",
    doc: "A body if the rule has none: reject responds with 400.",
  },
  looseValues: {
    type: "flag",
    strict: false,
    envoy: true,
    "grpc-gateway": true,
    doc: "Whether paths and queries may have 1, t, yes and their like for booleans, and durations such as 1m30s.",
  },
  anyEnumCase: {
    type: "flag",
    strict: false,
    doc: "Whether names of enum values may be written in any case, in paths, queries and bodies.",
  },
  plusAsSpace: {
    type: "flag",
    strict: true,
    envoy: false,
    doc: "Whether + in a query is a space, as in HTML forms; false: it stands for itself.",
  },
  keptEscapes: {
    type: ["slash", "reserved", "none"],
    strict: "slash",
    envoy: "reserved",
    "grpc-gateway": "none",
    doc: "Which escapes stay in the values of path variables of several segments: slash, %2F alone; reserved, those of RFC 6570's reserved characters; none.",
  },
  fillUpdateMask: {
    type: "flag",
    strict: true,
    envoy: false,
    doc: "Whether the field mask of a PATCH that names none is filled from the fields of its body.",
  },
} as const satisfies HttpRows;

/** `http.metadata`: names of metadata as HTTP headers. grpc-gateway's are those of LegacyHeaderMatcher, the default before 2.33. */
export const METADATA_KEYS = {
  requestPrefix: {
    type: "prefix",
    strict: "",
    "grpc-gateway": "grpc-metadata-",
    doc: "Request headers that begin with it become metadata without it; the others as they are.",
  },
  standardPrefix: {
    type: "prefix",
    strict: "",
    "grpc-gateway": "grpcgateway-",
    doc: "Headers that HTTP itself defines become metadata under this prefix too.",
  },
  responsePrefix: {
    type: "prefix",
    strict: "",
    "grpc-gateway": "grpc-metadata-",
    doc: "What the names of response metadata get in front of them.",
  },
  trailerPrefix: {
    type: "prefix",
    strict: "grpc-trailer-",
    doc: "The same for trailing metadata that becomes headers.",
  },
  prefixTrailers: {
    type: "flag",
    strict: false,
    "grpc-gateway": true,
    doc: "Whether it is put before the names of HTTP trailers too.",
  },
} as const satisfies HttpRows;

/** Whether responses are compressed; this key also has a longer form. */
const COMPRESSION = {
  compression: { type: "flag", strict: true, envoy: false, "grpc-gateway": false, doc: "" },
} as const;

/** The value of a row if the file does not set it. */
export function defaultOf(row: HttpRow, preset: HttpPresetName): unknown {
  return "default" in row ? row.default : (row[preset] ?? row.strict);
}

/** The file's values, and the preset's for the others. */
export function valuesOf<T extends HttpRows>(
  rows: T,
  preset: HttpPresetName,
  file: { readonly [K in keyof T]?: unknown } = {},
): ValuesOf<T> {
  const values = Object.entries(rows).map(([key, row]) => [key, file[key] ?? defaultOf(row, preset)]);
  return Object.fromEntries(values) as ValuesOf<T>; // the types say the same of each row
}

const { emitDefaults, emitNulls } = PRINT_KEYS;
const { bareSystemParameters: _, emptyAs204: __, ...ANSWERS } = HTTP_KEYS;

/** The keys that a preset sets. */
export function presetOf(name: HttpPresetName) {
  return {
    ...valuesOf({ ...ANSWERS, emitDefaults, emitNulls }, name),
    ...valuesOf(COMPRESSION, name),
    read: valuesOf(READ_KEYS, name),
    metadata: valuesOf(METADATA_KEYS, name),
  };
}

export type HttpPreset = ReturnType<typeof presetOf>;
