// The common part of the TLS keys of listeners and upstreams: their files are checked.
import type { Place } from "../../config/section.js";
import { readCertificates, readKeyPair } from "../../tls/pem.js";

/** A certificate and its key, at `cert` and `key` of the place. */
export function checkPair(cert: string | undefined, key: string | undefined, at: Place): void {
  if (!at.readsFiles || cert === undefined || key === undefined) return;
  const pair = readKeyPair(cert, key);
  if (!pair.ok) for (const problem of pair.problems) at.wrong([problem.file], problem.message);
}

/** Certificates that are trusted, at a key of the place. */
export function checkAuthorities(ca: string | undefined, key: string, at: Place): void {
  if (!at.readsFiles || ca === undefined) return;
  const read = readCertificates(ca);
  if (!read.ok) at.wrong([key], read.reason);
}
