// A Handler that sends a call again which never left, or which the service refused unprocessed (gRFC A6, "Transparent
// Retries"). Retries by policy and hedging are other Handlers of this form: they decide what becomes of an attempt's end.
import type { AttemptKind } from "../call/attempt.js";
import type { Call } from "../call/call.js";
import type { Abort, Handler, Sink } from "../call/sink.js";
import type { Cluster } from "./cluster.js";
import { dispatch } from "./dispatch.js";
import { Replay } from "./replay.js";
import { type AttemptOwner, StreamAttempt } from "./stream-attempt.js";

/** A peer that refuses gets one more chance; a call that never left is sent again without limit (A6). */
const MAX_REFUSED_RETRIES = 1;

export function transparentRetry(cluster: Cluster): Handler {
  return (call, response) => {
    const retry = new TransparentRetry(cluster, call, response);
    retry.start("first");
    return retry.request;
  };
}

class TransparentRetry implements AttemptOwner {
  readonly request = new Replay();
  private readonly cluster: Cluster;
  private readonly call: Call;
  private readonly response: Sink;
  private refusedRetries = 0;

  constructor(cluster: Cluster, call: Call, response: Sink) {
    this.cluster = cluster;
    this.call = call;
    this.response = response;
  }

  start(kind: AttemptKind): void {
    const attempt = new StreamAttempt(this.cluster, this.call, kind, this.request, this);
    this.request.attempt = attempt;
    dispatch(attempt);
  }

  onResponse(): Sink {
    this.request.letGo();
    return this.response;
  }

  onFailure(attempt: StreamAttempt, cause: Abort): void {
    if (attempt.begun && this.request.whole && this.mayRetry(cause)) this.start("transparent");
    else this.response.abort(cause);
  }

  private mayRetry({ sent }: Abort): boolean {
    if (sent === "never") return true;
    if (sent === "refused") return this.refusedRetries++ < MAX_REFUSED_RETRIES;
    return false;
  }
}
