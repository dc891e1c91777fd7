// Hex as RFC 7541 writes it, for the tests of HPACK.

/** Bytes from hex digits; spaces and line ends are left out. */
export function hex(text: string): Buffer {
  return Buffer.from(text.replace(/\s/g, ""), "hex");
}
