// Splits a body of many messages into the JSON text of each, as its bytes arrive: NDJSON, or an array. Only the ends of
// the texts are found here; the parser checks whether a text is valid JSON.

import { LISTENER_LIMITS } from "../../config/listener-limits.js";

/** lines: one message per line (NDJSON). values: an array of messages, or concatenated messages. */
export type JsonStreamForm = "lines" | "values";

/** Why the stream cannot continue. `index`: of the affected message, from 0. */
export interface JsonStreamProblem {
  readonly index: number;
  readonly problem: string;
  readonly tooLarge: boolean;
}

const NO_BYTES = Buffer.alloc(0);
const MAX_BLANK_BYTES = LISTENER_LIMITS.maxBlankBytes.value;
/** The minimum buffer for a text that arrived in pieces. */
const MIN_KEPT_BYTES = 256;

const LF = 0x0a;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * The position of the next byte in a stream of values. start: only white space so far. before: a value must follow
 * (after a comma). first: a value or the array's end. inside: within a value. after: a comma or the array's end (a new
 * value if there is no array). closed: the array has ended.
 */
type Place = "start" | "first" | "before" | "inside" | "after" | "closed";

/** RFC 8259 §2: space, tab, line feed, carriage return. */
function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === LF || byte === 0x0d || byte === 0x09;
}

function isBlank(text: Buffer): boolean {
  for (const byte of text) if (!isSpace(byte)) return false;
  return true;
}

export class JsonStreamSplitter {
  readonly #form: JsonStreamForm;
  readonly #maxBytes: number;
  readonly #take: (text: Buffer) => void;
  /** The received part of the incomplete text, in a buffer that grows by doubling. */
  #kept = NO_BYTES;
  #bytes = 0;
  #index = 0;
  /** Of white space since the last text. */
  #blanks = 0;

  #place: Place = "start";
  #array = false;
  #depth = 0;
  #inString = false;
  #escaped = false;

  /** @param take gets each text, in order; it may keep it. @param maxBytes of one text. */
  constructor(form: JsonStreamForm, maxBytes: number, take: (text: Buffer) => void) {
    this.#form = form;
    this.#maxBytes = maxBytes;
    this.#take = take;
  }

  /** Takes bytes start..end of chunk. After a problem nothing more may be pushed. */
  push(chunk: Buffer, start: number, end: number): JsonStreamProblem | undefined {
    return this.#form === "lines" ? this.#pushLines(chunk, start, end) : this.#pushValues(chunk, start, end);
  }

  /** The body is complete. */
  end(): JsonStreamProblem | undefined {
    const bare = this.#place === "inside" && !this.#array && this.#depth === 0 && !this.#inString;
    // The last line may lack its end, and a number or a literal ends with the body.
    if (this.#form === "lines" || bare) return this.#emit(NO_BYTES, 0, 0);
    if (this.#place === "inside") return this.#problem("the body ends within a message");
    return this.#array && this.#place !== "closed"
      ? this.#problem("the body ends before the array does")
      : undefined;
  }

  #pushLines(chunk: Buffer, start: number, end: number): JsonStreamProblem | undefined {
    let from = start;
    while (from < end) {
      const at = chunk.indexOf(LF, from);
      const lineEnd = at === -1 || at >= end ? end : at;
      if (lineEnd === end) return this.#keep(chunk, from, end);
      const problem = this.#emit(chunk, from, lineEnd);
      if (problem !== undefined) return problem;
      from = lineEnd + 1;
    }
    return undefined;
  }

  #pushValues(chunk: Buffer, start: number, end: number): JsonStreamProblem | undefined {
    let from = start;
    for (let at = start; at < end; at++) {
      const byte = chunk[at] ?? 0;
      if (this.#place !== "inside") {
        const begins = this.#between(byte);
        if (typeof begins === "string") return this.#problem(begins);
        if (!begins) {
          if (++this.#blanks > MAX_BLANK_BYTES) return this.#tooBlank();
          continue;
        }
        this.#place = "inside";
        from = at;
      }
      const whole = this.#within(byte);
      if (whole === "no") continue;
      const problem = this.#emit(chunk, from, whole === "with" ? at + 1 : at);
      if (problem !== undefined) return problem;
      this.#place = "after";
      if (whole === "before") at--;
    }
    return this.#place === "inside" ? this.#keep(chunk, from, end) : undefined;
  }

  /** A byte between values: true if a value begins with it; a string says why it is not allowed. */
  #between(byte: number): boolean | string {
    if (isSpace(byte)) return false;
    const begins = byte !== COMMA && byte !== CLOSE_BRACKET && byte !== CLOSE_BRACE && byte !== COLON;
    switch (this.#place) {
      case "start":
        if (byte !== OPEN_BRACKET) return begins || "expected a message";
        this.#array = true;
        this.#place = "first";
        return false;
      case "first":
        if (byte !== CLOSE_BRACKET) return begins || "expected a message or the end of the array";
        this.#place = "closed";
        return false;
      case "before":
        return begins || "expected a message after the comma";
      case "after":
        if (!this.#array)
          return (
            begins || "expected a message: outside of an array, messages are separated only by white space"
          );
        if (byte === COMMA) this.#place = "before";
        else if (byte === CLOSE_BRACKET) this.#place = "closed";
        else return "expected a comma or the end of the array after the message";
        return false;
      default:
        return "expected nothing after the end of the array";
    }
  }

  /** A byte of a value: whether the value ends with it, ended before it, or continues. */
  #within(byte: number): "with" | "before" | "no" {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false;
      else if (byte === BACKSLASH) this.#escaped = true;
      else if (byte === QUOTE) {
        this.#inString = false;
        if (this.#depth === 0) return "with";
      }
      return "no";
    }
    switch (byte) {
      case QUOTE:
        this.#inString = true;
        return "no";
      case OPEN_BRACE:
      case OPEN_BRACKET:
        this.#depth++;
        return "no";
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        if (this.#depth === 0) return "before";
        this.#depth--;
        return this.#depth === 0 ? "with" : "no";
      default:
        return this.#depth === 0 && (byte === COMMA || isSpace(byte)) ? "before" : "no";
    }
  }

  #keep(chunk: Buffer, start: number, end: number): JsonStreamProblem | undefined {
    const bytes = this.#bytes + end - start;
    if (bytes > this.#maxBytes) return this.#tooLarge();
    if (bytes > this.#kept.length) {
      const grown = Buffer.allocUnsafe(Math.min(this.#maxBytes, Math.max(MIN_KEPT_BYTES, bytes * 2)));
      this.#kept.copy(grown, 0, 0, this.#bytes);
      this.#kept = grown;
    }
    chunk.copy(this.#kept, this.#bytes, start, end);
    this.#bytes = bytes;
    return undefined;
  }

  /** The text is complete with these bytes; a line of white space is ignored. */
  #emit(chunk: Buffer, start: number, end: number): JsonStreamProblem | undefined {
    let text: Buffer;
    if (this.#bytes === 0) {
      if (end - start > this.#maxBytes) return this.#tooLarge();
      text = chunk.subarray(start, end);
    } else {
      const problem = this.#keep(chunk, start, end);
      if (problem !== undefined) return problem;
      text = this.#kept.subarray(0, this.#bytes);
      this.#kept = NO_BYTES;
      this.#bytes = 0;
    }
    if (isBlank(text)) {
      this.#blanks += text.length + 1;
      return this.#blanks > MAX_BLANK_BYTES ? this.#tooBlank() : undefined;
    }
    this.#blanks = 0;
    this.#index++;
    this.#take(text);
    return undefined;
  }

  #tooBlank(): JsonStreamProblem {
    return this.#problem(
      `there are more than ${MAX_BLANK_BYTES} bytes of white space before the next message`,
    );
  }

  #tooLarge(): JsonStreamProblem {
    const problem = `it is larger than the limit of ${this.#maxBytes} bytes`;
    return { index: this.#index, problem, tooLarge: true };
  }

  #problem(problem: string): JsonStreamProblem {
    return { index: this.#index, problem, tooLarge: false };
  }
}
