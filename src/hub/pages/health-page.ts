// `/healthz`: the status of grpc.health.v1.Health/Check, for load balancers that support only HTTP.

import { refusal } from "../../call/status/reasons.js";
import { field } from "../../kit/headers.js";
import { cut } from "../../kit/text/text.js";
import { type Page, pageMethod } from "./page.js";

export interface HealthState {
  /** Why the hub is not ready, a few words each; empty when it is. */
  readonly notServing: () => readonly string[];
  /** Full names of all services behind it. */
  readonly services: () => readonly string[];
}

/** 200 `{"status":"SERVING"}`, or 503; `?service=` selects one service. Configured like the gRPC method. */
export function healthPage(path: string, state: HealthState): Page {
  return {
    path,
    method: pageMethod("grpc.health.v1.Health", "Check"),
    about: "the hub's health (http.health)",
    render: async (query) => {
      const service = query.get("service") ?? "";
      if (service !== "" && !state.services().includes(service)) {
        return refusal("NO_SUCH_SERVICE", `no service '${cut(service, 100)}' is known here`);
      }
      const reasons = state.notServing();
      if (reasons.length > 0) return refusal("NOT_SERVING", `the hub is not ready: ${reasons.join(", ")}`);
      return {
        contentType: "application/json",
        body: Buffer.from('{"status":"SERVING"}'),
        etag: undefined,
        fields: [field("cache-control", "no-store")],
      };
    },
  };
}
