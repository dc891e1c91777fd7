// A body that is one message: collected whole, then encoded together with what path and query bind.
import type { DescMessage } from "@bufbuild/protobuf";
import { refusal } from "../core/reasons.js";
import { Status } from "../core/status.js";
import { badRequest } from "../core/status-details.js";
import {
  type BodyRequest,
  type MessageTaker,
  maxTextBytes,
  type RequestReader,
} from "../core/transcoding.js";
import { type Budget, type Codecs, TooMuch } from "./codec/codecs.js";
import { formTypeOf, isProtoType } from "./content-type.js";
import { type Cancel, encodeLarge } from "./large.js";
import { binaryBody, bindRequest, encodeRequest, type MatchedRequest, readBody } from "./request.js";
import { PLAIN } from "./response.js";
import { NO_SYSTEM_PARAMETERS } from "./system-parameters.js";
import { budgetHere, isLargeBody } from "./work.js";

const NO_BYTES = Buffer.alloc(0);

/** The 413 of a body (`what`) or a message that is larger than `maxBytes`. */
export function tooLarge(what: "body" | "message", maxBytes: number): Status {
  const info = { limit: String(maxBytes) };
  return refusal("MESSAGE_TOO_LARGE", `the ${what} is larger than the limit of ${maxBytes} bytes`, { info });
}

export class UnaryReader implements RequestReader {
  readonly form = "collected";
  /** What it may hold is bounded, and it waits for nothing but the rest of the body. */
  readonly behind = false;
  readonly #out: MessageTaker;
  readonly #request: BodyRequest;
  readonly #match: MatchedRequest;
  /** Most bodies come in one piece. */
  #first: Buffer = NO_BYTES;
  #rest: Buffer[] | undefined = undefined;
  #bytes = 0;
  #stopped = false;
  /** Set while the body is in a thread. */
  #cancel: Cancel | undefined = undefined;

  constructor(out: MessageTaker, request: BodyRequest, match: MatchedRequest) {
    this.#out = out;
    this.#request = request;
    this.#match = match;
  }

  push(chunk: Buffer, start: number, end: number, last: boolean): void {
    if (this.#stopped) return;
    const { maxMessageBytes, contentType } = this.#request;
    this.#bytes += end - start;
    if (this.#bytes > maxTextBytes(maxMessageBytes)) {
      this.stop();
      this.#out.refuse(tooLarge("body", maxTextBytes(maxMessageBytes)));
      return;
    }
    if (end > start) this.#keep(chunk.subarray(start, end));
    if (!last) return;
    const body = this.#rest === undefined ? this.#first : Buffer.concat(this.#rest, this.#bytes);
    this.stop();
    const here = encodeHere(this.#match, body, contentType);
    if (here !== undefined) {
      this.#give(here);
      return;
    }
    const onMessage = (message: Uint8Array | Status): void => this.#give(message);
    const onFault = (error: unknown): void => this.#out.fault(error);
    this.#cancel = encodeLarge(this.#match, "body", body, contentType, onMessage, onFault);
  }

  #give(message: Uint8Array | Status): void {
    const { maxMessageBytes } = this.#request;
    if (message instanceof Status) this.#out.refuse(message);
    else if (message.length > maxMessageBytes) this.#out.refuse(tooLarge("message", maxMessageBytes));
    else {
      this.#out.message(message);
      this.#out.end();
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#first = NO_BYTES;
    this.#rest = undefined;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #keep(piece: Buffer): void {
    if (this.#rest !== undefined) this.#rest.push(piece);
    else if (this.#first.length === 0) this.#first = piece;
    else this.#rest = [this.#first, piece];
  }
}

/** The message of a unary request, at once; undefined: that is too much work for here. */
function encodeHere(
  match: MatchedRequest,
  body: Buffer,
  contentType: string | undefined,
): Uint8Array | Status | undefined {
  // Bytes as they are need no work.
  if (isLargeBody(body.length, contentType) && match.plan.httpBody === undefined) return undefined;
  try {
    return encodeBody(match, body, contentType, budgetHere(PLAIN));
  } catch (e) {
    if (e instanceof TooMuch) return undefined;
    throw e;
  }
}

/** The message of a unary request, from its whole body. Throws TooMuch past the budget. */
export function encodeBody(
  match: MatchedRequest,
  body: Buffer,
  contentType: string | undefined,
  budget: Budget,
): Uint8Array | Status {
  const { plan, options } = match;
  const bound = match.bound();
  if (bound instanceof Status) return bound;
  if (isQuery(match, contentType)) {
    const form = body.toString("latin1");
    // The answer's form is settled before a body is read.
    const own = bindRequest(plan, bound.path, form, options);
    if (!(own instanceof Status) && own.system !== NO_SYSTEM_PARAMETERS) return inUrlOnly();
    const query = [bound.query, form].filter((part) => part !== "").join("&");
    const all = bindRequest(plan, bound.path, query, options);
    return all instanceof Status ? all : encodeRequest(all, undefined, options);
  }
  const desc = isProtoType(contentType) ? binaryBody(plan) : undefined;
  if (desc === undefined) {
    const part = readBody(plan, body, contentType, options);
    return part instanceof Status ? part : encodeRequest(bound, part, options);
  }
  // As JSON it is held to all that bodies are held to: what the path binds, what the query may set.
  const text = asJson(desc, body, options.codecs, budget);
  if (text instanceof Status) return text;
  const part = readBody(plan, text, "application/json", options);
  return part instanceof Status ? part : encodeRequest(bound, part, options);
}

function inUrlOnly(): Status {
  const description = "$alt, $fields and $prettyPrint stand in the URL, not in the form";
  return refusal("INVALID_REQUEST", description, { details: [badRequest([{ field: "", description }])] });
}

/** The body is more of the query: that is why the likes of GET are sent as POST. */
function isQuery({ plan, overridden }: MatchedRequest, contentType: string | undefined): boolean {
  return (
    overridden === true &&
    plan.body === "none" &&
    formTypeOf(contentType) === "application/x-www-form-urlencoded"
  );
}

function asJson(desc: DescMessage, body: Uint8Array, codecs: Codecs, budget: Budget): Buffer | Status {
  try {
    return codecs.of(desc).decode(body, undefined, budget);
  } catch (cause) {
    if (cause instanceof TooMuch) throw cause;
    const description = `the body is no ${desc.typeName} in protobuf's binary form`;
    return refusal("INVALID_REQUEST", description, {
      cause,
      details: [badRequest([{ field: "", description }])],
    });
  }
}
