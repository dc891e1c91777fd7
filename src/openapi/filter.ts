// Which part of the routes a document is about.
import { cut } from "../kit/text/text.js";
import type { BindingPlan } from "../transcoding/routes/binding.js";

/** A part of all routes. */
export interface OpenApiFilter {
  /** Full name, e.g. `library.v1.LibraryService`. */
  readonly service?: string | undefined;
  /** The last part of the package's name, e.g. `v1`. */
  readonly version?: string | undefined;
}

/** Whether a route belongs to that part. */
export function isInPart({ method: { service } }: BindingPlan, filter: OpenApiFilter): boolean {
  if (filter.service !== undefined && service !== filter.service) return false;
  return filter.version === undefined || versionOf(service) === filter.version;
}

/** All names that a filter can have. */
export interface Parts {
  readonly services: readonly string[];
  readonly versions: readonly string[];
}

export function partsOf(plans: readonly BindingPlan[]): Parts {
  return partsOfServices(new Set(plans.map(({ method }) => method.service)));
}

export function partsOfServices(names: ReadonlySet<string>): Parts {
  const services = [...names].sort();
  return { services, versions: [...new Set(services.map(versionOf).filter((v) => v !== ""))].sort() };
}

/** For `library.v1.LibraryService`: `v1`. "" if the package's name has no version. */
export function versionOf(service: string): string {
  const last = service.split(".").at(-2) ?? "";
  return /^v[0-9]+(?:(?:alpha|beta|p|test)[0-9A-Za-z]*)?$/.test(last) ? last : "";
}

/** Why a filter selects nothing, with the valid values; undefined: it selects something. */
export function filterProblem(
  { services, versions }: Parts,
  { service, version }: OpenApiFilter,
): string | undefined {
  if (service !== undefined && !services.includes(service)) return unknownPart("service", service, services);
  if (version !== undefined && !versions.includes(version)) return unknownPart("version", version, versions);
  if (service === undefined || version === undefined || versionOf(service) === version) return undefined;
  return `service ${service} does not have version '${version}'`;
}

function unknownPart(what: string, given: string, known: readonly string[]): string {
  const there = known.length === 0 ? "there is none" : `there is ${known.join(", ")}`;
  return `no ${what} '${cut(given, 100)}': ${there}`;
}
