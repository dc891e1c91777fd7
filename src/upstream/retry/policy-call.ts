// A call that may have several attempts by a policy: makes them, passes on the response of one, ends the others. What
// becomes of an attempt that failed is for `retrying.ts` and `hedging.ts` to say.
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

/** What all calls of a method have in common. */
export interface RetryContext {
  readonly cluster: Cluster;
  readonly retries: UpstreamRetries;
  readonly policy: RetryPolicy;
}

/** An attempt that has ended, of which the client knows nothing. */
export interface Ending {
  readonly attempt: StreamAttempt;
  readonly code: number;
  /** By its code it is worth another attempt: a service has failed, not the hub. */
  readonly failed: boolean;
  /** When the service wants another attempt, milliseconds; undefined: it does not say. */
  readonly pushback: number | "never" | undefined;
  /** Tells the client, as the outcome of the call. */
  deliver(): void;
}

/** Attempts by the policy that there were before (gRFC A6, "Exposed Retry Metadata"). */
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
  /** Attempts by the policy, the first one included. */
  protected launched = 0;
  /** Attempts that have not ended. */
  protected readonly live = new Set<StreamAttempt>();
  private readonly response: Sink;
  /** The one whose response the client has begun to get. */
  private committed: StreamAttempt | undefined = undefined;
  /** The client has all that it gets. */
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

  /** What becomes of the call when an attempt has failed: another one, or `finish`. */
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

  /** Another attempt may be made, and is paid for. The budget is asked last: what comes to nothing costs nothing. */
  protected mayLaunch(): boolean {
    const { policy, retries } = this.context;
    if (this.launched >= policy.attempts || !this.request.whole) return false;
    return this.hasTime(0) && retries.allow(policy);
  }

  private hasTime(ms: number): boolean {
    const { deadline } = this.call;
    return deadline === undefined || this.context.cluster.clock.now() + ms < deadline;
  }

  /** Calls back so much later, unless the call is over by then. False: not before the deadline. */
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
    // What never reached a service has waited for one as long as it may: others would wait as long.
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
    // Others may still answer where one has found no connection.
    if (!ending.attempt.begun && this.live.size > 0) return;
    if (ending.failed) this.onFailed(ending);
    else this.finish(ending);
  }

  /** For throttling: what succeeds, and what fails for want of the service. Other failures say nothing of it (A6). */
  private count(code: number, failed: boolean): void {
    const { policy, retries } = this.context;
    if (policy.throttling === undefined) return;
    if (code === Code.OK) retries.ended(policy.throttling, false);
    else if (failed) retries.ended(policy.throttling, true);
  }

  // ---------------------------------------------------------------- the end

  /** This is the outcome, if there is none yet. */
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

  /** The call goes on with this one alone. */
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

/** Of a client that has tried before: a service is told of all attempts. */
function previousOf(headers: Headers): number {
  const before = headers.get(PREVIOUS_ATTEMPTS) ?? "";
  return /^\d{1,9}$/.test(before) ? Number(before) : 0;
}
