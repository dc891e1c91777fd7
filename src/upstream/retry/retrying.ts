// A Handler that retries a failed call, one attempt after the other (gRFC A6, "Retry Policy").
import type { Call } from "../../call/call.js";
import type { Handler, Sink } from "../../call/sink.js";
import { backoffMs } from "./backoff.js";
import { Hedging } from "./hedging.js";
import { type Ending, PolicyCall, type RetryContext } from "./policy-call.js";

/** Sends calls to a cluster by a policy: retries failures, or hedges if the policy says so. */
export function retrying(context: RetryContext): Handler {
  const hedges = context.policy.hedgeDelayMs;
  const { name } = context.cluster;
  const stage = `waiting to try again at upstream "${name}"`;
  return (call, response) => {
    const attempts =
      hedges === undefined
        ? new Retrying(context, call, response, stage)
        : new Hedging(context, call, response, hedges);
    attempts.start();
    return attempts.request;
  };
}

class Retrying extends PolicyCall {
  private readonly stage: string;
  /** Retries since the first attempt, or since the last pushback of the service. */
  private backoffs = 0;

  constructor(context: RetryContext, call: Call, response: Sink, stage: string) {
    super(context, call, response);
    this.stage = stage;
  }

  private readonly retry = (): void => this.launch("retry");

  protected onFailed(ending: Ending): void {
    const { pushback } = ending;
    const { policy, cluster } = this.context;
    const ms = pushback ?? backoffMs(policy.backoff, this.backoffs, cluster.random());
    if (ms === "never" || !this.wait(ms, this.retry) || !this.mayLaunch()) {
      this.finish(ending);
      return;
    }
    this.backoffs = pushback === undefined ? this.backoffs + 1 : 0;
    this.call.stage = this.stage;
    this.request.pause();
  }
}
