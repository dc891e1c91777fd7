// Rate, errors and duration of every call and of every attempt. Outermost, so that refused calls are seen as well.
import type { AttemptObserver, Call } from "../call/call.js";
import type { Interceptor, Step } from "../call/interceptor.js";
import type { Clock } from "../kit/clock.js";
import type { CallMetrics, MethodMetrics } from "../telemetry/metrics/call-metrics.js";

/** Records into `calls`, which lives as long as the hub. */
export function metrics(calls: CallMetrics, clock: Clock): Interceptor {
  return { name: "metrics", preflights: true, plan: (method) => step(calls.method(method), clock) };
}

/** One step for all calls of a method: what is known of one call stands in the Call, so that nothing is allocated. */
function step(numbers: MethodMetrics, clock: Clock): Step {
  const observer: AttemptObserver = {
    begin() {},
    end(call, code) {
      if (call.attemptStartedAt > 0) attemptEnded(numbers, call, code, clock.now());
    },
  };
  return {
    name: "metrics",
    start(call) {
      numbers.begin();
      call.attemptObserver = observer;
      return undefined;
    },
    end(call, outcome) {
      // The end of an answer comes here before it comes to its attempt, which ended with it: the clock is read once.
      if (call.attemptStartedAt > 0) {
        attemptEnded(numbers, call, outcome.code, call.startedAt + outcome.durationMs);
      }
      numbers.end(call, outcome);
    },
  };
}

function attemptEnded(numbers: MethodMetrics, call: Call, code: number, now: number): void {
  const milliseconds = now - call.attemptStartedAt;
  call.attemptStartedAt = 0;
  call.upstreamMs += milliseconds;
  numbers.attempt(call, code, milliseconds);
}
