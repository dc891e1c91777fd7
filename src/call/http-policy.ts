// What config says of plain HTTP beyond the formats of bodies: read by the REST adapter.

/** Which names request fields and metadata have for each other. Lower case; "" for no prefix. */
export interface MetadataNames {
  /** Request fields that begin with it become metadata without it; all others as they are. */
  readonly requestPrefix: string;
  /** Fields that HTTP itself defines are metadata under this prefix too, e.g. `grpcgateway-`. */
  readonly standardPrefix: string;
  /** Before the names of response metadata. */
  readonly responsePrefix: string;
  /** Before the names of trailing metadata where they become header fields. */
  readonly trailerPrefix: string;
  /** `trailerPrefix` stands before their names where they are HTTP trailers too. */
  readonly prefixTrailers: boolean;
}

/** Which pages of other sites may call (CORS, as the Fetch standard has it). */
export interface CorsPolicy {
  readonly origins: "*" | readonly string[];
  /** Request fields that pages may send; undefined: those they ask for. */
  readonly headers: readonly string[] | undefined;
  /** Fields of answers that pages may read. */
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
  /** undefined: answers are not compressed. */
  readonly compression: CompressionPolicy | undefined;
  /** Unary answers to GET have an ETag. */
  readonly etag: boolean;
  /** grpc-status and grpc-message are fields of every answer. */
  readonly statusHeaders: boolean;
  readonly errorForm: ErrorForm;
}
