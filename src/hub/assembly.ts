// Everything that is known at one moment, put together: the snapshot that calls run on, and what there is to tell about it.
import type { Config } from "../config/config.js";
import { BoundedTexts } from "../core/bounded-texts.js";
import type { Method } from "../core/call.js";
import type { Snapshot } from "../core/gateway.js";
import { completed } from "../core/in-slices.js";
import type { Interceptor } from "../core/interceptor.js";
import type { Handler } from "../core/sink.js";
import { RouteTable, type ServiceRoute } from "../routing/table.js";
import { mergingSchemas } from "../schema/merge-schemas.js";
import { methodsOfService, type Schema } from "../schema/schema.js";
import type { OpenApiInput } from "../transcoding/openapi/document.js";
import { creatingRestRouter } from "../transcoding/rest-router.js";
import type { LearnedUpstream } from "./learned-upstream.js";
import { methodConfig } from "./method-config.js";
import { openApiInput } from "./openapi-input.js";
import type { HealthState } from "./pages/health-page.js";
import { PageRouter } from "./pages/page-router.js";
import { pagesOf } from "./pages/pages.js";
import { unknownSelectors } from "./unknown-selectors.js";

/** About all upstreams together. */
const MAX_WARNINGS = 200;

/** One line of `linchpin routes` and of the admin listener's /routes. */
export interface RouteRow {
  /** HTTP method, or `gRPC` */
  readonly verb: string;
  /** Path template, or `/pkg.Service/Method` */
  readonly path: string;
  /** `pkg.Service/Method` */
  readonly method: string;
  readonly upstream: string;
}

export interface Assembly {
  readonly snapshot: Snapshot;
  readonly routes: readonly RouteRow[];
  /** What an OpenAPI document is made of. */
  readonly openApi: OpenApiInput;
  /** All upstreams' schemas as one. */
  readonly schema: Schema;
  /** What a person should know, a sentence each. */
  readonly warnings: readonly string[];
  /** Which rule answers a request, and why others near it do not. */
  explain(httpMethod: string, target: string): readonly string[];
}

/** What serves services: an upstream of the config, or the program that the hub runs in. */
export type Origin = Pick<LearnedUpstream, "schema" | "problem"> & {
  readonly config: { readonly name: string };
  readonly cluster: { readonly handler: Handler };
};

/**
 * @param ownRoutes the hub's own services; they come before those of upstreams.
 * @param health what the health page tells
 */
export function assemble(...all: Parameters<typeof assembling>): Assembly {
  return completed(assembling(...all));
}

/** As assemble; yields now and then, so that calls go on while thousands of methods are planned. */
export function* assembling(
  config: Config,
  upstreams: readonly Origin[],
  interceptors: readonly Interceptor[],
  ownRoutes: readonly ServiceRoute[],
  health: HealthState = { notServing: () => ["starting"], services: () => [] },
): Generator<void, Assembly> {
  const routes: ServiceRoute[] = [];
  for (const upstream of upstreams) yield* addRoutesOf(upstream, routes);
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
  const taken = new Map<string, string>();
  const table = yield* RouteTable.making(
    [...ownRoutes, ...routes],
    interceptors,
    { problem: unlearned },
    ({ service, upstream }, winner) => {
      warnings.push(
        `service ${service} of upstream "${upstream}" is hidden: upstream "${winner}" has it too`,
      );
    },
  );
  const visible = [...ownRoutes, ...routes].filter(({ service, upstream }) => {
    if (!taken.has(service)) taken.set(service, upstream);
    return taken.get(service) === upstream;
  });
  const rest = yield* creatingRestRouter({
    methods: visible.flatMap((route) => route.methods),
    registry: schema.registry,
    rules: config.http.rules,
    prefix: config.http.prefix,
    options: config.http,
    forms: forms(config),
    unlearned,
    success: methodConfig(config.methods)((method) => method?.http),
  });
  warnings.pushAll(rest.problems);
  yield;
  const restRows = rest.bindings.map(({ verb, path, method }) => {
    const upstream = taken.get(method.slice(0, method.indexOf("/"))) ?? "";
    return { verb, path, method, upstream };
  });
  const grpcRows = visible.flatMap(({ methods, upstream }) =>
    methods.map(({ path }) => ({ verb: "gRPC", path, method: path.slice(1), upstream })),
  );
  yield;
  // What is not learned yet may have them.
  if (problems.length === 0) {
    const methods = [...ownRoutes, ...routes].flatMap((route) => route.methods);
    warnings.pushAll(
      unknownSelectors(
        config,
        methods.map(({ path }) => path),
      ),
    );
  }
  yield;
  const openApi = openApiInput(config, rest);
  const { pages, warnings: hidden } = pagesOf(config.http, openApi, health);
  warnings.pushAll(hidden);
  const router = new PageRouter(rest.router, pages, interceptors);
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
    warnings: warnings.list("warnings about schemas and routes"),
    explain: (httpMethod, target) => router.explain(httpMethod, target) ?? rest.explain(httpMethod, target),
  };
}

function forms(config: Config): (method: Method) => boolean {
  const own = methodConfig(config.methods)((method) => method?.forms);
  return (method) => own(method) ?? false;
}

function* addRoutesOf({ cluster, config, schema }: Origin, routes: ServiceRoute[]): Generator<void> {
  if (schema === undefined) return;
  const route = (service: string, methods: readonly Method[]): ServiceRoute => ({
    service,
    methods,
    upstream: config.name,
    handler: cluster.handler,
  });
  for (const service of schema.services) {
    routes.push(route(service.typeName, methodsOfService(service)));
    yield;
  }
  for (const service of schema.undescribed) routes.push(route(service, []));
}

/** Problems that an error names; the admin listener has them all. */
const MAX_SHOWN = 5;

function firstOf(problems: readonly string[]): string {
  const more = problems.length - MAX_SHOWN;
  return [...problems.slice(0, MAX_SHOWN), ...(more > 0 ? [`and ${more} more`] : [])].join("; ");
}
