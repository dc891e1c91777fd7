// Closes an endpoint's idle connections, except its first.
import type { Clock, Timer } from "../../kit/clock.js";
import type { Link } from "./link.js";

/** The endpoint, as its sweep sees it. */
export interface SweepOwner {
  /** Connections that take calls; the first one stays. */
  readonly links: readonly Link[];
  /** Milliseconds without a call. */
  readonly idleMs: number;
  /** It is idle. */
  onIdle(link: Link): void;
}

export class IdleSweep {
  private readonly clock: Clock;
  private readonly owner: SweepOwner;
  private timer: Timer | undefined = undefined;

  constructor(clock: Clock, owner: SweepOwner) {
    this.clock = clock;
    this.owner = owner;
  }

  /** Sweeps the connections while there is more than one. */
  start(): void {
    this.timer ??= this.clock.setTimeout(this.sweep, this.owner.idleMs);
  }

  cancel(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  private readonly sweep = (): void => {
    this.timer = undefined;
    for (const link of this.owner.links.slice(1)) {
      const { connection } = link;
      if (connection.active > 0 || connection.opened !== link.openedAtLook) {
        // A call that is open now counts for the next period.
        link.openedAtLook = connection.active > 0 ? -1 : connection.opened;
      } else this.owner.onIdle(link);
    }
    if (this.owner.links.length > 1) this.start();
  };
}
