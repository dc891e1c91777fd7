// Listening on a socket of the file system: a file that a dead hub left is replaced, one that is in use is not.
import { lstatSync, unlinkSync } from "node:fs";
import { connect, type Server } from "node:net";
import { errorCode, UserError } from "../../kit/text/user-error.js";

/** The socket is for its owner and group: rw-rw----. */
const SOCKET_UMASK = 0o117;
/** How long a socket that is there may take to say whether somebody listens. */
const PROBE_MS = 1000;

/** The file goes when the server closes. Rejects with the system's error, or a UserError. */
export async function listenOnPath(server: Server, path: string): Promise<void> {
  try {
    await bind(server, path);
  } catch (error) {
    if (errorCode(error) !== "EADDRINUSE") throw error;
    if (!lstatSync(path).isSocket())
      throw new UserError("the file exists, and is no socket", { cause: error });
    if (await isServed(path)) throw error;
    unlinkSync(path);
    await bind(server, path);
  }
}

function bind(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    // Set before it is there: between bind and chmod anybody could connect. Binding is synchronous.
    const before = process.umask(SOCKET_UMASK);
    try {
      server.listen({ path, backlog: 1024 }, () => {
        server.removeListener("error", reject);
        resolve();
      });
    } finally {
      process.umask(before);
    }
  });
}

function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const settle = (served: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(served);
    };
    const timer = setTimeout(() => settle(true), PROBE_MS);
    socket.on("connect", () => settle(true));
    // What cannot be asked is not ours to take away.
    socket.on("error", (error) => settle(errorCode(error) !== "ECONNREFUSED"));
  });
}
