// Under which names a client's field may reach a service, and which names the hub alone sends: for every protocol.
import type { MetadataNames } from "./http-policy.js";

/**
 * Those that a gateway's service may want to see nevertheless (`MetadataNames.standardPrefix`): RFC 9110 and cookies. Host
 * is none of them, which is `x-forwarded-host`.
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

/** The name that a field of HTTP's own gets beside its own one; undefined: it has but one. */
export function standardName(name: string, { standardPrefix }: Prefix): string | undefined {
  return standardPrefix !== "" && STANDARD.has(name) ? standardPrefix + name : undefined;
}

/** Every name under which the hub gives a client's field of this name to services: what is kept back goes by all of them. */
export function upstreamNames(name: string, prefix: Prefix): readonly string[] {
  const standard = standardName(name, prefix);
  return standard === undefined ? [name] : [name, standard];
}

/** Whether a request field speaks of the hops before this one. */
export function isForwarding(name: string): boolean {
  // Nearly no field does: two comparisons for all the others.
  const first = name.charCodeAt(0);
  if (first !== 0x78 /* x */ && first !== 0x66 /* f */) return false;
  return FORWARDING_LENGTHS[name.length] === true && FORWARDING.has(folded(name));
}

/**
 * Whether a field of this name is the hub's to send, so that a client's is dropped, whatever protocol it comes by: what
 * says how the call came (x-forwarded-for, …), and what says what came as HTTP's own field (`standardPrefix`).
 */
export function isHubs(name: string, { standardPrefix }: Prefix): boolean {
  if (isForwarding(name)) return true;
  if (standardPrefix === "") return false;
  return folded(name.slice(0, standardPrefix.length)) === standardPrefix;
}

/**
 * A name as frameworks may read it: CGI and WSGI make one of dashes, dots and underscores, so what is told apart by them
 * here would be one there.
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
