// Where the access log goes: lines by pino to stdout, stderr or a file, written in the background, flushed at the end.
import { openSync } from "node:fs";
import type { Closable } from "../core/lives.js";
import type { Counter } from "../core/meters.js";
import { UserError } from "../core/user-error.js";

/** Lines that wait for pino, which is loaded when the log is first needed. */
const MAX_WAITING_LINES = 10_000;
/** Lines go out together once they are so long, or so old. */
const MIN_WRITE_BYTES = 4_096;
const FLUSH_INTERVAL_MS = 250;
/** Where nobody reads, lines are lost beyond so many bytes: the hub does not stop for its log. */
const MAX_QUEUED_BYTES = 16 * 1024 * 1024;
const CLOSE_LIMIT_MS = 3_000;

/** What is logged of a call; keys without a value are left out. */
export type AccessRecord = Readonly<Record<string, string | number | undefined>>;
export type AccessLevel = "info" | "warn";

export interface AccessLogContext {
  /** Told of the promise of the last write; it never rejects. */
  readonly closing: (written: Promise<void>) => void;
  /** Lines that were lost. */
  readonly dropped: Counter;
}

interface Writer {
  write(level: AccessLevel, record: AccessRecord): void;
  close(): Promise<void>;
}

export class AccessLogDestination implements Closable {
  private readonly context: AccessLogContext;
  private readonly loading: Promise<Writer | undefined>;
  private writer: Writer | undefined = undefined;
  private waiting: [AccessLevel, AccessRecord][] = [];

  /** Throws a UserError when the file cannot be opened. `destination`: stdout, stderr, or a file to append to. */
  constructor(destination: string, context: AccessLogContext) {
    this.context = context;
    const fd = descriptorOf(destination);
    this.loading = openWriter(fd, context.dropped).then(
      (writer) => {
        const waiting = this.waiting;
        this.waiting = [];
        this.writer = writer;
        for (const [level, record] of waiting) writer.write(level, record);
        return writer;
      },
      () => undefined,
    );
  }

  /** The time of the line is that of the call's end, also where it waits. */
  write(level: AccessLevel, record: AccessRecord): void {
    if (this.writer !== undefined) this.writer.write(level, record);
    else if (this.waiting.length < MAX_WAITING_LINES) this.waiting.push([level, record]);
    else this.context.dropped.add();
  }

  close(): void {
    this.context.closing(this.loading.then((writer) => writer?.close()).catch(() => undefined));
  }
}

function descriptorOf(destination: string): number {
  if (destination === "stdout") return 1;
  if (destination === "stderr") return 2;
  try {
    return openSync(destination, "a", 0o640);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UserError(`the access log cannot be written: ${reason}`, { cause: error });
  }
}

async function openWriter(fd: number, dropped: Counter): Promise<Writer> {
  const { pino } = await import("pino");
  const stream = pino.destination({
    fd,
    sync: false,
    minLength: MIN_WRITE_BYTES,
    maxLength: MAX_QUEUED_BYTES,
    periodicFlush: FLUSH_INTERVAL_MS,
  });
  // A pipe whose reader has gone, a disk that is full: the calls go on.
  stream.on("error", () => dropped.add());
  stream.on("drop", () => dropped.add());
  const logger = pino(
    {
      // pid and host are what a log shipper adds.
      base: null,
      timestamp: false,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  );
  return {
    write: (level, record) => logger[level](record),
    close: () =>
      new Promise((resolve) => {
        const done = (): void => {
          clearTimeout(limit);
          resolve();
        };
        const limit = setTimeout(done, CLOSE_LIMIT_MS);
        // Writes what is left first, and leaves stdout and stderr open.
        stream.once("close", done);
        stream.end();
      }),
  };
}
