// From the bytes of linchpin.yaml to a Config, or to every error in it, each with its line and column.
import { readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type * as z from "zod";
import { didYouMean } from "../core/nearest.js";
import { UserError } from "../core/user-error.js";
import type { Config, SchemaSource } from "./config.js";
import { checkPath, fileProblem, type PathKind } from "./files.js";
import { defaultConfig } from "./from-args.js";
import { plainFile } from "./plain-file.js";
import { configSchema, embeddedConfigSchema, type ParsedConfig } from "./schema.js";
import { authOf } from "./sections/auth.js";
import { addressLimitOf } from "./sections/edge.js";
import { httpOf } from "./sections/http.js";
import { limitsOf } from "./sections/limits.js";
import { quotaRules } from "./sections/quota.js";
import { accessLogOf, metricsOf, tracingOf } from "./sections/telemetry.js";
import { adminOf, clientTlsOf, type FileTools, listenersOf } from "./sections/tls.js";
import { poolOf } from "./sections/upstream.js";
import { checkUnmet } from "./unmet.js";
import { type Environment, MAX_FILE_BYTES, type Path, pathText, readYaml, type YamlFile } from "./yaml.js";

/** One thing that is wrong, and where. Line and column count from 1; the column counts UTF-16 units. */
export interface ConfigError {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** e.g. `upstreams.library.endpoints[0]`; empty where the text is no YAML. */
  readonly path: string;
  readonly message: string;
}

export type ConfigResult =
  | { readonly ok: true; readonly config: Config }
  /** In the order of the file; never empty. */
  | { readonly ok: false; readonly errors: readonly ConfigError[] };

export interface ParseOptions {
  /** The file's name, for messages. */
  readonly file: string;
  /** Relative paths in the file start here. */
  readonly directory: string;
  readonly env: Environment;
  /** Says what is wrong with a file or folder that the config names; undefined: nothing. */
  readonly checkPath: (path: string, kind: PathKind) => string | undefined;
  /** Whether the files that it names are read, and what is wrong inside them is told. Default false. */
  readonly readsFiles?: boolean;
  /** True: it may do without upstreams. Default: false. */
  readonly upstreamsOptional?: boolean | undefined;
  /** True: the program has interceptors of its own, which may say who calls. Default: false. */
  readonly ownInterceptors?: boolean | undefined;
}

/** What a program that embeds the hub adds. */
type ProgramOptions = Pick<ParseOptions, "upstreamsOptional" | "ownInterceptors">;

/** Beyond this many errors a person starts anew; the last line says how many more there are. */
const MAX_ERRORS = 100;

/** Reads and checks a file. Throws a UserError that lists every error. */
export function loadConfig(file: string, env: Environment, options: ProgramOptions = {}): Config {
  const result = parseConfig(readBytes(file), {
    file,
    directory: dirname(resolve(file)),
    env,
    checkPath,
    readsFiles: true,
    ...options,
  });
  if (result.ok) return result.config;
  throw new UserError(formatErrors(result.errors));
}

/** One line for each error, `file:line:column: path: message`. */
export function formatErrors(errors: readonly ConfigError[]): string {
  const lines = errors
    .slice(0, MAX_ERRORS)
    .map((e) => `${e.file}:${e.line}:${e.column}: ${e.path === "" ? "" : `${e.path}: `}${e.message}`);
  if (errors.length > MAX_ERRORS) lines.push(`and ${errors.length - MAX_ERRORS} more errors`);
  return lines.join("\n");
}

/**
 * Checks a config that a program has as an object; `${NAME}` stands for itself in it. Relative paths start at the
 * working directory. Throws a UserError with a line for each error, `path: message`.
 */
export function configOf(value: unknown, options: ProgramOptions = {}): Config {
  const result = checkConfig(plainFile(value), {
    file: "",
    directory: "",
    env: {},
    checkPath,
    readsFiles: true,
    ...options,
  });
  if (result.ok) return result.config;
  throw new UserError(
    result.errors.map((e) => (e.path === "" ? e.message : `${e.path}: ${e.message}`)).join("\n"),
  );
}

/** Checks the bytes of a config file. Never throws, whatever the bytes are. */
export function parseConfig(bytes: Uint8Array, options: ParseOptions): ConfigResult {
  return checkConfig(readYaml(bytes, options.env), options);
}

function checkConfig(yaml: YamlFile, options: ParseOptions): ConfigResult {
  const schema = options.upstreamsOptional === true ? embeddedConfigSchema : configSchema;
  const errors: ConfigError[] = [];
  const report = (offset: number, path: string, message: string): void => {
    errors.push({ file: options.file, ...yaml.lineAndColumn(offset), path, message });
  };
  for (const e of yaml.errors) report(e.offset, pathText(e.path), e.message);
  if (yaml.wellFormed) {
    const checked = schema.safeParse(yaml.value, { error: defaultMessage });
    if (!checked.success) {
      for (const issue of checked.error.issues) reportIssue(issue, [], yaml, report);
    } else if (errors.length === 0) {
      const config = toConfig(checked.data, options, yaml, (path, message) =>
        report(yaml.valueOffset(path), pathText(path), message),
      );
      if (errors.length === 0) return { ok: true, config };
    }
  }
  return { ok: false, errors: inOrder(errors) };
}

type Report = (offset: number, path: string, message: string) => void;

function reportIssue(issue: z.core.$ZodIssue, base: Path, yaml: YamlFile, report: Report): void {
  const path: Path = [...base, ...issue.path.map((part) => (typeof part === "symbol" ? String(part) : part))];
  // Environment variables that are not there have been told already.
  if (yaml.failed(path)) return;
  switch (issue.code) {
    case "unrecognized_keys": {
      const allowed = issue.message.split("\n");
      for (const key of issue.keys) {
        const at = [...path, key];
        report(yaml.keyOffset(at), pathText(at), unknownKey(key, allowed));
      }
      return;
    }
    case "invalid_union": {
      // A branch that took the value's type and refused something inside tells more than the union does.
      const closest = issue.errors.find(
        (branch) => branch.length > 0 && branch.every((i) => i.path.length > 0),
      );
      if (closest !== undefined) {
        for (const inner of closest) reportIssue(inner, path, yaml, report);
        return;
      }
      break;
    }
    default:
  }
  const message = issue.message;
  if (issue.code === "custom" && issue.params?.atKey === true) {
    report(yaml.keyOffset(path), pathText(path), message);
  } else if (!yaml.has(path)) {
    report(yaml.valueOffset(path), pathText(path), `is missing: ${message}`);
  } else {
    const not = maySay(path) ? yaml.notWhat(path, KINDS.has(issue.code)) : "";
    report(yaml.valueOffset(path), pathText(path), `${message}${not}`);
  }
}

/** Whether a wrong value may be repeated: a secret that is too short, or stands in the wrong place, is still a secret. */
function maySay(path: Path): boolean {
  return !path.includes("apiKeys") && (path[0] !== "admin" || path[1] !== "token");
}

/** Issues that are about the kind of a value. */
const KINDS: ReadonlySet<string> = new Set(["invalid_type", "invalid_value", "invalid_union"]);

function unknownKey(key: string, allowed: readonly string[]): string {
  return `unknown key${didYouMean(key, allowed)}; allowed: ${allowed.join(", ")}`;
}

const TYPES: Readonly<Record<string, string>> = {
  array: "must be a list",
  boolean: "must be true or false",
  object: "must be a mapping",
  record: "must be a mapping",
  string: "must be text",
};

/** The sentence for what a schema has no words of its own for. */
function defaultMessage(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return TYPES[issue.expected] ?? `must be of type ${issue.expected}`;
    case "too_small":
      return `must have at least ${issue.minimum}`;
    case "too_big":
      return `must have at most ${issue.maximum}`;
    case "unrecognized_keys":
      return keysOf(issue.inst).join("\n");
    default:
      return "is not allowed";
  }
}

/** The keys of the object schema that raised the issue. */
function keysOf(schema: unknown): string[] {
  if (typeof schema !== "object" || schema === null || !("shape" in schema)) return [];
  return typeof schema.shape === "object" && schema.shape !== null ? Object.keys(schema.shape) : [];
}

function inOrder(errors: ConfigError[]): ConfigError[] {
  return errors.sort((a, b) => a.line - b.line || a.column - b.column);
}

function toConfig(
  file: ParsedConfig,
  options: ParseOptions,
  yaml: YamlFile,
  wrong: (path: Path, message: string) => void,
): Config {
  const located = (path: Path, text: string, kind: PathKind): string => {
    const full = resolve(options.directory, text);
    const problem = options.checkPath(full, kind);
    if (problem !== undefined) wrong(path, problem);
    return full;
  };
  const readsFiles = options.readsFiles ?? false;
  const tools: FileTools = {
    // Who reads a file tells as well that it is not there.
    located: readsFiles ? (_path, text) => resolve(options.directory, text) : located,
    wrong,
    readsFiles,
  };
  const listensAtSeveral = yaml.has(["listen", 0]);
  checkUnmet(file, { wrong, listensAtSeveral, ownInterceptors: options.ownInterceptors ?? false });
  return freeze({
    listen: listenersOf(file.listen, listensAtSeveral, tools),
    admin: adminOf(file.admin, tools),
    upstreams: Object.entries(file.upstreams).map(([name, upstream]) => {
      const path = ["upstreams", name, "schema"];
      let schema: SchemaSource = { kind: "reflection" };
      if (upstream.schema !== "reflection") {
        const { protoset, protos } = upstream.schema;
        if (protoset !== undefined) {
          schema = { kind: "protoset", file: located([...path, "protoset"], protoset, "file") };
        } else if (protos !== undefined) {
          const dirs = protos.map((dir, i) => located([...path, "protos", i], dir, "directory"));
          schema = { kind: "protos", dirs };
        }
      }
      const tls = clientTlsOf(upstream.tls, ["upstreams", name, "tls"], tools);
      const pool = poolOf(upstream);
      return { name, endpoints: upstream.endpoints, schema, pool, ...(tls === undefined ? {} : { tls }) };
    }),
    metrics: metricsOf(file.interceptors.metrics),
    tracing: tracingOf(file.interceptors.tracing),
    accessLog: accessLogOf(file.interceptors.accessLog, (path) => resolve(options.directory, path)),
    deadline: deadlineOf(file.interceptors.deadline),
    addressLimit: addressLimitOf(file.interceptors.addressLimit),
    auth: authOf(file.interceptors.auth, tools),
    quota: quotaRules(file.interceptors.quota),
    methods: Object.entries(file.methods).map(([selector, method]) => ({
      selector,
      deadlineMs: method.deadline,
      idempotent: method.idempotent,
      auth: method.auth,
      roles: method.roles,
      quota: method.quota,
      forms: method.forms,
      ...(method.http === undefined ? {} : { http: { location: undefined, ...method.http } }),
    })),
    http: httpOf(file.http),
    limits: {
      ...limitsOf(file.limits),
      maxMessageBytes: file.limits.maxMessage,
    },
    trustedProxies: file.trustedProxies,
    hints: file.errors.hints,
    reflection: file.reflection,
    readinessWaitMs: file.readiness.wait === "none" ? undefined : file.readiness.wait,
    drain: { delayMs: file.drain.delay, graceMs: file.drain.grace },
  });
}

function deadlineOf(file: ParsedConfig["interceptors"]["deadline"]): Config["deadline"] {
  const maxMs = noneAsUndefined(file.max);
  if (file.default !== undefined) return { defaultMs: noneAsUndefined(file.default), maxMs };
  const { defaultMs } = defaultConfig().deadline;
  return {
    defaultMs: maxMs === undefined || defaultMs === undefined ? defaultMs : Math.min(defaultMs, maxMs),
    maxMs,
  };
}

function noneAsUndefined(value: number | "none"): number | undefined {
  return value === "none" ? undefined : value;
}

/** Freezes a value of plain objects and lists, all the way down. */
function freeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) {
    for (const inner of Object.values(value)) freeze(inner);
    Object.freeze(value);
  }
  return value;
}

function readBytes(file: string): Uint8Array {
  try {
    const stat = statSync(file);
    if (stat.isDirectory()) throw new UserError(`${file}: is a directory, not a config file`);
    if (stat.size > MAX_FILE_BYTES) {
      throw new UserError(
        `${file}:1:1: the file has ${stat.size} bytes; a config file has at most ${MAX_FILE_BYTES}`,
      );
    }
    return readFileSync(file);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${file}: ${fileProblem(error)}`, { cause: error });
  }
}
