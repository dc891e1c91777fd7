// A Handler that runs attempts of a call in parallel and takes the first response (gRFC A6, "Hedging Policy").
import type { Call } from "../../call/call.js";
import type { Sink } from "../../call/sink.js";
import { type Ending, PolicyCall, type RetryContext } from "./policy-call.js";

/** Shortest interval between checks while an attempt waits for a connection, however short the hedging delay is. */
const MIN_LOOK_MS = 20;

export class Hedging extends PolicyCall {
  private readonly delayMs: number;
  /** Start no further attempts. */
  private stopped = false;

  constructor(context: RetryContext, call: Call, response: Sink, delayMs: number) {
    super(context, call, response);
    this.delayMs = delayMs;
  }

  override start(): void {
    super.start();
    if (this.live.size > 0) this.wait(this.delayMs, this.next);
  }

  private readonly next = (): void => {
    const { attempts } = this.context.policy;
    if (this.stopped || this.launched >= attempts) return;
    // If there is no connection for one attempt, there is none for two.
    for (const attempt of this.live) {
      if (attempt.begun) continue;
      this.wait(Math.max(this.delayMs, MIN_LOOK_MS), this.next);
      return;
    }
    if (this.mayLaunch()) this.launch("hedge");
    else this.stopped = true;
    if (!this.stopped && this.launched < attempts && !this.waiting && this.live.size > 0)
      this.wait(this.delayMs, this.next);
  };

  protected onFailed(ending: Ending): void {
    const { pushback } = ending;
    if (pushback === "never") {
      this.stopped = true;
      this.stopWaiting();
    } else if (!this.stopped && this.launched < this.context.policy.attempts) {
      if (pushback === undefined) {
        this.stopWaiting();
        this.next();
      } else if (!this.wait(pushback, this.next)) this.stopped = true;
    }
    if (this.live.size > 0) return;
    if (this.waiting) this.request.pause();
    else this.finish(ending);
  }
}
