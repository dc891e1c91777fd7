// A response that is one message: JSON, or the bytes of an HttpBody.
import type { Method } from "../../call/call.js";
import { Status } from "../../call/status/status.js";
import type { BodyTaker, ResponseWriter } from "../../call/transcoding.js";
import { type Field, field } from "../../kit/headers.js";
import type { Codecs } from "../codec/codecs.js";
import type { BindingPlan } from "../routes/binding.js";
import { type Cancel, printInPlace, printLarge } from "../threads/large.js";
import type { ThreadPool } from "../threads/pool.js";
import { locationOf } from "../translate/location.js";
import { PLAIN, type PrintedBody, type ResponseForm } from "../translate/response.js";
import type { Success } from "../translate/success.js";
import { type SafeContent, safeContent } from "./active-content.js";
import type { StreamFormat } from "./framing.js";

export interface ResponseOptions {
  /** Codecs that print enums as numbers, or as names: made on demand. */
  readonly codecsFor: (enumAsNumbers: boolean) => Codecs;
  readonly codecs: Codecs;
  /** For large messages, requests too. */
  readonly threads: ThreadPool;
  readonly streamFormat: StreamFormat;
  /** google.protobuf.Empty is 204. */
  readonly emptyAs204: boolean;
  readonly allowActiveContent: boolean;
  readonly successes: ReadonlyMap<Method, Success>;
}

const NO_FIELDS: readonly Field[] = [];

export class UnaryWriter implements ResponseWriter {
  readonly keepAlive = undefined;
  readonly behind = false;
  readonly #out: BodyTaker;
  readonly #plan: BindingPlan;
  readonly #options: ResponseOptions;
  readonly #codecs: Codecs;
  readonly #form: ResponseForm;
  #printed: PrintedBody | undefined = undefined;
  #location: string | undefined = undefined;
  /** Set while the message is printed in a thread. */
  #cancel: Cancel | undefined = undefined;

  constructor(
    out: BodyTaker,
    plan: BindingPlan,
    options: ResponseOptions,
    codecs: Codecs = options.codecs,
    form: ResponseForm = PLAIN,
  ) {
    this.#out = out;
    this.#plan = plan;
    this.#options = options;
    this.#codecs = codecs;
    this.#form = form;
  }

  message(message: Uint8Array): void {
    const here = printInPlace(this.#plan, message, this.#codecs, this.#form);
    if (here !== undefined) this.#take(here, message);
    else {
      const onPrinted = (printed: PrintedBody | Status): void => {
        this.#cancel = undefined;
        this.#take(printed, message);
        // By now the service has ended too.
        this.end();
      };
      const onFault = (error: unknown): void => this.#out.fault(error);
      const { threads } = this.#options;
      this.#cancel = printLarge(threads, this.#plan, message, this.#codecs, this.#form, onPrinted, onFault);
    }
  }

  #take(printed: PrintedBody | Status, message: Uint8Array): void {
    if (printed instanceof Status) {
      this.#out.failed(printed, false);
      return;
    }
    this.#printed = printed;
    const { method, descriptor } = this.#plan;
    const location = this.#options.successes.get(method)?.location;
    if (location !== undefined) this.#location = locationOf(location, descriptor.output, message);
  }

  end(): void {
    const printed = this.#printed;
    if (printed === undefined) return;
    const { contentType, fields } = this.#harmless(printed.contentType);
    const location = this.#location;
    const own = location === undefined ? fields : [...fields, field("location", location)];
    this.#out.head(contentType, own, printed.body.length);
    this.#out.write(printed.body, true);
  }

  /** XML that the hub itself has printed is elements of messages, and runs nothing. */
  #harmless(contentType: string): SafeContent {
    if (this.#options.allowActiveContent || this.#form.xml !== undefined)
      return { contentType, fields: NO_FIELDS };
    return safeContent(contentType);
  }

  fail(status: Status): void {
    this.stop();
    this.#out.failed(status, false);
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#printed = undefined;
  }
}
