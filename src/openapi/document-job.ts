// Input and output of the thread that makes OpenAPI documents: routes are sent as their rules, from which the thread
// makes the same plans.
import type { JsonObject } from "@bufbuild/protobuf";
import type { Method } from "../call/call.js";
import type { BindingPlan } from "../transcoding/routes/binding.js";
import { type PlanSource, planSource } from "../transcoding/threads/job.js";
import type { ThreadTypes } from "../transcoding/threads/schema.js";
import type { Success } from "../transcoding/translate/success.js";
import type { Access, OpenApiHttp, OpenApiInput } from "./document.js";

/** Of all upstreams whose services have routes. */
export interface DocumentSchema {
  readonly types: readonly ThreadTypes[];
}

export type Format = "json" | "yaml";

export interface DocumentJob {
  readonly format: Format;
  /** Lines of JSON: a DocumentHead, and a DocumentRoute for each route in their order. */
  readonly bytes: Uint8Array;
}

export type DocumentResult =
  | { readonly bytes: Uint8Array; readonly etag: string }
  /** It would be larger than any document may be. */
  | { readonly tooLarge: string }
  /** Something threw there: its stack. */
  | { readonly fault: string };

export interface DocumentHead {
  readonly prefix: string;
  readonly http: OpenApiHttp;
  readonly securitySchemes: JsonObject | undefined;
}

export interface DocumentRoute {
  readonly source: PlanSource;
  /** Index of its service's part in DocumentSchema. */
  readonly types: number;
  readonly success: Success | undefined;
  readonly access: Access;
}

/** The parts of the hub's config that the thread needs. */
export function headOf({ prefix, http, securitySchemes }: OpenApiInput): DocumentHead {
  const { print, streamFormat, emptyAs204, etag, errorForm, bareSystemParameters, webSocketOrigins } = http;
  const own = { print, streamFormat, emptyAs204, etag, errorForm, bareSystemParameters, webSocketOrigins };
  return { prefix, http: own, securitySchemes };
}

export function routeOf(plan: BindingPlan, types: number, input: OpenApiInput): DocumentRoute {
  const { method } = plan;
  return { source: planSource(plan), types, success: input.success(method), access: input.access(method) };
}

/** In the thread: restores the input. `planOf` returns the plan of a route. */
export function inputOf(
  { prefix, http, securitySchemes }: DocumentHead,
  routes: readonly DocumentRoute[],
  planOf: (route: DocumentRoute) => BindingPlan,
): OpenApiInput {
  const byMethod = new Map<Method, DocumentRoute>();
  const plans = routes.map((route) => {
    const plan = planOf(route);
    byMethod.set(plan.method, route);
    return plan;
  });
  return {
    plans,
    prefix,
    http,
    securitySchemes,
    success: (method) => byMethod.get(method)?.success,
    access: (method) => byMethod.get(method)?.access ?? { auth: "none", roles: undefined },
  };
}
