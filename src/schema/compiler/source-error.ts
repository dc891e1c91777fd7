// An error in a .proto file, with its position.

/** A place in a text: both count from 1, columns in characters. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** The message says what is expected; the caller, who knows the file's name, prefixes `file:line:column`. */
export class SourceError extends Error {
  readonly position: Position;

  constructor(source: string, offset: number, message: string) {
    super(message);
    this.name = "SourceError";
    this.position = positionOf(source, offset);
  }
}

/** Scans the text: for errors and warnings, not for each declaration. */
export function positionOf(source: string, offset: number): Position {
  let line = 1;
  let lineStart = 0;
  for (let at = source.indexOf("\n"); at >= 0 && at < offset; at = source.indexOf("\n", at + 1)) {
    line++;
    lineStart = at + 1;
  }
  return { line, column: offset - lineStart + 1 };
}
