// A section defines keys of linchpin.yaml, each once: checks, defaults, documentation, whether it is secret, whether it
// needs a restart, and how it is read. Validation, JSON Schema, `init`, docs/config.md, the mask of /config and the
// notes of a reload are made from it.
import type * as z from "zod";
import type { Position } from "./config-error.js";
import type { PathKind } from "./files.js";
import type { Kit } from "./kit.js";
import type { Path } from "./yaml.js";

/**
 * A group of keys that one feature owns. A feature exports one from its folder; settings/ combines them.
 *
 * @typeParam S the zod schema of the file's part
 * @typeParam C its config, as the program uses it
 */
export interface Section<S extends z.ZodType = z.ZodType, C = unknown> {
  /** The config without a file: must equal the result of an empty file. */
  readonly defaults: C;
  /** The keys: types, checks, defaults, documentation. Called once, when the first file is read. */
  schema(kit: Kit): S;
  /**
   * Makes the config of the valid part of a file. Reports errors in files that the section names, or across sections,
   * to `at`; it does not throw for them.
   */
  read(file: z.output<S>, at: Place): C;
  /**
   * Paths of values that are never shown, below the section, with `*` for a name and for each entry of a list:
   * `keys.*.sha256`.
   */
  readonly secrets?: readonly string[];
  /** Paths below which errors quote no value, since a secret may be there by mistake; those of secrets always. */
  readonly unquoted?: readonly string[];
  /**
   * The parts that a reload cannot apply, by path below the section (`""` is all of it). A change of one is reported as
   * "needs a restart".
   */
  restart?(config: C): Readonly<Record<string, unknown>>;
}

/**
 * The keys that a feature adds to a mapping that it shares with others: a method of `methods`, an upstream of
 * `upstreams`. Its obligations are those of a `Section`; key names of two features must not collide.
 */
export interface FeatureKeys<S extends z.ZodRawShape = z.ZodRawShape, M extends object = object> {
  /** The settings if the file has none of the keys. */
  readonly defaults: M;
  schema(kit: Kit): S;
  /** A check across these keys. Returns the invalid key and the reason. */
  check?(
    keys: z.output<z.ZodObject<S>>,
  ): { readonly key: keyof S & string; readonly message: string } | undefined;
  /** As those of a section, below the mapping. */
  readonly secrets?: readonly string[];
  /** The settings, which are merged with those of other features. */
  read(keys: z.output<z.ZodObject<S>>, at: Place): M;
}

/** The position of a section in a file, and how it reports problems. Paths are relative to it. */
export interface Place {
  /** Reports an error of the file. It is dropped if the value at the path already has an error. */
  wrong(path: Path, message: string): void;
  /** A warning about a key that is valid. */
  warn(path: Path, message: string): void;
  /** Warns that a key has no effect, if the file has it: defaults cause no warning. */
  needs(path: Path, met: boolean, why: string): void;
  /** Whether the file itself has it. */
  has(path: Path): boolean;
  /** A place further inside. */
  at(...path: Path): Place;
  /** Relative paths start at the folder of the file. */
  resolved(text: string): string;
  /** Like `resolved`; an error at `path` if the file does not exist. */
  existing(path: Path, text: string, kind: PathKind): string;
  /** Like `existing`, for a file that is read at once if `readsFiles`: reading it reports a missing file too. */
  located(path: Path, text: string): string;
  /** The position of a key, for later errors. */
  position(path: Path): Position;
  /** The problem of a file or folder; undefined: none. */
  checkPath(path: string, kind: PathKind): string | undefined;
  /** Whether the files that the config names are read, and their errors reported. */
  readonly readsFiles: boolean;
  readonly whole: Whole;
}

/** The file as a whole, for checks across sections. Paths begin at its top level. */
export interface Whole {
  /** The file's value, with defaults filled in; undefined: none. */
  value(path: Path): unknown;
  /** Whether nothing at, above or below the path is invalid: only then is a check of it useful. */
  intact(...paths: readonly Path[]): boolean;
  /** The program has its own interceptors, which may authenticate callers, and use certificates. */
  readonly ownInterceptors: boolean;
  /** A folder for schemas that cannot be used is an error. */
  readonly checksSchemaCache: boolean;
  /** Whether a source of endpoints that the program adds accepts the target. Throws a UserError if it is malformed. */
  readonly isOwnTarget: (target: string) => boolean;
}

/** Preserves the types of a section: the one that `schema` returns is the one that `read` gets. */
export function section<S extends z.ZodType, C>(it: Section<S, C>): Section<S, C> {
  return it;
}

/** As `section`, for keys that a feature brings to a mapping. */
export function featureKeys<S extends z.ZodRawShape, M extends object>(
  it: FeatureKeys<S, M>,
): FeatureKeys<S, M> {
  return it;
}

/** The config of a section. */
export type ConfigOf<T> = T extends { readonly defaults: infer C } ? C : never;
/** The zod schema of a section. */
export type SchemaOf<T> = T extends { schema(kit: Kit): infer S extends z.ZodType } ? S : never;

/** The intersection of a union's members: `A | B` becomes `A & B`. */
export type AllOf<U> = (U extends unknown ? (one: U) => void : never) extends (all: infer I) => void
  ? I
  : never;
/** The shape of the keys of several features. */
export type ShapeOf<K> = AllOf<K extends FeatureKeys<infer S> ? S : never>;
