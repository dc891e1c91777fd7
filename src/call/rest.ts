// What client protocols need of transcoding/ and of the hub's pages: they meet in hub.ts through these types.
import type { Method } from "./call.js";
import type { Status } from "./status/status.js";
import type { BodyRequest, Transcoding } from "./transcoding.js";

/** The HTTP requests that reach gRPC methods or pages; immutable, replaced whole when config or schema changes. */
export interface RestRouter {
  /**
   * `target` is the raw request target, path and query as received; it begins with "/". `override` is the value of
   * X-HTTP-Method-Override: it counts on POST, where that is configured.
   */
  match(httpMethod: string, target: string, override?: string): RestMatch | PageMatch | RestMiss;
  /** For a WebSocket, which always says GET: the streaming method at this path, whatever HTTP method its rule names. */
  matchWebSocket(target: string): RestMatch | RestMiss;
  /** google.rpc.Status as JSON text, details printed through the schema where it knows their types. */
  renderStatus(status: Status): string;
  /** The body that tells a failure, in the form that `accept` asks for. `target`: of the request, for its path. */
  renderError(status: Status, accept: string | undefined, target: string): ErrorBody;
}

/** The routes of services alone. */
export interface RestRoutes extends RestRouter {
  match(httpMethod: string, target: string, override?: string): RestMatch | RestMiss;
}

export interface ErrorBody {
  /** JSON, XML or protobuf (google.rpc.Status), or `application/problem+json` (RFC 9457). */
  readonly contentType: string;
  readonly body: Buffer;
}

/** A request that has a route: which method it calls, and how its messages are read and written. */
export interface RestMatch {
  readonly kind: "match";
  readonly method: Method;
  /** The route's path template with the prefix, for logs and metrics: bounded in number, unlike paths. */
  readonly route: string;
  /**
   * How the bodies of this request and its answer are translated; asked once. A Status says why they cannot be:
   * answer it with `status.http`, as for an unsupported type (415) or nothing that Accept takes (406).
   */
  open(request: BodyRequest): Transcoding | Status;
  /** Once open: what counts in the place of Accept, for failures too, where the query says so. */
  readonly accept?: string | undefined;
}

/**
 * A page of the hub itself. The handler of its method's plan answers in HTTP's own terms: its headers are the answer's
 * fields, its data the body in one piece, and its trailers say how the call ended.
 */
export interface PageMatch {
  readonly kind: "page";
  readonly method: Method;
  /** The page's path. */
  readonly route: string;
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
