// Endpoints listed in a YAML or JSON file: `file:///etc/linchpin/library.yaml`. Watched, however it is replaced.
import { resolve } from "node:path";
import { fileProblem } from "../../config/files.js";
import type { YamlFile } from "../../config/yaml.js";
import { reportFault } from "../../kit/faults.js";
import { lateLoad } from "../../kit/files/late-load.js";
import { readLargeFile } from "../../kit/files/regular-file.js";
import { type FileWatch, watchFiles } from "../../kit/files/watch-files.js";
import type { Environment } from "../../kit/runtime.js";
import { type Parsed, parsed, rejected } from "../../kit/text/parsed.js";
import { parsedOrThrow } from "../../kit/text/user-error.js";
import {
  type EndpointInfo,
  type EndpointSource,
  type EndpointWatcher,
  MAX_ENDPOINTS,
  type SourceContext,
  type Watch,
} from "./endpoint-source.js";
import { distinct, parseEntry } from "./entries.js";

/** 10,000 endpoints with all possible keys. */
const MAX_BYTES = 1024 ** 2;
/** Errors in one message; the rest is counted. */
const MAX_TOLD = 3;

const KIND = { what: "a list of endpoints", needs: "at least one, as in [127.0.0.1:50051]" };

/** Throws a UserError if the target has no valid path. Relative paths start at the working directory. */
export function fileEndpoints(target: string, context: SourceContext): EndpointSource {
  const path = resolve(parsedOrThrow(parsePath(target), "file:", target));
  return { watch: (watcher) => new FileEndpoints(path, watcher, context) };
}

/** The path of a target; undefined if it is not a file target, or malformed. */
export function endpointsFile(target: string): string | undefined {
  if (!target.startsWith("file:")) return undefined;
  const path = parsePath(target.slice("file:".length));
  return path.ok ? path.value : undefined;
}

/** RFC 8089: `///PATH`, `//localhost/PATH`; and a path alone. */
function parsePath(target: string): Parsed<string> {
  const path = target.startsWith("//") ? /^\/\/(?:localhost)?(\/.*)$/is.exec(target)?.[1] : target;
  if (path === undefined || path === "" || path.endsWith("/") || path.includes("\0"))
    return rejected("must name a file, as in file:///etc/linchpin/library.yaml");
  try {
    return parsed(decodeURIComponent(path));
  } catch {
    return rejected("must have %25 in place of each % in the file's name");
  }
}

class FileEndpoints implements Watch {
  readonly #path: string;
  readonly #watcher: EndpointWatcher;
  readonly #env: Environment;
  readonly #watch: FileWatch;
  #reading = false;
  /** It changed while it was read. */
  #again = false;
  #closed = false;

  constructor(path: string, watcher: EndpointWatcher, { clock, env = {} }: SourceContext) {
    this.#path = path;
    this.#watcher = watcher;
    this.#env = env;
    this.#watch = watchFiles([path], () => this.#look(), { clock });
    this.#look();
  }

  close(): void {
    this.#closed = true;
    this.#watch.close();
  }

  #look(): void {
    if (this.#reading) {
      this.#again = true;
      return;
    }
    this.#reading = true;
    this.#read()
      .catch((error: unknown) => reportFault("while a list of endpoints was read", error))
      .finally(() => {
        this.#reading = false;
        if (this.#again && !this.#closed) {
          this.#again = false;
          this.#look();
        }
      });
  }

  async #read(): Promise<void> {
    let bytes: Buffer;
    try {
      bytes = await readLargeFile(this.#path, MAX_BYTES);
    } catch (error) {
      this.#tell(rejected(`${this.#path}: ${fileProblem(error)}`));
      return;
    }
    // Loads the YAML parser, which hubs without a config file do not need.
    const { readYaml, pathText } = await lateLoad(() => import("../../config/yaml.js"));
    this.#tell(listOf(bytes, this.#path, (text) => readYaml(text, this.#env, KIND), pathText));
  }

  #tell(list: Parsed<readonly EndpointInfo[]>): void {
    if (this.#closed) return;
    if (!list.ok) {
      this.#watcher.problem(list.reason);
      return;
    }
    const { endpoints, twice } = distinct(list.value);
    this.#watcher.endpoints(endpoints, twice && `${this.#path}: ${twice}`);
  }
}

/** A valid list, or all errors in it, each with `file:line:column`. */
function listOf(
  bytes: Buffer,
  path: string,
  read: (bytes: Buffer) => YamlFile,
  pathText: (path: readonly (string | number)[]) => string,
): Parsed<readonly EndpointInfo[]> {
  const plain = entriesOf(jsonOf(bytes));
  if (plain.problems.length === 0) return parsed(plain.endpoints);
  const yaml = read(bytes);
  const problems = yaml.errors.map(({ offset, path: at, message }) => ({ offset, at, message }));
  const { endpoints, problems: wrong } = entriesOf(yaml.value);
  // Invalid YAML has no entries.
  if (yaml.wellFormed)
    problems.push(
      ...wrong
        .filter(({ at }) => !yaml.failed(at))
        .map(({ at, message, quoted }) => ({
          offset: yaml.valueOffset(at),
          at,
          message: quoted ? message + yaml.notWhat(at, true) : message,
        })),
    );
  if (problems.length === 0) return parsed(endpoints);
  const told = problems
    .filter((_, i) => i < MAX_TOLD)
    .map(({ offset, at, message }) => {
      const { line, column } = yaml.lineAndColumn(offset);
      return `${path}:${line}:${column}: ${at.length === 0 ? "" : `${pathText(at)}: `}${message}`;
    });
  const more = problems.length - told.length;
  return rejected(`${told.join("; ")}${more > 0 ? `; and ${more} more` : ""}`);
}

/** Most long lists are generated, and JSON is parsed a hundred times faster than YAML. */
function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    return undefined;
  }
}

interface Problem {
  readonly at: readonly (string | number)[];
  readonly message: string;
  /** The value itself is wrong. */
  readonly quoted: boolean;
}

interface Entries {
  readonly endpoints: readonly EndpointInfo[];
  readonly problems: readonly Problem[];
}

function entriesOf(value: unknown): Entries {
  const whole = (message: string, quoted = false): Entries => ({
    endpoints: [],
    problems: [{ at: [], message, quoted }],
  });
  if (!Array.isArray(value)) return whole("must be a list of endpoints, as in [127.0.0.1:50051]", true);
  if (value.length === 0) return whole("lists no endpoint");
  if (value.length > MAX_ENDPOINTS)
    return whole(`lists ${value.length} endpoints, more than the ${MAX_ENDPOINTS} that an upstream may have`);
  const endpoints: EndpointInfo[] = [];
  const problems: Problem[] = [];
  for (const [i, entry] of value.entries()) {
    const result = parseEntry(entry);
    if (result.ok) endpoints.push(result.value);
    else
      problems.push({
        at: [i, ...("path" in result ? result.path : [])],
        message: result.reason,
        quoted: true,
      });
  }
  return { endpoints, problems };
}
