// What there is to tell of an upstream at one moment.

import { maskedText } from "../../kit/text/masked-text.js";
import type { SchemaSource } from "../../upstream/upstream-config.js";
import type { SourceRow, UpstreamRow } from "../../view/hub-view.js";
import type { LearnedUpstream } from "./learned-upstream.js";
import { timeOf } from "./upstream-log.js";

export function upstreamRow(upstream: LearnedUpstream): UpstreamRow {
  const { config, cluster, schema, remembered, problem, unlearned } = upstream;
  return {
    name: config.name,
    endpoints: cluster.endpoints.map(({ address, state, counts: { open, ...others } }) => ({
      address,
      state,
      connections: open,
      ...others,
    })),
    source: sourceRow(upstream),
    pending: cluster.pending,
    schema: config.schema.kind,
    // There may be thousands, and gauges do not ask.
    get services() {
      return [...(schema?.services.map(({ typeName }) => typeName) ?? []), ...(schema?.undescribed ?? [])];
    },
    takesOthers: takesOthers(upstream),
    remembered: remembered === undefined ? undefined : timeOf(remembered),
    problem: problem ?? unlearned,
  };
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

/** Whether an upstream has all services that no other has. */
export function takesOthers({
  config: { schema },
}: {
  readonly config: { readonly schema?: SchemaSource };
}): boolean {
  return schema?.kind === "none" && schema.services === undefined;
}
