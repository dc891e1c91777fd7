// The plan of a method as a transcoded call runs it.
import type { Plan } from "../../../call/pipeline.js";
import { DiscardSink, deferred, type Handler } from "../../../call/sink.js";
import { Headers } from "../../../kit/headers.js";

/** Plans whose service is called only once the body has been read and is valid; made once for each. */
const DEFERRED = new WeakMap<Plan, Plan>();

export function deferredPlan(plan: Plan): Plan {
  let later = DEFERRED.get(plan);
  if (later === undefined) {
    later = { ...plan, handler: deferred(plan.handler) };
    DEFERRED.set(plan, later);
  }
  return later;
}

/** `admitted` runs once the steps have let the call pass. */
export function admittingPlan(plan: Plan, admitted: () => void): Plan {
  const { handler } = plan;
  return {
    ...plan,
    handler: (call, response) => {
      admitted();
      return handler(call, response);
    },
  };
}

const RESPOND_OK: Handler = (_call, response) => {
  response.headers(Headers.of(["grpc-status", "0"]), true);
  return new DiscardSink();
};

/** Calls nothing: succeeds once the steps have admitted the call. */
export function respondingPlan(plan: Plan): Plan {
  return { ...plan, handler: RESPOND_OK };
}
