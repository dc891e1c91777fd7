// Whether a client has disconnected while its connection is not being read. Bytes that a held-back client sends stay in
// the system's buffer, and so does the end of its stream: node reports neither, and has no way to ask.
import { readFile, readlink } from "node:fs/promises";
import { Socket } from "node:net";

/**
 * TCP keepalive probes a client after this much silence; a machine that has lost the connection responds with a reset.
 */
const KEEPALIVE_MS = 15_000;
/** TCP's state once the other side has closed (RFC 9293 §3.3.2), as in the kernel's tables. */
const CLOSE_WAIT = " 08 ";
/** Columns of the kernel's tables: `sl local remote st queues timer retransmits uid timeout inode`. */
const STATE_COLUMN = 3;
const INODE_COLUMN = 9;

/** The socket below TLS, if there is TLS: node has it under this name, as a private property. */
export function socketBelowTls(socket: Socket): Socket {
  const parent: unknown = Reflect.get(socket, "_parent");
  return parent instanceof Socket ? parent : socket;
}

/** A property of node's handle below the socket: undefined if it is closed. */
function ofHandle(socket: Socket, name: string): unknown {
  const handle: unknown = Reflect.get(socketBelowTls(socket), "_handle");
  return typeof handle === "object" && handle !== null ? Reflect.get(handle, name) : undefined;
}

export class DepartedClients {
  private readonly asked = new Map<Socket, () => void>();
  private looking = false;

  /** Checks once. `gone` is called later, if the client is gone, and the socket is still not read. */
  ask(socket: Socket, gone: () => void): void {
    socketBelowTls(socket).setKeepAlive(true, KEEPALIVE_MS);
    this.asked.set(socket, gone);
    if (this.looking) return;
    this.looking = true;
    void this.look();
  }

  /** One check for all sockets collected meanwhile: it reads the tables of all connections. */
  private async look(): Promise<void> {
    while (this.asked.size > 0) {
      const asked = [...this.asked];
      this.asked.clear();
      const closed = await closedByPeer(asked.map(([socket]) => ofHandle(socket, "fd")));
      for (const [i, [socket, gone]] of asked.entries()) {
        if (socket.destroyed || !socket.isPaused()) continue;
        if (closed[i] === true || wasReset(socket)) gone();
      }
    }
    this.looking = false;
  }
}

/** A connection that was reset, or that keepalive has given up, has no peer any more. */
function wasReset(socket: Socket): boolean {
  const getpeername = ofHandle(socket, "getpeername");
  if (typeof getpeername !== "function") return false;
  const handle: unknown = Reflect.get(socketBelowTls(socket), "_handle");
  return Reflect.apply(getpeername, handle, [{}]) !== 0;
}

/**
 * Only Linux shows which connections the other side has closed while they are not read. Elsewhere a client that left
 * without a reset is noticed by keepalive.
 */
async function closedByPeer(fds: readonly unknown[]): Promise<readonly boolean[]> {
  try {
    const inodes = await Promise.all(fds.map(inodeOf));
    const tables = await Promise.all(
      ["tcp", "tcp6"].map((name) => readFile(`/proc/self/net/${name}`, "latin1")),
    );
    const closed = new Set(tables.flatMap(closedIn));
    return inodes.map((inode) => inode !== undefined && closed.has(inode));
  } catch {
    return [];
  }
}

async function inodeOf(fd: unknown): Promise<string | undefined> {
  if (typeof fd !== "number" || fd < 0) return undefined;
  const link = await readlink(`/proc/self/fd/${fd}`).catch(() => "");
  return /^socket:\[(\d+)\]$/.exec(link)?.[1];
}

/** Inodes of the connections in a table that the other side has closed. In a large table only these lines are split. */
function closedIn(table: string): string[] {
  const inodes: string[] = [];
  for (let at = table.indexOf(CLOSE_WAIT); at >= 0; ) {
    const end = table.indexOf("\n", at);
    const line = table.slice(table.lastIndexOf("\n", at) + 1, end < 0 ? undefined : end);
    const columns = line.trim().split(/ +/);
    const inode = columns[INODE_COLUMN];
    if (columns[STATE_COLUMN] === CLOSE_WAIT.trim() && inode !== undefined) inodes.push(inode);
    at = end < 0 ? -1 : table.indexOf(CLOSE_WAIT, end);
  }
  return inodes;
}
