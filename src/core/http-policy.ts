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
}

export interface HttpPolicy {
  readonly metadata: MetadataNames;
}
