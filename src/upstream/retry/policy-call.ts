// A call that may have several attempts by a policy: starts them, forwards the response of one, cancels the others.
// What follows a failed attempt is decided in `retrying.ts` and `hedging.ts`.
import type { AttemptEndpoint, AttemptKind } from "../../call/attempt.js";
import type { Call } from "../../call/call.js";
import type { Abort, Sink } from "../../call/sink.js";
import { Code, parseGrpcStatus, Status } from "../../call/status/status.js";
import type { Timer } from "../../kit/clock.js";
import type { Headers } from "../../kit/headers.js";
import type { Cluster } from "../cluster.js";
import { dispatch } from "../dispatch.js";
import { Replay, type ReplayOwner } from "../replay.js";
import { type AttemptOwner, StreamAttempt } from "../stream-attempt.js";
import { Refusals } from "../transparent-retry.js";
import { Answer, type AnswerOwner } from "./answer.js";
import { pushbackOf } from "./backoff.js";
import type { RetryPolicy } from "./policy/policy.js";
import type { UpstreamRetries } from "./upstream-retries.js";

/** Shared by all calls of a method. */
export interface RetryContext {
  readonly cluster: Cluster;
  readonly retries: UpstreamRetries;
  readonly policy: RetryPolicy;
}

/** An attempt that has ended without the client noticing. */
export interface Ending {
  readonly attempt: StreamAttempt;
  readonly code: number;
  /** Its code is retryable: the service failed, not the hub. */
  readonly failed: boolean;
  /** The service's pushback, milliseconds; undefined: the service sent none. */
  readonly pushback: number | "never" | undefined;
  /** Forwards it to the client as the outcome of the call. */
  deliver(): void;
}

/** Earlier attempts by the policy (gRFC A6, "Exposed Retry Metadata"). */
const PREVIOUS_ATTEMPTS = "grpc-previous-rpc-attempts";

const SUPERSEDED: Abort = {
  status: new Status(Code.CANCELLED, "another attempt has answered"),
  by: "hub",
  sent: "maybe",
};

export abstract class PolicyCall implements AttemptOwner, AnswerOwner, ReplayOwner {
  readonly request: Replay;
  protected readonly context: RetryContext;
  protected readonly call: Call;
  /** Attempts by the policy, including the first. */
  protected launched = 0;
  /** Attempts that still run. */
  protected readonly live = new Set<StreamAttempt>();
  private readonly response: Sink;
  /** The attempt whose response the client has begun to receive. */
  private committed: StreamAttempt | undefined = undefined;
  /** The client has the complete response. */
  private over = false;
  private timer: Timer | undefined = undefined;
  private readonly refusals = new Refusals();
  private tried: Set<AttemptEndpoint> | undefined = undefined;

  constructor(context: RetryContext, call: Call, response: Sink) {
    this.context = context;
    this.call = call;
    this.response = response;
    this.request = new Replay(this, context.cluster.replayMemory, context.policy.replayBytes);
    context.retries.call();
  }

  /** Decides what follows a failed attempt: another one, or `finish`. */
  protected abstract onFailed(ending: Ending): void;

  start(): void {
    this.launch("first");
  }

  // ---------------------------------------------------------------- attempts

  protected launch(kind: "first" | "retry" | "hedge"): void {
    const before = this.launched++;
    this.make(kind, before === 0 ? undefined : String(before + previousOf(this.call.headers)));
  }

  private make(kind: AttemptKind, previous: string | undefined): void {
    const attempt = new StreamAttempt(this.context.cluster, this.call, kind, this.request, this);
    if (kind !== "first") attempt.avoids = this.avoids;
    if (previous !== undefined) attempt.setHeader(PREVIOUS_ATTEMPTS, previous);
    this.live.add(attempt);
    this.request.feed(attempt);
    dispatch(attempt);
  }

  private readonly avoids = (endpoint: AttemptEndpoint): boolean => {
    for (const attempt of this.live) if (attempt.endpoint === endpoint) return true;
    return this.tried?.has(endpoint) === true;
  };

  private left(attempt: StreamAttempt): void {
    this.live.delete(attempt);
    const { endpoint } = attempt;
    if (endpoint === undefined || attempt === this.committed) return;
    this.tried ??= new Set();
    this.tried.add(endpoint);
  }

  /**
   * Whether another attempt may be made, and is paid for. Checks the budget last: an attempt that is not made costs
   * nothing.
   */
  protected mayLaunch(): boolean {
    const { policy, retries } = this.context;
    if (this.launched >= policy.attempts || !this.request.whole) return false;
    return this.hasTime(0) && retries.allow(policy);
  }

  private hasTime(ms: number): boolean {
    const { deadline } = this.call;
    return deadline === undefined || this.context.cluster.clock.now() + ms < deadline;
  }

  /** Calls back after the delay, unless the call has ended by then. False: the deadline comes first. */
  protected wait(ms: number, then: () => void): boolean {
    const { clock } = this.context.cluster;
    this.stopWaiting();
    if (this.over || !this.hasTime(ms)) return false;
    this.timer = clock.setTimeout(() => {
      this.timer = undefined;
      then();
    }, ms);
    return true;
  }

  protected get waiting(): boolean {
    return this.timer !== undefined;
  }

  protected stopWaiting(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  // ---------------------------------------------------------------- AttemptOwner

  onResponse(attempt: StreamAttempt): Sink {
    return new Answer(this, attempt, this.response);
  }

  onFailure(attempt: StreamAttempt, cause: Abort): void {
    const { code } = cause.status;
    this.left(attempt);
    if (this.over) return;
    if (attempt === this.committed) {
      this.close();
      this.response.abort(cause);
      return;
    }
    // An attempt that never reached a service has waited its full time; another one would wait as long.
    const byService = attempt.begun && cause.by === "upstream";
    if (byService && this.request.whole && this.refusals.mayRepeat(cause)) {
      this.make("transparent", attempt.headers.get(PREVIOUS_ATTEMPTS));
      return;
    }
    this.onEnding({
      attempt,
      code,
      failed: byService && this.context.policy.on.includes(code),
      pushback: undefined,
      deliver: () => this.response.abort(cause),
    });
  }

  // ---------------------------------------------------------------- AnswerOwner

  onCommit(attempt: StreamAttempt): void {
    this.committed = attempt;
    this.call.attempt = attempt;
    this.stopWaiting();
    this.endOthers(attempt);
  }

  onAnswer(answer: Answer): void {
    const { attempt, trailing } = answer;
    this.left(attempt);
    if (this.over || trailing === undefined) return;
    const code = parseGrpcStatus(trailing.get("grpc-status"));
    this.onEnding({
      attempt,
      code,
      failed: this.context.policy.on.includes(code),
      pushback: pushbackOf(trailing.getAll("grpc-retry-pushback-ms")),
      deliver: () => answer.deliver(),
    });
  }

  onDone(trailers: Headers): void {
    const code = parseGrpcStatus(trailers.get("grpc-status"));
    this.count(code, this.context.policy.on.includes(code));
    this.close();
  }

  private onEnding(ending: Ending): void {
    const { code, failed, pushback } = ending;
    this.count(code, failed || pushback === "never");
    // Other attempts may still get a response although this one found no connection.
    if (!ending.attempt.begun && this.live.size > 0) return;
    if (ending.failed) this.onFailed(ending);
    else this.finish(ending);
  }

  /**
   * For throttling: counts successes, and failures caused by the service's state. Other failures say nothing about it
   * (A6).
   */
  private count(code: number, failed: boolean): void {
    const { policy, retries } = this.context;
    if (policy.throttling === undefined) return;
    if (code === Code.OK) retries.ended(policy.throttling, false);
    else if (failed) retries.ended(policy.throttling, true);
  }

  // ---------------------------------------------------------------- the end

  /** Ends the call with this outcome, if it has none yet. */
  protected finish(ending: Ending): void {
    if (this.over) return;
    this.call.attempt = ending.attempt.begun ? ending.attempt : this.call.attempt;
    this.close();
    this.endOthers(ending.attempt);
    ending.deliver();
  }

  private close(): void {
    this.over = true;
    this.stopWaiting();
    this.request.close();
  }

  /** The call continues with this attempt alone. */
  private endOthers(attempt: StreamAttempt): void {
    if (!this.over) this.request.only(attempt);
    for (const other of this.live) {
      if (other === attempt) continue;
      this.live.delete(other);
      other.abort(SUPERSEDED);
    }
  }

  // ---------------------------------------------------------------- ReplayOwner

  onAbort(cause: Abort): void {
    this.close();
    for (const attempt of this.live) attempt.abort(cause);
    this.live.clear();
  }

  onLost(): void {
    let most: StreamAttempt | undefined;
    for (const attempt of this.live)
      if (attempt.sending && attempt.sentBytes > (most?.sentBytes ?? -1)) most = attempt;
    this.stopWaiting();
    if (most !== undefined) this.endOthers(most);
  }
}

/** For a client that has retried too: the service gets the count of all attempts. */
function previousOf(headers: Headers): number {
  const before = headers.get(PREVIOUS_ATTEMPTS) ?? "";
  return /^\d{1,9}$/.test(before) ? Number(before) : 0;
}
