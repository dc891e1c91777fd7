// The work that a peer causes beside its calls, and what it earns by them: a budget for each kind of work (limits.ts).
import type { Clock } from "../../kit/clock.js";
import { Budget } from "./budget.js";
import { enhanceYourCalm } from "./connection-error.js";
import type { Limits } from "./limits.js";

/**
 * Up to this much of what the peer earns with its calls is saved for its WINDOW_UPDATEs: they follow a whole flight.
 */
const MAX_UPDATES_EARNED = 1_000_000;

/** The `count` methods throw a ConnectionError when the budget is used up. They are called while frames are handled. */
export class Guards {
  /** Streams that either side has opened. */
  opened = 0;
  /** Calls of the peer whose response has begun. */
  answered = 0;
  /** HEADERS and DATA sent, except DATA that a small window cut to pieces. */
  sentFrames = 0;
  /** Header blocks, and DATA that has some, received. */
  receivedFrames = 0;

  private readonly role: "server" | "client";
  private readonly clock: Clock;
  private readonly resetYoungMs: number;
  private readonly resets: Budget;
  private readonly pings: Budget;
  private readonly settings: Budget;
  private readonly emptyData: Budget;
  private readonly priorities: Budget;
  private readonly windowUpdates: Budget;
  private readonly late: Budget;
  /** Arrival time of the chunk whose frames are handled; -1: not read yet. */
  private chunkTime = -1;

  constructor(role: "server" | "client", limits: Limits, clock: Clock, startedAt: number) {
    this.role = role;
    this.clock = clock;
    this.resetYoungMs = limits.resetYoungMs;
    const budget = (burst: number, perSecond: number, maxEarned?: number): Budget =>
      new Budget(burst, perSecond, clock, startedAt, maxEarned);
    this.resets = budget(limits.resetBurst, limits.resetsPerSecond);
    this.pings = budget(limits.pingBurst, limits.pingsPerSecond);
    this.settings = budget(limits.settingsBurst, limits.settingsPerSecond);
    this.emptyData = budget(limits.emptyDataBurst, limits.emptyDataPerSecond);
    this.priorities = budget(limits.priorityBurst, limits.prioritiesPerSecond);
    this.windowUpdates = budget(limits.windowUpdateBurst, limits.windowUpdatesPerSecond, MAX_UPDATES_EARNED);
    this.late = budget(limits.lateBurst, limits.latePerSecond);
  }

  /** A chunk arrived: its time is read on demand. */
  chunkCame(): void {
    this.chunkTime = -1;
  }

  /** Milliseconds; at most one clock read per chunk. */
  now(): number {
    if (this.chunkTime < 0) this.chunkTime = this.clock.now();
    return this.chunkTime;
  }

  /** Whether a reset of a call of that age without a response counts. */
  isYoung(openedAt: number): boolean {
    return this.now() - openedAt < this.resetYoungMs;
  }

  /**
   * A reset that the peer caused, on either side: its stream has ended while its work may not have, and the limit of
   * concurrent streams does not count it. A service may reset as much as it likes.
   */
  countReset(): void {
    if (this.role === "client" || this.resets.take(this.answered)) return;
    throw enhanceYourCalm("resetBurst", "too many calls were reset before a response");
  }

  countPing(): void {
    if (!this.pings.take(this.sentFrames + this.receivedFrames))
      throw enhanceYourCalm("pingBurst", "too many PINGs");
  }

  countSettings(): void {
    if (!this.settings.take(0)) throw enhanceYourCalm("settingsBurst", "too many SETTINGS frames");
  }

  countEmptyData(): void {
    if (!this.emptyData.take(this.receivedFrames))
      throw enhanceYourCalm("emptyDataBurst", "too many DATA frames without data");
  }

  countPriority(): void {
    if (!this.priorities.take(4 * this.opened))
      throw enhanceYourCalm("priorityBurst", "too many PRIORITY or unknown frames");
  }

  countWindowUpdate(): void {
    if (!this.windowUpdates.take(10 * this.sentFrames + 4 * this.opened))
      throw enhanceYourCalm("windowUpdateBurst", "too many WINDOW_UPDATE frames");
  }

  /** A frame on a stream that is over. */
  countLate(): void {
    if (!this.late.take(4 * this.opened))
      throw enhanceYourCalm("lateBurst", "too many frames on closed streams");
  }
}
