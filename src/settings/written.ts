// A config as its user wrote it: the keys of the file, durations and sizes in their notation, environment variables by
// name. Kept beside the Config for display only.
import { formatAddress } from "../config/address.js";
import { mapping } from "../config/mapping.js";
import type { SchemaSource, UpstreamConfig } from "../upstream/upstream-config.js";
import type { Config } from "./sections.js";

type Mapping = Readonly<Record<string, unknown>>;

const trees = new WeakMap<Config, Mapping>();

/** The keys and values of the file (or of a program's object) and of flags that the config was made from. */
export function writtenOf(config: Config): Mapping {
  const tree = trees.get(config) ?? {};
  const { listen, admin } = config;
  return {
    // The hub's addresses are shown even if they are defaults.
    listen: listen.length === 1 ? formatted(listen[0]) : listen.map(formatted),
    admin: admin === undefined ? "off" : formatAddress(admin),
    ...tree,
  };
}

function formatted(listener: Config["listen"][number] | undefined): string {
  return listener === undefined ? "" : formatAddress(listener.address);
}

export function keepWritten(config: Config, tree: unknown): void {
  trees.set(config, mapping(tree));
}

/** For a config with a command line: replaced values are shown as given there. */
export function overWritten(base: Config, config: Config, flags: { listen: boolean; admin: boolean }): void {
  const tree = trees.get(base) ?? {};
  const { listen, admin } = config;
  const upstreams = { ...mapping(tree.upstreams) };
  for (const upstream of config.upstreams) {
    if (base.upstreams.includes(upstream)) continue;
    upstreams[upstream.name] = { ...mapping(upstreams[upstream.name]), ...asWritten(upstream) };
  }
  trees.set(config, {
    ...tree,
    ...(flags.listen ? { listen: placed(tree.listen, formatted(listen[0])) } : {}),
    ...(flags.admin ? { admin: admin === undefined ? "off" : placed(tree.admin, formatAddress(admin)) } : {}),
    ...(config.schemaCache === base.schemaCache ? {} : { schemaCache: config.schemaCache }),
    ...(config.upstreams === base.upstreams ? {} : { upstreams }),
  });
}

/** Replaces the address, which may be among other keys, and in a list. */
function placed(before: unknown, address: string): unknown {
  if (Array.isArray(before)) return [placed(before[0], address)];
  return typeof before === "object" && before !== null ? { ...before, address } : address;
}

function asWritten({ endpoints, schema, tls }: UpstreamConfig): Mapping {
  return {
    endpoints: endpoints.map(formatAddress),
    ...(schema.kind === "reflection" ? {} : { schema: schemaAsWritten(schema) }),
    ...(tls === undefined ? {} : { tls: true }),
  };
}

function schemaAsWritten(schema: SchemaSource): unknown {
  switch (schema.kind) {
    case "reflection":
    case "none":
      // Its services are separate, and no flag replaces them.
      return schema.kind;
    case "protoset":
      return { protoset: schema.file };
    case "protos":
      return { protos: schema.dirs };
  }
}
