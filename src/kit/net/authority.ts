// The host that a request names: `Host`, `:authority`, or the one in a target of absolute form.

/**
 * RFC 3986 §3.2, without user information, which such a name never has (RFC 9110 §4.2.4). Empty where a client names
 * no host. It goes on to services, and libraries there end a connection with many requests that name none.
 */
const AUTHORITY = /^[A-Za-z0-9._~!$&'()*+,;=:%[\]-]*$/;

export function isAuthority(text: string): boolean {
  return AUTHORITY.test(text);
}
