// What the hub itself answers to HTTP clients on the main port: a page is called like a method, through every
// interceptor, and its body is made once they have admitted the call.
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
  /** What the config's `methods` can name. Not a method of gRPC: nobody reaches it so. */
  readonly method: Method;
  /** What it is, and which key moves it: for persons. */
  readonly about: string;
  /**
   * A Status says what is wrong with the query, or why there is nothing.
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
