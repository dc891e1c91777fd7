// Passes a request's body to its reader: in one turn of the event loop only as much as its budget allows, and nothing
// while the reader or the service is behind. A read of 64 KiB may be twenty thousand messages of a stream, and the last
// bytes of a hundred bodies may be in one.

import type { BodyForm } from "../../../call/transcoding.js";
import { barrier } from "../../../kit/barrier.js";
import type { Slices } from "../../../kit/slices.js";

/** Bytes of a stream's body that are read in one piece: some thousand messages at most. */
const PIECE_BYTES = 4 * 1024;

export interface BodySlicesOwner {
  /** Something threw, in a turn of its own. */
  onFault(error: unknown): void;
  /** Paused; `go` or `soon` is called to continue. */
  readonly holdsClient: boolean;
  /** Bytes start..end, in order. */
  onSlice(chunk: Buffer, start: number, end: number, last: boolean): void;
}

interface Piece {
  readonly chunk: Buffer;
  readonly start: number;
  readonly end: number;
  readonly last: boolean;
}

export class BodySlices {
  readonly #owner: BodySlicesOwner;
  readonly #form: BodyForm;
  readonly #slices: Slices;
  readonly #waiting: Piece[] = [];
  /** Of a body that is collected. */
  #bytes = 0;
  #later = false;
  #advancing = false;
  #stopped = false;

  constructor(owner: BodySlicesOwner, form: BodyForm, slices: Slices) {
    this.#owner = owner;
    this.#form = form;
    this.#slices = slices;
  }

  /** Part of the body has arrived and was not read yet. */
  get behind(): boolean {
    return this.#waiting.length > 0;
  }

  push(chunk: Buffer, start: number, end: number, last: boolean): void {
    if (this.#stopped) return;
    const collected = this.#form === "collected";
    if (collected) this.#bytes += end - start;
    const free = this.#waiting.length === 0 && !this.#advancing;
    if (free && ((collected && !last) || this.#fits(end - start))) this.#take(chunk, start, end, last);
    else this.#waiting.push({ chunk, start, end, last });
    // More may have arrived meanwhile.
    if (this.#waiting.length > 0) this.go();
  }

  /** The usual case: a body that is read in place. */
  #fits(bytes: number): boolean {
    if (this.#form === "stream" && bytes > PIECE_BYTES) return false;
    return this.#slices.room && !this.#owner.holdsClient;
  }

  #take(chunk: Buffer, start: number, end: number, last: boolean): void {
    const bytes = this.#form !== "collected" ? end - start : last ? this.#bytes : 0;
    if (bytes > 0) this.#slices.spend(bytes);
    this.#advancing = true;
    try {
      this.#owner.onSlice(chunk, start, end, last);
    } finally {
      this.#advancing = false;
    }
  }

  readonly #faulty = (error: unknown): void => this.#owner.onFault(error);

  /** The owner wants more, but not within this call. */
  soon(): void {
    if (this.#later || this.#advancing || this.#waiting.length === 0) return;
    this.#later = true;
    const step = (): void => {
      this.#later = false;
      this.go();
    };
    this.#slices.later(barrier(step, this.#faulty));
  }

  /** The owner may want more. */
  go(): void {
    while (!this.#advancing && this.#advance());
  }

  /** Nothing more is wanted. Returns the number of unread bytes. */
  stop(): number {
    this.#stopped = true;
    let bytes = 0;
    for (const { start, end } of this.#waiting) bytes += end - start;
    this.#waiting.length = 0;
    return bytes;
  }

  /** Takes one step; false: there is none to take for now. */
  #advance(): boolean {
    const piece = this.#waiting[0];
    if (piece === undefined || this.#later || this.#owner.holdsClient) return false;
    if (!this.#slices.room) {
      this.soon();
      return false;
    }
    const { chunk, start, end, last } = piece;
    const to = this.#form === "stream" ? Math.min(end, start + PIECE_BYTES) : end;
    if (to === end) this.#waiting.shift();
    else this.#waiting[0] = { chunk, start: to, end, last };
    this.#take(chunk, start, to, last && to === end);
    return true;
  }
}
