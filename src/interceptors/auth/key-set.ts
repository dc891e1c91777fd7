// A JSON Web Key Set (RFC 7517), from a file or from an issuer: which keys of it can verify signatures.
import type { JSONWebKeySet, JWK } from "jose";
import { type Parsed, parsed, rejected } from "../../kit/text/parsed.js";

const MAX_KEYS = 100;

/** The public signature keys of a JSON Web Key Set (RFC 7517); other keys are ignored. */
export function parseKeySet(text: string): Parsed<JSONWebKeySet> {
  const { keys } = fieldsOf(json(text));
  if (!Array.isArray(keys)) return rejected('is no JSON Web Key Set: it must be { "keys": [...] }');
  if (keys.length > MAX_KEYS) return rejected(`has more than ${MAX_KEYS} keys`);
  const usable = keys.filter(isPublicSignatureKey);
  return usable.length > 0 ? parsed({ keys: usable }) : rejected("has no public key for signatures");
}

function isPublicSignatureKey(key: unknown): key is JWK {
  const { kty, use, d, k, kid, alg } = fieldsOf(key);
  if (kty !== "RSA" && kty !== "EC" && kty !== "OKP") return false;
  const optional = [kid, alg, use].every((value) => value === undefined || typeof value === "string");
  return optional && (use === undefined || use === "sig") && d === undefined && k === undefined;
}

/** undefined: it is not a key set. */
export function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The fields of an object; any other value has none. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
