// Reads files that a config names, whole: regular files only, up to a size. Opening a FIFO, or reading a device, may
// block the whole process, at the start and at every reload.
import { closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from "node:fs";
import { open, stat } from "node:fs/promises";

/** Opening does not block, even if the path has changed since it was checked. */
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;
/** For files that report no size, such as those of /proc. */
const MIN_READ_BYTES = 4_096;

/** Throws an Error whose message continues the file's name; it has Node's code if Node threw it. */
export function readRegularFile(path: string, maxBytes: number): Buffer {
  refuseOthers(statSync(path));
  const fd = openSync(path, FLAGS);
  try {
    const whole = new Whole(fstatSync(fd), maxBytes);
    while (whole.take(readSync(fd, whole.buffer, whole.length, whole.room, null))) {}
    return whole.bytes;
  } finally {
    closeSync(fd);
  }
}

/** The same off the event loop, for files that may be large. */
export async function readLargeFile(path: string, maxBytes: number): Promise<Buffer> {
  refuseOthers(await stat(path));
  const file = await open(path, FLAGS);
  try {
    const whole = new Whole(await file.stat(), maxBytes);
    while (whole.take((await file.read(whole.buffer, whole.length, whole.room, null)).bytesRead)) {}
    return whole.bytes;
  } finally {
    await file.close();
  }
}

/** Names the kind of a file that is not regular; undefined: it is regular. */
export function nameOfOtherKind(stats: Stats): string | undefined {
  if (stats.isFile()) return undefined;
  if (stats.isDirectory()) return "a directory";
  if (stats.isFIFO()) return "a FIFO";
  return stats.isSocket() ? "a socket" : "a device";
}

function refuseOthers(stats: Stats): void {
  const kind = nameOfOtherKind(stats);
  if (kind === undefined) return;
  const error = new Error(`is ${kind}, not a regular file`);
  throw stats.isDirectory() ? Object.assign(error, { code: "EISDIR" }) : error;
}

/** Read so far; a file may grow meanwhile. */
class Whole {
  buffer: Buffer;
  length = 0;
  readonly #maxBytes: number;

  constructor(stats: Stats, maxBytes: number) {
    refuseOthers(stats);
    this.#maxBytes = maxBytes;
    this.#check(stats.size);
    // One byte more, to detect the end.
    this.buffer = Buffer.allocUnsafe(Math.max(stats.size, MIN_READ_BYTES) + 1);
  }

  get room(): number {
    return this.buffer.length - this.length;
  }

  get bytes(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  /** False: that was the end. */
  take(bytes: number): boolean {
    this.length += bytes;
    this.#check(this.length);
    if (this.room === 0) this.buffer = Buffer.concat([this.buffer, Buffer.allocUnsafe(this.length)]);
    return bytes > 0;
  }

  #check(bytes: number): void {
    if (bytes > this.#maxBytes)
      throw new Error(`has ${bytes} bytes, more than the limit of ${this.#maxBytes}`);
  }
}
