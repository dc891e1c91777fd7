// Errors of a config with their position: those found while it is read, and later ones.

/** Position of a key in a file. Line and column count from 1; the column counts UTF-16 units. */
export interface Position {
  /** "" if the config is an object of a program: then only the path is shown. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** e.g. `upstreams.library.endpoints[0]`; empty if the text is not YAML. */
  readonly path: string;
}

/** One error, or one key without effect. */
export interface ConfigError extends Position {
  readonly message: string;
}

/** Nobody fixes more errors than this at once; the last line counts the others. */
const MAX_ERRORS = 100;

/** `file:line:column: path: message`; `path: message` if there is no file. */
export function formatError({ file, line, column, path, message }: ConfigError): string {
  const place = file === "" ? "" : `${file}:${line}:${column}: `;
  return `${place}${path === "" ? "" : `${path}: `}${message}`;
}

/** A line for each error. */
export function formatErrors(errors: readonly ConfigError[]): string {
  const lines = errors.flatMap((error, i) => (i < MAX_ERRORS ? [formatError(error)] : []));
  if (errors.length > MAX_ERRORS) lines.push(`and ${errors.length - MAX_ERRORS} more errors`);
  return lines.join("\n");
}
