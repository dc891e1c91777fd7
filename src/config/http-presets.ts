// What the keys of `http` are when they are left out: the hub's own choice, and what those who come from a peer are used
// to. Sources: Envoy's GrpcJsonTranscoder (envoy.extensions.filters.http.grpc_json_transcoder.v3) and grpc-gateway's
// runtime.NewServeMux, each with its defaults. docs/coming-from.md has the table; a test holds it to this.
import type { CompressionPolicy, CorsPolicy, ErrorForm, MetadataNames } from "../call/http-policy.js";

/**
 * What a stream looks like to clients that do not say: an array, NDJSON, the same under the name of application/json (as
 * Envoy has it), SSE, or lines as grpc-gateway writes them.
 */
export const STREAM_FORMATS = ["array", "ndjson", "json-lines", "sse", "grpc-gateway"] as const;
export type StreamFormat = (typeof STREAM_FORMATS)[number];

/** Which escapes a path variable of several segments keeps: of slashes, of RFC 6570's reserved characters, none. */
export const KEPT_ESCAPES = ["slash", "reserved", "none"] as const;
export type KeptEscapes = (typeof KEPT_ESCAPES)[number];

export const PRESETS = ["strict", "envoy", "grpc-gateway"] as const;
export type HttpPresetName = (typeof PRESETS)[number];

export interface HttpAnswersConfig {
  /** undefined: pages of other sites are told nothing. */
  readonly cors: CorsPolicy | undefined;
  /** undefined: answers are not compressed. */
  readonly compression: CompressionPolicy | undefined;
  /** Unary answers to GET have an ETag, and 304 where the client has it already. */
  readonly etag: boolean;
  /** google.protobuf.Empty is 204. */
  readonly emptyAs204: boolean;
  /** HTML, SVG and XML of a google.api.HttpBody may run in a browser. */
  readonly allowActiveContent: boolean;
  readonly metadata: MetadataNames;
  /** grpc-status and grpc-message are header fields of every answer. */
  readonly statusHeaders: boolean;
  readonly errorForm: ErrorForm;
  readonly streamFormat: StreamFormat;
  /** HTTP status of a path that has routes, but none for the method. */
  readonly wrongMethodStatus: 404 | 405 | 501;
}

/** How loosely requests are read. */
export interface HttpReadConfig {
  /** Bodies of types that nothing is known of are JSON, where a rule was written for their path; else 415. */
  readonly anyContentType: boolean;
  /** An Accept that nothing meets is passed over; else 406. */
  readonly anyAccept: boolean;
  /** A body where the rule has none. */
  readonly extraBody: "reject" | "ignore";
  /** 1, t, yes … for booleans and 1m30s for durations, in paths and queries. */
  readonly looseValues: boolean;
  /** Names of enum values in any case, wherever they stand. */
  readonly anyEnumCase: boolean;
  /** `+` in a query is a space; else itself. */
  readonly plusAsSpace: boolean;
  /** Which escapes the values of path variables of several segments keep. */
  readonly keptEscapes: KeptEscapes;
  /** The mask of a PATCH that names none is filled from its body. */
  readonly fillUpdateMask: boolean;
}

export interface HttpPreset {
  readonly unknownQuery: "reject" | "ignore";
  readonly unknownFields: "reject" | "ignore";
  readonly emitDefaults: boolean;
  readonly emitNulls: boolean;
  readonly read: HttpReadConfig;
  readonly methodOverride: boolean;
  readonly compression: boolean;
  readonly etag: boolean;
  readonly allowActiveContent: boolean;
  readonly metadata: MetadataNames;
  readonly statusHeaders: boolean;
  readonly errorForm: ErrorForm;
  readonly streamFormat: StreamFormat;
  readonly wrongMethodStatus: 404 | 405 | 501;
}

const STRICT: HttpPreset = {
  unknownQuery: "reject",
  unknownFields: "reject",
  emitDefaults: false,
  emitNulls: false,
  read: {
    anyContentType: false,
    anyAccept: false,
    extraBody: "reject",
    looseValues: false,
    anyEnumCase: false,
    plusAsSpace: true,
    keptEscapes: "slash",
    fillUpdateMask: true,
  },
  methodOverride: false,
  compression: true,
  etag: true,
  allowActiveContent: false,
  metadata: {
    requestPrefix: "",
    standardPrefix: "",
    responsePrefix: "",
    trailerPrefix: "grpc-trailer-",
    prefixTrailers: false,
  },
  statusHeaders: false,
  errorForm: "status",
  streamFormat: "array",
  wrongMethodStatus: 405,
};

/**
 * Unknown fields are always ignored (ProtoStreamObjectWriter's ignore_unknown_fields); unknown parameters are refused
 * where ignore_unknown_query_parameters is not set; without convert_grpc_status a failure has no body, and its status is
 * in the fields grpc-status and grpc-message. A path of another method is one that no rule matches. Content-Type and
 * Accept are not looked at; query_param_unescape_plus is off, url_unescape_spec ALL_CHARACTERS_EXCEPT_RESERVED.
 */
const ENVOY: HttpPreset = {
  ...STRICT,
  unknownFields: "ignore",
  read: {
    ...STRICT.read,
    anyContentType: true,
    anyAccept: true,
    looseValues: true,
    anyEnumCase: false,
    plusAsSpace: false,
    keptEscapes: "reserved",
    fillUpdateMask: false,
  },
  compression: false,
  etag: false,
  allowActiveContent: true,
  statusHeaders: true,
  errorForm: "empty",
  wrongMethodStatus: 404,
};

/**
 * JSONPb with EmitUnpopulated and DiscardUnknown, under any Content-Type and Accept; PopulateQueryParameters passes over
 * what it does not know, and reads with strconv.ParseBool and time.ParseDuration; UnescapingModeLegacy; a body that the
 * rule does not name is never read; the prefixes of LegacyHeaderMatcher, which is the default before 2.33;
 * ForwardResponseStream's lines; a wrong method is codes.Unimplemented.
 */
const GRPC_GATEWAY: HttpPreset = {
  ...STRICT,
  unknownQuery: "ignore",
  unknownFields: "ignore",
  emitDefaults: true,
  emitNulls: true,
  read: {
    ...STRICT.read,
    anyContentType: true,
    anyAccept: true,
    extraBody: "ignore",
    looseValues: true,
    anyEnumCase: false,
    keptEscapes: "none",
  },
  methodOverride: true,
  compression: false,
  etag: false,
  allowActiveContent: true,
  metadata: {
    requestPrefix: "grpc-metadata-",
    standardPrefix: "grpcgateway-",
    responsePrefix: "grpc-metadata-",
    trailerPrefix: "grpc-trailer-",
    prefixTrailers: true,
  },
  streamFormat: "grpc-gateway",
  wrongMethodStatus: 501,
};

const BY_NAME: Readonly<Record<HttpPresetName, HttpPreset>> = {
  strict: STRICT,
  envoy: ENVOY,
  "grpc-gateway": GRPC_GATEWAY,
};

export function presetOf(name: HttpPresetName): HttpPreset {
  return BY_NAME[name];
}

const MIN_COMPRESSED_BYTES = 1024;

export function compressionOf(on: boolean): CompressionPolicy | undefined {
  return on ? { minBytes: MIN_COMPRESSED_BYTES } : undefined;
}

/** What holds where the file says nothing but the preset. */
export function presetAnswers(preset: HttpPreset): HttpAnswersConfig {
  const { etag, allowActiveContent, metadata, statusHeaders, errorForm, streamFormat } = preset;
  return {
    cors: undefined,
    compression: compressionOf(preset.compression),
    etag,
    emptyAs204: false,
    allowActiveContent,
    metadata,
    statusHeaders,
    errorForm,
    streamFormat,
    wrongMethodStatus: preset.wrongMethodStatus,
  };
}
