// The other end of a client's connection.
import type { Socket } from "node:net";

const overUnix = new WeakSet<Socket>();

/** Over a Unix domain socket: such a client has no address, and is on this machine. */
export function markUnix(socket: Socket): void {
  overUnix.add(socket);
}

/** e.g. `127.0.0.1:51234`, `[::1]:51234`, `unix`; `unknown` for a closed one */
export function peerAddress(socket: Socket): string {
  const { remoteAddress, remotePort, remoteFamily } = socket;
  if (remoteAddress === undefined) return overUnix.has(socket) ? "unix" : "unknown";
  return remoteFamily === "IPv6"
    ? `[${remoteAddress}]:${remotePort ?? 0}`
    : `${remoteAddress}:${remotePort ?? 0}`;
}
