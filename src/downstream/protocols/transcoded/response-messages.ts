// Splits a service's response into messages and decompresses them: in one turn of the event loop only as many as its
// budget allows, and none while the client is behind. Bytes are credited to the service once all messages in them were
// consumed, so neither a thousand small messages in one read nor a few that decompress to gigabytes exceed what the
// client has asked for.

import { MessageSplitter, unpackAsync } from "../../../call/messages.js";
import { Status } from "../../../call/status/status.js";
import { barrier } from "../../../kit/barrier.js";
import { MESSAGE_BYTES, type Slices } from "../../../kit/slices.js";

export interface ResponseMessagesOwner {
  /** Something threw, in a turn of its own. */
  onFault(error: unknown): void;
  /** Paused; `soon` is called to continue. */
  readonly holdsService: boolean;
  onMessage(message: Buffer): void;
  /** This many bytes were consumed: the service may send as many more. */
  onTaken(bytes: number): void;
  /** The bytes are no messages. Nothing follows. */
  onBroken(status: Status): void;
  /** After all messages. `whole`: the last one was not truncated. */
  onAllMessages(whole: boolean): void;
}

interface Piece {
  readonly chunk: Buffer;
  readonly start: number;
  readonly end: number;
}

export class ResponseMessages {
  readonly #splitter: MessageSplitter;
  readonly #owner: ResponseMessagesOwner;
  readonly #slices: Slices;
  /** Received and not handled yet. */
  readonly #waiting: Piece[] = [];
  /** Bytes of the current piece. */
  #taking = 0;
  #ended = false;
  #stopped = false;
  /** Within `#advance`. */
  #advancing = false;
  /** A message is in one of zlib's threads. */
  #unpacking = false;
  /** The rest waits for another turn. */
  #later = false;

  /** @param encoding grpc-encoding of the response */
  constructor(owner: ResponseMessagesOwner, maxBytes: number, encoding: string | undefined, slices: Slices) {
    this.#owner = owner;
    this.#splitter = new MessageSplitter(maxBytes, encoding);
    this.#slices = slices;
  }

  push(chunk: Buffer, start: number, end: number): void {
    this.#waiting.push({ chunk, start, end });
    this.go();
  }

  /** Nothing more arrives. */
  end(): void {
    this.#ended = true;
    this.go();
  }

  readonly #faulty = (error: unknown): void => this.#owner.onFault(error);

  /** The owner wants more, but not within this call. */
  soon(): void {
    const idle = this.#taking === 0 && this.#waiting.length === 0 && !this.#ended;
    if (this.#later || this.#stopped || this.#advancing || idle) return;
    this.#wait();
  }

  #wait(): void {
    this.#later = true;
    const step = (): void => {
      this.#later = false;
      this.go();
    };
    this.#slices.later(barrier(step, this.#faulty));
  }

  /** The owner may want more. */
  go(): void {
    if (this.#advancing) return;
    this.#advancing = true;
    try {
      while (this.#advance());
    } finally {
      this.#advancing = false;
    }
  }

  /** Nothing more is wanted. */
  stop(): void {
    this.#stopped = true;
    this.#waiting.length = 0;
  }

  /** Takes one step; false: there is none to take for now. */
  #advance(): boolean {
    if (this.#stopped || this.#unpacking || this.#later) return false;
    const owner = this.#owner;
    // The end waits only for its messages: it writes nothing that could wait for the client.
    const over = this.#taking === 0 && this.#waiting.length === 0;
    if (over && !this.#ended) return false;
    if (!over && owner.holdsService) return false;
    if (!this.#slices.room) {
      this.#wait();
      return false;
    }
    if (over) {
      this.#stopped = true;
      owner.onAllMessages(this.#splitter.atBoundary);
      return false;
    }
    if (this.#taking === 0) this.#begin();
    const payload = this.#splitter.next();
    if (payload === undefined) {
      const bytes = this.#taking;
      this.#taking = 0;
      owner.onTaken(bytes);
      return true;
    }
    return this.#take(payload);
  }

  #begin(): void {
    const piece = this.#waiting.shift();
    if (piece === undefined) return;
    this.#taking = piece.end - piece.start;
    this.#splitter.give(piece.chunk, piece.start, piece.end);
  }

  #take(payload: Buffer | Status): boolean {
    const splitter = this.#splitter;
    if (payload instanceof Status || !splitter.packed) return this.#give(payload);
    const onUnpacked = (unpacked: Buffer | Status): void => {
      this.#unpacking = false;
      if (this.#stopped) return;
      this.#give(unpacked);
      this.go();
    };
    const { encoding, maxBytes } = splitter;
    const message = unpackAsync(payload, encoding, maxBytes, barrier(onUnpacked, this.#faulty));
    if (message !== undefined) return this.#give(message);
    this.#unpacking = true;
    return false;
  }

  #give(message: Buffer | Status): boolean {
    if (message instanceof Status) {
      this.stop();
      this.#owner.onBroken(message);
      return false;
    }
    this.#slices.spend(MESSAGE_BYTES + message.length);
    this.#owner.onMessage(message);
    return true;
  }
}
