// Percent-encoding (RFC 3986 §2.1) in paths.

/** Some character needs decoding: an escape, or a byte beyond ASCII (clients send those though RFC 3986 has them escaped). */
export const NEEDS_DECODING = /[%\x80-\uffff]/;

/** Decodes %XX escapes of UTF-8 (RFC 3986 §2.1); undefined when one is malformed or the bytes are not UTF-8. */
export function decodePercent(text: string): string | undefined {
  if (!NEEDS_DECODING.test(text)) return text;
  // A header block reaches us as ISO-8859-1: a raw byte beyond ASCII is one character below U+0100.
  const ascii = text.replace(/[\x80-\uffff]+/g, escapeRawBytes);
  try {
    return decodeURIComponent(ascii);
  } catch {
    return undefined;
  }
}

function escapeRawBytes(chars: string): string {
  const bytes = /^[\x80-\xff]*$/.test(chars) ? Buffer.from(chars, "latin1") : Buffer.from(chars, "utf8");
  return bytes.toString("hex").replace(/../g, "%$&");
}
