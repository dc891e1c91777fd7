// When an endpoint is connected to again: at once after a connection that lasted, later after one that failed.
import type { Clock, Timer } from "../../kit/clock.js";
import { Backoff } from "./backoff.js";

/** So many connections in a row that did not last are replaced at once when calls wait; then they wait for the backoff. */
const MAX_HASTY_RECONNECTS = 3;

export interface ReconnectOwner {
  readonly clock: Clock;
  /** 0 ≤ n < 1 */
  readonly random: () => number;
  /** Calls that wait for a connection. */
  readonly pending: number;
  /** Calls wait for an upstream that was lost a moment ago: it is tried again sooner. */
  readonly hurries: boolean;
}

export class Reconnect {
  private readonly owner: ReconnectOwner;
  private readonly onDue: () => void;
  private readonly backoff = new Backoff();
  /** Connections in a row that did not last, and were made again at once because calls waited. */
  private hasty = 0;
  private timer: Timer | undefined = undefined;
  private dueAt = 0;
  /** Calls need not wait for it: the endpoint was reached, but its connection did not last. */
  private yields = false;

  /** @param onDue it is time for the next attempt */
  constructor(owner: ReconnectOwner, onDue: () => void) {
    this.owner = owner;
    this.onDue = onDue;
  }

  /** It is left alone for a while, by everybody or by all but calls that wait. */
  get scheduled(): boolean {
    return this.timer !== undefined;
  }

  /** Calls do not get it tried sooner. */
  get backsOff(): boolean {
    return this.timer !== undefined && !this.yields;
  }

  /** Milliseconds until it is tried again; undefined: it is not scheduled. */
  get dueInMs(): number | undefined {
    return this.timer === undefined ? undefined : Math.max(0, this.dueAt - this.owner.clock.now());
  }

  /** Whether it may be tried now; what is scheduled is cancelled then. */
  mayConnect(): boolean {
    if (this.timer === undefined) return true;
    if (!this.yields || this.owner.pending === 0) return false;
    this.cancel();
    return true;
  }

  /** It was reached, and has a connection already. */
  proven(): void {
    this.backoff.reset();
  }

  /** No connection came about. */
  failed(): void {
    this.schedule(false);
  }

  /** Its only connection was lost. Returns whether another one is to be made at once. @param lasted see `Endpoint` */
  lost(lasted: boolean): boolean {
    if (lasted) {
      this.backoff.lost(this.owner.clock.now());
      this.hasty = 0;
      return true;
    }
    if (this.owner.pending > 0 && this.hasty++ < MAX_HASTY_RECONNECTS) return true;
    this.schedule(this.owner.pending === 0);
    return false;
  }

  private schedule(yields: boolean): void {
    this.yields = yields;
    this.timer?.cancel();
    const { clock, hurries, random } = this.owner;
    const delayMs = this.backoff.next(clock.now(), hurries, random());
    this.dueAt = clock.now() + delayMs;
    this.timer = clock.setTimeout(() => {
      this.timer = undefined;
      this.onDue();
    }, delayMs);
  }

  cancel(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }
}
