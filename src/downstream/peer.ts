// The other end of a client's connection.
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { PeerCertificate } from "../core/call.js";
import { peerCertificate } from "../tls/peer-certificate.js";

const overUnix = new WeakSet<Socket>();

/** It came over a socket of the file system: such a client has no address, and is on this machine. */
export function markUnix(socket: Socket): void {
  overUnix.add(socket);
}

/** e.g. `127.0.0.1:51234`, `[::1]:51234`, `unix`; `unknown` for one that is gone */
export function peerAddress(socket: Socket): string {
  const { remoteAddress, remotePort, remoteFamily } = socket;
  if (remoteAddress === undefined) return overUnix.has(socket) ? "unix" : "unknown";
  return remoteFamily === "IPv6"
    ? `[${remoteAddress}]:${remotePort ?? 0}`
    : `${remoteAddress}:${remotePort ?? 0}`;
}

const certificates = new WeakMap<Socket, PeerCertificate | null>();

/** The client's verified certificate, read once for all requests of an HTTP/1.1 connection. */
export function certificateOf(socket: Socket): PeerCertificate | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  const known = certificates.get(socket);
  if (known !== undefined) return known ?? undefined;
  const certificate = peerCertificate(socket);
  certificates.set(socket, certificate ?? null);
  return certificate;
}

/** Whether an address that `peerAddress` gave is on this machine's loopback. */
export function isLoopback(address: string): boolean {
  return /^(unix$|127\.|\[::1\]|\[::ffff:127\.)/.test(address);
}
