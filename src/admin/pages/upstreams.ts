// `/upstreams`: the services behind the hub, and how their endpoints are.
import { textTablePieces } from "../../kit/text-table.js";
import type { EndpointRow, UpstreamRow } from "../../view/hub-view.js";
import type { Page } from "./page.js";

export const upstreamsPage: Page = {
  path: "/upstreams",
  about: "the services behind the hub, and their endpoints",
  remote: false,
  respond: (hub) => {
    const rows = hub.upstreams();
    return {
      status: 200,
      body: { upstreams: rows },
      text: () => rowsText(rows),
    };
  },
};

function* rowsText(rows: readonly UpstreamRow[]): Generator<string> {
  for (const [i, row] of rows.entries()) {
    const name = row.problem === undefined ? row.name : `${row.name}: ${row.problem}`;
    yield i === 0 ? name : `\n${name}`;
    const { source } = row;
    if (source !== undefined) {
      const problem = source.problem === undefined ? "" : `, since ${source.since}: ${source.problem}`;
      yield `\n  endpoints from ${source.target}${problem}`;
    }
    if (row.panic === true)
      yield "\n  panic: too few endpoints are healthy, all that are connected get calls";
    for (const { name, active, max } of row.breakers ?? []) yield `\n  ${active} of ${max} ${name} running`;
    if (row.endpoints.length > 0) yield "\n";
    yield* textTablePieces(row.endpoints.map(endpointCells));
    const more = [
      ...(row.pending === 0 ? [] : [`${row.pending} calls wait for a connection`]),
      ...(row.remembered === undefined ? [] : [`its schema is remembered, from ${row.remembered}`]),
      ...row.services.map((service) => `${service}${grpcOnly(row)}`),
      ...(row.takesOthers ? [`all services that no other upstream has${grpcOnly(row)}`] : []),
    ];
    yield more.map((line) => `\n  ${line}`).join("");
  }
}

function grpcOnly({ schema }: UpstreamRow): string {
  return schema === "none" ? " (gRPC alone: schema is none)" : "";
}

function endpointCells(row: EndpointRow): string[] {
  const { address, state, connections, connecting, draining, calls } = row;
  const counts = [
    `${connections} open`,
    ...(connecting === 0 ? [] : [`${connecting} connecting`]),
    ...(draining === 0 ? [] : [`${draining} draining`]),
  ];
  const cells = [`  ${address}`, state, counts.join(", "), `${calls} calls`];
  const more = [traitsOf(row), whyOf(row)].filter((text) => text !== "").join("; ");
  return more === "" ? cells : [...cells, more];
}

/** What the source and the balancer say of it. */
function traitsOf({ weight, priority, zone, balancer = {} }: EndpointRow): string {
  const { weight: inForce, ...known } = balancer;
  const own = {
    // A new instance or a load report may have changed the weight that was given.
    weight: inForce === (weight ?? 1) ? weight : inForce,
    ...(inForce === undefined ? { weight } : {}),
    priority,
    zone,
    ...known,
  };
  return Object.entries(own)
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${value}`]))
    .join(", ");
}

function whyOf({ state, why, until }: EndpointRow): string {
  if (why === undefined) return "";
  if (until === undefined) return why;
  return state === "backoff" ? `${why}; tried again at ${until}` : `${why}; until ${until}`;
}
