// What the ways to say who one is have in common.
import type { Call, Identity } from "../../call/call.js";
import type { Status } from "../../call/status/status.js";
import type { Headers } from "../../kit/headers.js";

/** One kind of credential. */
export interface CredentialWay {
  /** Told to a caller who presents nothing: the value of WWW-Authenticate. */
  readonly challenge: string;
  /** What a caller may present, for a sentence: `an API key in x-api-key`. */
  readonly invitation: string;
  /** undefined: the call carries no credential of this kind. A Status: it carries one that is wrong. */
  check(call: Call): Answer | Promise<Answer>;
}

export type Answer = undefined | Identity | Status;

/** More fields of one name than one. */
export const SEVERAL = Symbol("several");

/** The only value of `name`; undefined when there is none. */
export function single(headers: Headers, name: string): string | undefined | typeof SEVERAL {
  const fields = headers.fields;
  let value: string | undefined;
  for (let i = 0; i < fields.length; i++) {
    const f = fields[i];
    if (f === undefined || f.name !== name) continue;
    if (value !== undefined) return SEVERAL;
    value = f.value;
  }
  return value;
}
