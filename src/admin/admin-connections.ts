// The connections of the admin listener: few, and a new one always gets in, since the one that does least goes for it.
// An operator who looks why the hub is in trouble must not wait until whoever makes the trouble lets go.
import type { Socket } from "node:net";
import { barrier } from "../kit/barrier.js";
import { reportFault } from "../kit/faults.js";
import { clientNetwork, plainIp } from "../kit/net/ip.js";

/** Of all clients: operators, probes and scrapers need a few dozen. */
export const MAX_CONNECTIONS = 256;
/** Of one address, or of an IPv6 /64: what floods is first at its own cost. */
export const MAX_PER_ADDRESS = 64;

interface Guest {
  readonly socket: Socket;
  readonly network: string;
  /** Requests that are being answered. */
  requests: number;
}

/** What names a connection, whichever layer asks: below TLS, and behind the stand-ins that node:http2 has for sockets. */
interface Remote {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}

export class AdminConnections {
  /** Those first that have done nothing for longest. */
  private readonly guests = new Map<string, Guest>();

  /** Takes a connection in, and closes another where there are enough. */
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

  /** A request begins. Returns what to call when its answer is out. */
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

/** The one that has had no request for longest; where all are being answered, the first of them. */
function close(guests: readonly Guest[]): void {
  const guest = guests.find(({ requests }) => requests === 0) ?? guests[0];
  guest?.socket.destroy();
}
