// The destination of log lines: a pipe or terminal, through Node's own stream, or a file. It never throws, and leaves
// nothing to do at the exit of the process.
import { close, constants, fstatSync, openSync, write } from "node:fs";
import { Socket } from "node:net";
import { UserError } from "../../kit/text/user-error.js";

export interface LineTarget {
  /** Writes text of whole lines; `done` is called once, in a later turn. One text at a time. */
  write(text: string, done: (error: Error | undefined) => void): void;
  /** Closes the file; a write in progress may be lost. */
  close(): void;
}

/** Throws a UserError if it cannot be opened. `destination`: stdout, stderr, or a file to append to. */
export function lineTarget(destination: string): LineTarget {
  if (destination === "stdout") return standard(process.stdout, 1);
  if (destination === "stderr") return standard(process.stderr, 2);
  // Without O_NONBLOCK a FIFO without a reader would block the whole process.
  const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK } = constants;
  let problem: unknown;
  try {
    const fd = openSync(destination, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, 0o640);
    const stat = fstatSync(fd);
    if (stat.isFile() || stat.isCharacterDevice()) return new FileTarget(fd, true);
    if (stat.isFIFO()) return new StreamTarget(new Socket({ fd, readable: false, writable: true }), true);
    close(fd);
    problem = new Error(`${destination} is not a file that can be appended to`);
  } catch (error) {
    problem = error;
  }
  const reason = problem instanceof Error ? problem.message : String(problem);
  throw new UserError(`the access log cannot be written: ${reason}`, { cause: problem });
}

/** Through Node's stream for a pipe or a terminal: a thread that writes to a pipe nobody reads could not be ended. */
function standard(stream: NodeJS.WriteStream, fd: number): LineTarget {
  return stream instanceof Socket ? new StreamTarget(stream, false) : new FileTarget(fd, false);
}

class StreamTarget implements LineTarget {
  readonly #stream: Socket;
  readonly #own: boolean;

  constructor(stream: Socket, own: boolean) {
    this.#stream = stream;
    this.#own = own;
    // The callback of each write reports it.
    stream.on("error", ignore);
    if (own) stream.unref();
  }

  write(text: string, done: (error: Error | undefined) => void): void {
    this.#stream.write(text, (error) => done(error ?? undefined));
  }

  close(): void {
    if (this.#own) this.#stream.destroy();
    else this.#stream.off("error", ignore);
  }
}

function ignore(): void {}

class FileTarget implements LineTarget {
  readonly #fd: number;
  readonly #own: boolean;
  /** The file ends in a part of a line: its disk was full. */
  #torn = false;

  constructor(fd: number, own: boolean) {
    this.#fd = fd;
    this.#own = own;
  }

  write(text: string, done: (error: Error | undefined) => void): void {
    const bytes = Buffer.from(this.#torn ? `\n${text}` : text);
    this.#rest(bytes, 0, done);
  }

  #rest(bytes: Buffer, from: number, done: (error: Error | undefined) => void): void {
    write(this.#fd, bytes, from, bytes.length - from, null, (error, written) => {
      const at = from + (error === null ? written : 0);
      if (error === null && at < bytes.length) {
        this.#rest(bytes, at, done);
        return;
      }
      if (at > 0) this.#torn = bytes[at - 1] !== NEWLINE;
      done(error ?? undefined);
    });
  }

  close(): void {
    if (this.#own) close(this.#fd, ignore);
  }
}

const NEWLINE = 0x0a;
