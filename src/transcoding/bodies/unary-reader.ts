// A body that is one message: collected whole, then encoded together with what path and query bind.
import { refusal } from "../../call/status/reasons.js";
import { Status } from "../../call/status/status.js";
import {
  type BodyRequest,
  type MessageTaker,
  maxTextBytes,
  type RequestReader,
} from "../../call/transcoding.js";
import { BudgetExceeded } from "../codec/codecs.js";
import { type Cancel, encodeLarge, type ThreadedRequest } from "../threads/large.js";
import { encodeBody } from "../translate/encode-body.js";
import { PLAIN } from "../translate/response.js";
import { eventLoopBudget, isLargeBody } from "../translate/work.js";

const NO_BYTES = Buffer.alloc(0);

/** The 413 of a body (`what`) or a message that is larger than `maxBytes`. */
export function tooLarge(what: "body" | "message", maxBytes: number): Status {
  const info = { limit: String(maxBytes) };
  return refusal("MESSAGE_TOO_LARGE", `the ${what} is larger than the limit of ${maxBytes} bytes`, { info });
}

export class UnaryReader implements RequestReader {
  readonly form = "collected";
  /** Its size is bounded, and it waits only for the rest of the body. */
  readonly behind = false;
  readonly #out: MessageTaker;
  readonly #request: BodyRequest;
  readonly #match: ThreadedRequest;
  /** Most bodies arrive in one piece. */
  #first: Buffer = NO_BYTES;
  #rest: Buffer[] | undefined = undefined;
  #bytes = 0;
  #stopped = false;
  /** Set while the body is in a thread. */
  #cancel: Cancel | undefined = undefined;

  constructor(out: MessageTaker, request: BodyRequest, match: ThreadedRequest) {
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
  match: ThreadedRequest,
  body: Buffer,
  contentType: string | undefined,
): Uint8Array | Status | undefined {
  // Bytes as they are need no work.
  if (isLargeBody(body.length, contentType) && match.plan.httpBody === undefined) return undefined;
  try {
    return encodeBody(match, body, contentType, eventLoopBudget(PLAIN));
  } catch (e) {
    if (e instanceof BudgetExceeded) return undefined;
    throw e;
  }
}
