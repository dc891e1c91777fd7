// Looks at the first bytes of a connection before anyone reads it: what speaks there?
import type { Socket } from "node:net";
import { barrier } from "../barrier.js";
import { reportFault } from "../faults.js";
import { guarded } from "./guarded.js";

export interface PeekOptions<T> {
  /** A client that says nothing for so long is let go. */
  readonly timeoutMs: number;
  /** What the bytes so far tell; undefined: more are needed. Must tell within a few dozen bytes. */
  readonly decide: (start: Buffer) => T | undefined;
  /** The socket is paused, and has all its bytes again; whoever takes it resumes it. Not called for one that is gone. */
  readonly found: (what: T) => void;
  /** The time is over: the client is let go. */
  readonly silent?: () => void;
}

/** Takes the socket until it is decided. Errors before that end it. */
export function peek<T>(socket: Socket, options: PeekOptions<T>): void {
  guarded(socket);
  let held: Buffer | undefined;
  const onFault = (error: unknown): void => {
    socket.destroy();
    reportFault("while reading the first bytes of a connection; it was closed", error);
  };
  const silent = barrier(() => {
    socket.destroy();
    options.silent?.();
  }, onFault);
  const timer = setTimeout(silent, options.timeoutMs);
  const stop = (): void => clearTimeout(timer);
  const onData = barrier((chunk: Buffer): void => {
    // Few bytes in few chunks: whoever dribbles them is done after the longest preface.
    const start = held === undefined ? chunk : Buffer.concat([held, chunk]);
    const what = options.decide(start);
    if (what === undefined) {
      held = start;
      return;
    }
    stop();
    socket.removeListener("close", stop);
    socket.removeListener("data", onData);
    socket.pause();
    socket.unshift(start);
    options.found(what);
  }, onFault);
  socket.on("close", stop);
  socket.on("data", onData);
}
