// Finds, replaces and removes response fields.
import type { CorsPolicy } from "../../../call/http-policy.js";
import { type Field, field } from "../../../kit/headers.js";
import { addCorsFields } from "./cors.js";

export const NO_SNIFF: Field = field("x-content-type-options", "nosniff");

export function fieldOf(fields: readonly Field[], name: string): string | undefined {
  for (const f of fields) if (f.name === name) return f.value;
  return undefined;
}

/** A download, strictly by RFC 6266: browsers display what they cannot parse. */
const ATTACHMENT = /^attachment[ \t]*(?:;.*)?$/i;

/** Sets a field of the format in place of the service's own, except for a download that the service names. */
export function replace(fields: Field[], own: Field): void {
  const theirs = fields.filter((f) => f.name === own.name);
  const [one] = theirs;
  if (own.name === "content-disposition" && theirs.length === 1 && ATTACHMENT.test(one?.value ?? "")) return;
  for (const f of theirs) fields.splice(fields.indexOf(f), 1);
  fields.push(own);
}

/** The hub decides about pages of other sites: the service's CORS fields are removed. */
export function withCors(fields: readonly Field[], policy: CorsPolicy, origin: string | undefined): Field[] {
  const all = fields.filter((f) => !f.name.startsWith("access-control-"));
  addCorsFields(all, policy, origin);
  return all;
}

export function isBodyless(status: number): boolean {
  return status === 204 || status === 205;
}

export function withoutContent(fields: readonly Field[]): Field[] {
  return fields.filter((f) => f.name !== "content-type" && f.name !== "content-disposition");
}
