// Config of plain HTTP except the formats of bodies: read by the REST adapter.

/** How names of request fields and of metadata correspond. Lower case; "" for no prefix. */
export interface MetadataNames {
  /** Request fields that begin with it become metadata without it; all others unchanged. */
  readonly requestPrefix: string;
  /** Fields that HTTP itself defines are metadata under this prefix too, e.g. `grpcgateway-`. */
  readonly standardPrefix: string;
  /** Before the names of response metadata. */
  readonly responsePrefix: string;
  /** Prefix of trailing metadata that become header fields. */
  readonly trailerPrefix: string;
  /** `trailerPrefix` also applies if they are HTTP trailers. */
  readonly prefixTrailers: boolean;
}

/** Which pages of other sites may call (CORS, as in the Fetch standard). */
export interface CorsPolicy {
  readonly origins: "*" | readonly string[];
  /** Request fields that pages may send; undefined: those that they request. */
  readonly headers: readonly string[] | undefined;
  /** Response fields that pages may read. */
  readonly exposeHeaders: readonly string[];
  readonly maxAgeSeconds: number;
  /** Never with `*`. */
  readonly credentials: boolean;
}

export interface CompressionPolicy {
  /** Bytes of a body below which it is sent as it is. */
  readonly minBytes: number;
}

/** The body of a failure: google.rpc.Status, RFC 9457, or none. */
export type ErrorForm = "status" | "problem" | "empty";

export interface HttpPolicy {
  readonly metadata: MetadataNames;
  /** undefined: none. */
  readonly cors: CorsPolicy | undefined;
  /** undefined: responses are not compressed. */
  readonly compression: CompressionPolicy | undefined;
  /** Unary responses to GET have an ETag. */
  readonly etag: boolean;
  /** Every response has grpc-status and grpc-message as fields. */
  readonly statusHeaders: boolean;
  readonly errorForm: ErrorForm;
}
