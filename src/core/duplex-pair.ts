// Two Duplex streams that are each other's other end: a connection inside the process, without a socket.
import { Duplex } from "node:stream";

class Half extends Duplex {
  other: Half | undefined = undefined;
  /** Set while the other side must wait for our reader. */
  private resumeOther: (() => void) | undefined = undefined;

  constructor() {
    super({ allowHalfOpen: true, autoDestroy: true });
  }

  // Reading is pushed by the other side.
  override _read(): void {
    const resume = this.resumeOther;
    this.resumeOther = undefined;
    resume?.();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    const other = this.other;
    if (other === undefined || other.destroyed) {
      done();
      return;
    }
    // A writer may reuse its buffer once `done` was called, but the reader keeps slices: hence the copy.
    if (other.push(Buffer.from(chunk))) done();
    else other.resumeOther = done;
  }

  override _final(done: () => void): void {
    this.other?.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const other = this.other;
    this.other = undefined;
    this.resumeOther = undefined;
    if (other !== undefined && !other.destroyed) process.nextTick(() => other.destroy());
    done(error);
  }
}

/** Bytes written to one can be read from the other, with backpressure; destroying one destroys both. */
export function duplexPair(): [Duplex, Duplex] {
  const a = new Half();
  const b = new Half();
  a.other = b;
  b.other = a;
  return [a, b];
}
