// A Config out of targets on the command line, alone or over one from a file. Loads no schema and no YAML parser.
import { type Parsed, parsed, rejected } from "../core/parsed.js";
import { parsedOrThrow, UserError } from "../core/user-error.js";
import { formatAddress, parseEndpoint, parseListenAddress } from "./address.js";
import type { Config, ListenAddress, SchemaSource, UpstreamConfig } from "./config.js";
import { DEFAULTS } from "./defaults.js";
import { parseDuration } from "./duration.js";
import { checkPath, type PathKind } from "./files.js";
import { isUpstreamName, UPSTREAM_NAME } from "./names.js";
import { parseSize } from "./size.js";

/** What the command line says; left out: not said. */
export interface Overrides {
  /** `[NAME=]HOST:PORT`, each. */
  readonly targets: readonly string[];
  /** Where the targets' services are learned, if not by reflection; relative to the working directory. */
  readonly protoset?: string | undefined;
  readonly protoDirs?: readonly string[];
  readonly listen?: string | undefined;
  /** HOST:PORT or off. */
  readonly admin?: string | undefined;
}

export interface Target {
  /** undefined: it has none, and gets one from its address. */
  readonly name: string | undefined;
  readonly endpoint: ListenAddress;
}

/** A config of nothing but defaults: no upstream. */
export function defaultConfig(): Config {
  return {
    listen: builtIn(parseListenAddress(DEFAULTS.listen)),
    admin: builtIn(parseListenAddress(DEFAULTS.admin)),
    upstreams: [],
    metrics: {
      enabled: DEFAULTS.metrics,
      exporter: "none",
      endpoint: undefined,
      protocol: undefined,
      intervalMs: undefined,
    },
    tracing: {
      exporter: "none",
      endpoint: undefined,
      protocol: undefined,
      sample: DEFAULTS.traceSample,
      trustedPeers: DEFAULTS.trustedPeers,
    },
    accessLog: { destination: undefined, sample: 1 },
    deadline: {
      defaultMs: durationDefault(DEFAULTS.deadlineDefault),
      maxMs: durationDefault(DEFAULTS.deadlineMax),
    },
    methods: [],
    http: { prefix: DEFAULTS.httpPrefix, rules: [] },
    limits: {
      maxMessageBytes: builtIn(parseSize(DEFAULTS.maxMessage, 0, Number.MAX_SAFE_INTEGER)),
      maxConcurrentStreams: DEFAULTS.maxConcurrentStreams,
    },
    reflection: DEFAULTS.reflection,
    drainGraceMs: builtIn(parseDuration(DEFAULTS.drainGrace)),
  };
}

/**
 * Lays the command line over a config: a target replaces the endpoints of the upstream of its name (and its schema,
 * if one is given), or joins. Throws a UserError for what cannot be read.
 */
export function withOverrides(base: Config, overrides: Overrides): Config {
  const { listen, admin } = overrides;
  return {
    ...base,
    listen:
      listen === undefined ? base.listen : parsedOrThrow(parseListenAddress(listen), "--listen", listen),
    admin: admin === undefined ? base.admin : adminAddress(admin),
    upstreams: mergeUpstreams(base.upstreams, overrides),
  };
}

/** Reads `[NAME=]HOST:PORT`. */
export function parseTarget(text: string): Parsed<Target> {
  const equals = text.indexOf("=");
  const name = equals < 0 ? undefined : text.slice(0, equals);
  if (name !== undefined && !isUpstreamName(name)) {
    return rejected(`must be [NAME=]HOST:PORT, and the NAME ${UPSTREAM_NAME}`);
  }
  const endpoint = parseEndpoint(text.slice(equals + 1));
  return endpoint.ok ? parsed({ name, endpoint: endpoint.value }) : endpoint;
}

function adminAddress(text: string): ListenAddress | undefined {
  return text === "off" ? undefined : parsedOrThrow(parseListenAddress(text), "--admin", text);
}

function mergeUpstreams(base: readonly UpstreamConfig[], overrides: Overrides): readonly UpstreamConfig[] {
  const schema = schemaOf(overrides);
  if (schema !== undefined && overrides.targets.length === 0) {
    throw new UserError(
      "--protoset and --proto are for targets; in a config file an upstream has its own schema",
    );
  }
  const endpoints = new Map<string, ListenAddress[]>();
  for (const text of overrides.targets) {
    const target = parsedOrThrow(parseTarget(text), "a target", text);
    const name = target.name ?? nameOf(target.endpoint);
    const known = endpoints.get(name) ?? [];
    if (known.some((other) => formatAddress(other) === formatAddress(target.endpoint))) {
      throw new UserError(`the target ${text} is given twice`);
    }
    endpoints.set(name, [...known, target.endpoint]);
  }
  const merged = base.map((upstream) => {
    const replaced = endpoints.get(upstream.name);
    endpoints.delete(upstream.name);
    return replaced === undefined
      ? upstream
      : { ...upstream, endpoints: replaced, schema: schema ?? upstream.schema };
  });
  for (const [name, own] of endpoints) {
    merged.push({ name, endpoints: own, schema: schema ?? { kind: "reflection" } });
  }
  return merged;
}

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

/** The name of a target that has none: stays the same whatever other targets there are. `127.0.0.1-50051` */
function nameOf(endpoint: ListenAddress): string {
  const host = endpoint.host.replace(/[^A-Za-z0-9.]+/g, "-").replace(/^[-.]+/, "");
  return `${host.slice(0, 56)}-${endpoint.port}`;
}

function durationDefault(text: string): number | undefined {
  return text === "none" ? undefined : builtIn(parseDuration(text));
}

function builtIn<T>(result: Parsed<T>): T {
  if (result.ok) return result.value;
  throw new Error(`a built-in default ${result.reason}`);
}
