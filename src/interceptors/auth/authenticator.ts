// The interface of the authenticators (API key, JWT, client certificate).
import type { Call, Identity } from "../../call/call.js";
import type { Status } from "../../call/status/status.js";
import type { Headers } from "../../kit/headers.js";

/** Checks one kind of credential. */
export interface Authenticator {
  /** Value of WWW-Authenticate for a caller without credentials. */
  readonly challenge: string;
  /** What a caller may present, as part of a sentence: `an API key in x-api-key`. */
  readonly invitation: string;
  /** undefined: the call has no credential of this kind. A Status: it has one that is invalid. */
  check(call: Call): AuthResult | Promise<AuthResult>;
}

export type AuthResult = undefined | Identity | Status;

/** The field appears more than once. */
export const REPEATED = Symbol("repeated");

/** The only value of the field `name`; undefined if it is missing. */
export function singleValue(headers: Headers, name: string): string | undefined | typeof REPEATED {
  const fields = headers.fields;
  let value: string | undefined;
  for (let i = 0; i < fields.length; i++) {
    const f = fields[i];
    if (f === undefined || f.name !== name) continue;
    if (value !== undefined) return REPEATED;
    value = f.value;
  }
  return value;
}
