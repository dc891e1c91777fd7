// How large a header list is, as SETTINGS_MAX_HEADER_LIST_SIZE counts it.
import type { Field } from "../../kit/headers.js";

/** RFC 9113 §6.5.2: beside name and value, for each field. */
const FIELD_BYTES = 32;

/** Bytes of the fields, of which each character is one (a field's value is Latin-1). */
export function listBytes(fields: readonly Field[]): number {
  let bytes = 0;
  for (let i = 0; i < fields.length; i++) {
    const f = fields[i];
    if (f !== undefined) bytes += f.name.length + f.value.length + FIELD_BYTES;
  }
  return bytes;
}
