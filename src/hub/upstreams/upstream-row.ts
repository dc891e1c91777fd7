// The current state of an upstream, as pages, logs and metrics show it.

import { maskedText } from "../../kit/text/masked-text.js";
import type { Cluster } from "../../upstream/cluster.js";
import type { Endpoint } from "../../upstream/pool/endpoint.js";
import type { SchemaSource } from "../../upstream/upstream-config.js";
import type { EndpointRow, SourceRow, UpstreamRow } from "../../view/hub-view.js";
import type { LearnedUpstream } from "./learned-upstream.js";
import { timeOf } from "./upstream-log.js";

export function upstreamRow(upstream: LearnedUpstream): UpstreamRow {
  const { config, cluster, schema, remembered, problem, unlearned } = upstream;
  return {
    name: config.name,
    endpoints: cluster.endpoints.map((endpoint) => endpointRow(endpoint, cluster)),
    source: sourceRow(upstream),
    balancer: config.balancer.name,
    panic: cluster.health.panics,
    breakers: cluster.health.breakers?.states,
    pending: cluster.pending,
    schema: config.schema.kind,
    // There may be thousands, and gauges do not need them.
    get services() {
      return [...(schema?.services.map(({ typeName }) => typeName) ?? []), ...(schema?.undescribed ?? [])];
    },
    takesOthers: takesOthers(upstream),
    remembered: remembered === undefined ? undefined : timeOf(remembered),
    problem: problem ?? unlearned,
  };
}

function endpointRow(endpoint: Endpoint, cluster: Cluster): EndpointRow {
  const { address, health, traits } = endpoint;
  const { open, ...counts } = endpoint.counts;
  return {
    address,
    state: stateOf(endpoint),
    connections: open,
    ...counts,
    // There may be thousands, and gauges do not need them.
    get why() {
      return endpoint.state === "backoff" ? endpoint.problem : health?.reason?.why;
    },
    get until() {
      const { clock } = cluster;
      const ejectedMs = health?.reason?.state === "ejected" ? health.ejection?.untilMs : undefined;
      const leftMs = endpoint.state === "backoff" ? endpoint.retryInMs : ejectedMs && ejectedMs - clock.now();
      return leftMs === undefined ? undefined : timeOf(clock.wallTime() + leftMs);
    },
    weight: traits.weight,
    priority: traits.priority,
    zone: traits.zone,
    get balancer() {
      return cluster.describe(endpoint);
    },
  };
}

function stateOf({ state, health }: Endpoint): EndpointRow["state"] {
  // An unreachable endpoint gets no calls, whatever else is known about it.
  if (state !== "ready" || health === undefined) return state;
  return health.reason?.state ?? (health.checking ? "checking" : state);
}

function sourceRow({ config, cluster }: LearnedUpstream): SourceRow | undefined {
  const { problem } = cluster.source;
  if (config.source === undefined && problem === undefined) return undefined;
  return {
    target: config.source === undefined ? "list" : maskedText(config.source.target),
    problem: problem?.text,
    since: problem && timeOf(problem.since),
  };
}

/** Whether an upstream serves all services that no other has. */
export function takesOthers({
  config: { schema },
}: {
  readonly config: { readonly schema?: SchemaSource };
}): boolean {
  return schema?.kind === "none" && schema.services === undefined;
}
