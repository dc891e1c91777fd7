// Looks at the first bytes of a connection before anyone reads it: what speaks there?
import type { Socket } from "node:net";

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
  let held: Buffer | undefined;
  const onError = (): void => {
    socket.destroy();
  };
  const timer = setTimeout(() => {
    options.silent?.();
    socket.destroy();
  }, options.timeoutMs);
  const stop = (): void => clearTimeout(timer);
  const onData = (chunk: Buffer): void => {
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
    socket.removeListener("error", onError);
    options.found(what);
  };
  socket.on("error", onError);
  socket.on("close", stop);
  socket.on("data", onData);
}
