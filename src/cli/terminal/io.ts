// A command's view of the process: its output, and its environment.
import { printable } from "../../kit/text/text.js";
import { errorCode, UserError } from "../../kit/text/user-error.js";
import { StandardOutput } from "./standard-output.js";

export interface Io {
  /** Prints a line of the command's result to standard output. */
  out(line: string): void;
  /** Prints a line to standard error. */
  err(line: string): void;
  /** Prints data to standard output, unescaped if it is not a terminal. Rejects with a UserError if that fails. */
  data(data: string | Uint8Array): Promise<void>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** From now on a hub serves: it stays if the readers of its output leave. */
  serving?(): void;
  /** Lines of standard error that were lost. */
  lost?(): number;
}

/** The io of this process. */
export class ProcessIo implements Io {
  readonly env = process.env;
  #serving = false;
  readonly #out = new StandardOutput(process.stdout, 1, (error) => this.#outFailed(error));
  readonly #err = new StandardOutput(process.stderr, 2, () => {
    if (!this.#serving) process.exit(1);
  });

  readonly out = (line: string): void => this.#out.line(line);
  readonly err = (line: string): void => this.#err.line(line);
  readonly data = (data: string | Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => {
      // A terminal would obey control characters in a service's comments.
      const shown = typeof data === "string" && process.stdout.isTTY ? printable(data) : data;
      this.#out.write(shown, (error) => {
        if (error === undefined) resolve();
        else reject(new UserError(`standard output: ${error.message}`, { cause: error }));
      });
    });
  readonly serving = (): void => {
    this.#serving = true;
  };
  readonly lost = (): number => this.#err.lost;

  /** Resolves when all output was written; never if nobody reads. */
  async flushed(): Promise<void> {
    await Promise.all([this.#out.flushed(), this.#err.flushed()]);
  }

  /** `linchpin routes | head` closes the pipe early, which is not an error. A full disk is. */
  #outFailed(error: Error): void {
    if (this.#serving) return;
    if (errorCode(error) === "EPIPE") process.exit(0);
    this.#err.line(`standard output: ${error.message}`);
    process.exit(1);
  }
}
