// The one place of a key of linchpin.yaml: a section has its keys with their checks, defaults and documentation, says which
// are secret and which need a restart, and reads them. Validation, JSON Schema, `init`, docs/config.md, the mask of
// /config and the notes of a reload are made from it.
import type * as z from "zod";
import type { Position } from "./config-error.js";
import type { PathKind } from "./files.js";
import type { Kit } from "./kit.js";
import type { Path } from "./yaml.js";

/**
 * @typeParam S the zod schema of what the file says
 * @typeParam C what the program gets of it
 */
export interface Section<S extends z.ZodType = z.ZodType, C = unknown> {
  /** What holds without a file: the same as what an empty file gives. */
  readonly defaults: C;
  /** The keys: types, checks, defaults, documentation. Made once, when the first file is read. */
  schema(kit: Kit): S;
  /** What the program gets. What is wrong in files that the section names, or across sections, goes to `at`. */
  read(file: z.output<S>, at: Place): C;
  /** Paths of values that nobody is shown, below the section, with `*` for a name and for each entry of a list: `keys.*.sha256`. */
  readonly secrets?: readonly string[];
  /** Paths below which errors repeat no value, since a secret may stand there by mistake; those of secrets always. */
  readonly unquoted?: readonly string[];
  /** What a reload does not take over: its part of the config, by path below the section (`""` is all of it). */
  restart?(config: C): Readonly<Record<string, unknown>>;
}

/** The keys that a feature brings to a mapping that it shares with others: a method of `methods`, an upstream of `upstreams`. */
export interface FeatureKeys<S extends z.ZodRawShape = z.ZodRawShape, M extends object = object> {
  /** What holds where the file has none of them. */
  readonly defaults: M;
  schema(kit: Kit): S;
  /** A check across these keys: the key that is wrong, and why. */
  check?(
    keys: z.output<z.ZodObject<S>>,
  ): { readonly key: keyof S & string; readonly message: string } | undefined;
  /** As those of a section, below the mapping. */
  readonly secrets?: readonly string[];
  /** What the program gets: fields of the settings that the mapping becomes. */
  read(keys: z.output<z.ZodObject<S>>, at: Place): M;
}

/** Where a section stands in a file. Paths are relative to it. */
export interface Place {
  /** An error of the file. It is left out where what it is about is wrong already. */
  wrong(path: Path, message: string): void;
  /** A warning about a key that is valid. */
  warn(path: Path, message: string): void;
  /** A warning that a key has no effect, where the file has it: a default is nobody's mistake. */
  needs(path: Path, met: boolean, why: string): void;
  /** Whether the file itself has it. */
  has(path: Path): boolean;
  /** A place further inside. */
  at(...path: Path): Place;
  /** Relative paths start at the folder of the file. */
  resolved(text: string): string;
  /** As `resolved`; an error at `path` where the file is not there. */
  existing(path: Path, text: string, kind: PathKind): string;
  /** As `existing`, for a file that is read right away where `readsFiles`: that tells as well that it is not there. */
  located(path: Path, text: string): string;
  /** Where a key stands, for errors that come later. */
  position(path: Path): Position;
  /** Says what is wrong with a file or folder; undefined: nothing. */
  checkPath(path: string, kind: PathKind): string | undefined;
  /** Whether the files that the config names are read, and what is wrong inside them is told. */
  readonly readsFiles: boolean;
  readonly whole: Whole;
}

/** The file as a whole, for checks across sections. Paths begin at its top level. */
export interface Whole {
  /** What the file says, with defaults filled in; undefined: nothing. */
  value(path: Path): unknown;
  /** Whether nothing at, above or below the path is wrong: a check that looks there is of use. */
  intact(...paths: readonly Path[]): boolean;
  /** The program has interceptors of its own, which may say who calls, and look at certificates. */
  readonly ownInterceptors: boolean;
  /** A folder for schemas that cannot be used is an error. */
  readonly checksSchemaCache: boolean;
}

/** Keeps the types of a section: the one that `schema` returns is the one that `read` gets. */
export function section<S extends z.ZodType, C>(it: Section<S, C>): Section<S, C> {
  return it;
}

/** As `section`, for keys that a feature brings to a mapping. */
export function featureKeys<S extends z.ZodRawShape, M extends object>(
  it: FeatureKeys<S, M>,
): FeatureKeys<S, M> {
  return it;
}

/** What the program gets of a section. */
export type ConfigOf<T> = T extends { readonly defaults: infer C } ? C : never;
/** The zod schema of a section. */
export type SchemaOf<T> = T extends { schema(kit: Kit): infer S extends z.ZodType } ? S : never;

/** All of the members of a union at once: `A | B` becomes `A & B`. */
export type AllOf<U> = (U extends unknown ? (one: U) => void : never) extends (all: infer I) => void
  ? I
  : never;
/** The shape of the keys of several features. */
export type ShapeOf<K> = AllOf<K extends FeatureKeys<infer S> ? S : never>;
