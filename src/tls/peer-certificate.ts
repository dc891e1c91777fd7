// The identity in a client's certificate. Read once per connection, after the handshake has verified it.
import type { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { PeerCertificate } from "../call/call.js";

/** SPIFFE-ID §2.3: an id is at most 2048 bytes. */
const MAX_NAME_LENGTH = 2048;
// SPIFFE-ID §2: a trust domain, then path segments that are not empty, "." or "..".
const SPIFFE_ID = /^spiffe:\/\/[a-z0-9._-]{1,255}(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+)*$/;
// As in a certificate; a wildcard names no single client.
const DNS_NAME =
  /^(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)*$/;

/**
 * The client's certificate; undefined without TLS, without a certificate, with one that the listener's clientCa did not
 * sign, and with one that has no name or more than one.
 */
export function peerCertificate(socket: Socket): PeerCertificate | undefined {
  // `authorized` alone is not enough: it is also true of a TLS 1.3 session that is resumed without a certificate.
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const certificate = socket.getPeerX509Certificate();
  return certificate === undefined ? undefined : certificateName(certificate);
}

/** The name in a certificate: SPIFFE URI SAN, else first DNS SAN, else the subject's common name. */
export function certificateName(certificate: X509Certificate): PeerCertificate | undefined {
  const name = nameOf(certificate);
  if (name === undefined) return undefined;
  return { name, fingerprint: certificate.fingerprint256.replaceAll(":", "").toLowerCase() };
}

function nameOf(certificate: X509Certificate): string | undefined {
  const names = alternativeNames(certificate.subjectAltName ?? "");
  if (names === undefined) return undefined;
  const uris = names.filter(({ kind }) => kind === "URI").map(({ value }) => value);
  if (uris.some((uri) => /^spiffe:/i.test(uri))) {
    // An X.509-SVID has exactly one URI SAN (X509-SVID §2): with two, which one was meant?
    const [id = ""] = uris;
    return uris.length === 1 && id.length <= MAX_NAME_LENGTH && SPIFFE_ID.test(id) ? id : undefined;
  }
  const dns = names.find(({ kind }) => kind === "DNS");
  if (dns !== undefined) return DNS_NAME.test(dns.value) ? dns.value.toLowerCase() : undefined;
  return commonName(certificate);
}

interface AlternativeName {
  readonly kind: string;
  readonly value: string;
}

// Node writes `KIND:value, KIND:value`, a value that could be mistaken as a JSON string (since CVE-2021-44532).
const ALTERNATIVE_NAME = /([A-Za-z0-9 ]+):("(?:[^"\\]|\\.)*"|[^",]*)(?:, |$)/y;

/** Undefined if the text is not exactly a list of names: then none of them is trusted. */
export function alternativeNames(text: string): readonly AlternativeName[] | undefined {
  const names: AlternativeName[] = [];
  const pattern = new RegExp(ALTERNATIVE_NAME);
  while (pattern.lastIndex < text.length) {
    const match = pattern.exec(text);
    if (match === null) return undefined;
    const [, kind = "", raw = ""] = match;
    const value = raw.startsWith('"') ? unquoted(raw) : raw;
    if (value === undefined) return undefined;
    names.push({ kind, value });
  }
  return names;
}

function unquoted(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}

/** One common name, of printable characters, that does not look like an id of another kind. */
function commonName(certificate: X509Certificate): string | undefined {
  const name: unknown = certificate.toLegacyObject().subject?.CN;
  if (typeof name !== "string" || name === "" || name.length > MAX_NAME_LENGTH) return undefined;
  if (/^spiffe:/i.test(name) || /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(name)) return undefined;
  return name;
}
