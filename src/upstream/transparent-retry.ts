// A Handler that retries a call which was never sent, or which the service refused unprocessed (gRFC A6, "Transparent
// Retries"). Retries by policy and hedging (retry/) are Handlers of this form: they decide what follows an attempt.
import type { AttemptEndpoint, AttemptKind } from "../call/attempt.js";
import type { Call } from "../call/call.js";
import type { Abort, Handler, Sink } from "../call/sink.js";
import type { Cluster } from "./cluster.js";
import { dispatch } from "./dispatch.js";
import { Replay, type ReplayOwner } from "./replay.js";
import { type AttemptOwner, StreamAttempt } from "./stream-attempt.js";

/** A call that a peer refuses is retried once; a call that was never sent, without limit (A6). */
const MAX_REFUSED_RETRIES = 1;

/**
 * Counts how often a call's attempts were refused unprocessed, and decides whether an ended one may be repeated for
 * that.
 */
export class Refusals {
  private count = 0;

  /** The service cannot have seen the attempt: repeating it needs no permission. */
  mayRepeat({ sent }: Abort): boolean {
    if (sent === "never") return true;
    return sent === "refused" && this.count++ < MAX_REFUSED_RETRIES;
  }
}

export function transparentRetry(cluster: Cluster): Handler {
  return (call, response) => {
    const retry = new TransparentRetry(cluster, call, response);
    retry.start("first", undefined);
    return retry.request;
  };
}

class TransparentRetry implements AttemptOwner, ReplayOwner {
  readonly request: Replay;
  private readonly cluster: Cluster;
  private readonly call: Call;
  private readonly response: Sink;
  private attempt: StreamAttempt | undefined = undefined;
  private refusals: Refusals | undefined = undefined;

  constructor(cluster: Cluster, call: Call, response: Sink) {
    this.cluster = cluster;
    this.call = call;
    this.response = response;
    this.request = new Replay(this, cluster.replayMemory);
  }

  /** @param before the endpoint of the attempt before */
  start(kind: AttemptKind, before: AttemptEndpoint | undefined): void {
    const attempt = new StreamAttempt(this.cluster, this.call, kind, this.request, this);
    if (before !== undefined) attempt.avoids = (endpoint) => endpoint === before;
    this.attempt = attempt;
    this.request.feed(attempt);
    dispatch(attempt);
  }

  onResponse(): Sink {
    this.request.letGo();
    return this.response;
  }

  onFailure(attempt: StreamAttempt, cause: Abort): void {
    this.refusals ??= new Refusals();
    if (attempt.begun && this.request.whole && this.refusals.mayRepeat(cause))
      this.start("transparent", attempt.endpoint);
    else {
      this.request.close();
      this.response.abort(cause);
    }
  }

  onAbort(cause: Abort): void {
    this.request.close();
    this.attempt?.abort(cause);
  }

  onLost(): void {}
}
