// All timeouts of a connection: a slow beginning, slow headers, silence, idleness, age. One timer per connection checks
// counters every few seconds, so that nothing on the path of a call reads a clock or sets a timer.
import { contain } from "../kit/barrier.js";
import type { Clock } from "../kit/clock.js";
import type { Backlog } from "./backlog.js";
import type { FrameReader } from "./frames/frame-reader.js";
import type { Output } from "./frames/output.js";
import type { LimitName, Limits } from "./wire/limits.js";
import { ErrorCode } from "./wire/protocol.js";

/** The connection: what the watch checks beside its parts, and what it calls. */
export interface Watched {
  readonly role: "server" | "client";
  readonly ready: boolean;
  /** Open streams. */
  readonly active: number;
  /** Streams there ever were. */
  readonly opened: number;
  readonly stuck: boolean;
  setStuck(stuck: boolean): void;
  destroy(code: number, reason: string, limit: LimitName | undefined): void;
  ping(onPong: () => void): void;
  drain(): () => void;
  /** A check threw: ends the connection, which nothing would watch any more. */
  fault(error: unknown): void;
}

/** A limit is noticed at the latest after half of the shortest one; with the defaults, 5 s late. */
const MIN_TICK_MS = 5;
const MAX_TICK_MS = 60_000;
/** How long a drain waits for the PING ACK that shows that the first GOAWAY arrived. */
const GOAWAY_WAIT_MS = 1000;
const AGE_JITTER = 0.1;
/** A socket without progress for this long is reported as stuck: new calls should use another connection. */
const STUCK_MS = 5_000;
/** A service that was sent calls and has not sent a byte for this long is checked with a PING. */
const UNANSWERED_MS = 20_000;

interface Overdue {
  readonly code: number;
  readonly text: string;
  /** The one that the peer exceeded; undefined: it made no error. */
  readonly limit: LimitName | undefined;
}

export class Watch {
  private readonly owner: Watched;
  private readonly reader: FrameReader;
  private readonly out: Output;
  private readonly backlog: Backlog;
  private readonly limits: Limits;
  private readonly clock: Clock;
  private readonly tickMs: number;
  private readonly startedAt: number;
  /** Infinity: never. */
  private readonly drainAt: number;
  private timer: { cancel(): void } | undefined = undefined;
  private stopped = false;

  // Values of the last check, and since when they are unchanged.
  private unfinished = -1;
  private unfinishedSince = 0;
  private opened = 0;
  private idleSince: number;
  private heard = 0;
  private heardAt: number;
  private pingedAt = -1;
  private lastPingAt = Number.NEGATIVE_INFINITY;
  /** Number of streams when something was last received. */
  private openedWhenHeard = 0;
  private written = 0;
  private writtenAt: number;
  private finishDrain: (() => void) | undefined = undefined;
  private drainedAt = 0;

  constructor(
    owner: Watched,
    reader: FrameReader,
    out: Output,
    backlog: Backlog,
    limits: Limits,
    clock: Clock,
    now: number,
    random: () => number,
  ) {
    this.owner = owner;
    this.reader = reader;
    this.out = out;
    this.backlog = backlog;
    this.limits = limits;
    this.clock = clock;
    this.startedAt = now;
    this.idleSince = now;
    this.heardAt = now;
    this.writtenAt = now;
    this.drainAt = now + limits.maxAgeMs * (1 + AGE_JITTER * (2 * random() - 1));
    const {
      settingsMs,
      headersMs,
      stallMs,
      idleMs,
      keepaliveMs,
      keepaliveTimeoutMs,
      maxAgeMs,
      maxAgeGraceMs,
    } = limits;
    const shortest = Math.min(
      settingsMs,
      headersMs,
      stallMs,
      idleMs,
      keepaliveMs,
      keepaliveTimeoutMs,
      maxAgeMs,
      maxAgeGraceMs,
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
    try {
      const reason = this.look(this.clock.now());
      if (reason !== undefined) this.owner.destroy(reason.code, reason.text, reason.limit);
      else if (!this.stopped) this.start();
    } catch (error) {
      contain(error, (fault) => this.owner.fault(fault));
    }
  };

  /** Why the connection must end, if it must. */
  private look(now: number): Overdue | undefined {
    const { owner, limits } = this;
    if (owner.role === "server") {
      if (!owner.ready && now - this.startedAt >= limits.settingsMs) {
        const text = `no SETTINGS within ${limits.settingsMs} ms`;
        return { code: ErrorCode.SETTINGS_TIMEOUT, text, limit: "settingsMs" };
      }
      const old = this.lookAtAge(now);
      if (old !== undefined) return old;
    }
    const { unfinished } = this.reader;
    if (unfinished !== this.unfinished) {
      this.unfinished = unfinished;
      this.unfinishedSince = now;
    } else if (unfinished >= 0 && now - this.unfinishedSince >= limits.headersMs) {
      return {
        code: ErrorCode.ENHANCE_YOUR_CALM,
        text: `a frame was not complete within ${limits.headersMs} ms`,
        limit: "headersMs",
      };
    }
    if (this.backlog.queuedBytes > 0) this.backlog.resetStalled(now);
    if (owner.role === "client") {
      const still = this.lookAtSocket(now);
      if (still >= limits.unreadMs) {
        const text = `the peer read nothing for ${limits.unreadMs} ms`;
        return { code: ErrorCode.NO_ERROR, text, limit: "unreadMs" };
      }
      if (still >= STUCK_MS !== owner.stuck) owner.setStuck(!owner.stuck);
    }
    return this.lookForLife(now);
  }

  /** How long the socket has buffered bytes without progress. */
  private lookAtSocket(now: number): number {
    const { out } = this;
    if (out.unwritten === 0 || out.finishedWrites !== this.written) {
      this.written = out.finishedWrites;
      this.writtenAt = now;
    }
    return now - this.writtenAt;
  }

  private lookAtAge(now: number): Overdue | undefined {
    const { owner, limits } = this;
    if (this.finishDrain !== undefined) {
      if (now - this.drainedAt >= GOAWAY_WAIT_MS) this.finishDrain();
      if (now - this.drainedAt < limits.maxAgeGraceMs) return undefined;
      return {
        code: ErrorCode.NO_ERROR,
        text: `the connection reached its maximum age, and the ${limits.maxAgeGraceMs} ms of grace for its calls are over`,
        limit: undefined,
      };
    }
    if (owner.active > 0 || owner.opened !== this.opened) {
      this.opened = owner.opened;
      this.idleSince = now;
    }
    if (!owner.ready) return undefined;
    if (now < this.drainAt && now - this.idleSince < limits.idleMs) return undefined;
    this.drainedAt = now;
    this.finishDrain = owner.drain();
    return undefined;
  }

  private lookForLife(now: number): Overdue | undefined {
    const { owner, limits } = this;
    if (this.reader.heard !== this.heard) {
      this.heard = this.reader.heard;
      this.heardAt = now;
      this.openedWhenHeard = owner.opened;
      this.pingedAt = -1;
      return undefined;
    }
    if (this.pingedAt >= 0) {
      if (now - this.pingedAt < limits.keepaliveTimeoutMs) return undefined;
      const text = `the peer did not answer a PING within ${limits.keepaliveTimeoutMs} ms`;
      return { code: ErrorCode.NO_ERROR, text, limit: "keepaliveTimeoutMs" };
    }
    if (!owner.ready) return undefined;
    let patience = limits.keepaliveMs;
    if (owner.role === "client") {
      if (owner.active === 0 || now - this.lastPingAt < limits.keepaliveMs) return undefined;
      if (owner.opened !== this.openedWhenHeard) patience = Math.min(patience, UNANSWERED_MS);
    }
    if (now - this.heardAt < patience) return undefined;
    this.pingedAt = now;
    this.lastPingAt = now;
    owner.ping(() => {});
    return undefined;
  }
}
