// The request of a call: goes to its attempts, and is kept until the response begins, so that another one can have it.
import type { Abort, Sink, Source } from "../call/sink.js";
import type { Stream } from "../http2/stream.js";
import type { ReplayMemory } from "./replay-memory.js";
import type { StreamAttempt } from "./stream-attempt.js";

/** Request bytes kept until the first sign of a response. */
export const REPLAY_BYTES = 64 * 1024;

interface Chunk {
  readonly chunk: Buffer;
  readonly start: number;
  readonly end: number;
  readonly last: boolean;
}

/** The Handler whose attempts have the request. */
export interface ReplayOwner {
  /** The client has left, or the call was ended. */
  onAbort(cause: Abort): void;
  /** It is not kept any more: one of the attempts that run must do. Only where there are several. */
  onLost(): void;
}

export class Replay implements Sink {
  private readonly owner: ReplayOwner;
  private readonly memory: ReplayMemory;
  private readonly maxBytes: number;
  /** What has the request; with hedging there are others beside it. */
  private attempt: StreamAttempt | undefined = undefined;
  private others: StreamAttempt[] | undefined = undefined;
  /** Another attempt is coming: what comes meanwhile is for it. */
  private paused = false;
  private source: Source | undefined = undefined;
  /** What the client has sent so far; undefined once it is not kept any more. */
  private kept: Chunk[] | undefined = [];
  private keptBytes = 0;
  /** Bytes that the source has credit for already: another attempt does not give it twice. */
  private credited = 0;

  /** @param maxBytes beyond it the request is not kept any more */
  constructor(owner: ReplayOwner, memory: ReplayMemory, maxBytes = REPLAY_BYTES) {
    this.owner = owner;
    this.memory = memory;
    this.maxBytes = maxBytes;
  }

  /** All that has come is still here: an attempt can have it from its beginning. */
  get whole(): boolean {
    return this.kept !== undefined;
  }

  /** An attempt gets the request, beside those that run: what has come once it has a stream, and what comes. */
  feed(attempt: StreamAttempt): void {
    this.paused = false;
    if (this.attempt === undefined || this.attempt.done) this.attempt = attempt;
    else {
      this.others = (this.others ?? []).filter(({ done }) => !done);
      this.others.push(attempt);
    }
  }

  /** No attempt has it now, but one will. */
  pause(): void {
    this.paused = true;
    const { kept } = this;
    if (kept === undefined) return;
    // A chunk is a slice of what was read from a socket at once, and would keep all of that while it waits.
    const chunk = Buffer.concat(kept.map((c) => c.chunk.subarray(c.start, c.end)));
    if (kept.length > 0)
      this.kept = [{ chunk, start: 0, end: chunk.length, last: kept.at(-1)?.last ?? false }];
  }

  /** There will be no other attempt than this one. */
  only(attempt: StreamAttempt): void {
    this.attempt = attempt;
    this.others = undefined;
    this.letGo();
  }

  /** There will be no other attempt. */
  letGo(): void {
    if (this.kept === undefined) return;
    this.kept = undefined;
    this.memory.release(this.keptBytes);
  }

  /** Nobody has it any more. */
  close(): void {
    this.attempt = undefined;
    this.others = undefined;
    this.paused = false;
    this.letGo();
  }

  /** What has come, to a stream that has had nothing of it. */
  sendTo(stream: Stream): void {
    const { kept } = this;
    if (kept === undefined) return;
    for (const c of kept) stream.sendData(c.chunk, c.start, c.end, c.last);
  }

  /** An attempt has sent bytes of the request. @param before so many it had sent until now */
  sent(before: number, bytes: number): void {
    const fresh = before + bytes - Math.max(before, this.credited);
    if (fresh <= 0) return;
    this.credited += fresh;
    this.source?.consumed(fresh);
  }

  // ---------------------------------------------------------------- Sink

  open(source: Source): void {
    this.source = source;
  }

  headers(): void {}

  data(chunk: Buffer, start: number, end: number, last: boolean): void {
    if (!this.wanted) {
      this.source?.consumed(end - start);
      return;
    }
    if (this.kept !== undefined) this.keep({ chunk, start, end, last });
    const { attempt, others } = this;
    if (attempt?.done === false) attempt.send(chunk, start, end, last);
    if (others === undefined) return;
    for (const other of others) if (!other.done) other.send(chunk, start, end, last);
  }

  private get wanted(): boolean {
    return this.attempt?.done === false || this.others !== undefined || this.paused;
  }

  private keep(chunk: Chunk): void {
    const bytes = chunk.end - chunk.start;
    const fits = this.keptBytes + bytes <= this.maxBytes && this.memory.take(bytes);
    // Before there is a stream, chunks wait here without credit: the client's own window bounds them.
    if (!fits) {
      if (this.attempt?.sending === true || this.others?.some(({ sending }) => sending)) {
        this.letGo();
        if (this.others !== undefined) this.owner.onLost();
        return;
      }
      this.memory.add(bytes);
    }
    this.keptBytes += bytes;
    this.kept?.push(chunk);
  }

  trailers(): void {}

  abort(cause: Abort): void {
    this.owner.onAbort(cause);
  }
}
