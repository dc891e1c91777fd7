// Whether a connection's first bytes can be an HTTP/1.1 request: used by the listener to choose a protocol.
import { METHODS } from "node:http";

/** A method (RFC 9110 §5.6.2): the longest that is registered has 17 letters. */
const TOKEN = /^[!#$%&'*+\-.^_`|~\dA-Za-z]{1,32}$/;
const LOOKED_AT_BYTES = 40;
const KNOWN = new Set(METHODS);

/**
 * Undefined: more bytes are needed (33 at most). False for bytes that no HTTP/1.1 client sends: such a peer gets no
 * response, since it would not understand one. RFC 9113 §3.4 wants the connection closed on a wrong preface, and RFC
 * 9112 §3 a 400 for a malformed request line. A request line is METHOD SP TARGET, and only CONNECT's target begins with
 * anything but `/`, `*` or `http` (RFC 9112 §3.2). After a well-known method everything counts as HTTP, so that a
 * client with a malformed rest gets an error.
 */
export function beginsHttp1(start: Buffer): boolean | undefined {
  const text = start.toString("latin1", 0, LOOKED_AT_BYTES);
  if (/^[\r\n]/.test(text)) return true; // empty lines before a request are to be ignored (RFC 9112 §2.2)
  const space = text.indexOf(" ");
  const method = space === -1 ? text : text.slice(0, space);
  if (!TOKEN.test(method)) return false;
  if (space === -1) return undefined;
  if (KNOWN.has(method)) return true;
  return space + 1 === text.length ? undefined : /^[/*h]/i.test(text.slice(space + 1));
}
