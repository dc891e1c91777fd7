// The frames of a WebSocket: each is the JSON of one message.
import { Status } from "../core/status.js";
import type { BodyRequest, MessageTaker, RequestReader } from "../core/transcoding.js";
import type { MatchedRequest } from "./request.js";
import { encodeText } from "./stream-reader.js";
import { tooLarge } from "./unary-reader.js";

export class FrameReader implements RequestReader {
  readonly behind = false;
  readonly #out: MessageTaker;
  readonly #request: BodyRequest;
  readonly #match: MatchedRequest;
  #messages = 0;
  #stopped = false;

  constructor(out: MessageTaker, request: BodyRequest, match: MatchedRequest) {
    this.#out = out;
    this.#request = request;
    this.#match = match;
  }

  push(chunk: Buffer, start: number, end: number, last: boolean): void {
    const one = this.#match.plan.method.kind === "server_streaming";
    // A service that takes one message has it with the first frame, or with none where path and query say it all.
    if (end > start || (one && last && this.#messages === 0)) this.#onFrame(chunk.subarray(start, end));
    if (this.#stopped || !(last || one)) return;
    this.#stopped = true;
    this.#out.end();
  }

  stop(): void {
    this.#stopped = true;
  }

  #onFrame(text: Buffer): void {
    if (this.#stopped) return;
    this.#messages++;
    const { maxMessageBytes } = this.#request;
    const message = encodeText(this.#match, text);
    if (message instanceof Status) this.#refuse(message);
    else if (message.length > maxMessageBytes) this.#refuse(tooLarge("message", maxMessageBytes));
    else this.#out.message(message);
  }

  #refuse(status: Status): void {
    this.#stopped = true;
    this.#out.refuse(status.withMessage(`frame ${this.#messages}: ${status.message}`));
  }
}
