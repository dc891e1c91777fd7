// A Config from targets on the command line, alone or over one from a file. Loads no schema and no YAML parser.
import { resolve } from "node:path";
import {
  formatAddress,
  isLoopback,
  type ListenAddress,
  parseEndpoint,
  parseListenAddress,
  parseListener,
  parseUrlEndpoint,
} from "../config/address.js";
import { checkPath, type PathKind } from "../config/files.js";
import type { AdminConfig, ListenerConfig } from "../config/listener-config.js";
import { isUpstreamName, UPSTREAM_NAME } from "../config/names.js";
import type { Section } from "../config/section.js";
import { type Parsed, parsed, rejected } from "../kit/text/parsed.js";
import { cut } from "../kit/text/text.js";
import { parsedOrThrow, UserError } from "../kit/text/user-error.js";
import type { ClientTlsConfig } from "../tls/config.js";
import type { SchemaSource, UpstreamConfig } from "../upstream/upstream-config.js";
import { UPSTREAM_DEFAULTS } from "../upstream/upstream-keys.js";
import type { Features } from "./features.js";
import { type Config, sectionsOf } from "./sections.js";
import { overWritten } from "./written.js";

/** The command line's part; left out: not given. */
export interface Overrides {
  /** `[NAME=]HOST:PORT`, `[NAME=]http://HOST[:PORT]` or `[NAME=]https://HOST[:PORT]`, each. */
  readonly targets: readonly string[];
  /** Where the targets' services are learned, if not by reflection; relative to the working directory. */
  readonly protoset?: string | undefined;
  readonly protoDirs?: readonly string[];
  /** A folder, relative to the working directory. */
  readonly schemaCache?: string | undefined;
  /** HOST:PORT or unix:/PATH. */
  readonly listen?: string | undefined;
  /** HOST:PORT or off. */
  readonly admin?: string | undefined;
}

export interface Target {
  /** undefined: it is named by its address. */
  readonly name: string | undefined;
  readonly endpoint: ListenAddress;
  readonly tls: boolean;
}

/** A config of nothing but defaults: no upstream. */
export function defaultConfig(features?: Features): Config {
  const sections = Object.values<Section>(sectionsOf(features));
  return Object.assign({}, ...sections.map(({ defaults }) => defaults)) as Config; // as the types of the sections say
}

/**
 * Applies the command line to a config: a target replaces the endpoints of the upstream with its name (and its schema,
 * if one is given), or is added. Throws a UserError for invalid values.
 */
export function withOverrides(base: Config, overrides: Overrides): Config {
  const { listen, admin, schemaCache } = overrides;
  const config = {
    ...base,
    schemaCache: schemaCache === undefined ? base.schemaCache : resolve(schemaCache),
    listen: listen === undefined ? base.listen : listeners(base.listen, listen),
    admin: admin === undefined ? base.admin : adminConfig(base.admin, admin),
    upstreams: mergeUpstreams(base.upstreams, overrides),
  };
  overWritten(base, config, { listen: listen !== undefined, admin: admin !== undefined });
  return config;
}

/** Only the address is replaced: a flag must not turn TLS off. */
function listeners(base: readonly ListenerConfig[], text: string): readonly ListenerConfig[] {
  const address = parsedOrThrow(parseListener(text), "--listen", text);
  const [only] = base;
  if (base.length > 1) {
    throw new UserError(`--listen replaces the one address of a config file; this one has ${base.length}`);
  }
  return [{ address, tls: only?.tls }];
}

/** Reads `[NAME=]HOST:PORT`, `[NAME=]http://HOST[:PORT]` and `[NAME=]https://HOST[:PORT]`. */
export function parseTarget(text: string): Parsed<Target> {
  const equals = text.indexOf("=");
  const name = equals < 0 ? undefined : text.slice(0, equals);
  if (name !== undefined && !isUpstreamName(name)) {
    return rejected(`must be [NAME=]HOST:PORT, and the NAME ${UPSTREAM_NAME}`);
  }
  const url = parseUrlEndpoint(text.slice(equals + 1));
  if (url !== undefined) return url.ok ? parsed({ name, ...url.value }) : url;
  const endpoint = parseEndpoint(text.slice(equals + 1));
  return endpoint.ok ? parsed({ name, endpoint: endpoint.value, tls: false }) : endpoint;
}

/** Token and TLS stay those of the file. */
function adminConfig(base: AdminConfig | undefined, text: string): AdminConfig | undefined {
  if (text === "off") return undefined;
  const config = { ...base, ...parsedOrThrow(parseListenAddress(text), "--admin", text) };
  if (config.tokenSha256 === undefined && !isLoopback(config.host)) {
    throw new UserError(
      `--admin ${text} can be reached by other machines, and so needs a token: admin.token or admin.tokenFile in a config file`,
    );
  }
  return config;
}

function mergeUpstreams(base: readonly UpstreamConfig[], overrides: Overrides): readonly UpstreamConfig[] {
  const schema = schemaOf(overrides);
  if (schema !== undefined && overrides.targets.length === 0) {
    throw new UserError(
      "--protoset and --proto are for targets; in a config file an upstream has its own schema",
    );
  }
  const named = new Map<string, { endpoints: ListenAddress[]; tls: boolean }>();
  for (const text of overrides.targets) {
    const target = parsedOrThrow(parseTarget(text), "a target", text);
    const name = target.name ?? nameOf(target.endpoint);
    const known = named.get(name) ?? { endpoints: [], tls: target.tls };
    if (known.endpoints.some((other) => formatAddress(other) === formatAddress(target.endpoint))) {
      throw new UserError(`the target ${text} is given twice`);
    }
    if (known.tls !== target.tls) {
      throw new UserError(`the targets of ${name} must all be https://, or none of them`);
    }
    named.set(name, { ...known, endpoints: [...known.endpoints, target.endpoint] });
  }
  const merged = base.map((upstream) => {
    const replaced = named.get(upstream.name);
    named.delete(upstream.name);
    if (replaced === undefined) return upstream;
    // TLS of the file stays: a target must not turn it off.
    const tls = upstream.tls ?? (replaced.tls ? PLAIN_TLS : undefined);
    return {
      ...upstream,
      endpoints: replaced.endpoints,
      source: undefined,
      schema: schema ?? upstream.schema,
      ...(tls === undefined ? {} : { tls }),
    };
  });
  for (const [name, { endpoints, tls }] of named) {
    merged.push({
      ...UPSTREAM_DEFAULTS,
      name,
      endpoints,
      schema: schema ?? { kind: "reflection" },
      ...(tls ? { tls: PLAIN_TLS } : {}),
    });
  }
  return merged;
}

/** The meaning of `tls: true`: the system's CAs, the endpoint's host as name. */
const PLAIN_TLS: ClientTlsConfig = {
  ca: undefined,
  cert: undefined,
  key: undefined,
  serverName: undefined,
  dangerouslyTrustAnyServer: false,
};

function schemaOf(overrides: Overrides): SchemaSource | undefined {
  const dirs = overrides.protoDirs ?? [];
  if (overrides.protoset !== undefined && dirs.length > 0) {
    throw new UserError("--protoset and --proto exclude each other");
  }
  if (overrides.protoset !== undefined) {
    return { kind: "protoset", file: existing(overrides.protoset, "--protoset", "file") };
  }
  for (const dir of dirs) existing(dir, "--proto", "directory");
  return dirs.length > 0 ? { kind: "protos", dirs } : undefined;
}

function existing(path: string, option: string, kind: PathKind): string {
  const problem = checkPath(path, kind);
  if (problem !== undefined) throw new UserError(`${option}: ${problem}`);
  return path;
}

/** The name of a target without one: it does not depend on other targets. `127.0.0.1-50051` */
function nameOf(endpoint: ListenAddress): string {
  const host = endpoint.host.replace(/[^A-Za-z0-9.]+/g, "-").replace(/^[-.]+/, "");
  return `${cut(host, 56)}-${endpoint.port}`;
}
