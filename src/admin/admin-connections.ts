// The connections of the admin listener: few, and a new one is always accepted, at the cost of the least active one. An
// operator who investigates an overload must not be locked out by its cause.
import type { Socket } from "node:net";
import { barrier } from "../kit/barrier.js";
import { reportFault } from "../kit/faults.js";
import { clientNetwork, plainIp } from "../kit/net/ip.js";

/** Of all clients: operators, probes and scrapers need a few dozen. */
export const MAX_CONNECTIONS = 256;
/** Of one address, or of an IPv6 /64: a flood closes its own connections first. */
export const MAX_PER_ADDRESS = 64;

interface Guest {
  readonly socket: Socket;
  readonly network: string;
  /** Requests without a complete response. */
  requests: number;
}

/** Identifies a connection in every layer: below TLS, and behind node:http2's socket proxies. */
interface Remote {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}

export class AdminConnections {
  /** Those first that have done nothing for longest. */
  private readonly guests = new Map<string, Guest>();

  /** Adds a connection, and closes another if there are too many. */
  add(socket: Socket): void {
    const network = clientNetwork(plainIp(socket.remoteAddress ?? ""));
    const own = this.of(network);
    if (own.length >= MAX_PER_ADDRESS) close(own);
    else if (this.guests.size >= MAX_CONNECTIONS) close(this.largest());
    const name = nameOf(socket);
    const guest = { socket, network, requests: 0 };
    this.guests.set(name, guest);
    const onClose = (): void => {
      if (this.guests.get(name) === guest) this.guests.delete(name);
    };
    socket.on("close", barrier(onClose, miscounted));
  }

  private of(network: string): readonly Guest[] {
    return [...this.guests.values()].filter((guest) => guest.network === network);
  }

  /** Those of the address that has most. */
  private largest(): readonly Guest[] {
    const byNetwork = new Map<string, Guest[]>();
    for (const guest of this.guests.values()) {
      const others = byNetwork.get(guest.network);
      if (others === undefined) byNetwork.set(guest.network, [guest]);
      else others.push(guest);
    }
    let largest: readonly Guest[] = [];
    for (const guests of byNetwork.values()) if (guests.length > largest.length) largest = guests;
    return largest;
  }

  /** A request begins. Returns the function to call when its response is complete. */
  begin(remote: Remote): () => void {
    const name = nameOf(remote);
    const guest = this.guests.get(name);
    if (guest === undefined) return () => {};
    guest.requests++;
    const moved = (): void => {
      if (this.guests.get(name) !== guest) return;
      this.guests.delete(name);
      this.guests.set(name, guest);
    };
    moved();
    const ended = (): void => {
      guest.requests--;
      moved();
    };
    return barrier(ended, miscounted);
  }

  closeAll(): void {
    for (const { socket } of this.guests.values()) socket.destroy();
  }
}

function miscounted(error: unknown): void {
  reportFault("while the admin listener counted its connections", error);
}

function nameOf({ remoteAddress, remotePort }: Remote): string {
  return `${remoteAddress} ${remotePort}`;
}

/** The one that has been idle longest; if all are busy, the first of them. */
function close(guests: readonly Guest[]): void {
  const guest = guests.find(({ requests }) => requests === 0) ?? guests[0];
  guest?.socket.destroy();
}
