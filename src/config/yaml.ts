// Parses YAML into plain values, substitutes environment variables, and records the position of each value.

import {
  Composer,
  type CST,
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  type Pair,
  Parser,
  Scalar,
  type YAMLError,
  type YAMLMap,
} from "yaml";
import type { Environment } from "../kit/runtime.js";
import { maskedText } from "../kit/text/masked-text.js";
import { cut } from "../kit/text/text.js";

export type Path = readonly (string | number)[];

export interface YamlProblem {
  /** Into the text, UTF-16 units. */
  readonly offset: number;
  readonly path: Path;
  readonly message: string;
}

/** 1 MiB: far beyond a hand-written file, small enough to parse at once. */
export const MAX_FILE_BYTES = 1024 ** 2;
/** Levels of nesting; the schema has 7. Bounds the recursion here and in the schema. */
const MAX_DEPTH = 32;
/** A level takes up to two tokens of the parser's stack: the collection, and its open value. */
const MAX_OPEN_TOKENS = 2 * MAX_DEPTH + 8;
/** Values after aliases are written out: 10 aliases of 10 aliases of … end here. */
const MAX_VALUES = 100_000;
/** Characters of an invalid value that an error message quotes. */
const MAX_QUOTED = 60;

export interface YamlFile {
  /** False: the text is not YAML, and `value` is meaningless. */
  readonly wellFormed: boolean;
  readonly value: unknown;
  /** The same as in the file: environment variables by name. */
  readonly written: unknown;
  readonly errors: readonly YamlProblem[];
  lineAndColumn(offset: number): { line: number; column: number };
  /** The position of the value; for a missing one, that of the mapping in which it is missing. */
  valueOffset(path: Path): number;
  /** The position of the value's key, or of the nearest enclosing one. */
  keyOffset(path: Path): number;
  has(path: Path): boolean;
  /** True if the value already has an error. */
  failed(path: Path): boolean;
  /**
   * `, not "x"`: the value as in the file; environment variables by name, since they may be secrets. Empty for a
   * mapping or list, unless `collections`: there the kind is the error.
   */
  notWhat(path: Path, collections: boolean): string;
}

interface Place {
  readonly key: number;
  readonly value: number;
  readonly what: string;
  readonly empty: boolean;
  readonly scalar: boolean;
  failed: boolean;
}

/** What a file is for, in messages. */
export interface FileKind {
  /** e.g. `a config` */
  readonly what: string;
  /** e.g. `at least upstreams` */
  readonly needs: string;
}

const CONFIG: FileKind = { what: "a config", needs: "at least upstreams" };

/** Never throws: errors in the bytes are in `errors`. */
export function readYaml(bytes: Uint8Array, env: Environment, kind: FileKind = CONFIG): YamlFile {
  const reader = new Reader(env, kind);
  reader.read(bytes);
  return reader;
}

class Reader implements YamlFile {
  wellFormed = false;
  value: unknown = undefined;
  written: unknown = undefined;
  readonly errors: YamlProblem[] = [];
  /** Values with environment variables in them, by path. */
  readonly #variables = new Map<string, string>();
  readonly #env: Environment;
  readonly #kind: FileKind;
  readonly #lines = new LineCounter();
  readonly #places = new Map<string, Place>();
  #text = "";
  readonly #anchors = new Map<string, Node>();
  readonly #known = new Set<Node>();
  /** The collections around the value that is being converted. */
  readonly #open = new Set<Node>();
  #values = 0;

  constructor(env: Environment, kind: FileKind) {
    this.#env = env;
    this.#kind = kind;
  }

  read(bytes: Uint8Array): void {
    if (bytes.length > MAX_FILE_BYTES) {
      this.#wrong(
        0,
        [],
        `the file has ${bytes.length} bytes; ${this.#kind.what} file has at most ${MAX_FILE_BYTES}`,
      );
      return;
    }
    const wrongByte = firstNonUtf8(bytes);
    // stream: drops a character that the invalid byte cuts.
    this.#text = new TextDecoder("utf-8").decode(bytes.subarray(0, wrongByte), {
      stream: wrongByte !== undefined,
    });
    if (wrongByte !== undefined) {
      for (const match of this.#text.matchAll(/\n/g)) this.#lines.addNewLine(match.index + 1);
      this.#lines.lineStarts.unshift(0);
      this.#wrong(this.#text.length, [], "the file is not UTF-8 text from here on");
      return;
    }
    const documents = withoutStacks(() => this.#compose());
    if (documents === undefined) return;
    const [document, second] = documents;
    if (second !== undefined) {
      this.#wrong(second.range[0], [], `the file has more than one YAML document; ${this.#kind.what} is one`);
    }
    if (document === undefined || (document.contents === null && document.errors.length === 0)) {
      this.#wrong(0, [], `the file is empty: ${this.#kind.what} needs ${this.#kind.needs}`);
      return;
    }
    // The first error of each line: the next ones usually follow from it.
    let line = 0;
    for (const error of [...document.errors, ...document.warnings]) {
      const at = this.#lines.linePos(error.pos[0]).line;
      if (at !== line) this.#wrong(error.pos[0], [], sentence(error, this.#text));
      line = at;
    }
    if (this.errors.length > 0) return;
    this.value = this.#convert(document.contents, [], 0, 0);
    this.wellFormed = this.#values <= MAX_VALUES;
    if (this.wellFormed) this.written = this.#named(this.value, []);
  }

  #compose(): Document.Parsed[] | undefined {
    const tokens = this.#parse();
    if (tokens === undefined) return undefined;
    const composer = new Composer({ prettyErrors: false, uniqueKeys: false, stringKeys: false });
    const documents: Document.Parsed[] = [];
    for (const document of composer.compose(tokens)) {
      documents.push(document);
      if (documents.length > 1) break;
    }
    return documents;
  }

  /** Like `Parser.parse`, but with a limit on nesting: the composer recurses, and would exhaust the stack. */
  #parse(): CST.Token[] | undefined {
    const parser = new Parser(this.#lines.addNewLine);
    const tokens: CST.Token[] = [];
    this.#lines.addNewLine(0);
    for (const lexeme of new Lexer().lex(this.#text)) {
      for (const token of parser.next(lexeme)) tokens.push(token);
      if (parser.stack.length > MAX_OPEN_TOKENS) {
        this.#wrong(parser.offset, [], `the file is nested more than ${MAX_DEPTH} levels deep here`);
        return undefined;
      }
    }
    for (const token of parser.end()) tokens.push(token);
    return tokens;
  }

  #wrong(offset: number, path: Path, message: string): void {
    this.errors.push({ offset, path, message });
  }

  /** An error of a value that needs no second one from the schema. */
  #fail(offset: number, path: Path, message: string): void {
    this.#wrong(offset, path, message);
    const place = this.#places.get(id(path));
    if (place !== undefined) place.failed = true;
  }

  #convert(node: unknown, path: Path, key: number, depth: number): unknown {
    const value = offsetOf(node) ?? key;
    this.#values++;
    if (this.#values > MAX_VALUES) {
      if (this.#values === MAX_VALUES + 1) {
        this.#wrong(value, path, `the file has more than ${MAX_VALUES} values, aliases written out`);
      }
      return undefined;
    }
    let target = node;
    if (isAlias(node)) {
      // The library's own resolve() walks the whole document for each alias: quadratic in the file's size.
      target = this.#anchors.get(node.source);
      if (target === undefined) this.#wrong(value, path, `there is no &${node.source} before this alias`);
      if (isNode(target) && this.#open.has(target)) {
        this.#wrong(value, path, `this alias stands inside its own anchor &${node.source}`);
        return undefined;
      }
    } else if (isNode(node) && node.anchor !== undefined && !this.#known.has(node)) {
      // Once: writing out an alias passes the anchors inside it again.
      this.#known.add(node);
      this.#anchors.set(node.anchor, node);
    }
    this.#places.set(id(path), {
      key,
      value,
      what: this.#describe(target),
      empty: target === null || (isScalar(target) && target.value === null),
      scalar: isScalar(target),
      failed: false,
    });
    if (depth > MAX_DEPTH) {
      this.#fail(value, path, `is nested more than ${MAX_DEPTH} levels deep`);
      return undefined;
    }
    if (isMap(target) || isSeq(target)) {
      this.#open.add(target);
      const collection = isMap(target)
        ? this.#mapping(target, path, depth)
        : target.items.map((item, i) =>
            this.#convert(item, [...path, i], offsetOf(item) ?? value, depth + 1),
          );
      this.#open.delete(target);
      return collection;
    }
    if (isScalar(target)) return this.#scalar(target, path, value);
    return target;
  }

  #mapping(map: YAMLMap, path: Path, depth: number): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    const seen = new Map<string, number>();
    for (const pair of map.items) {
      const offset = offsetOf(pair.key) ?? offsetOf(map) ?? 0;
      const key = keyText(pair, this.#text);
      if (key === undefined || key === "__proto__") {
        this.#wrong(offset, path, "a key must be plain text");
        continue;
      }
      const at = [...path, key];
      const before = seen.get(key);
      if (before !== undefined) {
        this.#wrong(offset, at, `stands twice, first in line ${this.lineAndColumn(before).line}`);
        continue;
      }
      seen.set(key, offset);
      const value = this.#convert(pair.value, at, offset, depth + 1);
      // A key without a value counts as missing; the schema reports it if it is required.
      object[key] = value === null ? undefined : value;
    }
    return object;
  }

  #scalar(scalar: Scalar, path: Path, offset: number): unknown {
    if (typeof scalar.value !== "string" || !scalar.value.includes("$")) return scalar.value;
    let searchFrom = offset;
    let replaced = false;
    const text = scalar.value.replace(VARIABLE, (whole, escaped, name, fallback, odd) => {
      const at = this.#text.indexOf(whole, searchFrom);
      const end = scalar.range?.[1] ?? offset;
      const found = at >= 0 && at < end ? at : offset;
      searchFrom = found === at ? at + whole.length : searchFrom;
      if (escaped !== undefined) return "${";
      if (odd !== undefined) {
        this.#fail(
          found,
          path,
          `has a \${ that is no \${NAME} or \${NAME:-default}; write $\${ for a plain \${`,
        );
        return "";
      }
      replaced = true;
      const value = this.#env[name];
      if (value !== undefined && (value !== "" || fallback === undefined)) return value;
      if (fallback !== undefined) return fallback;
      this.#fail(
        found,
        path,
        `the environment variable ${name} is not set; \${${name}:-default} gives it a default`,
      );
      return "";
    });
    if (replaced) this.#variables.set(id(path), scalar.value);
    // As in YAML itself: quoted values are text, others get their type from their form.
    return replaced && scalar.type === Scalar.PLAIN ? plainValue(text) : text;
  }

  /** The value with the names of variables instead of their values. */
  #named(value: unknown, path: Path): unknown {
    if (Array.isArray(value)) return value.map((inner, i) => this.#named(inner, [...path, i]));
    if (typeof value !== "object" || value === null) return this.#variables.get(id(path)) ?? value;
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, this.#named(inner, [...path, key])]),
    );
  }

  #describe(node: unknown): string {
    if (isMap(node)) return "a mapping";
    if (isSeq(node)) return "a list";
    if (!isScalar(node) || node.value === null) return "nothing";
    const range = node.range;
    const source = range ? this.#text.slice(range[0], range[1]).trimEnd() : String(node.value);
    const [line = "", more] = maskedText(source).split(/\r?\n/, 2);
    return more === undefined ? cut(line, MAX_QUOTED, "…") : `${cut(line, MAX_QUOTED)}…`;
  }

  lineAndColumn(offset: number): { line: number; column: number } {
    const { line, col } = this.#lines.linePos(offset);
    return line === 0 ? { line: 1, column: 1 } : { line, column: col };
  }

  valueOffset(path: Path): number {
    const place = this.#places.get(id(path));
    return place === undefined || place.empty ? this.keyOffset(path) : place.value;
  }

  keyOffset(path: Path): number {
    for (let length = path.length; length >= 0; length--) {
      const place = this.#places.get(id(path.slice(0, length)));
      if (place !== undefined) return place.key;
    }
    return 0;
  }

  has(path: Path): boolean {
    return this.#places.get(id(path))?.empty === false;
  }

  failed(path: Path): boolean {
    return this.#places.get(id(path))?.failed === true;
  }

  notWhat(path: Path, collections: boolean): string {
    const place = this.#places.get(id(path));
    return place !== undefined && (place.scalar || collections) ? `, not ${place.what}` : "";
  }
}

// $${ | ${NAME} or ${NAME:-default} | any other ${
const VARIABLE = /(\$\$\{)|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^{}]*))?\}|(\$\{)/g;

/** The type of unquoted text in YAML's core schema, as far as a config needs it. */
function plainValue(text: string): unknown {
  if (/^[-+]?\d{1,15}(?:\.\d{1,15})?$/.test(text)) return Number(text);
  if (/^(?:true|True|TRUE)$/.test(text)) return true;
  if (/^(?:false|False|FALSE)$/.test(text)) return false;
  return text;
}

function keyText(pair: Pair, text: string): string | undefined {
  const key: unknown = pair.key;
  if (!isScalar(key)) return undefined;
  if (typeof key.value === "string") return key.value;
  // Numbers and booleans as the file writes them: 1.10 is not 1.1.
  return key.range ? text.slice(key.range[0], key.range[1]).trim() : String(key.value);
}

function offsetOf(node: unknown): number | undefined {
  return isNode(node) ? (node as Node).range?.[0] : undefined;
}

function id(path: Path): string {
  return JSON.stringify(path);
}

/** `upstreams.library.endpoints[0]`; keys with other characters in quotes. */
export function pathText(path: Path): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else if (/^[A-Za-z0-9_-]+$/.test(part)) text += text === "" ? part : `.${part}`;
    else text += `[${JSON.stringify(part)}]`;
  }
  return text;
}

/**
 * A text of nothing but errors has tens of thousands: collecting their stacks, which nobody reads, is most of the work.
 */
function withoutStacks<T>(work: () => T): T {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return work();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** The YAML library's error, reworded if its own text does not help. */
function sentence(error: YAMLError, text: string): string {
  const lineStart = text.lastIndexOf("\n", error.pos[0] - 1) + 1;
  const lineEnd = text.indexOf("\n", error.pos[0]);
  const line = text.slice(lineStart, lineEnd < 0 ? text.length : lineEnd);
  if (/(?:^|[\s,[])\[[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*\]:\d/.test(line)) {
    return 'an IPv6 address needs quotes, as in "[::1]:8080"';
  }
  switch (error.code) {
    case "TAB_AS_INDENT":
      return "a tab cannot indent YAML; use spaces";
    case "TAG_RESOLVE_FAILED":
      return "tags (!name) are not supported";
    case "BAD_ALIAS":
      return `this alias cannot be used: ${error.message}`;
    default:
      return `this is not valid YAML: ${error.message}`;
  }
}

/** The index of the first byte that no UTF-8 text has there; undefined when all of it is UTF-8. */
function firstNonUtf8(bytes: Uint8Array): number | undefined {
  const decodes = (end: number): boolean => {
    try {
      new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, end), { stream: true });
      return true;
    } catch {
      return false;
    }
  };
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return undefined;
  } catch {
    // `decodes` is true up to the invalid byte and never after it: bisect.
    let good = 0;
    let bad = bytes.length + 1;
    while (bad - good > 1) {
      const middle = (good + bad) >> 1;
      if (decodes(middle)) good = middle;
      else bad = middle;
    }
    return good;
  }
}
