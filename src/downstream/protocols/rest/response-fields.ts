// Fields of an answer: found, replaced, left out.
import type { CorsPolicy } from "../../../call/http-policy.js";
import { type Field, field } from "../../../kit/headers.js";
import { addCorsFields } from "./cors.js";

export const NO_SNIFF: Field = field("x-content-type-options", "nosniff");

export function fieldOf(fields: readonly Field[], name: string): string | undefined {
  for (const f of fields) if (f.name === name) return f.value;
  return undefined;
}

/** A download by RFC 6266 to the letter: browsers show what they cannot read. */
const ATTACHMENT = /^attachment[ \t]*(?:;.*)?$/i;

/** Puts a field of the format in place of the service's own, but for a download that the service gives a name. */
export function replace(fields: Field[], own: Field): void {
  const theirs = fields.filter((f) => f.name === own.name);
  const [one] = theirs;
  if (own.name === "content-disposition" && theirs.length === 1 && ATTACHMENT.test(one?.value ?? "")) return;
  for (const f of theirs) fields.splice(fields.indexOf(f), 1);
  fields.push(own);
}

/** What pages of other sites may do is the hub's to say: the service's word on it is left out. */
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
