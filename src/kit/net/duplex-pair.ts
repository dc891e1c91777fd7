// Two connected Duplex streams: a connection inside the process, without a socket.
import { Duplex } from "node:stream";
import { attempt, reportFault } from "../faults.js";
import { guarded } from "./guarded.js";

/** Buffer of each side; Node's own default differs between its versions. */
const HELD_BYTES = 16 * 1024;

class Half extends Duplex {
  other: Half | undefined = undefined;
  /** Completes our write once the other side's reader takes more. */
  private written: (() => void) | undefined = undefined;

  constructor() {
    super({ allowHalfOpen: true, autoDestroy: true, highWaterMark: HELD_BYTES });
  }

  // Node calls these, and would pass an exception on to the reader or writer: it ends the pair.

  // The other side pushes what is read.
  override _read(): void {
    try {
      this.other?.goOn();
    } catch (error) {
      this.fault(error);
    }
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    try {
      this.pass(chunk, done);
    } catch (error) {
      this.fault(error);
    }
  }

  private fault(error: unknown): void {
    reportFault("on a connection within the process", error);
    this.destroy();
  }

  private pass(chunk: Buffer, done: () => void): void {
    const other = this.other;
    if (other === undefined || other.destroyed) {
      done();
      return;
    }
    // A writer may reuse its buffer once `done` was called, but the reader keeps slices: hence the copy.
    if (other.push(Buffer.from(chunk))) done();
    else this.written = done;
  }

  override _final(done: () => void): void {
    try {
      this.other?.push(null);
      done();
    } catch (error) {
      this.fault(error);
    }
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const other = this.other;
    this.other = undefined;
    attempt("on a connection within the process", () => this.goOn());
    // A side that is finished in both directions is destroyed: what it wrote can still be read, as with a socket.
    const complete = this.readableEnded && this.writableFinished;
    if (other !== undefined && !complete) process.nextTick(() => other.destroy());
    done(error);
  }

  private goOn(): void {
    const written = this.written;
    this.written = undefined;
    written?.();
  }
}

/** Bytes written to one can be read from the other, with backpressure; aborting one aborts both. */
export function duplexPair(): [Duplex, Duplex] {
  const a = guarded(new Half());
  const b = guarded(new Half());
  a.other = b;
  b.other = a;
  return [a, b];
}
