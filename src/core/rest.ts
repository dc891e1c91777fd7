// What the REST adapter of downstream/ needs of transcoding/: the two meet in hub.ts through these types.
import type { Call, Method } from "./call.js";
import type { Status } from "./status.js";

/** The HTTP requests that reach gRPC methods; immutable, replaced whole when config or schema changes. */
export interface RestRouter {
  /** `target` is the raw request target, path and query as received; it begins with "/". */
  match(httpMethod: string, target: string): RestMatch | RestMiss;
  /** google.rpc.Status as JSON text, details printed through the schema where it knows their types. */
  renderStatus(status: Status): string;
}

/** A request that has a route: which method it calls, and how its messages are read and written. */
export interface RestMatch {
  readonly kind: "match";
  readonly method: Method;
  /** The route's path template with the prefix, for logs and metrics: bounded in number, unlike paths. */
  readonly route: string;
  /**
   * Reads body, path and query into one protobuf message; a Status (INVALID_ARGUMENT, …) says what does not fit and
   * where. Answer it with `status.http`: an unsupported content type is 415.
   */
  encodeRequest(body: Uint8Array, contentType: string | undefined): Uint8Array | Status;
  /** Prints one response message. */
  decodeResponse(message: Uint8Array): RestBody | Status;
}

export interface RestBody {
  /** e.g. `application/json` */
  readonly contentType: string;
  /** string: UTF-8 text to be encoded. */
  readonly body: string | Uint8Array;
}

/** No route. `status.http` is 405 when the path has other methods, 400 when it is no valid path, else 404. */
export interface RestMiss {
  readonly kind: "miss";
  /** The methods that the path knows, for Allow; HEAD where GET is, OPTIONS never. Empty unless 405. */
  readonly allow: readonly string[];
  readonly status: Status;
  /** The nearest routes, as in `GET /v1/books`: for those who may know them. Computed when asked for. */
  hints(): readonly string[];
}

/** Re-exported so that adapters need one import. */
export type { Call };
