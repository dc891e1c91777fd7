// A section's view of a file while it is read: its position, the rest of the file, and where its errors go.
import { resolve } from "node:path";
import type { Position } from "../config/config-error.js";
import type { PathKind } from "../config/files.js";
import type { Place, Whole } from "../config/section.js";
import type { Path } from "../config/yaml.js";

/** A file whose sections are read. */
export interface Reading extends Pick<Place, "readsFiles" | "checkPath" | "has"> {
  /** Relative paths start here. */
  readonly directory: string;
  /** With defaults filled in, and without invalid values. */
  readonly value: unknown;
  /** Invalid values that were left out of `value`. */
  readonly left: readonly Path[];
  readonly ownInterceptors: boolean;
  readonly checksSchemaCache: boolean;
  isOwnTarget(target: string): boolean;
  position(path: Path): Position;
  wrong(path: Path, message: string): void;
  warn(path: Path, message: string): void;
}

/** The place of a section. */
export function placeOf(reading: Reading, path: Path): Place {
  return new FilePlace(reading, new WholeFile(reading), path);
}

class FilePlace implements Place {
  readonly whole: Whole;
  readonly #reading: Reading;
  readonly #path: Path;

  constructor(reading: Reading, whole: Whole, path: Path) {
    this.#reading = reading;
    this.whole = whole;
    this.#path = path;
  }

  get readsFiles(): boolean {
    return this.#reading.readsFiles;
  }

  wrong(path: Path, message: string): void {
    const full = [...this.#path, ...path];
    // It may be invalid only because a part of it was left out.
    if (this.whole.intact(full)) this.#reading.wrong(full, message);
  }

  warn(path: Path, message: string): void {
    this.#reading.warn([...this.#path, ...path], message);
  }

  needs(path: Path, met: boolean, why: string): void {
    if (!met && this.has(path)) this.warn(path, `has no effect: ${why}`);
  }

  has(path: Path): boolean {
    return this.#reading.has([...this.#path, ...path]);
  }

  at(...path: Path): Place {
    return new FilePlace(this.#reading, this.whole, [...this.#path, ...path]);
  }

  resolved(text: string): string {
    return resolve(this.#reading.directory, text);
  }

  existing(path: Path, text: string, kind: PathKind): string {
    const full = this.resolved(text);
    const problem = this.checkPath(full, kind);
    if (problem !== undefined) this.wrong(path, problem);
    return full;
  }

  located(path: Path, text: string): string {
    return this.readsFiles ? this.resolved(text) : this.existing(path, text, "file");
  }

  position(path: Path): Position {
    return this.#reading.position([...this.#path, ...path]);
  }

  checkPath(path: string, kind: PathKind): string | undefined {
    return this.#reading.checkPath(path, kind);
  }
}

class WholeFile implements Whole {
  readonly ownInterceptors: boolean;
  readonly checksSchemaCache: boolean;
  readonly isOwnTarget: (target: string) => boolean;
  readonly #reading: Reading;

  constructor(reading: Reading) {
    this.#reading = reading;
    const use = this.value(["use"]);
    this.ownInterceptors = reading.ownInterceptors || (Array.isArray(use) && use.length > 0);
    this.checksSchemaCache = reading.checksSchemaCache;
    this.isOwnTarget = (target) => reading.isOwnTarget(target);
  }

  value(path: Path): unknown {
    return path.reduce<unknown>(
      (inner, key) => (typeof inner === "object" && inner !== null ? Reflect.get(inner, key) : undefined),
      this.#reading.value,
    );
  }

  intact(...paths: readonly Path[]): boolean {
    return !this.#reading.left.some((left) =>
      paths.some((path) => startsWith(path, left) || startsWith(left, path)),
    );
  }
}

function startsWith(path: Path, beginning: Path): boolean {
  return beginning.every((part, i) => path[i] === part);
}
