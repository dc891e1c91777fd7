// The refusal of a caller whose credential is missing or wrong, with the challenge that says what would be right.

import { type Reason, refusal } from "../call/status/reasons.js";
import type { Status } from "../call/status/status.js";
import { Headers } from "../kit/headers.js";

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
