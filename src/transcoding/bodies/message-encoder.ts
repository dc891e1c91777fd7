// The messages of a stream, each from its JSON text: in order, though large ones are translated in threads.
import type { Status } from "../../call/status/status.js";
import { encodeLarge, type ThreadedRequest } from "../threads/large.js";
import { Turns } from "../threads/turns.js";
import { encodeText } from "../translate/encode-body.js";
import { LARGE_BYTES } from "../translate/work.js";

export class MessageEncoder {
  readonly #match: ThreadedRequest;
  readonly #take: (message: Uint8Array | Status) => void;
  readonly #onFault: (error: unknown) => void;
  /** Made for the first large message. */
  #turns: Turns | undefined = undefined;

  /**
   * @param take gets each message, or its error
   * @param onFault gets an exception of a result from a thread
   */
  constructor(
    match: ThreadedRequest,
    take: (message: Uint8Array | Status) => void,
    onFault: (error: unknown) => void,
  ) {
    this.#match = match;
    this.#take = take;
    this.#onFault = onFault;
  }

  /** Some texts are not encoded yet. */
  get behind(): boolean {
    return this.#turns?.behind === true;
  }

  /** `text` may be kept. */
  push(text: Buffer): void {
    const large = text.length >= LARGE_BYTES;
    if (!large && !this.behind) {
      this.#take(encodeText(this.#match, text));
      return;
    }
    this.#turns ??= new Turns();
    const turns = this.#turns;
    turns.add(() => {
      if (!large) this.#take(encodeText(this.#match, text));
      else {
        turns.await<Uint8Array | Status>(
          (done) => encodeLarge(this.#match, "text", text, undefined, done, this.#onFault),
          this.#take,
        );
      }
    });
  }

  /** Once all texts are encoded: now, as a rule. */
  afterAll(step: () => void): void {
    if (this.behind) this.#turns?.add(step);
    else step();
  }

  /** Further results are ignored. */
  stop(): void {
    this.#turns?.stop();
  }
}
