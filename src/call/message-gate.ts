// One direction of a call whose steps see messages: bytes in, the same bytes out, once the messages in them were
// accepted.
//
// Memory: an incomplete message is collected, up to the limit of a message; bytes that arrive while a step waits are
// buffered, bounded by the sender's window. Credit: bytes are credited when the receiver has consumed them. Since a
// message may be larger than a window, the collected part of one message is credited in advance, one message at a time.

import { barrier } from "../kit/barrier.js";
import { MESSAGE_BYTES, SLICES } from "../kit/slices.js";
import type { Call } from "./call.js";
import type { Verdict } from "./interceptor.js";
import { type Direction, MessageSplitter, PREFIX_BYTES, prefixOf, unpackAsync } from "./messages.js";
import { brokenStep, hubFault } from "./status/hub-fault.js";
import { Status } from "./status/status.js";

/** A question to one step about one direction. */
export interface Question<V> {
  /** Of the step. */
  readonly name: string;
  ask(call: Call, value: V): Verdict | Promise<Verdict>;
}

interface Piece {
  readonly chunk: Buffer;
  readonly start: number;
  readonly end: number;
}

const NO_BYTES = Buffer.alloc(0);

/** The two sides of a gate. */
export interface GateSides {
  readonly call: Call;
  /** To the receiver. The range is never empty. */
  forward(chunk: Buffer, start: number, end: number): void;
  /** To the sender. */
  credit(bytes: number): void;
  /** All messages were accepted; start..end are the last bytes to pass on, if any. */
  finish(chunk: Buffer, start: number, end: number): void;
  /** The bytes end within a message. */
  cutShort(): void;
  /** Ends the call. */
  refuse(status: Status): void;
}

export interface GateOptions {
  readonly questions: readonly Question<Buffer>[];
  readonly atEnd: readonly Question<number>[];
  /** grpc-encoding */
  readonly encoding: string | undefined;
  readonly maxBytes: number;
  readonly direction: Direction;
}

/** Pushed bytes are passed on in order. Never asks or forwards after the call was aborted. */
export class MessageGate {
  private readonly sides: GateSides;
  private readonly options: GateOptions;
  private readonly splitter: MessageSplitter;
  /** Not examined yet, from `next` on. */
  private coming: Piece[] = [];
  private next = 0;
  /** Being examined: bytes up to `sent` were passed on, bytes up to `accepted` may be. */
  private piece: Piece | undefined = undefined;
  private sent = 0;
  private accepted = 0;
  /** Bytes of earlier pieces that a message began with whose end was not there; the splitter has them. */
  private held = 0;
  /** Buffered bytes for which the sender has no credit yet. */
  private owed = 0;
  /** Bytes that were passed on, credited in advance, and not consumed by the receiver yet. */
  private debt = 0;
  private messages = 0;
  private ended = false;
  private running = false;
  /** For a step, for zlib, for the next turn of the event loop. */
  private waiting = false;
  private stopped = false;

  constructor(sides: GateSides, options: GateOptions) {
    this.sides = sides;
    this.options = options;
    this.splitter = new MessageSplitter(options.maxBytes, options.encoding, options.direction);
  }

  push(chunk: Buffer, start: number, end: number, last: boolean): void {
    if (this.gone) {
      this.sides.credit(end - start);
      return;
    }
    if (end > start) this.coming.push({ chunk, start, end });
    if (last) this.ended = true;
    this.run();
  }

  /** No more bytes arrive. */
  end(): void {
    this.ended = true;
    this.run();
  }

  /** The call has ended: results of pending steps are ignored. */
  stop(): void {
    this.stopped = true;
    this.coming = [];
    this.piece = undefined;
  }

  /** Further bytes are dropped. */
  private get gone(): boolean {
    return this.stopped || this.sides.call.aborted !== undefined;
  }

  /** The receiver has consumed this many bytes. */
  taken(bytes: number): void {
    const paid = Math.min(bytes, this.debt);
    this.debt -= paid;
    if (bytes > paid) this.sides.credit(bytes - paid);
    this.advance();
  }

  private get nothingComes(): boolean {
    return this.next === this.coming.length;
  }

  /**
   * Credits collected bytes, but not before those credited in advance were consumed: a receiver that reads nothing gets
   * no more.
   */
  private advance(): void {
    if (this.owed === 0 || this.debt > 0 || this.waiting || this.gone) return;
    const bytes = this.owed;
    this.owed = 0;
    this.sides.credit(bytes);
  }

  private run(): void {
    if (this.running) return;
    this.running = true;
    try {
      while (!this.waiting && !this.gone && this.step());
    } finally {
      this.running = false;
    }
    this.advance();
  }

  /** Takes one step; false: there is none to take. */
  private step(): boolean {
    if (this.piece === undefined && this.nothingComes) {
      if (this.ended) this.over();
      return false;
    }
    if (!SLICES.room) {
      this.pause();
      SLICES.later(barrier(this.goOn, this.broken));
      return false;
    }
    if (this.piece === undefined) this.begin();
    const payload = this.splitter.next();
    if (payload === undefined) this.used();
    else if (payload instanceof Status) this.refuse(payload);
    else if (this.splitter.packed) this.unpack(payload);
    else this.look(payload, payload);
    return true;
  }

  private begin(): void {
    const piece = this.coming[this.next];
    if (piece === undefined) return;
    this.next++;
    if (this.nothingComes) {
      this.coming = [];
      this.next = 0;
    }
    this.piece = piece;
    this.sent = piece.start;
    this.accepted = piece.start;
    this.splitter.give(piece.chunk, piece.start, piece.end);
  }

  private unpack(payload: Buffer): void {
    const { encoding, maxBytes } = this.splitter;
    const later = (message: Buffer | Status): void => {
      if (this.gone) return;
      this.waiting = false;
      if (message instanceof Status) this.refuse(message);
      else this.look(payload, message);
      this.run();
    };
    const { direction } = this.options;
    const message = unpackAsync(payload, encoding, maxBytes, barrier(later, this.broken), direction);
    if (message === undefined) this.pause();
    else if (message instanceof Status) this.refuse(message);
    else this.look(payload, message);
  }

  private look(payload: Buffer, message: Buffer): void {
    this.messages++;
    SLICES.spend(MESSAGE_BYTES + message.length);
    this.decide(askAll(this.options.questions, this.sides.call, message), () => this.accept(payload));
  }

  /** Continues with the verdict of the steps, now or later. */
  private decide(verdict: Verdict | Promise<Verdict>, accept: () => void): void {
    if (verdict instanceof Promise) {
      this.pause();
      verdict
        .then((settled) => {
          if (this.gone) return;
          this.waiting = false;
          this.decide(settled, accept);
          this.run();
        })
        .catch(this.broken);
    } else if (verdict !== undefined) this.refuse(verdict);
    // A step can end the call itself.
    else if (!this.gone) accept();
  }

  /** Bytes accepted before are passed on meanwhile. */
  private pause(): void {
    this.flush();
    this.waiting = true;
  }

  /** Bytes accepted before are passed on first, wherever the chunks were cut. */
  private refuse(status: Status): void {
    this.flush();
    this.sides.refuse(status);
  }

  private readonly goOn = (): void => {
    if (this.gone) return;
    this.waiting = false;
    this.run();
  };

  /** For code that runs in its own turn of the event loop: nothing above it catches. */
  private readonly broken = (error: unknown): void => {
    const where = `while messages of a call to ${this.sides.call.method.path} were looked at`;
    this.sides.refuse(hubFault("the hub failed while it looked at the call's messages", where, error));
  };

  private accept(payload: Buffer): void {
    const { offset, packed } = this.splitter;
    this.accepted = offset;
    if (this.held === 0) return;
    // The message began in another chunk: pass on what the splitter has collected instead.
    this.sent = offset;
    this.debt += this.held - this.owed;
    this.held = 0;
    this.owed = 0;
    this.sides.forward(prefixOf(payload, packed), 0, PREFIX_BYTES);
    if (payload.length > 0 && !this.gone) this.sides.forward(payload, 0, payload.length);
  }

  private flush(): void {
    const { piece, sent, accepted } = this;
    if (piece === undefined || accepted === sent) return;
    this.sent = accepted;
    this.sides.forward(piece.chunk, sent, accepted);
  }

  /** The piece is read to its end. */
  private used(): void {
    if (this.ended && this.nothingComes && this.splitter.atBoundary) {
      this.over();
      return;
    }
    this.flush();
    const { piece, sent } = this;
    this.piece = undefined;
    if (piece === undefined || sent === piece.end) return;
    this.held += piece.end - sent;
    this.owed += piece.end - sent;
  }

  private over(): void {
    this.ended = false;
    if (!this.splitter.atBoundary) {
      this.sides.cutShort();
      return;
    }
    this.decide(askAll(this.options.atEnd, this.sides.call, this.messages), () => {
      const { piece, sent, accepted } = this;
      this.piece = undefined;
      this.sides.finish(piece?.chunk ?? NO_BYTES, sent, piece === undefined ? sent : accepted);
    });
  }
}

/**
 * Asks one step after the other until one rejects; returns a promise only if one waits. Never throws, never rejects.
 */
function askAll<V>(
  questions: readonly Question<V>[],
  call: Call,
  value: V,
  from = 0,
): Verdict | Promise<Verdict> {
  for (let i = from; i < questions.length; i++) {
    const question = questions[i];
    if (question === undefined) break;
    let verdict: Verdict | Promise<Verdict>;
    try {
      verdict = question.ask(call, value);
    } catch (error) {
      verdict = brokenStep(question.name, call.method.path, error);
    }
    if (verdict instanceof Promise) return askLater(questions, call, value, i, verdict);
    if (verdict !== undefined || call.aborted !== undefined) return verdict;
  }
  return undefined;
}

async function askLater<V>(
  questions: readonly Question<V>[],
  call: Call,
  value: V,
  at: number,
  waiting: Promise<Verdict>,
): Promise<Verdict> {
  const name = questions[at]?.name ?? "";
  const { stage } = call;
  call.stage = name;
  let verdict: Verdict;
  try {
    verdict = await waiting;
  } catch (error) {
    verdict = brokenStep(name, call.method.path, error);
  }
  if (call.stage === name) call.stage = stage;
  if (verdict !== undefined || call.aborted !== undefined) return verdict;
  return askAll(questions, call, value, at + 1);
}
