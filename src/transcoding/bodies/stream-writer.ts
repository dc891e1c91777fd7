// A response of many messages: each is printed and written as it arrives, in the framing that Accept chose.
import { encodeStatusProto, Status } from "../../call/status/status.js";
import type { BodyTaker, ResponseWriter } from "../../call/transcoding.js";
import type { Codecs } from "../codec/codecs.js";
import type { BindingPlan } from "../routes/binding.js";
import { printInPlace, printLarge } from "../threads/large.js";
import type { ThreadPool } from "../threads/pool.js";
import { Turns } from "../threads/turns.js";
import { PLAIN, type PrintedBody, type ResponseForm } from "../translate/response.js";
import { statusXml } from "../xml/body.js";
import { ERROR } from "../xml/names.js";
import type { Framing } from "./framing.js";
import { renderStatus } from "./status-json.js";

export class StreamWriter implements ResponseWriter {
  readonly #out: BodyTaker;
  readonly #plan: BindingPlan;
  readonly #codecs: Codecs;
  readonly #threads: ThreadPool;
  readonly #framing: Framing;
  readonly #form: ResponseForm;
  #begun = false;
  #failed = false;
  /** Made for the first message that is printed in a thread. */
  #turns: Turns | undefined = undefined;

  constructor(
    out: BodyTaker,
    plan: BindingPlan,
    codecs: Codecs,
    threads: ThreadPool,
    framing: Framing,
    form: ResponseForm = PLAIN,
  ) {
    this.#out = out;
    this.#plan = plan;
    this.#codecs = codecs;
    this.#threads = threads;
    this.#framing = framing;
    this.#form = form;
  }

  get keepAlive(): Buffer | undefined {
    return this.#framing.keepAlive;
  }

  get behind(): boolean {
    return this.#turns?.behind === true;
  }

  message(message: Uint8Array): void {
    if (this.#failed) return;
    if (this.behind) {
      this.#turns?.add(() => this.#print(message));
      return;
    }
    this.#print(message);
  }

  #print(message: Uint8Array): void {
    const here = printInPlace(this.#plan, message, this.#codecs, this.#form);
    if (here !== undefined) {
      this.#write(here);
      return;
    }
    this.#turns ??= new Turns();
    const onFault = (error: unknown): void => this.#out.fault(error);
    this.#turns.await<PrintedBody | Status>(
      (done) => printLarge(this.#threads, this.#plan, message, this.#codecs, this.#form, done, onFault),
      (printed) => this.#write(printed),
    );
  }

  #write(printed: PrintedBody | Status): void {
    if (printed instanceof Status) {
      this.#fail(printed);
      return;
    }
    const first = !this.#begun;
    const head = first ? this.#begin() : "";
    this.#out.write(
      framed(head + this.#framing.before(first, printed.body.length), printed.body, this.#framing.after),
      false,
    );
  }

  end(): void {
    if (this.behind) this.#turns?.add(() => this.#end());
    else this.#end();
  }

  #end(): void {
    if (this.#failed) return;
    const head = this.#begun ? "" : this.#begin();
    this.#out.write(Buffer.from(head + this.#framing.tail(undefined, head !== "")), true);
  }

  fail(status: Status, now = false): void {
    if (this.behind && !now) this.#turns?.add(() => this.#fail(status));
    else this.#fail(status);
  }

  #fail(status: Status): void {
    if (this.#failed) return;
    this.stop();
    // Before the first message there is no head yet: the status is the response, if possible.
    if (!this.#begun && this.#framing.tellsFirst === true) this.#begin();
    if (this.#begun) {
      this.#out.write(this.#tailOf(status), false);
    }
    this.#out.failed(status, this.#begun);
  }

  #tailOf(status: Status): Buffer {
    const framing = this.#framing;
    if (framing.proto === true) {
      return Buffer.from(framing.tail(latin1(encodeStatusProto(status)), false), "latin1");
    }
    const json = renderStatus(status, this.#codecs);
    return Buffer.from(
      framing.tail(framing.xml === true ? xmlError(json, status, this.#codecs) : json, false),
    );
  }

  stop(): void {
    this.#failed = true;
    this.#turns?.stop();
  }

  #begin(): string {
    this.#begun = true;
    this.#out.head(this.#framing.contentType, [], undefined);
    return this.#framing.head;
  }
}

/** A message that XML cannot express is left out. */
function xmlError(json: string, status: Status, codecs: Codecs): string {
  return statusXml(json, ERROR, codecs) ?? `<${ERROR}><code>${status.code}</code></${ERROR}>`;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/** The message between two texts of a byte per character, copied once. */
function framed(before: string, body: Buffer, after: string): Buffer {
  if (before === "" && after === "") return body;
  const bytes = Buffer.allocUnsafe(before.length + body.length + after.length);
  bytes.write(before, 0, "latin1");
  body.copy(bytes, before.length);
  bytes.write(after, before.length + body.length, "latin1");
  return bytes;
}
