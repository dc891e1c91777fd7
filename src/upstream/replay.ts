// The request of a call: sent to its attempts, and buffered until the response begins, so that another attempt can have
// it.
import type { Abort, Sink, Source } from "../call/sink.js";
import type { Stream } from "../http2/stream.js";
import type { ReplayMemory } from "./replay-memory.js";
import type { StreamAttempt } from "./stream-attempt.js";

/** Request bytes buffered until the response begins. */
export const REPLAY_BYTES = 64 * 1024;

interface Chunk {
  readonly chunk: Buffer;
  readonly start: number;
  readonly end: number;
  readonly last: boolean;
}

/** The Handler whose attempts get the request. */
export interface ReplayOwner {
  /** The client has left, or the call was ended. */
  onAbort(cause: Abort): void;
  /** The request is no longer buffered: one of the running attempts must do. Only if there are several. */
  onLost(): void;
}

export class Replay implements Sink {
  private readonly owner: ReplayOwner;
  private readonly memory: ReplayMemory;
  private readonly maxBytes: number;
  /** The attempt that gets the request; with hedging there are others. */
  private attempt: StreamAttempt | undefined = undefined;
  private others: StreamAttempt[] | undefined = undefined;
  /** Another attempt follows: bytes that arrive meanwhile are for it. */
  private paused = false;
  private source: Source | undefined = undefined;
  /** What the client has sent so far; undefined once it is no longer buffered. */
  private kept: Chunk[] | undefined = [];
  private keptBytes = 0;
  /** Bytes already given back as credit: another attempt does not give it again. */
  private credited = 0;

  /** @param maxBytes beyond it the request is no longer buffered */
  constructor(owner: ReplayOwner, memory: ReplayMemory, maxBytes = REPLAY_BYTES) {
    this.owner = owner;
    this.memory = memory;
    this.maxBytes = maxBytes;
  }

  /** All that has arrived is still here: another attempt can start from the beginning. */
  get whole(): boolean {
    return this.kept !== undefined;
  }

  /** An attempt gets the request, beside those that run: the buffered part once it has a stream, then the rest. */
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
    // A chunk is a slice of one socket read, and would keep all of that in memory while it waits.
    const chunk = Buffer.concat(kept.map((c) => c.chunk.subarray(c.start, c.end)));
    if (kept.length > 0)
      this.kept = [{ chunk, start: 0, end: chunk.length, last: kept.at(-1)?.last ?? false }];
  }

  /** No attempt follows after this one. */
  only(attempt: StreamAttempt): void {
    this.attempt = attempt;
    this.others = undefined;
    this.letGo();
  }

  /** No attempt follows. */
  letGo(): void {
    if (this.kept === undefined) return;
    this.kept = undefined;
    this.memory.release(this.keptBytes);
  }

  /** Ends delivery and buffering. */
  close(): void {
    this.attempt = undefined;
    this.others = undefined;
    this.paused = false;
    this.letGo();
  }

  /** Sends the buffered part to a stream that has had nothing of it. */
  sendTo(stream: Stream): void {
    const { kept } = this;
    if (kept === undefined) return;
    for (const c of kept) stream.sendData(c.chunk, c.start, c.end, c.last);
  }

  /** An attempt has sent bytes of the request. @param before bytes that it had sent until now */
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
