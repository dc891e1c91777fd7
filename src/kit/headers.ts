// Header fields as they are on the wire, and the metadata of a call: an overlay over a received block.

/** One header field. Names are lower case, values ISO-8859-1 text; `-bin` values stay base64 as received. */
export interface Field {
  readonly name: string;
  readonly value: string;
  /** Never-indexed (RFC 7541 §7.1.3): preserved on every hop. */
  readonly sensitive: boolean;
}

const NONE: readonly Field[] = [];
/** RFC 9113 §8.2.1: lower-case tokens; visible ISO-8859-1 with inner spaces and tabs. */
const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const VALUE = /^$|^[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?$/;

/** Makes a field; `sensitive` defaults to false. */
export function field(name: string, value: string, sensitive = false): Field {
  return { name, value, sensitive };
}

/**
 * The metadata of one direction of a call. The received block is shared and never changed (several calls may
 * carry the very same one): the first edit copies the list of fields, not the fields.
 */
export class Headers {
  #fields: readonly Field[];
  #own: Field[] | undefined;

  constructor(received: readonly Field[] = NONE) {
    this.#fields = received;
  }

  /** Builds headers from `[name, value]` pairs. Names are taken as they are, and must be lower case. */
  static of(...pairs: readonly (readonly [string, string])[]): Headers {
    return new Headers(pairs.map(([name, value]) => field(name, value)));
  }

  /** The fields in order; not to be changed by the caller. */
  get fields(): readonly Field[] {
    return this.#fields;
  }

  /** The first value of `name`, or undefined. */
  get(name: string): string | undefined {
    const fields = this.#fields;
    for (let i = 0; i < fields.length; i++) {
      const f = fields[i];
      if (f !== undefined && f.name === name) return f.value;
    }
    return undefined;
  }

  /** All values of `name`, in order. */
  getAll(name: string): string[] {
    const values: string[] = [];
    for (const f of this.#fields) if (f.name === name) values.push(f.value);
    return values;
  }

  /** Replaces every field of that name with one. */
  set(name: string, value: string, sensitive = false): void {
    this.delete(name);
    this.append(name, value, sensitive);
  }

  /**
   * Throws a TypeError for a name or value that no header can carry: such a field would break the message, or split it.
   */
  append(name: string, value: string, sensitive = false): void {
    if (!NAME.test(name) || !VALUE.test(value))
      throw new TypeError(`not a valid header field: ${JSON.stringify(name)}`);
    this.#edit().push(field(name, value, sensitive));
  }

  delete(name: string): void {
    if (this.get(name) === undefined) return;
    this.#own = this.#fields.filter((f) => f.name !== name);
    this.#fields = this.#own;
  }

  #edit(): Field[] {
    if (this.#own === undefined) {
      this.#own = this.#fields.slice();
      this.#fields = this.#own;
    }
    return this.#own;
  }
}
