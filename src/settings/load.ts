// From the bytes of linchpin.yaml to a Config, or to every error in it, each with its line and column.

import { dirname, resolve } from "node:path";
import type * as z from "zod";
import { type ConfigError, formatError, formatErrors } from "../config/config-error.js";
import { checkPath, fileProblem, type PathKind } from "../config/files.js";
import { plainFile } from "../config/plain-file.js";
import { without } from "../config/prune.js";
import type { Section } from "../config/section.js";
import { MAX_FILE_BYTES, type Path, pathText, readYaml, type YamlFile } from "../config/yaml.js";
import { readRegularFile } from "../kit/files/regular-file.js";
import type { Environment } from "../kit/runtime.js";
import { errorCode, UserError } from "../kit/text/user-error.js";
import { isOwnTarget } from "../upstream/own-parts.js";
import { FEATURES, type Features } from "./features.js";
import { defaultMessage, placesOf, reportIssue } from "./issues.js";
import { placeOf, type Reading } from "./place.js";
import { schemasOf } from "./schema.js";
import { type Config, sectionsOf } from "./sections.js";
import { keepWritten } from "./written.js";

export type ConfigResult =
  | {
      readonly ok: true;
      readonly config: Config;
      /** Keys that have no effect, and the like, in the order of the file. */
      readonly warnings: readonly ConfigError[];
    }
  /** In the order of the file; never empty. */
  | { readonly ok: false; readonly errors: readonly ConfigError[] };

export interface ParseOptions {
  /** The file's name, for messages. */
  readonly file: string;
  /** Relative paths in the file start here. */
  readonly directory: string;
  readonly env: Environment;
  /** Checks a file or folder that the config names: returns its problem; undefined: none. */
  readonly checkPath: (path: string, kind: PathKind) => string | undefined;
  /** Whether files that the config names are read, and their errors reported. Default false. */
  readonly readsFiles?: boolean;
  /** True: it may do without upstreams. Default: false. */
  readonly upstreamsOptional?: boolean | undefined;
  /** True: the program has its own interceptors, which may authenticate callers. Default: false. */
  readonly ownInterceptors?: boolean | undefined;
  /** True: an unusable folder for schemas is an error. Default: false, since a hub continues without it. */
  readonly checksSchemaCache?: boolean | undefined;
  /** The features of the hub. Default: all. */
  readonly features?: Features | undefined;
}

/** The part that an embedding program adds, and `linchpin check`. */
type ProgramOptions = Pick<
  ParseOptions,
  "upstreamsOptional" | "ownInterceptors" | "checksSchemaCache" | "features"
>;

export interface LoadOptions extends ProgramOptions {
  /** Called for each key without effect, `file:line:column: path: message`. Default: ignored. */
  readonly warn?: ((message: string) => void) | undefined;
}

/** Reads and checks a file. Throws a UserError that lists every error. */
export function loadConfig(file: string, env: Environment, { warn, ...options }: LoadOptions = {}): Config {
  const result = checkFile(readConfigFile(file), file, env, options);
  if (!result.ok) throw new UserError(formatErrors(result.errors));
  for (const warning of result.warnings) warn?.(formatError(warning));
  return result.config;
}

/** Checks the text of a file, and the files that it names. Relative paths start at the folder of `file`. */
export function checkFile(
  bytes: Uint8Array,
  file: string,
  env: Environment,
  options: ProgramOptions = {},
): ConfigResult {
  const directory = dirname(resolve(file));
  return parseConfig(bytes, { file, directory, env, checkPath, readsFiles: true, ...options });
}

/**
 * Checks the config of a program, an object; `${NAME}` in it is not replaced. Relative paths start at the working
 * directory. Throws a UserError with a line for each error, `path: message`.
 */
export function configOf(value: unknown, { warn, ...options }: LoadOptions = {}): Config {
  const result = checkConfig(plainFile(value), {
    file: "",
    directory: "",
    env: {},
    checkPath,
    readsFiles: true,
    ...options,
  });
  if (!result.ok) throw new UserError(result.errors.map(formatError).join("\n"));
  for (const warning of result.warnings) warn?.(formatError(warning));
  return result.config;
}

/** Checks the bytes of a config file. Never throws, whatever the bytes are. */
export function parseConfig(bytes: Uint8Array, options: ParseOptions): ConfigResult {
  return checkConfig(readYaml(bytes, options.env), options);
}

function checkConfig(yaml: YamlFile, options: ParseOptions): ConfigResult {
  const features = options.features ?? FEATURES;
  const schemas = schemasOf(features);
  const schema = options.upstreamsOptional === true ? schemas.embedded : schemas.file;
  const errors: ConfigError[] = [];
  const warnings: ConfigError[] = [];
  const add = (list: ConfigError[], offset: number, path: string, message: string): void => {
    list.push({ file: options.file, ...yaml.lineAndColumn(offset), path, message });
  };
  for (const e of yaml.errors) add(errors, e.offset, pathText(e.path), e.message);
  if (!yaml.wellFormed) return { ok: false, errors: inOrder(errors) };

  const checked = schema.safeParse(yaml.value, { error: defaultMessage });
  for (const issue of checked.error?.issues ?? [])
    reportIssue(issue, features, yaml, (offset, path, message) => add(errors, offset, path, message));
  const { file, left } = validPart(yaml, schema);
  if (file !== undefined) {
    const config = read(features, {
      value: file,
      left,
      directory: options.directory,
      readsFiles: options.readsFiles ?? false,
      ownInterceptors: options.ownInterceptors ?? false,
      checksSchemaCache: options.checksSchemaCache ?? false,
      checkPath: options.checkPath,
      isOwnTarget: (target) => isOwnTarget(target, options.features ?? {}),
      has: (path) => yaml.has(path),
      position: (path) => ({
        file: options.file,
        ...yaml.lineAndColumn(yaml.valueOffset(path)),
        path: pathText(path),
      }),
      wrong: (path, message) => add(errors, yaml.valueOffset(path), pathText(path), message),
      warn: (path, message) => add(warnings, yaml.keyOffset(path), pathText(path), message),
    });
    keepWritten(config, yaml.written);
    if (errors.length === 0) return { ok: true, config, warnings: inOrder(warnings) };
  }
  return { ok: false, errors: inOrder(errors) };
}

/** The config of all sections. */
function read(features: Features, reading: Reading): Config {
  const config = {};
  for (const [key, section] of Object.entries<Section>(sectionsOf(features))) {
    const path = [key];
    const place = placeOf(reading, path);
    Object.assign(config, section.read(place.whole.value(path), place));
  }
  return freeze(config) as Config; // as the types of the sections say
}

/** Enough to remove each enclosing mapping of an invalid value in turn. */
const MAX_ROUNDS = 8;

/**
 * The file without its invalid values, so that checks that need a valid config find their errors in the same run;
 * undefined if nothing is left. `left`: what was left out.
 */
function validPart(
  yaml: YamlFile,
  schema: z.ZodType,
): { readonly file: unknown; readonly left: readonly Path[] } {
  const left = yaml.errors.map(({ path }) => path);
  let value = without(yaml.value, left);
  for (let round = 0; round < MAX_ROUNDS && value !== undefined; round++) {
    const checked = schema.safeParse(value, { error: defaultMessage });
    if (checked.success) return { file: checked.data, left };
    const wrong = checked.error.issues.flatMap(placesOf);
    left.push(...wrong);
    value = without(value, wrong);
  }
  return { file: undefined, left };
}

function inOrder(errors: ConfigError[]): ConfigError[] {
  return errors.sort((a, b) => a.line - b.line || a.column - b.column);
}

/** Freezes a value of plain objects and lists, recursively. */
function freeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) {
    for (const inner of Object.values(value)) freeze(inner);
    Object.freeze(value);
  }
  return value;
}

/** The bytes of a config file. Throws a UserError, in one sentence, if they cannot be read. */
export function readConfigFile(file: string): Uint8Array {
  try {
    return readRegularFile(file, MAX_FILE_BYTES);
  } catch (error) {
    const problem = errorCode(error) === "EISDIR" ? "is a directory, not a config file" : fileProblem(error);
    throw new UserError(`${file}: ${problem}`, { cause: error });
  }
}
