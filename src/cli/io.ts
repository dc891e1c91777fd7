// What a command sees of the process: where it prints, and its environment.

export interface Io {
  /** Prints a line to standard output: what the command was asked for. */
  out(line: string): void;
  /** Prints a line to standard error. */
  err(line: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The io of this process. */
export function processIo(): Io {
  return {
    out: (line) => void process.stdout.write(`${line}\n`),
    err: (line) => void process.stderr.write(`${line}\n`),
    env: process.env,
  };
}
