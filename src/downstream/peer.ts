// The other end of a client's connection.
import type { Socket } from "node:net";

/** e.g. `127.0.0.1:51234`, `[::1]:51234` */
export function peerAddress(socket: Socket): string {
  const { remoteAddress, remotePort, remoteFamily } = socket;
  if (remoteAddress === undefined) return "unknown";
  return remoteFamily === "IPv6"
    ? `[${remoteAddress}]:${remotePort ?? 0}`
    : `${remoteAddress}:${remotePort ?? 0}`;
}

/** Whether an address that `peerAddress` gave is on this machine's loopback. */
export function isLoopback(address: string): boolean {
  return /^(127\.|\[::1\]|\[::ffff:127\.)/.test(address);
}
