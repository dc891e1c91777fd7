// What answers a call for a page: makes the page once the steps have admitted the call.

import { PREFIX_BYTES } from "../../call/messages.js";
import { type Abort, DiscardSink, type Handler, type Sink, type Source } from "../../call/sink.js";
import { hubFault } from "../../call/status/hub-fault.js";
import { Status } from "../../call/status/status.js";
import { Headers } from "../../kit/headers.js";
import type { OpenPages } from "./page-match.js";

/** An empty gRPC message: what is shown is kept beside the request. */
const EMPTY_FRAME = Buffer.alloc(PREFIX_BYTES);
const OK = Headers.of(["grpc-status", "0"]);

export function pageHandler(open: OpenPages): Handler {
  return (_call, response) => new PageCall(open, response);
}

class PageCall extends DiscardSink implements Source {
  readonly #open: OpenPages;
  readonly #response: Sink;
  readonly #gone = new AbortController();

  constructor(open: OpenPages, response: Sink) {
    super();
    this.#open = open;
    this.#response = response;
  }

  override data(chunk: Buffer, start: number, end: number, last = false): void {
    super.data(chunk, start, end);
    if (!last) return;
    const number = end - start === PREFIX_BYTES + 4 ? chunk.readUInt32BE(start + PREFIX_BYTES) : 0;
    this.#answer(number).catch((error: unknown) => this.#fail(fault(error)));
  }

  override abort(): void {
    this.#gone.abort();
  }

  async #answer(number: number): Promise<void> {
    const asked = this.#open.get(number);
    const content = await asked?.page
      .render(new URLSearchParams(asked.query), this.#gone.signal)
      .catch(fault);
    if (this.#gone.signal.aborted) return;
    if (asked === undefined || content === undefined || content instanceof Status) {
      this.#fail(content instanceof Status ? content : fault(new Error(`no request ${number}`)));
      return;
    }
    asked.content = content;
    this.#response.open(this);
    this.#response.headers(Headers.of(["content-type", "application/grpc"]), false);
    this.#response.data(EMPTY_FRAME, 0, EMPTY_FRAME.length, false);
    this.#response.trailers(OK);
  }

  #fail(status: Status): void {
    this.#response.abort({ status, by: "hub", sent: "never" });
  }

  consumed(): void {}
  cancel(_cause: Abort): void {
    this.#gone.abort();
  }
}

function fault(cause: unknown): Status {
  return hubFault("the page could not be made", "while a page was made", cause);
}
