// `/healthz`: what grpc.health.v1.Health/Check says, for load balancers that speak HTTP alone.
import { field } from "../../core/headers.js";
import { refusal } from "../../core/reasons.js";
import { type Page, pageMethod } from "./page.js";

export interface HealthState {
  /** The hub takes calls. */
  readonly serving: () => boolean;
  /** Full names of all services behind it. */
  readonly services: () => readonly string[];
}

/** 200 `{"status":"SERVING"}`, or 503; `?service=` asks for one service. Configured as the gRPC method is. */
export function healthPage(path: string, state: HealthState): Page {
  return {
    path,
    method: pageMethod("grpc.health.v1.Health", "Check"),
    about: "the hub's health (http.health)",
    render: async (query) => {
      const service = query.get("service") ?? "";
      if (service !== "" && !state.services().includes(service)) {
        return refusal("NO_SUCH_SERVICE", `no service '${service.slice(0, 100)}' is known here`);
      }
      if (!state.serving()) return refusal("NOT_SERVING", "the hub does not take calls now");
      return {
        contentType: "application/json",
        body: Buffer.from('{"status":"SERVING"}'),
        etag: undefined,
        fields: [field("cache-control", "no-store")],
      };
    },
  };
}
