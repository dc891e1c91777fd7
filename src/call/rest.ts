// What client protocols need of transcoding/ and of the hub's pages: hub.ts connects them through these types.
import type { Method } from "./call.js";
import type { Status } from "./status/status.js";
import type { BodyRequest, Transcoding } from "./transcoding.js";

/** The HTTP requests that reach gRPC methods or pages; immutable, replaced whole when config or schema changes. */
export interface RestRouter {
  /**
   * `target` is the raw request target, path and query as received; it begins with "/". `override` is the value of
   * X-HTTP-Method-Override, which applies to POST if it is configured.
   */
  match(httpMethod: string, target: string, override?: string): RestMatch | PageMatch | RestMiss;
  /** For a WebSocket, which always uses GET: the streaming method at this path, whatever HTTP method its rule has. */
  matchWebSocket(target: string): RestMatch | RestMiss;
  /** google.rpc.Status as JSON text; details are printed through the schema if it has their types. */
  renderStatus(status: Status): string;
  /** The body of a failure, in the format that `accept` asks for. `target`: that of the request, for its path. */
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
   * How the bodies of this request and its response are translated; called once. A Status says why they cannot be:
   * respond with `status.http`, as for an unsupported type (415) or an Accept that no format matches (406).
   */
  open(request: BodyRequest): Transcoding | Status;
  /** Once open: replaces Accept, for failures too, if the query sets a format. */
  readonly accept?: string | undefined;
}

/**
 * A page of the hub itself. The handler of its method's plan responds in HTTP's terms: its headers are the response's
 * fields, its data the body in one piece, and its trailers say how the call ended.
 */
export interface PageMatch {
  readonly kind: "page";
  readonly method: Method;
  /** The page's path. */
  readonly route: string;
}

/** No route. `status.http` is 405 if the path has other methods, 400 if it is malformed, otherwise 404. */
export interface RestMiss {
  readonly kind: "miss";
  /** The methods of the path, for Allow; HEAD if GET is, OPTIONS never. Empty unless 405. */
  readonly allow: readonly string[];
  readonly status: Status;
  /** The nearest routes, as in `GET /v1/books`: for callers who may see them. Computed on demand. */
  hints(): readonly string[];
}
