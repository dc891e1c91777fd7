// Rate, errors and duration of every call and of every attempt. Outermost, so that it sees rejected calls too.
import type { Interceptor, Step } from "../../call/interceptor.js";
import type { CallMetrics, MethodMetrics } from "../../telemetry/metrics/call-metrics.js";

/** Records into `calls`, which lives as long as the hub. */
export function metrics(calls: CallMetrics): Interceptor {
  return { name: "metrics", preflights: true, plan: (method) => step(calls.method(method)) };
}

/** One step for all calls of a method: nothing is allocated for a call. */
function step(numbers: MethodMetrics): Step {
  return {
    name: "metrics",
    attempts: { end: (attempt, outcome) => numbers.attempt(attempt, outcome) },
    start() {
      numbers.begin();
      return undefined;
    },
    end: (call, outcome) => numbers.end(call, outcome),
  };
}
