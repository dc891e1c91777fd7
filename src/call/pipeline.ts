// The runner: takes a call through the steps of its plan to its handler, and ends every started step exactly once.

import { attempt, reportFault } from "../kit/faults.js";
import type { Headers } from "../kit/headers.js";
import type { Timed, TimerWheel } from "../kit/timer-wheel.js";
import type { AttemptObserver } from "./attempt.js";
import type { Call, Method } from "./call.js";
import type { Interceptor, Outcome, Step } from "./interceptor.js";
import { withMessageSteps } from "./message-steps.js";
import type { RunningCall, RunningCalls } from "./running-calls.js";
import { type Abort, DiscardSink, type Handler, type Sink, type Source } from "./sink.js";
import { brokenStep, hubFault } from "./status/hub-fault.js";
import { refusal } from "./status/reasons.js";
import { Code, parseGrpcStatus, type Status } from "./status/status.js";

/** Everything known of a method before a call arrives; immutable, made when config or schema changes. */
export interface Plan {
  readonly method: Method;
  readonly steps: readonly Step[];
  /** The steps' `attempts`. */
  readonly attemptObservers: readonly AttemptObserver[];
  /** The routes' handler, wrapped by the steps' `messages` and then their `around`. */
  readonly handler: Handler;
}

/**
 * Plans the interceptors (outermost first) for one method. An exception of an interceptor's `plan` is passed to the
 * caller: a start or a reload then fails, and after a change of schema the hub keeps the previous plans.
 * @param maxMessageBytes of a message that steps see; undefined: the handler neither takes nor sends messages (it
 * rejects, or responds with a page)
 */
export function plan(
  method: Method,
  interceptors: readonly Interceptor[],
  handler: Handler,
  maxMessageBytes?: number,
): Plan {
  const steps: Step[] = [];
  for (const interceptor of interceptors) {
    const step = interceptor.plan(method);
    if (step !== undefined) steps.push(step);
  }
  const composed = steps.reduceRight((next, step) => step.around?.(next) ?? next, handler);
  const attemptObservers = steps.flatMap((step) => step.attempts ?? []);
  const seen = maxMessageBytes === undefined ? composed : withMessageSteps(steps, composed, maxMessageBytes);
  return { method, steps, attemptObservers, handler: seen };
}

/**
 * Runs a call. Returns the Sink of its request; `response` gets its response, or an abort.
 *
 * While a step waits, request chunks are buffered without giving credit, so the client's own flow control bounds them.
 * If the call is aborted meanwhile, no further step runs; `end` of the started steps runs once the waiting step has
 * settled.
 *
 * This is the barrier between the two sides of a call: neither `run` nor the returned Sink ever throws, and neither
 * does the response Sink that the handler gets. An exception behind them ends the call with HUB_FAULT.
 *
 * @param calls contains the call until it ends
 */
export function run(plan: Plan, call: Call, response: Sink, timers: TimerWheel, calls: RunningCalls): Sink {
  const running = new Running(plan, call, response, timers, calls);
  try {
    running.begin();
  } catch (error) {
    running.onFault(error);
  }
  return running.request;
}

/** The response direction: everything from the handler passes here, so that the end of the call is noticed. */
class Running implements Sink, Timed, RunningCall {
  runningNext: RunningCall | undefined = undefined;
  runningPrevious: RunningCall | undefined = undefined;
  timerSlot = -1;
  timerNext: Timed | undefined = undefined;
  timerPrevious: Timed | undefined = undefined;
  expiresAt = Number.POSITIVE_INFINITY;

  readonly call: Call;
  readonly request: RequestSide;
  requestBytes = 0;
  done = false;
  private readonly plan: Plan;
  private readonly response: Sink;
  private readonly timers: TimerWheel;
  private readonly calls: RunningCalls;
  private started = 0;
  private waiting = false;
  private responseBytes = 0;
  private outcome: Outcome | undefined = undefined;

  constructor(plan: Plan, call: Call, response: Sink, timers: TimerWheel, calls: RunningCalls) {
    this.plan = plan;
    this.call = call;
    this.response = response;
    this.timers = timers;
    this.calls = calls;
    this.request = new RequestSide(this);
    call.attemptObservers = plan.attemptObservers;
    calls.add(this);
  }

  begin(): void {
    const steps = this.plan.steps;
    while (this.started < steps.length && !this.done) {
      const step = steps[this.started];
      this.started++;
      if (step?.start === undefined) continue;
      let verdict: undefined | Status | Promise<undefined | Status>;
      try {
        verdict = step.start(this.call);
      } catch (error) {
        verdict = brokenStep(step.name, this.plan.method.path, error);
      }
      if (verdict instanceof Promise) {
        this.watchDeadline();
        this.wait(step, verdict);
        return;
      }
      if (verdict !== undefined) {
        this.finish(refused(verdict), true);
        return;
      }
    }
    this.dispatch();
  }

  private wait(step: Step, verdict: Promise<undefined | Status>): void {
    this.waiting = true;
    this.call.stage = step.name;
    const settle = (status: undefined | Status): void => {
      this.waiting = false;
      const deadline = this.call.deadline;
      if (this.done) this.runEnds();
      else if (status !== undefined) this.finish(refused(status), true);
      // The wheel is a slot late: a call whose deadline has passed is not to be sent.
      else if (deadline !== undefined && deadline <= this.timers.clock.now()) this.onExpired();
      else this.begin();
    };
    verdict
      .then(settle, (error: unknown) => settle(brokenStep(step.name, this.plan.method.path, error)))
      .catch((error: unknown) => this.onFault(error));
  }

  private dispatch(): void {
    if (this.done) return;
    this.call.stage = "dispatch";
    this.watchDeadline();
    let upstream: Sink;
    try {
      upstream = this.plan.handler(this.call, this);
    } catch (error) {
      upstream = new DiscardSink();
      this.onFault(error, "the hub failed to dispatch the call");
    }
    // The handler may have responded or rejected before it returned.
    this.request.connect(upstream);
  }

  /** Called again when a step may have changed the deadline. */
  private watchDeadline(): void {
    const deadline = this.call.deadline;
    if (this.timerSlot >= 0) {
      if (this.expiresAt === deadline) return;
      this.timers.cancel(this);
    }
    if (deadline === undefined) return;
    this.expiresAt = deadline;
    this.timers.add(this);
  }

  onExpired(): void {
    this.finish({ status: deadlineExceeded(this.call), by: "hub", sent: "maybe" }, true);
  }

  // Each direction has its own `try`: closures and rest parameters would cost every chunk.

  open(source: Source): void {
    if (this.done) return;
    try {
      this.response.open(source);
    } catch (error) {
      this.onFault(error);
    }
  }

  headers(headers: Headers, end: boolean): void {
    if (this.done) return;
    try {
      const added = this.call.responseHeaders;
      if (added !== undefined) for (const f of added.fields) headers.append(f.name, f.value, f.sensitive);
      this.response.headers(headers, end);
      if (end) this.responded(headers);
    } catch (error) {
      this.onFault(error);
    }
  }

  data(chunk: Buffer, start: number, end: number, last: boolean): void {
    if (this.done) return;
    this.responseBytes += end - start;
    try {
      this.response.data(chunk, start, end, last);
      if (last) this.responded(undefined);
    } catch (error) {
      this.onFault(error);
    }
  }

  trailers(headers: Headers): void {
    if (this.done) return;
    try {
      this.response.trailers(headers);
      this.responded(headers);
    } catch (error) {
      this.onFault(error);
    }
  }

  /** The handler gives up: the client is notified, the request side is stopped. */
  abort(cause: Abort): void {
    this.finish(cause, true);
  }

  private responded(trailers: Headers | undefined): void {
    if (this.done) return;
    this.done = true;
    const steps = this.plan.steps;
    if (steps.length > 0) {
      this.outcome = {
        code: trailers === undefined ? Code.UNKNOWN : parseGrpcStatus(trailers.get("grpc-status")),
        by: "upstream",
        trailers,
        cause: undefined,
        durationMs: this.timers.clock.now() - this.call.startedAt,
        requestBytes: this.requestBytes,
        responseBytes: this.responseBytes,
      };
    }
    this.letGo();
    this.runEnds();
  }

  /** Called by the code that owns the call. Even if that throws, both sides must still be notified. */
  private letGo(): void {
    try {
      this.calls.delete(this);
      this.timers.cancel(this);
    } catch (error) {
      reportFault("while the deadline of a call was taken back", error);
    }
  }

  /** Something on the path of the call threw: the call ends, and its client gets a response whatever state it is in. */
  onFault(error: unknown, what = "the hub failed while it served the call"): void {
    const status = hubFault(what, `while a call to ${this.plan.method.path} was served`, error);
    const cause: Abort = { status, by: "hub", sent: "maybe" };
    // A sink that threw while it was notified of the end has not sent it to the client.
    if (this.done) this.tell(cause);
    else this.finish(cause, true);
  }

  cut(cause: Abort): void {
    attempt(`while a call to ${this.plan.method.path} was cut`, () => this.finish(cause, true));
  }

  /** Notifies the client; a sink that throws is called once more, with that as the cause. */
  private tell(cause: Abort): void {
    const { response } = this;
    try {
      response.abort(cause);
    } catch (error) {
      const where = `while a call to ${this.plan.method.path} was ended`;
      const status = hubFault("the hub failed while it ended the call", where, error);
      attempt(where, () => response.abort({ status, by: "hub", sent: cause.sent }));
    }
  }

  /** Ends the call early. `tellClient` is false when it was the client that left. */
  finish(given: Abort, tellClient: boolean): void {
    if (this.done) return;
    this.done = true;
    const cause = given.status.code === Code.OK ? this.noFailure(given) : given;
    this.outcome = {
      code: cause.status.code,
      by: cause.by,
      trailers: undefined,
      cause,
      durationMs: this.timers.clock.now() - this.call.startedAt,
      requestBytes: this.requestBytes,
      responseBytes: this.responseBytes,
    };
    this.letGo();
    this.request.disconnect(cause);
    if (tellClient) this.tell(cause);
    this.call.abort(cause);
    if (!this.waiting) this.runEnds();
  }

  /** A call without a response has not succeeded: a client that believed it would continue with nothing. */
  private noFailure({ by, sent }: Abort): Abort {
    const where = `while a call to ${this.plan.method.path} was ended`;
    const error = new TypeError("a call that ends early needs a Status of another code than OK");
    return { status: hubFault("the hub ended the call without a reason", where, error), by, sent };
  }

  private runEnds(): void {
    const outcome = this.outcome;
    if (outcome === undefined) return;
    const steps = this.plan.steps;
    for (let i = this.started - 1; i >= 0; i--) {
      const step = steps[i];
      if (step?.end === undefined) continue;
      try {
        step.end(this.call, outcome);
      } catch (error) {
        reportFault(
          `as interceptor ${step.name} failed at the end of a call to ${this.plan.method.path}`,
          error,
        );
      }
    }
    this.started = 0;
  }
}

/** The request direction: buffers chunks while a step waits, then passes everything on. */
class RequestSide implements Sink, Source {
  private readonly running: Running;
  private upstream: Sink | undefined = undefined;
  private source: Source | undefined = undefined;
  private kept: Chunk[] | undefined = undefined;
  private stopped: Abort | undefined = undefined;

  constructor(running: Running) {
    this.running = running;
  }

  connect(upstream: Sink): void {
    try {
      this.join(upstream);
    } catch (error) {
      this.running.onFault(error);
    }
  }

  private join(upstream: Sink): void {
    this.upstream = upstream;
    if (this.stopped !== undefined) {
      upstream.abort(this.stopped);
      return;
    }
    if (this.source !== undefined) upstream.open(this);
    const kept = this.kept;
    if (kept === undefined) return;
    this.kept = undefined;
    for (const c of kept) {
      if (this.stopped !== undefined) return; // the handler gave up while it was given these
      upstream.data(c.chunk, c.start, c.end, c.last);
    }
  }

  disconnect(cause: Abort): void {
    this.stopped = cause;
    this.kept = undefined;
    // Each is notified, even if the other throws.
    try {
      this.upstream?.abort(cause);
    } catch (error) {
      reportFault("while the service's side of a call was stopped", error);
    }
    try {
      this.source?.cancel(cause);
    } catch (error) {
      reportFault("while the client's side of a call was stopped", error);
    }
  }

  open(source: Source): void {
    this.source = source;
    try {
      if (this.stopped !== undefined) source.cancel(this.stopped);
      else this.upstream?.open(this);
    } catch (error) {
      this.running.onFault(error);
    }
  }

  headers(): void {}

  data(chunk: Buffer, start: number, end: number, last: boolean): void {
    if (this.stopped !== undefined) {
      this.consumed(end - start);
      return;
    }
    this.running.requestBytes += end - start;
    if (this.upstream !== undefined) {
      try {
        this.upstream.data(chunk, start, end, last);
      } catch (error) {
        this.running.onFault(error);
      }
    } else if (this.kept === undefined) this.kept = [{ chunk, start, end, last }];
    else this.kept.push({ chunk, start, end, last });
  }

  trailers(): void {}

  /** The client left. */
  abort(cause: Abort): void {
    this.running.finish(cause, false);
  }

  consumed(bytes: number): void {
    try {
      this.source?.consumed(bytes);
    } catch (error) {
      this.running.onFault(error);
    }
  }

  cancel(cause: Abort): void {
    try {
      this.source?.cancel(cause);
    } catch (error) {
      this.running.onFault(error);
    }
  }
}

interface Chunk {
  readonly chunk: Buffer;
  readonly start: number;
  readonly end: number;
  readonly last: boolean;
}

function refused(status: Status): Abort {
  return { status, by: "hub", sent: "never" };
}

function deadlineExceeded(call: Call): Status {
  const waited = Math.round((call.deadline ?? 0) - call.startedAt);
  const cap = call.deadlineCapped ? " (the most that is allowed here)" : "";
  return refusal(
    "DEADLINE_EXCEEDED",
    `the deadline of ${waited} ms${cap} passed while in stage: ${call.stage}`,
  );
}
