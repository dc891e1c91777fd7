// Error texts about a service or a config: the first ones are kept, each cut, and the rest are counted. A service
// chooses how many there are and how long they are, so neither may decide what the hub keeps or logs.

import { cut } from "./text.js";

/** Enough to see the problem; after fixing these one sees the next. */
const MAX_TEXTS = 50;
/** Characters of one of them. */
const MAX_TEXT_CHARS = 500;

export class BoundedTexts {
  readonly #max: number;
  readonly #texts: string[] = [];
  #more = 0;

  /** @param max texts that are kept; default 50 */
  constructor(max = MAX_TEXTS) {
    this.#max = max;
  }

  push(text: string): void {
    if (this.#texts.length < this.#max) this.#texts.push(cut(text, MAX_TEXT_CHARS, "…"));
    else this.#more++;
  }

  pushAll(texts: Iterable<string>): void {
    for (const text of texts) this.push(text);
  }

  /** The texts that were kept, and one line that counts the others. `what`: what is counted, e.g. `rules left out`. */
  list(what: string): readonly string[] {
    if (this.#more === 0) return this.#texts;
    return [...this.#texts, `and ${this.#more} more ${what}`];
  }
}
