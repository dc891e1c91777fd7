// The grammar of names in a config: upstreams, services and methods.

const IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*";
const FULL_NAME = new RegExp(`^${IDENTIFIER}(?:\\.${IDENTIFIER})*$`);
const METHOD_SELECTOR = new RegExp(`^${IDENTIFIER}(?:\\.${IDENTIFIER})*(?:/${IDENTIFIER}|\\.\\*)?$`);
/** Characters of a method's, service's or package's name. */
const MAX_SELECTOR_CHARS = 512;

/** Grammar of an upstream's name. It appears in metrics, logs and URLs of the admin listener. */
export const UPSTREAM_NAME =
  "must be a name of 1 to 63 letters, digits, dots, dashes and underscores that starts with a letter or digit, and is not hub";

export function isUpstreamName(name: string): boolean {
  // `hub` is the cluster of the hub's own services.
  return name !== "hub" && /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(name);
}

/** Grammar of an upstream's `services`. */
export const SERVICE_NAME = "must be the full name of a service, as in library.v1.LibraryService";

/** `pkg.Service` or `Service`. */
export function isServiceName(name: string): boolean {
  return name.length <= MAX_SELECTOR_CHARS && FULL_NAME.test(name);
}

/** Grammar of the keys of `methods`. */
export const METHOD_SELECTOR_EXPECTED =
  "must be pkg.Service/Method, pkg.Service for all its methods, or pkg.* for all services below pkg";

/** `pkg.Service/Method`, `pkg.Service` or `pkg.*`. */
export function isMethodSelector(selector: string): boolean {
  return selector.length <= MAX_SELECTOR_CHARS && METHOD_SELECTOR.test(selector);
}

/** The selector of google.api.HttpRule: a method's full name, dots only. */
export const HTTP_RULE_SELECTOR = {
  pattern: new RegExp(`^${IDENTIFIER}(?:\\.${IDENTIFIER})+$`),
  expected: "must be pkg.Service.Method, with dots only",
};

/** Grammar of the name of a caller with an API key. It appears in logs, metrics and headers. */
export const CALLER_NAME = {
  pattern: /^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,127}$/,
  expected: "must be a name of 1 to 128 letters, digits and . _ : @ / -, starting with a letter or digit",
};

export const ROLE = {
  // A scope (RFC 6749 §3.3), without the comma that separates roles in a header.
  pattern: /^[\x21\x23-\x2b\x2d-\x5b\x5d-\x7e]{1,128}$/,
  expected: "must be a role of 1 to 128 characters, without spaces, commas, quotes and backslashes",
};

export const KEY_SHA256 = {
  pattern: /^[0-9a-fA-F]{64}$/,
  expected: "must be the key's SHA-256, 64 hexadecimal digits: printf %s KEY | sha256sum",
};

/** Limits of lists in a config. */
export const MAX_KEYS = 10_000;
export const MAX_ROLES = 100;
