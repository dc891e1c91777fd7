// The roles of a verified token: its scopes, and its roles claim.
import { MAX_ROLES } from "../../config/names.js";

const MAX_ROLE_LENGTH = 128;

type Claims = Readonly<Record<string, unknown>>;

/** At most 100, each once; anything in a claim that is no text is left out. */
export function rolesOf(claims: Claims, rolesClaim: string): readonly string[] {
  const roles = new Set<string>();
  for (const value of [claims.scope, claims.scp, at(claims, rolesClaim)]) {
    // RFC 8693 §4.2: scopes are one text; some issuers send `scp` and roles as lists, some as one text.
    const list: readonly unknown[] =
      typeof value === "string" ? value.split(" ") : Array.isArray(value) ? value : [];
    for (const role of list) {
      if (roles.size >= MAX_ROLES) return [...roles];
      if (typeof role === "string" && role !== "" && role.length <= MAX_ROLE_LENGTH) roles.add(role);
    }
  }
  return [...roles];
}

/**
 * The claim with this name, even if it contains dots (`https://a.example/roles`), otherwise the nested one that the
 * dots lead to.
 */
function at(claims: Claims, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path];
  let value: unknown = claims;
  for (const name of path.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
    value = Reflect.get(value, name);
  }
  return value;
}
