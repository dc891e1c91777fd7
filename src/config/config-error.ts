// What is wrong with a config, and where: for errors that come while it is read, and for those that come later.

/** Where a key stands in a file. Line and column count from 1; the column counts UTF-16 units. */
export interface Position {
  /** "" where the config is an object of a program: then the path alone counts. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** e.g. `upstreams.library.endpoints[0]`; empty where the text is no YAML. */
  readonly path: string;
}

/** One thing that is wrong, or has no effect. */
export interface ConfigError extends Position {
  readonly message: string;
}

/** Beyond this many errors a person starts anew; the last line says how many more there are. */
const MAX_ERRORS = 100;

/** `file:line:column: path: message`; `path: message` where there is no file. */
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
