// The services that upstreams without a schema name: each stands once, and at most one upstream takes all others.
import type { ParsedConfig } from "./schema.js";
import type { Path } from "./yaml.js";

export function checkServices(
  { upstreams }: Pick<ParsedConfig, "upstreams">,
  wrong: (path: Path, message: string) => void,
): void {
  const owners = new Map<string, string>();
  let taker: string | undefined;
  for (const [name, { schema, services }] of Object.entries(upstreams)) {
    const path = ["upstreams", name, "services"];
    if (schema !== "none") {
      if (services !== undefined)
        wrong(path, "needs schema: none; else the schema says which services there are");
      continue;
    }
    if (services === undefined) {
      if (taker !== undefined)
        wrong(["upstreams", name, "schema"], `none needs services here: ${taker} takes all others already`);
      taker ??= name;
    }
    for (const [i, service] of (services ?? []).entries()) {
      const owner = owners.get(service);
      if (owner !== undefined)
        wrong(
          [...path, i],
          owner === name ? "stands twice" : `is a service of the upstream ${owner} already`,
        );
      owners.set(service, owner ?? name);
    }
  }
}
