// The writer of the access log: JSON lines to stdout, stderr or a file, in the background, flushed at the end. No
// library is used: the usual ones flush in a hook at the exit of the process, which never returns while a disk is full
// or nobody reads, and do not count the lines they lose.

import type { Counter } from "../../kit/meters.js";
import type { Closable } from "../../kit/retained.js";
import { printableLine } from "../../kit/text/text.js";
import { type LineTarget, lineTarget } from "./line-target.js";

/** Lines are written together at this size, or at this age. */
const MIN_WRITE_CHARS = 4_096;
const FLUSH_INTERVAL_MS = 250;
/** If nobody reads, lines are dropped beyond this many characters: the hub does not stop for its log. */
const MAX_QUEUED_CHARS = 16 * 1024 * 1024;
const CLOSE_LIMIT_MS = 3_000;

/** The log entry of a call; keys without a value are left out. */
export type AccessRecord = Readonly<Record<string, string | number | undefined>>;
export type AccessLevel = "info" | "warn";

export interface AccessLogContext {
  /** Called with the promise of the last write; it never rejects, and resolves within a limit. */
  readonly closing: (written: Promise<void>) => void;
  /** Lines that were lost. */
  readonly dropped: Counter;
}

export class AccessLogDestination implements Closable {
  private readonly context: AccessLogContext;
  private readonly target: LineTarget;
  /** Not yet passed to the target. */
  private lines: string[] = [];
  private chars = 0;
  private writing = false;
  private timer: NodeJS.Timeout | undefined = undefined;
  /** Set by `close`: called when all is written. */
  private onWritten: (() => void) | undefined = undefined;

  /** Throws a UserError when the file cannot be opened. `destination`: stdout, stderr, or a file to append to. */
  constructor(destination: string, context: AccessLogContext) {
    this.context = context;
    this.target = lineTarget(destination);
  }

  write(level: AccessLevel, record: AccessRecord): void {
    // It contains text that the client chose: JSON escapes only controls below U+0020.
    const line = `${printableLine(JSON.stringify({ level, ...record }))}\n`;
    if (this.chars + line.length > MAX_QUEUED_CHARS) {
      this.context.dropped.add();
      return;
    }
    this.lines.push(line);
    this.chars += line.length;
    if (this.chars >= MIN_WRITE_CHARS) this.flush();
    else this.timer ??= setTimeout(() => this.flush(), FLUSH_INTERVAL_MS).unref();
  }

  private flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.writing || this.lines.length === 0) return;
    const { length } = this.lines;
    const text = this.lines.join("");
    this.lines = [];
    this.chars = 0;
    this.writing = true;
    this.target.write(text, (error) => {
      this.writing = false;
      // A pipe without a reader, or a full disk: calls continue, and so does the log once it can.
      if (error !== undefined) this.context.dropped.add(length);
      if (this.onWritten !== undefined && this.lines.length === 0) this.onWritten();
      else if (this.onWritten !== undefined || this.chars >= MIN_WRITE_CHARS) this.flush();
      else if (this.lines.length > 0)
        this.timer ??= setTimeout(() => this.flush(), FLUSH_INTERVAL_MS).unref();
    });
  }

  close(): void {
    this.context.closing(
      new Promise((resolve) => {
        const done = (): void => {
          clearTimeout(limit);
          this.target.close();
          resolve();
        };
        const limit = setTimeout(done, CLOSE_LIMIT_MS);
        this.onWritten = done;
        this.flush();
        if (!this.writing) done();
      }),
    );
  }
}
