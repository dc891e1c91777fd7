// When an endpoint is reconnected: at once after a stable connection, later after a failed one.
import type { Clock, Timer } from "../../kit/clock.js";
import { Backoff } from "./backoff.js";

/**
 * This many unstable connections in a row are replaced at once while calls wait; then the calls wait for the backoff.
 */
const MAX_HASTY_RECONNECTS = 3;

export interface ReconnectOwner {
  readonly clock: Clock;
  /** 0 ≤ n < 1 */
  readonly random: () => number;
  /** Calls that wait for a connection. */
  readonly pending: number;
  /** Calls wait for an upstream that was just lost: retry sooner. */
  readonly hurries: boolean;
}

export class Reconnect {
  private readonly owner: ReconnectOwner;
  private readonly onDue: () => void;
  private readonly backoff = new Backoff();
  /** Unstable connections in a row that were replaced at once because calls waited. */
  private hasty = 0;
  private timer: Timer | undefined = undefined;
  private dueAt = 0;
  /** Calls should not wait for it: the endpoint was reached, but its connection was unstable. */
  private yields = false;

  /** @param onDue the next attempt is due */
  constructor(owner: ReconnectOwner, onDue: () => void) {
    this.owner = owner;
    this.onDue = onDue;
  }

  /** In backoff, either for all, or for all but waiting calls. */
  get scheduled(): boolean {
    return this.timer !== undefined;
  }

  /** Waiting calls do not make it retry sooner. */
  get backsOff(): boolean {
    return this.timer !== undefined && !this.yields;
  }

  /** Milliseconds until the next attempt; undefined: none is scheduled. */
  get dueInMs(): number | undefined {
    return this.timer === undefined ? undefined : Math.max(0, this.dueAt - this.owner.clock.now());
  }

  /** Whether it may connect now; this cancels a scheduled attempt. */
  mayConnect(): boolean {
    if (this.timer === undefined) return true;
    if (!this.yields || this.owner.pending === 0) return false;
    this.cancel();
    return true;
  }

  /** The endpoint was reached, and has a connection already. */
  proven(): void {
    this.backoff.reset();
  }

  /** The connection was not established. */
  failed(): void {
    this.schedule(false);
  }

  /** Its only connection was lost. Returns whether to replace it at once. @param lasted see `Endpoint` */
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
