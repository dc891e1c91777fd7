// A thread's input and output for one large message: the route as its rule, so that the thread makes the same plan and
// runs the same code as the event loop.
import { Status, type StatusDetail } from "../../call/status/status.js";
import type { BindingPlan, BindingSource } from "../routes/binding.js";
import type { RequestPath } from "../routes/path.js";
import type { RequestOptions } from "../translate/request.js";
import type { ResponseForm } from "../translate/response.js";

/** The rule of a BindingPlan. */
export interface PlanSource {
  readonly service: string;
  readonly method: string;
  readonly httpMethod: string;
  readonly template: string;
  readonly body: string;
  readonly responseBody: string;
  readonly source: BindingSource;
  readonly forms: boolean;
}

export interface EncodeJob {
  /** body: of a unary request. text: the JSON of one message of a stream. */
  readonly kind: "body" | "text";
  readonly plan: PlanSource;
  readonly bytes: Uint8Array;
  readonly contentType: string | undefined;
  readonly path: RequestPath;
  readonly query: string;
  /** As in MatchedRequest. */
  readonly overridden: boolean;
  readonly options: Omit<RequestOptions, "codecs">;
}

export interface PrintJob {
  readonly kind: "response";
  readonly plan: PlanSource;
  readonly bytes: Uint8Array;
  readonly form: ResponseForm;
}

export type Job = EncodeJob | PrintJob;

/** From a thread: one for each job, in their order. */
export type JobResult =
  | { readonly bytes: Uint8Array; readonly contentType: string }
  | { readonly status: StatusParts }
  /** Something threw there: its stack. */
  | { readonly fault: string };

/** A Status, as far as translation uses it. */
export interface StatusParts {
  readonly code: number;
  readonly message: string;
  readonly details: readonly StatusDetail[];
  readonly http: number;
  readonly cause: string | undefined;
}

/** Nothing of the plan is computed for it. */
export function planSource({ method, httpMethod, text, rule, source, forms }: BindingPlan): PlanSource {
  return {
    service: method.service,
    method: method.name,
    httpMethod,
    template: text,
    body: rule.body,
    responseBody: rule.responseBody,
    source,
    forms,
  };
}

export function statusParts({ code, message, details, http, cause }: Status): StatusParts {
  const said = cause instanceof Error ? cause.message : undefined;
  return { code, message, details, http, cause: said };
}

export function statusOf({ code, message, details, http, cause }: StatusParts): Status {
  return new Status(code, message, {
    details,
    http,
    cause: cause === undefined ? undefined : new Error(cause),
  });
}
