// Standard output and standard error, with readers and without: output that cannot be written is dropped and counted,
// and nothing waits, throws or grows because of it.
import { writeSync } from "node:fs";
import { Socket } from "node:net";
import { printable } from "../../kit/text/text.js";

/** Bytes buffered for a slow reader of a pipe; further output is dropped. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

export class StandardOutput {
  /** Writes that were lost. */
  lost = 0;
  readonly #stream: NodeJS.WriteStream;
  readonly #fd: number;
  readonly #onError: (error: Error) => void;

  /** @param onError for each error of a write; may be the same again and again */
  constructor(stream: NodeJS.WriteStream, fd: number, onError: (error: Error) => void) {
    this.#stream = stream;
    this.#fd = fd;
    this.#onError = onError;
    // The callback of each write reports the same.
    stream.on("error", () => {});
  }

  /** One line, or several: control characters, which a service or a client may have put there, are escaped. */
  line(text: string): void {
    const waiting = this.#stream instanceof Socket ? this.#stream.writableLength : 0;
    if (waiting > MAX_WAITING_BYTES) this.lost++;
    else this.write(`${printable(text)}\n`, () => {});
  }

  /** Data as it is, however much waits. `done` is called once, maybe at once. */
  write(data: string | Uint8Array, done: (error: Error | undefined) => void): void {
    const end = (error: Error | undefined): void => {
      if (error !== undefined) {
        this.lost++;
        this.#onError(error);
      }
      done(error);
    };
    if (this.#stream instanceof Socket) {
      this.#stream.write(data, (error) => end(error ?? undefined));
      return;
    }
    // A file. Not through Node's stream: after one error, such as a full disk, it accepts all further writes and makes
    // none.
    try {
      const bytes = Buffer.from(data);
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
      end(undefined);
    } catch (error) {
      end(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Resolves when all output was written; never if nobody reads. */
  flushed(): Promise<void> {
    if (!(this.#stream instanceof Socket) || this.#stream.destroyed) return Promise.resolve();
    return new Promise((resolve) => this.#stream.write("", () => resolve()));
  }
}
