// A body that is a stream of messages, as NDJSON or a JSON array: each goes to the service as soon as it has arrived.
import { refusal } from "../core/reasons.js";
import { Status } from "../core/status.js";
import type { BodyRequest, MessageTaker, RequestReader } from "../core/transcoding.js";
import { isJsonType, isNdjsonType, unsupportedType } from "./content-type.js";
import { JsonStreamSplitter } from "./json-stream.js";
import { encodeRequest, type MatchedRequest } from "./request.js";
import { maxBodyBytes, tooLarge } from "./unary-reader.js";

/** The types that `StreamReader` takes. */
export const STREAM_TYPES: readonly string[] = ["application/x-ndjson", "application/json"];

export class StreamReader implements RequestReader {
  readonly behind = false;
  readonly #out: MessageTaker;
  readonly #request: BodyRequest;
  readonly #match: MatchedRequest;
  readonly #splitter: JsonStreamSplitter;
  #messages = 0;
  #stopped = false;

  constructor(out: MessageTaker, request: BodyRequest, match: MatchedRequest) {
    this.#out = out;
    this.#request = request;
    this.#match = match;
    const form = isNdjsonType(request.contentType) ? "lines" : "values";
    this.#splitter = new JsonStreamSplitter(form, maxBodyBytes(request.maxMessageBytes), (text) =>
      this.#onText(text),
    );
  }

  push(chunk: Buffer, start: number, end: number, last: boolean): void {
    if (this.#stopped) return;
    const problem = this.#splitter.push(chunk, start, end) ?? (last ? this.#splitter.end() : undefined);
    if (this.#stopped) return;
    if (problem !== undefined) {
      const max = maxBodyBytes(this.#request.maxMessageBytes);
      this.#refuse(
        problem.tooLarge
          ? tooLarge("message", max)
          : refusal("INVALID_REQUEST", `the body is no stream of JSON: ${problem.problem}`),
        problem.index + 1,
      );
    } else if (last) {
      this.#stopped = true;
      this.#out.end();
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  #onText(text: Buffer): void {
    if (this.#stopped) return;
    this.#messages++;
    const message = encodeText(this.#match, text);
    if (message instanceof Status) this.#refuse(message, this.#messages);
    else if (message.length > this.#request.maxMessageBytes)
      this.#refuse(tooLarge("message", this.#request.maxMessageBytes), this.#messages);
    else this.#out.message(message);
  }

  /** @param ordinal of the message, from 1 */
  #refuse(status: Status, ordinal: number): void {
    this.#stopped = true;
    this.#out.refuse(status.withMessage(`message ${ordinal}: ${status.message}`));
  }
}

/** One message of a stream, from its JSON text. */
export function encodeText(match: MatchedRequest, text: Buffer): Uint8Array | Status {
  const bound = match.bound();
  if (bound instanceof Status) return bound;
  return encodeRequest(bound, text.length === 0 ? undefined : { kind: "text", text }, match.options);
}

/** Why a stream of messages cannot be read from a body of this type; undefined when it can. */
export function streamTypeProblem(contentType: string | undefined): Status | undefined {
  if (isJsonType(contentType) || isNdjsonType(contentType)) return undefined;
  return unsupportedType(contentType, STREAM_TYPES);
}
