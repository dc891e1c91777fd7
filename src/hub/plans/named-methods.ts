// Methods, services and packages that the config names without a schema: they get their own plans.

import type { Method } from "../../call/call.js";
import type { Config } from "../../settings/sections.js";

export interface Named {
  /** The methods of a service that it names, except those in the schema. */
  methodsOf(service: string, known: readonly Method[]): readonly Method[];
  /** Services that it names, and those of the methods that it names. */
  readonly services: readonly string[];
  /** Names of packages, without `.*`. */
  readonly packages: readonly string[];
}

export function namedOf({ methods, quota }: Pick<Config, "methods" | "quota">): Named {
  const services = new Map<string, Set<string>>();
  const packages = new Set<string>();
  for (const selector of [
    ...methods.map(({ selector }) => selector),
    ...quota.flatMap((rule) => rule.methods),
  ]) {
    if (selector.endsWith(".*")) {
      packages.add(selector.slice(0, -2));
      continue;
    }
    const [service = "", method] = selector.split("/");
    let names = services.get(service);
    if (names === undefined) {
      names = new Set();
      services.set(service, names);
    }
    if (method !== undefined) names.add(method);
  }
  return {
    methodsOf: (service, known) => {
      const names = services.get(service);
      if (names === undefined || names.size === 0) return [];
      const others = new Set(known.map(({ name }) => name));
      return [...names].filter((name) => !others.has(name)).map((name) => methodNamed(service, name));
    },
    services: [...services.keys()],
    packages: [...packages],
  };
}

/** Whether it streams is not known. */
function methodNamed(service: string, name: string): Method {
  return {
    service,
    name,
    path: `/${service}/${name}`,
    kind: "unknown",
    idempotent: false,
    descriptor: undefined,
  };
}
