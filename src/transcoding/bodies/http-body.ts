// google.api.HttpBody, a raw body: for routes that have one, and streams of them, in both directions
// (google/api/httpbody.proto).
import { Status } from "../../call/status/status.js";
import type {
  BodyRequest,
  BodyTaker,
  MessageTaker,
  RequestReader,
  ResponseWriter,
} from "../../call/transcoding.js";
import type { BindingPlan } from "../routes/binding.js";
import { encodeRequest, type MatchedRequest } from "../translate/request.js";
import { decodeResponse } from "../translate/response.js";
import { safeContent } from "./active-content.js";
import type { ResponseOptions } from "./unary-writer.js";

const NO_BYTES = Buffer.alloc(0);
/** Bytes of an upload in one message: below every message limit of services. */
const MAX_PIECE_BYTES = 64 * 1024;

/**
 * An upload: its bytes become messages as they arrive, each with what path and query bind. The first has the content
 * type.
 */
export class HttpBodyReader implements RequestReader {
  readonly form = "pieces";
  readonly behind = false;
  readonly #out: MessageTaker;
  readonly #contentType: string | undefined;
  readonly #maxPieceBytes: number;
  readonly #match: MatchedRequest;
  #begun = false;
  #stopped = false;

  constructor(out: MessageTaker, request: BodyRequest, match: MatchedRequest) {
    this.#out = out;
    this.#match = match;
    this.#contentType = request.contentType;
    this.#maxPieceBytes = Math.min(MAX_PIECE_BYTES, Math.max(1, request.maxMessageBytes >> 1));
  }

  push(chunk: Buffer, start: number, end: number, last: boolean): void {
    for (let from = start; from < end && !this.#stopped; from += this.#maxPieceBytes)
      this.#send(chunk.subarray(from, Math.min(end, from + this.#maxPieceBytes)));
    if (!last || this.#stopped) return;
    // An empty upload is one too.
    if (!this.#begun) this.#send(NO_BYTES);
    if (this.#stopped) return;
    this.#stopped = true;
    this.#out.end();
  }

  stop(): void {
    this.#stopped = true;
  }

  #send(data: Buffer): void {
    const bound = this.#match.bound();
    const contentType = this.#begun ? undefined : this.#contentType;
    const message =
      bound instanceof Status
        ? bound
        : encodeRequest(bound, { kind: "raw", data, contentType }, this.#match.options);
    this.#begun = true;
    if (message instanceof Status) {
      this.#stopped = true;
      this.#out.refuse(message);
    } else this.#out.message(message);
  }
}

/** A download: the bytes of each message as they arrive, with the content type of the first. */
export class HttpBodyWriter implements ResponseWriter {
  readonly keepAlive = undefined;
  readonly behind = false;
  readonly #out: BodyTaker;
  readonly #plan: BindingPlan;
  readonly #options: ResponseOptions;
  #begun = false;
  #stopped = false;

  constructor(out: BodyTaker, plan: BindingPlan, options: ResponseOptions) {
    this.#out = out;
    this.#plan = plan;
    this.#options = options;
  }

  message(message: Uint8Array): void {
    if (this.#stopped) return;
    const printed = decodeResponse(this.#plan, message, this.#options.codecs);
    if (printed instanceof Status) {
      this.fail(printed);
      return;
    }
    const { contentType, body } = printed;
    this.#begin(contentType);
    this.#out.write(body, false);
  }

  end(): void {
    if (this.#stopped) return;
    this.#begin("application/octet-stream");
    this.#out.write(NO_BYTES, true);
  }

  /** Bytes have no place for a status: a download that fails is aborted, so that no client takes it for complete. */
  fail(status: Status): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#out.failed(status, false);
  }

  stop(): void {
    this.#stopped = true;
  }

  #begin(contentType: string): void {
    if (this.#begun) return;
    this.#begun = true;
    const out = this.#options.allowActiveContent ? { contentType, fields: [] } : safeContent(contentType);
    this.#out.head(out.contentType, out.fields, undefined);
  }
}
