// The formats of the rig's pretended routes: a message is its text, `bad` does not fit, `unprintable` cannot be printed.
import type { MethodKind } from "#src/call/call.js";
import { refusal } from "#src/call/status/reasons.js";
import { Code, codeName, Status } from "#src/call/status/status.js";
import type {
  BodyRequest,
  BodyTaker,
  MessageTaker,
  RequestReader,
  ResponseWriter,
  Transcoding,
} from "#src/call/transcoding.js";
import type { Field } from "#src/kit/headers.js";
import { chooseFraming } from "#src/transcoding/bodies/framing.js";

export function statusText(status: Status): string {
  return JSON.stringify({ code: status.code, message: status.message, name: codeName(status.code) });
}

/** How the readers and writers of a rig behave; a test changes it. */
export interface Pace {
  /** Readers and writers answer in a later turn of the event loop. */
  later: boolean;
  /** Readers and writers say that they are behind. */
  behind: boolean;
  /** HTTP status of good answers. */
  success: number;
  /** Fields of the format's own. */
  fields: readonly Field[];
}

export function textTranscoding(request: BodyRequest, kind: MethodKind, pace: Pace): Transcoding | Status {
  if (request.contentType === "text/strange") return new Status(Code.INVALID_ARGUMENT, "415", { http: 415 });
  const manyIn = kind === "client_streaming" || kind === "bidi_streaming";
  const manyOut = kind === "server_streaming" || kind === "bidi_streaming";
  const framing = chooseFraming(request.accept, manyOut ? "array" : undefined);
  if (framing instanceof Status) return framing;
  const max = 2 * request.maxMessageBytes;
  if (!manyIn && request.contentLength !== undefined && request.contentLength > max) return tooLarge(max);
  return {
    success: pace.success,
    reader: (out) => (manyIn ? new LineReader(out, pace) : new TextReader(request, out, pace)),
    writer: (out) => {
      let begun = false;
      const run = pacer(pace);
      const begin = (): string => {
        begun = true;
        out.head(framing.contentType, pace.fields, undefined);
        return framing.head;
      };
      const fail = (status: Status): void => {
        if (begun) out.write(Buffer.from(framing.tail(statusText(status), false)), false);
        out.failed(status, begun);
      };
      const writer: ResponseWriter = manyOut
        ? {
            message: (message) =>
              run(() => {
                const text = Buffer.from(message).toString();
                if (text === "unprintable") return fail(new Status(Code.INTERNAL, "cannot print"));
                const json = framing.before(!begun, text.length) + JSON.stringify(text) + framing.after;
                out.write(Buffer.from((begun ? "" : begin()) + json), false);
              }),
            end: () =>
              run(() => {
                const head = begun ? "" : begin();
                out.write(Buffer.from(head + framing.tail(undefined, head !== "")), true);
              }),
            fail: (status) => run(() => fail(status)),
            keepAlive: framing.keepAlive,
            get behind() {
              return pace.behind;
            },
            stop: () => {},
          }
        : oneText(out, pace, run);
      return writer;
    },
  };
}

function oneText(out: BodyTaker, pace: Pace, run: (act: () => void) => void): ResponseWriter {
  let body: Buffer | undefined;
  return {
    message: (message) =>
      run(() => {
        const text = Buffer.from(message).toString();
        if (text === "unprintable") out.failed(new Status(Code.INTERNAL, "cannot print"), false);
        else body = Buffer.from(JSON.stringify(text));
      }),
    end: () =>
      run(() => {
        if (body === undefined) return;
        out.head("application/json", pace.fields, body.length);
        out.write(body, true);
      }),
    fail: (status) => run(() => out.failed(status, false)),
    keepAlive: undefined,
    get behind() {
      return pace.behind;
    },
    stop: () => {},
  };
}

/** Runs at once or in later turns, but in order. */
function pacer(pace: Pace): (act: () => void) => void {
  return (act) => {
    if (pace.later) setImmediate(act);
    else act();
  };
}

class TextReader implements RequestReader {
  readonly form = "collected";
  readonly behind = false;
  readonly #request: BodyRequest;
  readonly #out: MessageTaker;
  readonly #run: (act: () => void) => void;
  readonly #pieces: Buffer[] = [];
  #bytes = 0;
  #stopped = false;

  constructor(request: BodyRequest, out: MessageTaker, pace: Pace) {
    this.#request = request;
    this.#out = out;
    this.#run = pacer(pace);
  }

  push(chunk: Buffer, start: number, end: number, last: boolean): void {
    if (this.#stopped) return;
    this.#pieces.push(chunk.subarray(start, end));
    this.#bytes += end - start;
    const max = 2 * this.#request.maxMessageBytes;
    if (this.#bytes > max) {
      this.#stopped = true;
      this.#out.refuse(tooLarge(max));
    } else if (last) this.#run(() => take(Buffer.concat(this.#pieces), this.#out, true));
  }

  stop(): void {
    this.#stopped = true;
  }
}

class LineReader implements RequestReader {
  readonly form = "stream";
  readonly #out: MessageTaker;
  readonly #run: (act: () => void) => void;
  readonly #pace: Pace;
  #rest = "";

  constructor(out: MessageTaker, pace: Pace) {
    this.#out = out;
    this.#pace = pace;
    this.#run = pacer(pace);
  }

  get behind(): boolean {
    return this.#pace.behind;
  }

  push(chunk: Buffer, start: number, end: number, last: boolean): void {
    const lines = (this.#rest + chunk.toString("latin1", start, end)).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#run(() => take(Buffer.from(line), this.#out, false));
    if (last) this.#run(() => this.#out.end());
  }

  stop(): void {}
}

function take(text: Buffer, out: MessageTaker, only: boolean): void {
  if (text.toString() === "bad") {
    out.refuse(new Status(Code.INVALID_ARGUMENT, "book.title: not a string"));
    return;
  }
  out.message(text);
  if (only) out.end();
}

function tooLarge(max: number): Status {
  return refusal("MESSAGE_TOO_LARGE", `the body is larger than the limit of ${max} bytes`);
}
