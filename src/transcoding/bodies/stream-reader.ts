// A body that is a stream of messages, NDJSON or a JSON array: each is passed to the service as soon as it has arrived.
import { refusal } from "../../call/status/reasons.js";
import { Status } from "../../call/status/status.js";
import {
  type BodyRequest,
  type MessageTaker,
  maxTextBytes,
  type RequestReader,
} from "../../call/transcoding.js";
import type { ThreadedRequest } from "../threads/large.js";
import { isJsonType, isNdjsonType, unsupportedType } from "../translate/content-type.js";
import { encodeRequest } from "../translate/request.js";
import { type JsonStreamProblem, JsonStreamSplitter } from "./json-stream.js";
import { MessageEncoder } from "./message-encoder.js";
import { tooLarge } from "./unary-reader.js";

/** The types that `StreamReader` takes. */
export const STREAM_TYPES: readonly string[] = ["application/x-ndjson", "application/json"];

export class StreamReader implements RequestReader {
  readonly form = "stream";
  readonly #out: MessageTaker;
  readonly #request: BodyRequest;
  readonly #match: ThreadedRequest;
  readonly #encoder: MessageEncoder;
  readonly #splitter: JsonStreamSplitter;
  #messages = 0;
  /** The body has ended, or is invalid from here, or the call has ended. */
  #closed = false;
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
    const form = isNdjsonType(request.contentType) ? "lines" : "values";
    this.#splitter = new JsonStreamSplitter(form, maxTextBytes(request.maxMessageBytes), (text) => {
      if (!this.#stopped) this.#encoder.push(text);
    });
  }

  get behind(): boolean {
    return this.#encoder.behind;
  }

  push(chunk: Buffer, start: number, end: number, last: boolean): void {
    if (this.#closed) return;
    const problem = this.#splitter.push(chunk, start, end) ?? (last ? this.#splitter.end() : undefined);
    if (this.#stopped || (problem === undefined && !last)) return;
    this.#closed = true;
    this.#encoder.afterAll(() => this.#close(problem));
  }

  stop(): void {
    this.#closed = true;
    this.#stopped = true;
    this.#encoder.stop();
  }

  /** @param problem undefined: the body is complete */
  #close(problem: JsonStreamProblem | undefined): void {
    if (problem !== undefined) {
      const max = maxTextBytes(this.#request.maxMessageBytes);
      this.#refuse(
        problem.tooLarge
          ? tooLarge("message", max)
          : refusal("INVALID_REQUEST", `the body is not a stream of JSON: ${problem.problem}`),
        problem.index + 1,
      );
      return;
    }
    const refused = this.#messages === 0 ? this.#problemOfUrl() : undefined;
    this.stop();
    if (refused === undefined) this.#out.end();
    else this.#out.refuse(refused);
  }

  /** Path and query are read with the first message: this is for a stream without messages. */
  #problemOfUrl(): Status | undefined {
    const bound = this.#match.bound();
    if (bound instanceof Status) return bound;
    const message = bound.query === "" ? undefined : encodeRequest(bound, undefined, this.#match.options);
    return message instanceof Status ? message : undefined;
  }

  #take(message: Uint8Array | Status): void {
    this.#messages++;
    if (message instanceof Status) this.#refuse(message, this.#messages);
    else if (message.length > this.#request.maxMessageBytes)
      this.#refuse(tooLarge("message", this.#request.maxMessageBytes), this.#messages);
    else this.#out.message(message);
  }

  /** @param ordinal of the message, from 1 */
  #refuse(status: Status, ordinal: number): void {
    this.stop();
    this.#out.refuse(status.withMessage(`message ${ordinal}: ${status.message}`));
  }
}

/** Why a stream of messages cannot be read from a body of this type; undefined when it can. */
export function streamTypeProblem(contentType: string | undefined): Status | undefined {
  if (isJsonType(contentType) || isNdjsonType(contentType)) return undefined;
  return unsupportedType(contentType, STREAM_TYPES);
}
