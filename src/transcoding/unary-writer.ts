// An answer that is one message: JSON, or the bytes of an HttpBody.
import { Status } from "../core/status.js";
import type { BodyTaker, ResponseWriter } from "../core/transcoding.js";
import type { BindingPlan } from "./binding.js";
import type { JsonWriter } from "./json-writer.js";
import { decodeResponse, type PrintedBody } from "./response.js";

export class UnaryWriter implements ResponseWriter {
  readonly keepAlive = undefined;
  readonly behind = false;
  readonly #out: BodyTaker;
  readonly #plan: BindingPlan;
  readonly #writer: JsonWriter;
  #printed: PrintedBody | undefined = undefined;

  constructor(out: BodyTaker, plan: BindingPlan, writer: JsonWriter) {
    this.#out = out;
    this.#plan = plan;
    this.#writer = writer;
  }

  message(message: Uint8Array): void {
    const printed = decodeResponse(this.#plan, message, this.#writer);
    if (printed instanceof Status) this.#out.failed(printed, false);
    else this.#printed = printed;
  }

  end(): void {
    const printed = this.#printed;
    if (printed === undefined) return;
    const { contentType, body } = printed;
    const bytes = typeof body === "string" ? Buffer.from(body) : asBuffer(body);
    this.#out.head(contentType, [], bytes.length);
    this.#out.write(bytes, true);
  }

  fail(status: Status): void {
    this.#out.failed(status, false);
  }

  stop(): void {}
}

/** The same bytes, without a copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
