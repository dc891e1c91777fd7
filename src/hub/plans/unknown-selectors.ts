// Methods and services that the config names and that do not exist: usually a typo, whose rule would have no effect.

import { selectorsOf } from "../../config/selectors.js";
import { nearest } from "../../kit/text/nearest.js";
import type { Config } from "../../settings/sections.js";

/** At most this many are listed: with more the cause is another one, and looking for the nearest name takes time. */
const MAX_LISTED = 10;

/**
 * @param paths gRPC paths, `/pkg.Service/Method`, of all known methods
 * @param undescribed services whose methods are not known
 */
export function unknownSelectors(
  config: Pick<Config, "methods" | "quota">,
  paths: readonly string[],
  undescribed: ReadonlySet<string> = new Set(),
): string[] {
  if (config.methods.length === 0 && config.quota.length === 0) return [];
  const methods = paths.map((path) => path.slice(1));
  const known = new Set(
    methods.flatMap((path) => {
      const [service = "", method] = path.split("/");
      return selectorsOf(service, method);
    }),
  );
  for (const service of undescribed) for (const selector of selectorsOf(service)) known.add(selector);
  const serviceOf = (selector: string): string => selector.split("/")[0] ?? "";
  const named = [
    ...config.methods.map(({ selector }) => ["methods", selector] as const),
    ...config.quota.flatMap(({ name, methods }) =>
      methods.map((selector) => [`interceptors.quota, ${name}`, selector] as const),
    ),
  ];
  // The hub's own services and pages are turned on and off by other keys.
  const unknown = named.filter(
    ([, selector]) =>
      !known.has(selector) && !undescribed.has(serviceOf(selector)) && !/^(?:grpc|linchpin)\./.test(selector),
  );
  const listed = unknown.slice(0, MAX_LISTED).map(([where, selector]) => {
    const isPackage = (other: string): boolean => other.endsWith(".*");
    const hint = nearest(
      selector,
      [...known].filter((other) => isPackage(other) === isPackage(selector)),
    );
    const meant = hint === undefined ? "" : `; did you mean ${hint}?`;
    return `${where}: no upstream has ${selector}${meant}`;
  });
  const more = unknown.length - listed.length;
  return more === 0
    ? listed
    : [...listed, `methods, interceptors.quota: no upstream has ${more} more of those they name`];
}
