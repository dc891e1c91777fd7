// Room for clients that others leave none: where calls that do not end, or resets that are held back, fill every
// connection to a cluster, one connection beyond the limit is made for those who have less than their share.
import type { Clock, Timer } from "../kit/clock.js";
import type { Endpoint } from "./pool/endpoint.js";
import type { Link } from "./pool/link.js";

/** A client whose calls all wait for so long, while others have the room, is starved: in a busy pool some end all the time. */
const STARVED_MS = 200;

/** The cluster, as its reserve sees it. */
export interface ReserveOwner {
  readonly clock: Clock;
  readonly endpoints: readonly Endpoint[];
  /** Whether an endpoint gets calls, if it has room for them. */
  takes(endpoint: Endpoint): boolean;
  /** Calls that wait. */
  readonly pending: number;
  /** Clients that wait, and have not been served since then. */
  waiting(sinceBefore: number): readonly string[];
}

export class Reserve {
  private readonly owner: ReserveOwner;
  private timer: Timer | undefined = undefined;
  /** Whose calls had the room at the last look, those that they left among them. */
  private shares: ReadonlyMap<string, number> = new Map();
  private calls = 0;

  constructor(owner: ReserveOwner) {
    this.owner = owner;
  }

  /** Calls wait: looks whether somebody starves, as long as they do. */
  watch(): void {
    this.timer ??= this.owner.clock.setTimeout(this.look, STARVED_MS);
  }

  close(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  private readonly look = (): void => {
    this.timer = undefined;
    const { owner } = this;
    if (owner.pending === 0) return;
    this.watch();
    // Where there can be another connection for everybody, or is none at all, nobody has the room of others.
    if (!owner.endpoints.every((endpoint) => endpoint.exhausted || !owner.takes(endpoint))) return;
    this.count();
    if (this.link !== undefined) return;
    const starved = owner.waiting(owner.clock.now() - STARVED_MS).some((client) => this.hasLess(client));
    if (starved)
      for (const endpoint of owner.endpoints) if (owner.takes(endpoint) && endpoint.openReserve()) return;
  };

  private count(): void {
    const shares = new Map<string, number>();
    this.calls = 0;
    for (const endpoint of this.owner.endpoints) {
      for (const client of endpoint.clients()) {
        shares.set(client, (shares.get(client) ?? 0) + 1);
        this.calls++;
      }
    }
    this.shares = shares;
  }

  /** Whether a client has less room than the others have on average. */
  private hasLess(client: string): boolean {
    return (this.shares.get(client) ?? 0) * this.shares.size < this.calls;
  }

  private get link(): Link | undefined {
    const { owner } = this;
    for (const endpoint of owner.endpoints)
      if (endpoint.reserve !== undefined && owner.takes(endpoint)) return endpoint.reserve;
    return undefined;
  }

  /**
   * The reserve, for a call of a client that has less than its share. As many as it has there must be left for others
   * (dynamic thresholds, Choudhury and Hahne 1998): however many clients come, there is room for one more.
   */
  linkFor(client: string): Link | undefined {
    const { link } = this;
    if (link === undefined || !link.connection.ready || !link.sound || !this.hasLess(client))
      return undefined;
    const { maxStreams, active } = link.connection;
    const own = link.clients().filter((other) => other === client).length;
    return own < maxStreams - active ? link : undefined;
  }
}
