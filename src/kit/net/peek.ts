// Detects the protocol from the first bytes of a connection, before anything else reads it.
import type { Socket } from "node:net";
import { barrier } from "../barrier.js";
import { reportFault } from "../faults.js";
import { guarded } from "./guarded.js";

export interface PeekOptions<T> {
  /** A client that sends nothing for this long is disconnected. */
  readonly timeoutMs: number;
  /** The result for the bytes so far; undefined: more are needed. Must decide within a few dozen bytes. */
  readonly decide: (start: Buffer) => T | undefined;
  /** The socket is paused, and has all its bytes again; its new owner resumes it. Not called for a closed one. */
  readonly found: (what: T) => void;
  /** Time is up: the client is disconnected. */
  readonly silent?: () => void;
}

/** Owns the socket until the protocol is known. Errors before that end it. */
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
    // Few bytes in few chunks: even a client that sends byte by byte is decided after the longest preface.
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
