// The response of one of several attempts, held until it is certain that the client gets this one. Headers without data
// wait for the rest of the same read, so that a failure after headers can still be retried.
import type { Sink, Source } from "../../call/sink.js";
import type { Headers } from "../../kit/headers.js";
import type { StreamAttempt } from "../stream-attempt.js";

export interface AnswerOwner {
  /** From now on the client gets this response. */
  onCommit(attempt: StreamAttempt): void;
  /** The response is complete, and none of it has gone to the client: `deliver` sends it. */
  onAnswer(answer: Answer): void;
  /** The response is complete, and the client has it. */
  onDone(trailers: Headers): void;
}

export class Answer implements Sink {
  readonly attempt: StreamAttempt;
  /** Includes grpc-status; undefined: the response is not complete. */
  trailing: Headers | undefined = undefined;
  private readonly owner: AnswerOwner;
  private readonly response: Sink;
  private source: Source | undefined = undefined;
  private head: Headers | undefined = undefined;
  private passed = false;

  constructor(owner: AnswerOwner, attempt: StreamAttempt, response: Sink) {
    this.owner = owner;
    this.attempt = attempt;
    this.response = response;
  }

  open(source: Source): void {
    this.source = source;
  }

  headers(headers: Headers, end: boolean): void {
    if (end) {
      this.trailing = headers;
      this.owner.onAnswer(this);
    } else {
      this.head = headers;
      // A tick runs after everything in one read has been processed.
      process.nextTick(passHead, this);
    }
  }

  data(chunk: Buffer, start: number, end: number, last: boolean): void {
    this.pass();
    this.response.data(chunk, start, end, last);
  }

  trailers(headers: Headers): void {
    this.trailing = headers;
    if (!this.passed) this.owner.onAnswer(this);
    else {
      this.owner.onDone(headers);
      this.response.trailers(headers);
    }
  }

  abort(): void {}

  /** Sends the headers to the client, which commits the call to this attempt. */
  pass(): void {
    const { head } = this;
    if (this.passed || head === undefined || this.attempt.done) return;
    this.owner.onCommit(this.attempt);
    this.begin();
    this.response.headers(head, false);
  }

  /** Sends the whole response to the client. */
  deliver(): void {
    const { head, trailing } = this;
    if (trailing === undefined) return;
    this.begin();
    if (head === undefined) this.response.headers(trailing, true);
    else {
      this.response.headers(head, false);
      this.response.trailers(trailing);
    }
  }

  private begin(): void {
    this.passed = true;
    if (this.source !== undefined) this.response.open(this.source);
  }
}

function passHead(answer: Answer): void {
  answer.pass();
}
