// Repeats an action while a stream is open: a comment that keeps an idle one alive, a ping.
import type { Timed, TimerWheel } from "../../kit/timer-wheel.js";

export class Heartbeat implements Timed {
  timerSlot = -1;
  timerNext: Timed | undefined = undefined;
  timerPrevious: Timed | undefined = undefined;
  expiresAt: number;
  private readonly timers: TimerWheel;
  private readonly intervalMs: number;
  private readonly beat: () => void;
  private stopped = false;

  /** Begins at once: the first beat is in `intervalMs`. */
  constructor(timers: TimerWheel, intervalMs: number, beat: () => void) {
    this.timers = timers;
    this.intervalMs = intervalMs;
    this.beat = beat;
    this.expiresAt = timers.clock.now() + intervalMs;
    timers.add(this);
  }

  onExpired(): void {
    this.expiresAt = this.timers.clock.now() + this.intervalMs;
    this.timers.add(this);
    this.beat();
  }

  stop(): void {
    if (this.stopped) return;
    this.stopped = true;
    this.timers.cancel(this);
  }
}
