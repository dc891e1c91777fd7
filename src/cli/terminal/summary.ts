// A summary of what the hub learned at its start, for people.
import type { HubView, RouteRow, UpstreamRow } from "../../view/hub-view.js";

/** Services, or endpoints, named in a line; the rest is counted. */
const MAX_NAMES = 6;

/** One line for each upstream, its services under it; two if its schema is not known. */
export function summary(hub: Pick<HubView, "routes" | "upstreams">): string[] {
  const routes = hub.routes();
  return hub.upstreams().flatMap((upstream) => upstreamLines(upstream, routes));
}

function upstreamLines(upstream: UpstreamRow, routes: readonly RouteRow[]): string[] {
  const endpoints = endpointsOf(upstream);
  const { remembered } = upstream;
  if (upstream.problem !== undefined && remembered === undefined) {
    // Why is in the log already.
    return [`${upstream.name} (${endpoints}): no services known yet`, "  the hub keeps asking it"];
  }
  if (upstream.schema === "none") {
    const what = upstream.takesOthers
      ? "all services that no other upstream has"
      : plural(upstream.services.length, "service");
    return [`${upstream.name} (${endpoints}): ${what}, for gRPC alone`, ...namesOf(upstream)];
  }
  const own = routes.filter((route) => route.upstream === upstream.name);
  const rest = own.filter((route) => route.verb !== "gRPC").length;
  const methods = new Set(own.flatMap(({ method }) => (method.endsWith("/*") ? [] : [method]))).size;
  const counts = `${plural(upstream.services.length, "service")}, ${plural(methods, "method")}, ${plural(rest, "REST route")}`;
  const since = remembered === undefined ? [] : [`  remembered, from ${remembered}; the hub keeps asking it`];
  return [`${upstream.name} (${endpoints}): ${counts}`, ...namesOf(upstream), ...since];
}

function endpointsOf({ endpoints, source }: UpstreamRow): string {
  const from = source === undefined ? [] : [source.target];
  const more = endpoints.length - MAX_NAMES;
  const named = endpoints.filter((_, i) => more <= 1 || i < MAX_NAMES).map(({ address }) => address);
  const rest = more > 1 ? [`and ${more} more`] : [];
  const known = endpoints.length === 0 && source !== undefined ? ["no endpoint known yet"] : [];
  return [...from, ...known, ...named, ...rest].join(", ");
}

function namesOf({ services }: UpstreamRow): string[] {
  const names = services.slice(0, MAX_NAMES).map((name) => `  ${name}`);
  const more = services.length - names.length;
  return more > 0 ? [...names, `  and ${more} more`] : names;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
