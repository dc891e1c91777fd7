// What there is to tell of a certificate in use: for the log, the admin listener and metrics.
import type { Log } from "../core/log.js";

export interface CertificateState {
  /** Whose it is, e.g. `listener 127.0.0.1:8443`, `upstream "library"`. */
  readonly owner: string;
  /** Shown to clients, or to a service. */
  readonly role: "server" | "client";
  readonly file: string;
  /** When the first of its chain ends, milliseconds since 1970. */
  readonly expiresAt: number;
  /** Why what lies in the files now is not in use, if it is not. */
  readonly problem: string | undefined;
}

const DAY_MS = 24 * 60 * 60 * 1000;
const WARNING_DAYS = 30;

/** Warns of a certificate that has expired, or will within 30 days. */
export function tellExpiry(state: CertificateState, log: Log, nowMs: number = Date.now()): void {
  const days = Math.floor((state.expiresAt - nowMs) / DAY_MS);
  if (days >= WARNING_DAYS) return;
  const when = new Date(state.expiresAt).toISOString().slice(0, 16).replace("T", " ");
  log.warn(
    days < 0
      ? `${state.owner}: the certificate in ${state.file} has expired (${when} UTC)`
      : `${state.owner}: the certificate in ${state.file} expires in ${days} days (${when} UTC)`,
  );
}
