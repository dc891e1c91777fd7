// Callers with a client certificate: the listener has verified it, here it gets a name and roles.

import type { Call, Identity } from "../../call/call.js";
import type { Authenticator, AuthResult } from "./authenticator.js";
import { GenerationalCache } from "./generational-cache.js";
import { REALM } from "./refusals.js";
import type { AuthConfig } from "./section.js";

const MAX_REMEMBERED = 10_000;
const NO_ROLES: readonly string[] = [];

/** Every certificate that the listener's CA has signed is an identity; roles are by its name, to the letter. */
export function mtlsAuthenticator({ roles }: NonNullable<AuthConfig["mtls"]>): Authenticator {
  const byName = new Map(Object.entries(roles));
  const identities = new GenerationalCache<Identity>(MAX_REMEMBERED);
  return {
    // No registered scheme covers this, and a 401 must have a challenge (RFC 9110 §15.5.2).
    challenge: `ClientCertificate realm="${REALM}"`,
    invitation: "a client certificate",
    check({ peer }: Call): AuthResult {
      const name = peer.certificate?.name;
      if (name === undefined || name === "") return undefined;
      const known = identities.get(name);
      if (known !== undefined) return known;
      const identity: Identity = { name, kind: "mtls", roles: byName.get(name) ?? NO_ROLES };
      identities.set(name, identity);
      return identity;
    },
  };
}
