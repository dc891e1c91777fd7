// The frames of a WebSocket: each is the JSON of one message, or, if the body is a google.api.HttpBody, its bytes.
import { refusal } from "../../call/status/reasons.js";
import { Status } from "../../call/status/status.js";
import type { BodyRequest, MessageTaker, RequestReader } from "../../call/transcoding.js";
import type { ThreadedRequest } from "../threads/large.js";
import { encodeRequest } from "../translate/request.js";
import { MessageEncoder } from "./message-encoder.js";
import { tooLarge } from "./unary-reader.js";

export class FrameReader implements RequestReader {
  readonly form = "pieces";
  readonly #out: MessageTaker;
  readonly #request: BodyRequest;
  readonly #match: ThreadedRequest;
  readonly #encoder: MessageEncoder;
  #pushed = 0;
  #messages = 0;
  /** The request has all its messages. */
  #closed = false;
  /** The call is over. */
  #stopped = false;

  constructor(out: MessageTaker, request: BodyRequest, match: ThreadedRequest) {
    this.#out = out;
    this.#request = request;
    this.#match = match;
    this.#encoder = new MessageEncoder(
      match,
      (message) => this.#take(message),
      (error) => out.fault(error),
    );
  }

  get behind(): boolean {
    return this.#encoder.behind;
  }

  push(chunk: Buffer, start: number, end: number, last: boolean): void {
    if (this.#stopped) return;
    if (this.#closed) {
      if (end > start) this.#refuseMore();
      return;
    }
    const { method, body, httpBody } = this.#match.plan;
    const one = method.kind === "server_streaming" || body === "none";
    // A service that takes one message gets it with the first frame, or with none if path and query are the whole
    // request. An empty frame is not JSON; as bytes it is an ordinary message, and an empty upload is one too.
    const empty = httpBody === undefined ? one && last : !last || this.#pushed === 0;
    if (end > start || empty) {
      this.#pushed++;
      const frame = chunk.subarray(start, end);
      if (httpBody === undefined) this.#encoder.push(frame);
      else this.#take(this.#asItIs(frame));
    }
    if (this.#stopped || !(last || one)) return;
    this.#closed = true;
    this.#encoder.afterAll(() => this.#out.end());
  }

  stop(): void {
    this.#stopped = true;
    this.#encoder.stop();
  }

  /** As `HttpBodyReader` does it, but for the frames, which stay whole. */
  #asItIs(data: Buffer): Uint8Array | Status {
    const bound = this.#match.bound();
    if (bound instanceof Status) return bound;
    const contentType = this.#messages === 0 ? this.#request.contentType : undefined;
    return encodeRequest(bound, { kind: "raw", data, contentType }, this.#match.options);
  }

  /** Bytes that nobody reads would look delivered. */
  #refuseMore(): void {
    const { method, body } = this.#match.plan;
    const why =
      body === "none"
        ? "its rule takes no body: the request consists of path and query"
        : "takes one message";
    this.stop();
    this.#out.refuse(
      refusal(
        "INVALID_REQUEST",
        `frame ${body === "none" ? 1 : this.#pushed + 1}: ${method.path.slice(1)} ${why}`,
      ),
    );
  }

  #take(message: Uint8Array | Status): void {
    this.#messages++;
    const { maxMessageBytes } = this.#request;
    if (message instanceof Status) this.#refuse(message);
    else if (message.length > maxMessageBytes) this.#refuse(tooLarge("message", maxMessageBytes));
    else this.#out.message(message);
  }

  #refuse(status: Status): void {
    this.stop();
    this.#out.refuse(status.withMessage(`frame ${this.#messages}: ${status.message}`));
  }
}
