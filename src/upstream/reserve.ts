// Room for clients that others leave none: if calls that do not end, or resets that are held back, fill every
// connection to a cluster, one connection beyond the limit is made for clients with less than their share.
import type { Clock, Timer } from "../kit/clock.js";
import type { Endpoint } from "./pool/endpoint.js";
import type { Link } from "./pool/link.js";

/**
 * A client whose calls have all waited this long, while others have the room, is starved: in a busy pool calls end all
 * the time.
 */
const STARVED_MS = 200;

/** The cluster, as its reserve sees it. */
export interface ReserveOwner {
  readonly clock: Clock;
  readonly endpoints: readonly Endpoint[];
  /** Whether an endpoint gets calls, if it has room for them. */
  takes(endpoint: Endpoint): boolean;
  /** Waiting calls. */
  readonly pending: number;
  /** Waiting clients that have not been served since then. */
  waiting(sinceBefore: number): readonly string[];
}

export class Reserve {
  private readonly owner: ReserveOwner;
  private timer: Timer | undefined = undefined;
  /** Clients' calls at the last check, abandoned ones included. */
  private shares: ReadonlyMap<string, number> = new Map();
  private calls = 0;

  constructor(owner: ReserveOwner) {
    this.owner = owner;
  }

  /** Calls wait: checks for starved clients for as long as they do. */
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
    // If another connection can be made for everybody, or there is none at all, no client takes the room of others.
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

  /** Whether a client has less room than the average of the others. */
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
   * The reserve, for a call of a client that has less than its share. As many streams as the client has there must stay
   * free (dynamic thresholds, Choudhury and Hahne 1998): however many clients come, there is room for one more.
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
