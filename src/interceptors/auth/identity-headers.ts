// The headers with the caller's identity: removed from every call of a client, set only by the hub.

import type { Call, Identity } from "../../call/call.js";
import type { Interceptor } from "../../call/interceptor.js";
import { folded, lengthsOf } from "../../call/upstream-names.js";
import { type AuthConfig, IDENTITY_HEADER, ROLES_HEADER } from "./section.js";

/**
 * Removes the headers that only the hub may set, on every method, with or without auth: the default names too, since a
 * service may trust them already. Dots and underscores count as dashes, and a `-bin` variant as the header itself:
 * names that a service's framework treats alike must not be distinguished here (CGI and WSGI treat all three alike).
 */
export function identityHeaders(auth: AuthConfig | undefined): Interceptor {
  const { identity = IDENTITY_HEADER, roles = ROLES_HEADER } = auth?.forward ?? {};
  const names = new Set([identity, roles, IDENTITY_HEADER, ROLES_HEADER]);
  const reservedNames = new Set([...names].flatMap((name) => [name, `${name}-bin`]));
  // By length first: it excludes most headers, at a few nanoseconds each.
  const lengths = lengthsOf(reservedNames);
  const reserved = (name: string): boolean =>
    lengths[name.length] === true && reservedNames.has(folded(name));
  const step = {
    name: "identity-headers",
    start({ headers }: Call): undefined {
      const fields = headers.fields;
      for (let i = 0; i < fields.length; i++) {
        const f = fields[i];
        // `delete` makes a new list, and leaves this one unchanged.
        if (f !== undefined && reserved(f.name)) headers.delete(f.name);
      }
    },
  };
  return { name: step.name, plan: () => step };
}

/** Sets the headers for the service, as configured. */
export function identityHeaderWriter(
  forward: AuthConfig["forward"],
): ((call: Call, identity: Identity) => void) | undefined {
  const { identity: nameHeader, roles: rolesHeader } = forward;
  if (nameHeader === undefined && rolesHeader === undefined) return undefined;
  const values = new WeakMap<Identity, { readonly name: string; readonly roles: string }>();
  return ({ headers }, identity) => {
    let forwarded = values.get(identity);
    if (forwarded === undefined) {
      forwarded = {
        name: `${identity.kind}:${escaped(identity.name)}`,
        roles: identity.roles.map(escaped).join(","),
      };
      values.set(identity, forwarded);
    }
    if (nameHeader !== undefined) headers.set(nameHeader, forwarded.name);
    if (rolesHeader !== undefined) headers.set(rolesHeader, forwarded.roles);
  };
}

/** Percent-encodes characters that a header cannot carry, and the comma that separates roles: a claim is any text. */
function escaped(text: string): string {
  if (/^[\x21-\x24\x26-\x2b\x2d-\x7e]*$/.test(text)) return text;
  let out = "";
  for (const byte of Buffer.from(text, "utf8")) {
    const plain = byte > 0x20 && byte < 0x7f && byte !== 0x25 && byte !== 0x2c;
    out += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return out;
}
