// An answer that is one message: JSON, or the bytes of an HttpBody.
import { Status } from "../core/status.js";
import type { BodyTaker, ResponseWriter } from "../core/transcoding.js";
import type { BindingPlan } from "./binding.js";
import type { Codecs } from "./codec/codecs.js";
import { decodeResponse, type PrintedBody } from "./response.js";

export class UnaryWriter implements ResponseWriter {
  readonly keepAlive = undefined;
  readonly behind = false;
  readonly #out: BodyTaker;
  readonly #plan: BindingPlan;
  readonly #codecs: Codecs;
  #printed: PrintedBody | undefined = undefined;

  constructor(out: BodyTaker, plan: BindingPlan, codecs: Codecs) {
    this.#out = out;
    this.#plan = plan;
    this.#codecs = codecs;
  }

  message(message: Uint8Array): void {
    const printed = decodeResponse(this.#plan, message, this.#codecs);
    if (printed instanceof Status) this.#out.failed(printed, false);
    else this.#printed = printed;
  }

  end(): void {
    const printed = this.#printed;
    if (printed === undefined) return;
    const { contentType, body } = printed;
    this.#out.head(contentType, [], body.length);
    this.#out.write(body, true);
  }

  fail(status: Status): void {
    this.#out.failed(status, false);
  }

  stop(): void {}
}
