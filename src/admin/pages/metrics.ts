// `/metrics`, for Prometheus.
import type { Page } from "./page.js";

export const metricsPage: Page = {
  path: "/metrics",
  about: "metrics of calls, upstreams and the process, for Prometheus",
  remote: false,
  respond: (hub) => ({ status: 200, body: undefined, raw: hub.metrics() }),
};
