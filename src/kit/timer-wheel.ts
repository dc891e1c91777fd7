// Deadlines of many calls at the cost of one timer: a hashed wheel of intrusive lists. Nearly every deadline is
// cancelled, not reached, so adding and removing must cost next to nothing.
import { contain } from "./barrier.js";
import type { Clock, Timer } from "./clock.js";
import { reportFault } from "./faults.js";

/** Width of a slot. A deadline fires at most this much late (and the timer's millisecond), never early. */
const SLOT_MS = 4;
/**
 * One turn of the wheel is 4096 × 4 ms = 16.4 s: longer than the default deadline, so most entries are visited once.
 */
const SLOTS = 4096;

/** Something with a deadline. The wheel owns the three fields while it is scheduled. */
export interface Timed {
  timerSlot: number;
  timerNext: Timed | undefined;
  timerPrevious: Timed | undefined;
  /** Monotonic milliseconds; not to be changed while scheduled. */
  readonly expiresAt: number;
  onExpired(): void;
  /** `onExpired` threw: end what that affects. Left out: the fault is only reported. */
  onFault?(error: unknown): void;
}

export class TimerWheel {
  readonly clock: Clock;
  private readonly slots: (Timed | undefined)[] = new Array(SLOTS).fill(undefined);
  private count = 0;
  /** Slot number (not wrapped) up to which everything due has fired. */
  private doneSlot: number;
  private timer: Timer | undefined;
  private wakeSlot = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.clock = clock;
    this.doneSlot = Math.floor(clock.now() / SLOT_MS);
  }

  get size(): number {
    return this.count;
  }

  /** Calls `entry.onExpired()` once its time has come, unless it is cancelled first. */
  add(entry: Timed): void {
    // The slot after the one that holds the deadline: everything in a slot that has passed is due.
    const due = Math.max(Math.ceil(entry.expiresAt / SLOT_MS), this.doneSlot + 1);
    const slot = due % SLOTS;
    const head = this.slots[slot];
    entry.timerSlot = slot;
    entry.timerNext = head;
    entry.timerPrevious = undefined;
    if (head !== undefined) head.timerPrevious = entry;
    this.slots[slot] = entry;
    this.count++;
    const wake = Math.min(due, this.doneSlot + SLOTS);
    if (wake < this.wakeSlot) this.arm(wake);
  }

  /** Does nothing for an entry that is not scheduled. */
  cancel(entry: Timed): void {
    if (entry.timerSlot < 0) return;
    const { timerNext: next, timerPrevious: previous } = entry;
    if (previous === undefined) this.slots[entry.timerSlot] = next;
    else previous.timerNext = next;
    if (next !== undefined) next.timerPrevious = previous;
    entry.timerSlot = -1;
    entry.timerNext = undefined;
    entry.timerPrevious = undefined;
    this.count--;
  }

  private arm(wake: number): void {
    this.timer?.cancel();
    this.wakeSlot = wake;
    const delay = Math.max(0, wake * SLOT_MS - this.clock.now());
    this.timer = this.clock.setTimeout(this.onTimer, Math.ceil(delay));
  }

  private readonly onTimer = (): void => {
    try {
      this.turn();
    } catch (error) {
      reportFault("while looking for expired timers", error);
      // If the wheel stopped, no deadline would be reached any more.
      this.timer = undefined;
      this.wakeSlot = Number.POSITIVE_INFINITY;
      if (this.count > 0) this.arm(this.doneSlot + 1);
    }
  };

  private turn(): void {
    this.timer = undefined;
    this.wakeSlot = Number.POSITIVE_INFINITY;
    const now = this.clock.now();
    const last = Math.floor(now / SLOT_MS);
    const first = Math.max(this.doneSlot + 1, last - SLOTS + 1);
    this.doneSlot = Math.max(this.doneSlot, last);
    for (let slot = first; slot <= last; slot++) this.fire(slot % SLOTS, now);
    if (this.count > 0) this.arm(this.nextFilled());
  }

  /** Fires the due entries of one slot; entries of a later turn of the wheel stay. */
  private fire(slot: number, now: number): void {
    let e = this.slots[slot];
    if (e === undefined) return;
    const due: Timed[] = [];
    for (; e !== undefined; e = e.timerNext) if (e.expiresAt <= now) due.push(e);
    for (const entry of due) {
      // Cancelled, or postponed, by an entry that fired before it.
      if (entry.timerSlot < 0 || entry.expiresAt > now) continue;
      this.cancel(entry);
      try {
        entry.onExpired();
      } catch (error) {
        // The other entries of the slot, and of the wheel, must still fire.
        contain(error, (fault) => {
          if (entry.onFault === undefined) reportFault("in an expired timer", fault);
          else entry.onFault(fault);
        });
      }
    }
  }

  private nextFilled(): number {
    const from = this.doneSlot + 1;
    for (let slot = from; slot < from + SLOTS; slot++) {
      if (this.slots[slot % SLOTS] !== undefined) return slot;
    }
    return from + SLOTS - 1;
  }
}
