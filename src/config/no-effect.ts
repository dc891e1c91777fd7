// Keys of a valid config that have no effect, each with the reason: `linchpin check` and the start warn of them.
import { formatAddress } from "./address.js";
import { formatDuration } from "./duration.js";
import { presetOf } from "./http-presets.js";
import type { ParsedConfig } from "./schema.js";
import type { Path } from "./yaml.js";

/**
 * @param has whether the file itself has the key: a default is nobody's mistake
 * @param warn is called with the path of each such key, and a sentence without a subject
 */
export function keysWithoutEffect(
  file: ParsedConfig,
  has: (path: Path) => boolean,
  warn: (path: Path, message: string) => void,
): void {
  const needs = (path: Path, met: boolean, why: string): void => {
    if (!met && has(path)) warn(path, `has no effect: ${why}`);
  };
  upstreams(file, needs, warn);
  telemetry(file, needs);
  methods(file, warn);
  methodsOfGrpcAlone(file, warn);
  http(file, needs, warn);
  needs(["limits", "maxAgeGrace"], Number.isFinite(file.limits.maxAge), "limits.maxAge is none");
  const reflects = Object.values(file.upstreams).some(({ schema }) => schema === "reflection");
  for (const path of [["readiness", "wait"], ["schemaCache"]])
    needs(path, reflects, "no upstream is learned by reflection");
}

type Needs = (path: Path, met: boolean, why: string) => void;
type Warn = (path: Path, message: string) => void;

function upstreams(file: ParsedConfig, needs: Needs, warn: Warn): void {
  for (const [name, { endpoints, connections }] of Object.entries(file.upstreams)) {
    const seen = new Set<string>();
    for (const [i, endpoint] of endpoints.entries()) {
      const address = formatAddress(endpoint).toLowerCase();
      if (seen.has(address)) {
        warn(["upstreams", name, "endpoints", i], "stands twice: it gets two shares of the calls");
      }
      seen.add(address);
    }
    const path = ["upstreams", name, "connections"];
    needs([...path, "idle"], connections.max > 1, "connections.max is 1, and the first one is kept");
    needs([...path, "max"], connections.max <= connections.total, "connections.total is less");
  }
}

function telemetry({ interceptors: { metrics, tracing, accessLog } }: ParsedConfig, needs: Needs): void {
  for (const key of ["endpoint", "protocol"])
    needs(["interceptors", "tracing", key], tracing.exporter === "otlp", "tracing.exporter is none");
  for (const key of ["endpoint", "protocol", "interval"])
    needs(["interceptors", "metrics", key], metrics.exporter === "otlp", "metrics.exporter is none");
  needs(["interceptors", "metrics", "exporter"], metrics.enabled, "metrics.enabled is false");
  needs(
    ["interceptors", "accessLog", "sample"],
    accessLog.destination !== undefined,
    "accessLog.destination is off",
  );
}

/** `pkg.Service.Method`, where `pkg.Service/Method` is meant: the names of two messages or services rarely follow each other. */
const DOTTED_METHOD = /^((?:[a-z_][a-z0-9_]*\.)+[A-Z][A-Za-z0-9_]*)\.([A-Z][A-Za-z0-9_]*)$/;

function methods({ methods: configured, interceptors }: ParsedConfig, warn: Warn): void {
  const { max } = interceptors.deadline;
  for (const [selector, method] of Object.entries(configured)) {
    const dotted = DOTTED_METHOD.exec(selector);
    if (dotted !== null)
      warn(["methods", selector], `is read as the name of a service; a method is ${dotted[1]}/${dotted[2]}`);
    if (method.idempotent !== undefined) {
      const message =
        "has no effect yet: no call is sent again that a service may have seen, idempotent or not";
      warn(["methods", selector, "idempotent"], message);
    }
    const { deadline } = method;
    if (typeof max === "number" && (deadline === "none" || (deadline ?? 0) > max)) {
      const message = `has no effect: deadline.max caps it at ${formatDuration(max)}`;
      warn(["methods", selector, "deadline"], message);
    }
  }
}

/** What is for JSON alone, of services that have none. */
function methodsOfGrpcAlone({ methods: configured, upstreams: all }: ParsedConfig, warn: Warn): void {
  const owners = new Map<string, string>();
  for (const [name, { schema, services = [] }] of Object.entries(all))
    if (schema === "none") for (const service of services) owners.set(service, name);
  for (const [selector, method] of Object.entries(configured)) {
    const owner = owners.get(selector.split("/")[0] ?? "");
    if (owner === undefined) continue;
    const message = `has no effect: the upstream ${owner} has schema: none, which is for gRPC alone`;
    if (method.http !== undefined) warn(["methods", selector, "http"], message);
    if (method.forms !== undefined) warn(["methods", selector, "forms"], message);
  }
}

function http({ http: section }: ParsedConfig, needs: Needs, warn: Warn): void {
  needs(["http", "docs"], section.docs === false || section.openapi !== false, "http.openapi is false");
  const preset = presetOf(section.preset);
  const { unknownQuery = preset.unknownQuery, print } = section;
  needs(["http", "ignoredQuery"], unknownQuery !== "ignore", "http.unknownQuery is ignore");
  const { emitDefaults = preset.emitDefaults } = print;
  needs(["http", "print", "emitNulls"], emitDefaults, "print.emitDefaults is false");
  const origins: [Path, readonly string[]][] = [];
  if (section.webSocket !== false)
    origins.push([["http", "webSocket", "origins"], section.webSocket.origins]);
  if (Array.isArray(section.cors?.origins)) origins.push([["http", "cors", "origins"], section.cors.origins]);
  for (const [path, list] of origins)
    for (const [i, origin] of list.entries()) {
      const sent = originAsSent(origin);
      if (sent !== origin) warn([...path, i], `never matches: browsers send ${sent ?? "no such origin"}`);
    }
}

/** As browsers write an origin (RFC 6454 §6.2): host in lower case and ASCII, without the scheme's own port. */
function originAsSent(origin: string): string | undefined {
  if (origin === "*" || origin === "null" || !/^https?:/.test(origin)) return origin;
  return URL.canParse(origin) ? new URL(origin).origin : undefined;
}
