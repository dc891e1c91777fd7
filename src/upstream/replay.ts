// The request of a call: goes to its attempt, and is kept until the response begins, so that another attempt can have it.
import type { Abort, Sink, Source } from "../call/sink.js";
import type { Stream } from "../http2/stream.js";
import type { StreamAttempt } from "./stream-attempt.js";

/** Request bytes kept until the first sign of a response. */
const REPLAY_BYTES = 64 * 1024;

interface Chunk {
  readonly chunk: Buffer;
  readonly start: number;
  readonly end: number;
  readonly last: boolean;
}

export class Replay implements Sink {
  /** Who has the request. Another one gets it from its beginning, as long as it is `whole`. */
  attempt: StreamAttempt | undefined = undefined;
  private source: Source | undefined = undefined;
  /** What the client has sent so far; undefined once it is not kept any more. */
  private kept: Chunk[] | undefined = [];
  private keptBytes = 0;
  /** Bytes that the source has credit for already: another attempt does not give it twice. */
  private credited = 0;

  /** All that has come is still here. */
  get whole(): boolean {
    return this.kept !== undefined;
  }

  /** There will be no other attempt. */
  letGo(): void {
    this.kept = undefined;
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
    const { attempt, kept } = this;
    if (attempt === undefined || attempt.done) {
      this.source?.consumed(end - start);
      return;
    }
    if (kept !== undefined) {
      this.keptBytes += end - start;
      // Before there is a stream, chunks wait here without credit: the client's own window bounds them.
      if (this.keptBytes > REPLAY_BYTES && attempt.begun) this.kept = undefined;
      else kept.push({ chunk, start, end, last });
    }
    attempt.send(chunk, start, end, last);
  }

  trailers(): void {}

  abort(cause: Abort): void {
    this.attempt?.abort(cause);
  }
}
