// The state of a certificate in use: for the log, the admin listener and metrics.
import type { Log } from "../kit/log.js";

/** Sent to clients or to a service; or a CA that verifies clients, or a service. */
export type CertificateRole = "server" | "client" | "client_ca" | "server_ca";

export interface CertificateState {
  /** Whose it is, e.g. `listener 127.0.0.1:8443`, `upstream "library"`. */
  readonly owner: string;
  readonly role: CertificateRole;
  readonly file: string;
  /** When the first of those in the file ends, milliseconds since 1970. */
  readonly expiresAt: number;
  /** Why the pair that is in the files now is not used; undefined: it is used. */
  readonly problem: string | undefined;
}

const DAY_MS = 24 * 60 * 60 * 1000;
const WARNING_DAYS = 30;

/** Warns of certificates that have expired, or will within 30 days. */
export function warnOfExpiry(
  states: readonly CertificateState[],
  log: Log,
  nowMs: number = Date.now(),
): void {
  for (const state of states) tellOne(state, log, nowMs);
}

function tellOne(state: CertificateState, log: Log, nowMs: number): void {
  const days = Math.floor((state.expiresAt - nowMs) / DAY_MS);
  if (days >= WARNING_DAYS) return;
  const when = new Date(state.expiresAt).toISOString().slice(0, 16).replace("T", " ");
  log.warn(
    days < 0
      ? `${state.owner}: the certificate in ${state.file} has expired (${when} UTC)`
      : `${state.owner}: the certificate in ${state.file} expires in ${days} days (${when} UTC)`,
  );
}
