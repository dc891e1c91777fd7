// What a parser of text from outside returns: bad input is a value, not an exception.

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  /** `reason` says what is allowed, and continues a sentence: `must be HOST:PORT`. */
  | { readonly ok: false; readonly reason: string };

export function parsed<T>(value: T): Parsed<T> {
  return { ok: true, value };
}

export function rejected(reason: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason };
}
