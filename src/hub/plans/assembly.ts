// Combines everything known at one moment: the snapshot that calls run on, and its description.

import type { Method } from "../../call/call.js";
import type { CallKey } from "../../call/call-key.js";
import type { Snapshot } from "../../call/gateway.js";
import type { Interceptor } from "../../call/interceptor.js";
import type { Handler } from "../../call/sink.js";
import { methodConfig } from "../../config/method-config.js";
import { systemClock } from "../../kit/clock.js";
import { completed } from "../../kit/in-slices.js";
import { BoundedTexts } from "../../kit/text/bounded-texts.js";
import type { OpenApiInput } from "../../openapi/document.js";
import { RouteTable, type ServiceRoute } from "../../routing/table.js";
import { mergingSchemas } from "../../schema/types/merge-schemas.js";
import { isRoutable, methodsOfService, type Schema } from "../../schema/types/schema.js";
import type { Config } from "../../settings/sections.js";
import { creatingRestRouter } from "../../transcoding/rest-router.js";
import type { RetryPolicy } from "../../upstream/retry/policy/policy.js";
import type { SchemaSource } from "../../upstream/upstream-config.js";
import type { RouteRow } from "../../view/hub-view.js";
import type { HealthState } from "../pages/health-page.js";
import { PageRouter } from "../pages/page-router.js";
import { pagesOf } from "../pages/pages.js";
import type { LearnedUpstream } from "../upstreams/learned-upstream.js";
import { takesOthers } from "../upstreams/upstream-row.js";
import { type HashOfFields, hashesOfFields } from "./field-hashes.js";
import { type Named, namedOf } from "./named-methods.js";
import { openApiInput } from "./openapi-input.js";
import {
  describeRetries,
  type PolicyOf,
  retriesWithoutEffect,
  retryPolicies,
  serviceConfigTimeouts,
} from "./retry-policies.js";
import { type HubThreads, hubThreads } from "./threads.js";
import { unknownSelectors } from "./unknown-selectors.js";

/** About all upstreams together. */
const MAX_WARNINGS = 200;

export interface Assembly {
  readonly snapshot: Snapshot;
  readonly routes: readonly RouteRow[];
  /** Input of an OpenAPI document. */
  readonly openApi: OpenApiInput;
  /** All upstreams' schemas as one. */
  readonly schema: Schema;
  /** Names of the upstreams that serve them, by full names of services. */
  readonly owners: ReadonlyMap<string, string>;
  /** Warnings, one sentence each. */
  readonly warnings: readonly string[];
  /** Explains which rule matches a request, and why near ones do not. */
  explain(httpMethod: string, target: string): readonly string[];
}

/** A server of services: an upstream of the config, or the program that embeds the hub. */
export type Origin = Pick<LearnedUpstream, "schema" | "problem"> & {
  readonly config: { readonly name: string; readonly schema?: SchemaSource };
  readonly cluster: { readonly handler: Handler; readonly hashes?: CallKey<number> };
  /** Sends calls again by a policy. */
  readonly handlerFor?: (policy: RetryPolicy) => Handler;
  /** Its schema is remembered, not learned yet. */
  readonly remembered?: number | undefined;
};

/**
 * @param ownRoutes the hub's own services; they have priority over those of upstreams.
 * @param health source of the health page
 * @param threads of the hub; they outlive the snapshot. Default: new ones, for commands that only read
 */
export function assemble(...all: Parameters<typeof assembling>): Assembly {
  return completed(assembling(...all));
}

/** Like assemble, in slices, so that calls continue while thousands of methods are planned. */
export function* assembling(
  config: Config,
  origins: readonly Origin[],
  interceptors: readonly Interceptor[],
  ownRoutes: readonly ServiceRoute[],
  health: HealthState = { notServing: () => ["starting"], services: () => new Map() },
  threads: HubThreads = hubThreads(systemClock),
): Generator<void, Assembly> {
  // A service that moved while the hub was down is where it was learned, not where it is remembered.
  const upstreams = [
    ...origins.filter(({ remembered }) => remembered === undefined),
    ...origins.filter(({ remembered }) => remembered !== undefined),
  ];
  const named = namedOf(config);
  const policyOf = retryPolicies(config);
  /** Of the methods whose calls are sent again, by `pkg.Service/Method`. */
  const policies = new Map<string, RetryPolicy>();
  const routes: ServiceRoute[] = ownRoutes.map((route) => withNamed(route, named));
  const hashing = hashesOfFields(config);
  for (const upstream of upstreams)
    yield* addRoutesOf(upstream, named, policyOf, policies, hashing(upstream), routes);
  const schema = yield* mergingSchemas(
    upstreams.flatMap((u) => (u.schema === undefined ? [] : [{ upstream: u.config.name, schema: u.schema }])),
  );
  const problems = upstreams.flatMap((u) =>
    u.problem === undefined ? [] : [`upstream "${u.config.name}": ${u.problem}`],
  );
  // Each source of them is bounded, but there may be many upstreams.
  const warnings = new BoundedTexts(MAX_WARNINGS);
  for (const { config, schema } of upstreams)
    for (const warning of schema?.warnings ?? []) warnings.push(`upstream "${config.name}": ${warning}`);
  warnings.pushAll(schema.warnings);
  const unlearned = problems.length === 0 ? undefined : firstOf(problems);
  const taker = upstreams.find(takesOthers);
  // Upstreams that are not learned yet may have the services that the config names.
  if (taker !== undefined && unlearned === undefined) routes.push(...routesToTaker(taker, named, routes));
  const taken = new Map<string, string>();
  for (const { service, upstream } of routes) if (!taken.has(service)) taken.set(service, upstream);
  const timeouts = serviceConfigTimeouts(config, (service) => taken.get(service));
  const table = yield* RouteTable.making(
    routes,
    [...interceptors, ...timeouts],
    {
      problem: unlearned,
      taker: taker && { handler: taker.cluster.handler, packages: named.packages },
    },
    ({ service, upstream }, winner) => {
      warnings.push(
        `service ${service} of upstream "${upstream}" is hidden: upstream "${winner}" has it too`,
      );
    },
    config.limits.maxMessageBytes,
  );
  const visible = routes.filter(({ service, upstream }) => taken.get(service) === upstream);
  warnings.pushAll(hashing.withoutEffect(visible));
  warnings.pushAll(retriesWithoutEffect(config, visible, policyOf));
  const rest = yield* creatingRestRouter({
    methods: visible.flatMap((route) => route.methods),
    registry: schema.registry,
    rules: config.http.rules,
    prefix: config.http.prefix,
    options: config.http,
    forms: forms(config),
    threads: threads.messages,
    unlearned,
    success: methodConfig(config.methods)((method) => method?.http),
  });
  warnings.pushAll(rest.problems);
  yield;
  const retriesOf = (method: string): Pick<RouteRow, "retries"> => {
    const policy = policies.get(method);
    return policy === undefined ? {} : { retries: describeRetries(policy) };
  };
  const restRows = rest.bindings.map(({ verb, path, method }) => {
    const upstream = taken.get(method.slice(0, method.indexOf("/"))) ?? "";
    return { verb, path, method, upstream, ...retriesOf(method) };
  });
  const unknown = new Set(schema.undescribed);
  const undescribed = new Set(
    visible.flatMap(({ service, methods }) =>
      methods.length === 0 && unknown.has(service) ? [service] : [],
    ),
  );
  const grpcRows = visible
    .flatMap((route) => grpcRowsOf(route, undescribed.has(route.service)))
    .map((row) => ({ ...row, ...retriesOf(row.method) }));
  if (taker !== undefined)
    grpcRows.push({ verb: "gRPC", path: "/*", method: "*", upstream: taker.config.name });
  yield;
  // Upstreams that are not learned yet, or have changed since they were remembered, may have them, and so may one that
  // takes all others.
  if (taker === undefined && upstreams.every((u) => u.problem === undefined && u.remembered === undefined)) {
    const methods = routes.flatMap((route) => route.methods);
    const paths = methods.map(({ path }) => path);
    warnings.pushAll(unknownSelectors(config, paths, undescribed));
  }
  yield;
  const openApi = openApiInput(config, rest);
  const { pages, warnings: hidden } = pagesOf(config.http, openApi, rest.literal, health, threads.documents);
  warnings.pushAll(hidden);
  const router = new PageRouter(rest.router, pages, interceptors);
  /** Below the rule that answers. */
  const withRetries = (lines: readonly string[], httpMethod: string, target: string): string[] => {
    const match = rest.router.match(httpMethod, target);
    const [first, ...others] = lines;
    if (first === undefined || match.kind !== "match") return [...lines];
    const { method } = match;
    const { retries } = retriesOf(method.path.slice(1));
    if (retries !== undefined) return [first, `  retries: ${retries}`, ...others];
    const upstream = config.upstreams.find(({ name }) => name === taken.get(method.service));
    return upstream?.retries === undefined
      ? [...lines]
      : [first, "  retries: none: the method is not idempotent, or its own retries say so", ...others];
  };
  return {
    snapshot: {
      planFor: (path) => router.planFor(path) ?? table.find(path),
      preflight: table.preflight,
      rest: router,
      http: config.http,
    },
    routes: [...restRows, ...grpcRows],
    openApi,
    schema,
    owners: taken,
    warnings: warnings.list("warnings about schemas and routes"),
    explain: (httpMethod, target) =>
      router.explain(httpMethod, target) ?? [
        ...withRetries(rest.explain(httpMethod, target), httpMethod, target),
        ...grpcAlone(target, undescribed, taken),
      ],
  };
}

function forms(config: Config): (method: Method) => boolean {
  const own = methodConfig(config.methods)((method) => method?.forms);
  return (method) => own(method) ?? false;
}

function* addRoutesOf(
  { cluster, config, schema, handlerFor }: Origin,
  named: Named,
  policyOf: PolicyOf,
  policies: Map<string, RetryPolicy>,
  hashed: HashOfFields | undefined,
  routes: ServiceRoute[],
): Generator<void> {
  if (schema === undefined) return;
  const retried = (method: Method): Handler | undefined => {
    const policy = policyOf(config.name, method);
    if (policy === undefined) return undefined;
    policies.set(method.path.slice(1), policy);
    return handlerFor?.(policy);
  };
  const handlerOf = (method: Method): Handler | undefined => {
    const handler = retried(method);
    return hashed === undefined ? handler : hashed(method, handler ?? cluster.handler);
  };
  const add = (service: string, methods: readonly Method[]): void => {
    const route = { service, methods, upstream: config.name, handler: cluster.handler, handlerOf };
    routes.push(withNamed(route, named));
  };
  for (const service of schema.services) {
    add(service.typeName, methodsOfService(service));
    yield;
  }
  for (const service of schema.undescribed) add(service, []);
}

function withNamed(route: ServiceRoute, named: Named): ServiceRoute {
  return { ...route, named: named.methodsOf(route.service, route.methods) };
}

/** Services that the config names and no upstream has: their config must apply if one takes all others. */
function routesToTaker(
  { config, cluster }: Origin,
  named: Named,
  routes: readonly ServiceRoute[],
): ServiceRoute[] {
  const known = new Set(routes.map(({ service }) => service));
  return named.services
    .filter((service) => !known.has(service) && isRoutable(service))
    .map((service) =>
      withNamed({ service, methods: [], upstream: config.name, handler: cluster.handler }, named),
    );
}

function grpcRowsOf(
  { service, methods, named = [], upstream }: ServiceRoute,
  undescribed: boolean,
): RouteRow[] {
  const row = (method: string): RouteRow => ({ verb: "gRPC", path: `/${method}`, method, upstream });
  const rows = methods.map(({ path }) => row(path.slice(1)));
  if (!undescribed) return rows;
  // A method that the config names may exist or not: nothing else describes the service's methods.
  return [...named.map(({ path }) => row(path.slice(1))), row(`${service}/*`)];
}

/** Why a path in the form of a gRPC method is not an HTTP route. */
function grpcAlone(
  target: string,
  undescribed: ReadonlySet<string>,
  owners: ReadonlyMap<string, string>,
): string[] {
  const service = /^\/([^/?]+)\/[^/?]+$/.exec(target)?.[1] ?? "";
  if (!undescribed.has(service)) return [];
  return [
    `service ${service} is for gRPC clients alone: nothing describes its messages to the hub (upstream "${owners.get(service)}")`,
  ];
}

/** Problems that an error names; the admin listener has them all. */
const MAX_SHOWN = 5;

function firstOf(problems: readonly string[]): string {
  const more = problems.length - MAX_SHOWN;
  return [...problems.slice(0, MAX_SHOWN), ...(more > 0 ? [`and ${more} more`] : [])].join("; ");
}
