// Listens on a Unix domain socket: a file that a dead hub left is replaced, one that is in use is not.
import { lstatSync, unlinkSync } from "node:fs";
import { connect, type Server } from "node:net";
import { errorCode, UserError } from "../../kit/text/user-error.js";

/** The socket is for its owner and group: rw-rw----. */
const SOCKET_UMASK = 0o117;
/** How long an existing socket may take to show whether somebody listens. */
const PROBE_MS = 1000;

/** The file is removed when the server closes. Rejects with the system's error, or a UserError. */
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
    // Set before the file exists: between bind and chmod anybody could connect. Binding is synchronous.
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
    // If the check itself fails, the file is not removed.
    socket.on("error", (error) => settle(errorCode(error) !== "ECONNREFUSED"));
  });
}
