// The hub's own HTTP pages on the client port: a page is called like a method, through every interceptor, and its body
// is made once they have admitted the call.
import type { Method } from "../../call/call.js";
import type { Status } from "../../call/status/status.js";
import type { Field } from "../../kit/headers.js";

export interface Content {
  readonly contentType: string;
  readonly body: Buffer;
  /** Strong, in its quotes (RFC 9110 §8.8.3); undefined: it is of this moment. */
  readonly etag: string | undefined;
  readonly fields: readonly Field[];
}

export interface Page {
  /** As requests have it, without a query. */
  readonly path: string;
  /** Its name for the config's `methods`. Not a gRPC method: gRPC cannot call it. */
  readonly method: Method;
  /** Its purpose and its config key, for people. */
  readonly about: string;
  /**
   * A Status describes an error in the query, or why there is no content. If it throws, the call ends with HUB_FAULT.
   * @param gone aborted when the client has left, or the call has ended
   */
  render(query: URLSearchParams, gone: AbortSignal): Promise<Content | Status>;
}

export const PAGES_SERVICE = "linchpin.Pages";

/** Its path begins as no request's path can, so no gRPC client reaches it. */
export function pageMethod(service: string, name: string): Method {
  return {
    service,
    name,
    path: `:${service}/${name}`,
    kind: "unary",
    idempotent: true,
    descriptor: undefined,
  };
}
