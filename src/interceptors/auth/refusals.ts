// Errors for missing or invalid credentials, with the challenges of what is accepted.

import { type Reason, refusal } from "../../call/status/reasons.js";
import type { Status } from "../../call/status/status.js";
import { Headers } from "../../kit/headers.js";
import type { Authenticator } from "./authenticator.js";

/** The protection space that challenges name (RFC 9110 §11.5): the hub as a whole. */
export const REALM = "linchpin";

/** UNAUTHENTICATED, 401. `challenges` are the values of WWW-Authenticate (RFC 9110 §11.6.1), one field each. */
export function unauthenticated(
  reason: Reason,
  message: string,
  challenges: readonly string[],
  cause?: unknown,
): Status {
  const metadata = Headers.of(...challenges.map((value) => ["www-authenticate", value] as const));
  return refusal(reason, message, { metadata, cause });
}

/** The error for a call without credentials. */
export function missingCredentials(authenticators: readonly Authenticator[]): Status {
  const invitations = authenticators.map((authenticator) => authenticator.invitation);
  const challenges = authenticators.map((authenticator) => authenticator.challenge);
  const message = `this method needs to know who calls: send ${invitations.join(", or ")}`;
  return unauthenticated("MISSING_CREDENTIALS", message, challenges);
}
