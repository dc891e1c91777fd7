// What the hub learned at start, in a few lines for a person.
import type { RouteRow, RunningHub, UpstreamRow } from "../hub.js";

/** Services named in a line; the rest is counted. */
const MAX_NAMES = 6;

/** One line for each upstream, its services under it; two where its schema is not known. */
export function summary(hub: Pick<RunningHub, "routes" | "upstreams">): string[] {
  const routes = hub.routes();
  return hub.upstreams().flatMap((upstream) => upstreamLines(upstream, routes));
}

function upstreamLines(upstream: UpstreamRow, routes: readonly RouteRow[]): string[] {
  const endpoints = upstream.endpoints.map((endpoint) => endpoint.address).join(", ");
  if (upstream.problem !== undefined) {
    // Why is in the log already.
    return [`${upstream.name} (${endpoints}): no services known yet`, "  the hub keeps asking it"];
  }
  const own = routes.filter((route) => route.upstream === upstream.name);
  const rest = own.filter((route) => route.verb !== "gRPC").length;
  const methods = new Set(own.map((route) => route.method)).size;
  const counts = `${plural(upstream.services.length, "service")}, ${plural(methods, "method")}, ${plural(rest, "REST route")}`;
  const names = upstream.services.slice(0, MAX_NAMES).map((name) => `  ${name}`);
  const more = upstream.services.length - names.length;
  if (more > 0) names.push(`  and ${more} more`);
  return [`${upstream.name} (${endpoints}): ${counts}`, ...names];
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
