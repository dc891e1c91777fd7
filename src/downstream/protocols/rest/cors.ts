// CORS: what pages of other sites may do (https://fetch.spec.whatwg.org/#http-cors-protocol).

import type { CorsPolicy } from "../../../call/http-policy.js";
import { type Field, field } from "../../../kit/headers.js";

const ALLOW_ORIGIN = "access-control-allow-origin";
const VARY_ORIGIN = field("vary", "origin");
const CREDENTIALS = field("access-control-allow-credentials", "true");
/** Characters of header names in a preflight that are echoed. */
const MAX_ASKED = 2000;
const NAMES = /^[!#$%&'*+\-.^_`|~0-9A-Za-z, \t]*$/;

/** Response fields, for success and failure, for a request of this origin; empty if the origin is not allowed. */
export function addCorsFields(fields: Field[], policy: CorsPolicy, origin: string | undefined): void {
  if (!addOrigin(fields, policy, origin)) return;
  if (policy.exposeHeaders.length > 0) {
    fields.push(field("access-control-expose-headers", policy.exposeHeaders.join(", ")));
  }
}

/** The request of a preflight. */
export interface Preflight {
  readonly origin: string;
  readonly method: string;
  /** Of access-control-request-headers. */
  readonly headers: string | undefined;
}

/** Recognizes a preflight: a request of no other kind (Fetch §4.8, "CORS-preflight fetch"). */
export function preflightOf(httpMethod: string, fields: readonly Field[]): Preflight | undefined {
  if (httpMethod !== "OPTIONS") return undefined;
  let origin: string | undefined;
  let method: string | undefined;
  let headers: string | undefined;
  for (const { name, value } of fields) {
    if (name === "origin") origin = value;
    else if (name === "access-control-request-method") method = value;
    else if (name === "access-control-request-headers") headers = value;
  }
  return origin === undefined || method === undefined ? undefined : { origin, method, headers };
}

/** Fields of the response to a preflight. `allowed`: the methods of the path. */
export function preflightFields(policy: CorsPolicy, asked: Preflight, allowed: readonly string[]): Field[] {
  const fields = [field("vary", "origin, access-control-request-method, access-control-request-headers")];
  if (!addOrigin(fields, policy, asked.origin)) return fields;
  fields.push(field("access-control-allow-methods", allowed.join(", ")));
  const wanted = asked.headers?.slice(0, MAX_ASKED) ?? "";
  const headers = policy.headers?.join(", ") ?? (NAMES.test(wanted) ? wanted : "");
  if (headers !== "") fields.push(field("access-control-allow-headers", headers));
  fields.push(field("access-control-max-age", String(policy.maxAgeSeconds)));
  return fields;
}

function addOrigin(fields: Field[], policy: CorsPolicy, origin: string | undefined): boolean {
  if (policy.origins === "*") {
    fields.push(field(ALLOW_ORIGIN, "*"));
    return true;
  }
  // Caches must not serve one site's response to another, or to requests without an origin.
  fields.push(VARY_ORIGIN);
  if (origin === undefined || !policy.origins.includes(origin)) return false;
  fields.push(field(ALLOW_ORIGIN, origin));
  if (policy.credentials) fields.push(CREDENTIALS);
  return true;
}
