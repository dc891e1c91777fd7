// The timeout of a request's body: an exchange reports bytes that arrived and were consumed, and is notified if the
// client makes no progress for too long (`limits.bodyTimeout`, docs/security.md).
import type { Timed, TimerWheel } from "../../kit/timer-wheel.js";

export class BodyWatch implements Timed {
  timerSlot = -1;
  timerNext: Timed | undefined = undefined;
  timerPrevious: Timed | undefined = undefined;
  expiresAt = 0;
  private readonly timers: TimerWheel;
  private readonly patienceMs: number;
  private onStill: () => void = () => {};
  /** When bytes arrived last, or credit was given last. */
  private movedAt = 0;
  /** Bytes that arrived and were not consumed yet. */
  private waiting = 0;

  /** @param patienceMs Infinity: for ever */
  constructor(timers: TimerWheel, patienceMs: number) {
    this.timers = timers;
    this.patienceMs = patienceMs;
  }

  /** The body may arrive now. `onStill` is called at most once. */
  start(onStill: () => void): void {
    if (this.patienceMs === Number.POSITIVE_INFINITY) return;
    this.onStill = onStill;
    this.movedAt = this.timers.clock.now();
    this.schedule();
  }

  came(bytes: number): void {
    this.moved(bytes);
  }

  /** The client got more credit. */
  taken(bytes: number): void {
    this.moved(-bytes);
  }

  /** The body is whole, or no longer awaited. */
  stop(): void {
    this.timers.cancel(this);
  }

  private moved(bytes: number): void {
    // Most bodies are complete at this point: nothing is awaited then, and the clock is not read.
    if (this.timerSlot < 0) return;
    this.waiting += bytes;
    this.movedAt = this.timers.clock.now();
  }

  private schedule(): void {
    this.expiresAt = this.movedAt + this.patienceMs;
    this.timers.add(this);
  }

  onExpired(): void {
    const now = this.timers.clock.now();
    // While the hub itself holds the client back, the client is not late.
    if (this.waiting > 0) this.movedAt = now;
    if (this.movedAt + this.patienceMs > now) this.schedule();
    else this.onStill();
  }
}
