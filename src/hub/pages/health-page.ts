// `/healthz`: the status of grpc.health.v1.Health/Check, for load balancers that support only HTTP.

import { refusal } from "../../call/status/reasons.js";
import { field } from "../../kit/headers.js";
import { cut } from "../../kit/text/text.js";
import { type Page, pageMethod } from "./page.js";

export interface HealthState {
  /** Why the hub is not ready, a few words each; empty when it is. */
  readonly notServing: () => readonly string[];
  /** All services behind it, by full name, and whether each has a healthy endpoint. */
  readonly services: () => ReadonlyMap<string, boolean>;
}

/** 200 `{"status":"SERVING"}`, or 503; `?service=` selects one service. Configured like the gRPC method. */
export function healthPage(path: string, state: HealthState): Page {
  return {
    path,
    method: pageMethod("grpc.health.v1.Health", "Check"),
    about: "the hub's health (http.health)",
    render: async (query) => {
      const service = query.get("service") ?? "";
      const serving = service === "" ? true : state.services().get(service);
      if (serving === undefined) {
        return refusal("NO_SUCH_SERVICE", `no service '${cut(service, 100)}' is known here`);
      }
      const reasons = state.notServing();
      if (reasons.length > 0) return refusal("NOT_SERVING", `the hub is not ready: ${reasons.join(", ")}`);
      if (!serving)
        return refusal("NOT_SERVING", `no healthy endpoint of service '${cut(service, 100)}' can be reached`);
      return {
        contentType: "application/json",
        body: Buffer.from('{"status":"SERVING"}'),
        etag: undefined,
        fields: [field("cache-control", "no-store")],
      };
    },
  };
}
