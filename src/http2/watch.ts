// What a connection owes to time: a slow beginning, slow headers, silence, idleness, age. One timer per connection
// looks at counters every few seconds, so that nothing on the way of a call reads a clock or sets a timer.
import type { ConnectionClock } from "./budget.js";
import type { Limits } from "./limits.js";
import { ErrorCode } from "./protocol.js";

/** What the watch looks at, and what it does. */
export interface Watched {
  readonly role: "server" | "client";
  readonly ready: boolean;
  /** Open streams. */
  readonly active: number;
  /** Streams there ever were. */
  readonly opened: number;
  /** Chunks that came. */
  readonly heard: number;
  /** Grows with each frame or header block; of one that has begun and not ended. -1: there is none such. */
  readonly unfinished: number;
  /** DATA waits for the peer. */
  readonly queuedBytes: number;
  destroy(code: number, reason: string): void;
  ping(onPong: () => void): void;
  drain(): () => void;
  /** Resets the streams of which nothing has gone for so long. */
  resetStalled(now: number): void;
}

/** A limit is noticed at the latest after half of the shortest one; of the defaults, 5 s late. */
const MIN_TICK_MS = 5;
const MAX_TICK_MS = 60_000;
/** How long a drain waits for the PING that tells that the first GOAWAY arrived. */
const GOAWAY_WAIT_MS = 1000;
const AGE_JITTER = 0.1;

export class Watch {
  private readonly owner: Watched;
  private readonly limits: Limits;
  private readonly clock: ConnectionClock;
  private readonly tickMs: number;
  private readonly startedAt: number;
  /** Infinity: never. */
  private readonly drainAt: number;
  private timer: { cancel(): void } | undefined = undefined;
  private stopped = false;

  // What was seen at the last look, and since when it is so.
  private unfinished = -1;
  private unfinishedSince = 0;
  private opened = 0;
  private idleSince: number;
  private heard = 0;
  private heardAt: number;
  private pingedAt = -1;
  private finishDrain: (() => void) | undefined = undefined;
  private drainedAt = 0;

  constructor(owner: Watched, limits: Limits, clock: ConnectionClock, now: number, random: () => number) {
    this.owner = owner;
    this.limits = limits;
    this.clock = clock;
    this.startedAt = now;
    this.idleSince = now;
    this.heardAt = now;
    this.drainAt = now + limits.maxAgeMs * (1 + AGE_JITTER * (2 * random() - 1));
    const { settingsMs, headersMs, stallMs, idleMs, keepaliveMs, keepaliveTimeoutMs, maxAgeMs } = limits;
    const shortest = Math.min(
      settingsMs,
      headersMs,
      stallMs,
      idleMs,
      keepaliveMs,
      keepaliveTimeoutMs,
      maxAgeMs,
    );
    this.tickMs = Math.max(MIN_TICK_MS, Math.min(MAX_TICK_MS, shortest / 2));
  }

  start(): void {
    this.timer = this.clock.setTimeout(this.onTimer, this.tickMs);
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
    this.timer = undefined;
  }

  private readonly onTimer = (): void => {
    this.timer = undefined;
    const reason = this.look(this.clock.now());
    if (reason !== undefined) this.owner.destroy(reason.code, reason.text);
    else if (!this.stopped) this.start();
  };

  /** Why the connection must end, if it must. */
  private look(now: number): { code: number; text: string } | undefined {
    const { owner, limits } = this;
    if (owner.role === "server") {
      if (!owner.ready && now - this.startedAt >= limits.settingsMs) {
        return { code: ErrorCode.SETTINGS_TIMEOUT, text: `no SETTINGS within ${limits.settingsMs} ms` };
      }
      this.lookAtAge(now);
    }
    const { unfinished } = owner;
    if (unfinished !== this.unfinished) {
      this.unfinished = unfinished;
      this.unfinishedSince = now;
    } else if (unfinished >= 0 && now - this.unfinishedSince >= limits.headersMs) {
      return {
        code: ErrorCode.ENHANCE_YOUR_CALM,
        text: `a frame was not ended within ${limits.headersMs} ms`,
      };
    }
    if (owner.queuedBytes > 0) owner.resetStalled(now);
    return this.lookForLife(now);
  }

  private lookAtAge(now: number): void {
    const { owner } = this;
    if (this.finishDrain !== undefined) {
      if (now - this.drainedAt >= GOAWAY_WAIT_MS) this.finishDrain();
      return;
    }
    if (owner.active > 0 || owner.opened !== this.opened) {
      this.opened = owner.opened;
      this.idleSince = now;
    }
    if (!owner.ready) return;
    if (now < this.drainAt && now - this.idleSince < this.limits.idleMs) return;
    this.drainedAt = now;
    this.finishDrain = owner.drain();
  }

  private lookForLife(now: number): { code: number; text: string } | undefined {
    const { owner, limits } = this;
    if (owner.heard !== this.heard) {
      this.heard = owner.heard;
      this.heardAt = now;
      this.pingedAt = -1;
      return undefined;
    }
    if (this.pingedAt >= 0) {
      if (now - this.pingedAt < limits.keepaliveTimeoutMs) return undefined;
      const text = `the peer did not answer a PING within ${limits.keepaliveTimeoutMs} ms`;
      return { code: ErrorCode.NO_ERROR, text };
    }
    if (!owner.ready || now - this.heardAt < limits.keepaliveMs) return undefined;
    if (owner.role === "client" && owner.active === 0) return undefined;
    this.pingedAt = now;
    owner.ping(() => {});
    return undefined;
  }
}
