// The handler of a page: makes the page once the steps have admitted the call. A page responds in HTTP's terms: its
// fields as headers, its body unchanged. So a page that cannot be made is a failed call, for the log and for metrics
// too.

import type { Call } from "../../call/call.js";
import { DiscardSink, type Handler, type Sink, type Source } from "../../call/sink.js";
import { hubFault } from "../../call/status/hub-fault.js";
import { Status } from "../../call/status/status.js";
import { field, Headers } from "../../kit/headers.js";
import type { Content, Page } from "./page.js";

const OK = Headers.of(["grpc-status", "0"]);

/** @param pages by their paths */
export function pageHandler(pages: ReadonlyMap<string, Page>): Handler {
  return ({ http }: Call, response) => {
    const page = pages.get(http?.path ?? "");
    // No gRPC path reaches it, and the router has found the page before.
    if (page === undefined) throw new TypeError(`no page at ${http?.path}`);
    return new PageCall(page, http?.query ?? "", response);
  };
}

class PageCall extends DiscardSink implements Source {
  readonly #response: Sink;
  readonly #gone = new AbortController();

  constructor(page: Page, query: string, response: Sink) {
    super();
    this.#response = response;
    this.#answer(page, query).catch((error: unknown) => this.#fail(fault(error)));
  }

  override abort(): void {
    this.#gone.abort();
  }

  async #answer(page: Page, query: string): Promise<void> {
    const content = await page.render(new URLSearchParams(query), this.#gone.signal).catch(fault);
    if (this.#gone.signal.aborted) return;
    if (content instanceof Status) {
      this.#fail(content);
      return;
    }
    const { body } = content;
    this.#response.open(this);
    this.#response.headers(headersOf(content), false);
    this.#response.data(body, 0, body.length, false);
    this.#response.trailers(OK);
  }

  #fail(status: Status): void {
    this.#response.abort({ status, by: "hub", sent: "never" });
  }

  consumed(): void {}
  cancel(): void {
    this.#gone.abort();
  }
}

function headersOf({ contentType, etag, fields }: Content): Headers {
  const all = [field("content-type", contentType), ...fields];
  if (etag !== undefined) all.push(field("etag", etag));
  return new Headers(all);
}

function fault(cause: unknown): Status {
  return hubFault("the page could not be made", "while a page was made", cause);
}
