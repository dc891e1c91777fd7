// node:http parses everything in one read before anything else runs, even if the connection is destroyed at its first
// request: a read of 64 KiB holds a thousand requests. Here it gets reads of a few KiB, and none once the socket is
// closed.
import type { Server } from "node:http";
import type { Socket } from "node:net";
import { reportFault } from "../../kit/faults.js";

const READ_BYTES = 4 * 1024;

const short = new WeakSet<Socket>();

/** From now on the connections that the server takes over are read in this way. */
export function shortReads(server: Server): void {
  server.on("connection", (socket: Socket) => {
    if (!short.has(socket)) shorten(socket);
    // A listener ends node's fast path past the stream, which it takes again whenever it gets the socket.
    socket.off("data", ignore);
    socket.on("data", ignore);
  });
}

/** For a socket that has left node:http. */
export function wholeReads(socket: Socket): void {
  if (!short.delete(socket)) return;
  Reflect.deleteProperty(socket, "push");
  socket.off("data", ignore);
}

/** Pushes bytes back into a socket, for node:http to read. */
export function unread(socket: Socket, bytes: Buffer): void {
  for (let end = bytes.length; end > 0; end -= READ_BYTES)
    socket.unshift(bytes.subarray(Math.max(0, end - READ_BYTES), end));
}

function shorten(socket: Socket): void {
  short.add(socket);
  const push = socket.push.bind(socket);
  socket.push = (chunk: unknown, encoding?: BufferEncoding) => {
    try {
      if (!(chunk instanceof Uint8Array)) return push(chunk, encoding);
      let more = true;
      for (let at = 0; at < chunk.length && !socket.destroyed; at += READ_BYTES)
        more = push(chunk.subarray(at, at + READ_BYTES));
      return more;
    } catch (error) {
      socket.destroy();
      reportFault("while node:http read a connection; it was closed", error);
      return false;
    }
  };
}

function ignore(): void {}
