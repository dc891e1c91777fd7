// Shared code of the readers of protobuf's binary format.
import { DecodeError } from "./decode-error.js";

/** Nesting of messages: protobuf's own limit. */
export const MAX_DEPTH = 100;
export const MAX_VARINT_BYTES = 10;
export const TWO_32 = 2 ** 32;

export function truncated(): DecodeError {
  return new DecodeError("the bytes end within a field");
}
