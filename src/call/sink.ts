// How the halves of a call are connected: a Sink takes one direction of it, pushed; a Source gets the credit in return.

import type { Headers } from "../kit/headers.js";
import type { Call } from "./call.js";
import type { Status } from "./status/status.js";

/** Why a call ended early, and whether the service can have processed it (for retries). */
export interface Abort {
  readonly status: Status;
  readonly by: "client" | "hub" | "upstream";
  /**
   * never: not one byte was sent; refused: the peer reported that it did not process it; maybe: it may have been
   * processed.
   */
  readonly sent: "never" | "refused" | "maybe";
}

/**
 * One direction of a call, pushed. Order: open, then (responses only) headers once, data*, and one ending: `headers(…,
 * true)`, `data(…, last)`, trailers or abort. Nothing follows the ending but a late abort, which is ignored.
 *
 * A request's headers are those of its Call, so a request Sink gets no headers or trailers. A response Sink that throws
 * is aborted and still responds: the runner isolates each side from the other's faults. Chunks are immutable and
 * garbage-collected: keep a slice if you need it, copy small ones.
 */
export interface Sink {
  open(source: Source): void;
  /** Once. `end`: nothing follows (trailers-only, or a response without body). */
  headers(headers: Headers, end: boolean): void;
  /** Bytes start..end of chunk. The range may be empty when `last`. Each byte is credited by `Source.consumed`. */
  data(chunk: Buffer, start: number, end: number, last: boolean): void;
  trailers(headers: Headers): void;
  /** Idempotent; possible at any time after construction, before `open` too. */
  abort(cause: Abort): void;
}

/** The other end of a Sink: gets credit, or is asked to stop sending. */
export interface Source {
  /** The receiver has consumed this many bytes, and can take as many again; never sent from within this call. */
  consumed(bytes: number): void;
  /** The receiver wants no more of this direction. Idempotent. */
  cancel(cause: Abort): void;
}

/**
 * Takes a call and the Sink of its response; returns the Sink of its request. Routing, cache, retry, hedging are
 * Handlers.
 *
 * It may respond, even completely, before it returns; the caller must expect that. It returns a Sink in any case
 * (`DiscardSink` if it needs no request). Its obligations: give the response exactly one ending; give credit
 * (`Source.consumed`) for every request byte that it consumes or drops, or the client stalls; pass an abort of the
 * request Sink on, and accept a second one; stop sending after `Source.cancel`. If it throws, the runner ends the call
 * with HUB_FAULT.
 */
export type Handler = (call: Call, response: Sink) => Sink;

/** A request Sink for calls that already have a response: discards everything, gives credit. */
export class DiscardSink implements Sink {
  #source: Source | undefined;
  open(source: Source): void {
    this.#source = source;
  }
  headers(): void {}
  data(_chunk: Buffer, start: number, end: number): void {
    this.#source?.consumed(end - start);
  }
  trailers(): void {}
  abort(): void {}
}

/** A Handler that rejects every call with this status, before a byte is sent anywhere. */
export function refuse(statusOf: (call: Call) => Status): Handler {
  return (call, response) => {
    response.abort({ status: statusOf(call), by: "hub", sent: "never" });
    return new DiscardSink();
  };
}

/** Calls `next` only once the request has bytes: for adapters that must read the body before the service may see the call. */
export function deferred(next: Handler): Handler {
  return (call, response) => new DeferredSink(next, call, response);
}

class DeferredSink implements Sink {
  private readonly next: Handler;
  private readonly call: Call;
  private readonly response: Sink;
  private source: Source | undefined = undefined;
  private target: Sink | undefined = undefined;
  private stopped = false;

  constructor(next: Handler, call: Call, response: Sink) {
    this.next = next;
    this.call = call;
    this.response = response;
  }

  open(source: Source): void {
    this.source = source;
  }

  headers(): void {}

  data(chunk: Buffer, start: number, end: number, last: boolean): void {
    if (this.stopped) return;
    if (this.target === undefined) {
      this.target = this.next(this.call, this.response);
      if (this.source !== undefined) this.target.open(this.source);
    }
    this.target.data(chunk, start, end, last);
  }

  trailers(): void {}

  abort(cause: Abort): void {
    this.stopped = true;
    this.target?.abort(cause);
  }
}
