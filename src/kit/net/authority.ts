// The host that a request names: `Host`, `:authority`, or the one in a target of absolute form.

/**
 * RFC 3986 §3.2, without user information, which is not allowed here (RFC 9110 §4.2.4). Empty if a client gives no
 * host. It is passed on to services, and some libraries there close a connection with many requests without one.
 */
const AUTHORITY = /^[A-Za-z0-9._~!$&'()*+,;=:%[\]-]*$/;

export function isAuthority(text: string): boolean {
  return AUTHORITY.test(text);
}
