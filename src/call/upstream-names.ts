// Under which names a client's field may reach a service, and which names only the hub sends: for every protocol.
import type { MetadataNames } from "./http-policy.js";

/**
 * Fields that a gateway's service may want to see nevertheless (`MetadataNames.standardPrefix`): RFC 9110 and cookies.
 * Not Host, which becomes `x-forwarded-host`.
 */
const STANDARD: ReadonlySet<string> = new Set([
  "accept",
  "accept-charset",
  "accept-language",
  "accept-ranges",
  "authorization",
  "cache-control",
  "content-type",
  "cookie",
  "date",
  "expect",
  "from",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-schedule-tag-match",
  "if-unmodified-since",
  "max-forwards",
  "origin",
  "pragma",
  "referer",
  "user-agent",
  "via",
  "warning",
]);

const FORWARDING: ReadonlySet<string> = new Set([
  "x-forwarded-for",
  "x-forwarded-proto",
  "x-forwarded-host",
  // RFC 7239
  "forwarded",
]);
const FORWARDING_LENGTHS: readonly boolean[] = lengthsOf(FORWARDING);

type Prefix = Pick<MetadataNames, "standardPrefix">;

/** The second name of a field of HTTP's own; undefined: it has only one. */
export function standardName(name: string, { standardPrefix }: Prefix): string | undefined {
  return standardPrefix !== "" && STANDARD.has(name) ? standardPrefix + name : undefined;
}

/**
 * Every name under which the hub passes a client's field of this name to services: a withheld field is withheld under
 * all of them.
 */
export function upstreamNames(name: string, prefix: Prefix): readonly string[] {
  const standard = standardName(name, prefix);
  return standard === undefined ? [name] : [name, standard];
}

/** Whether a request field describes earlier hops. */
export function isForwarding(name: string): boolean {
  // Almost no field does: two comparisons for all the others.
  const first = name.charCodeAt(0);
  if (first !== 0x78 /* x */ && first !== 0x66 /* f */) return false;
  return FORWARDING_LENGTHS[name.length] === true && FORWARDING.has(folded(name));
}

/**
 * Whether only the hub may send a field of this name, so that a client's is dropped, in every protocol: fields about
 * the client (x-forwarded-for, …), and copies of HTTP's own fields (`standardPrefix`).
 */
export function isHubs(name: string, { standardPrefix }: Prefix): boolean {
  if (isForwarding(name)) return true;
  if (standardPrefix === "") return false;
  return folded(name.slice(0, standardPrefix.length)) === standardPrefix;
}

/**
 * A name as frameworks may normalize it: CGI and WSGI treat dashes, dots and underscores alike, so names that differ
 * only in these are one name there.
 */
export function folded(name: string): string {
  return name.toLowerCase().replace(/[._]/g, "-");
}

/** For each length whether one of the names has it. */
export function lengthsOf(names: Iterable<string>): boolean[] {
  const lengths: boolean[] = [];
  for (const { length } of names) lengths[length] = true;
  return lengths;
}
