// The forms of the names in a config: upstreams, services and methods.

const IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*";
const METHOD_SELECTOR = new RegExp(`^${IDENTIFIER}(?:\\.${IDENTIFIER})*(?:/${IDENTIFIER})?$`);

/** What an upstream's name must be. It stands in metrics, logs and URLs of the admin listener. */
export const UPSTREAM_NAME =
  "must be a name of 1 to 63 letters, digits, dots, dashes and underscores that starts with a letter or digit, and is not hub";

export function isUpstreamName(name: string): boolean {
  // `hub` is the cluster of the hub's own services.
  return name !== "hub" && /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(name);
}

/** `pkg.Service` or `pkg.Service/Method`. */
export function isMethodSelector(selector: string): boolean {
  return selector.length <= 512 && METHOD_SELECTOR.test(selector);
}

/** The selector of google.api.HttpRule: a method's full name, dots only. */
export const HTTP_RULE_SELECTOR = {
  pattern: new RegExp(`^${IDENTIFIER}(?:\\.${IDENTIFIER})+$`),
  expected: "must be pkg.Service.Method, with dots only",
};
