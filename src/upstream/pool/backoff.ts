// The delay before the hub reconnects to an unreachable endpoint.

/** Reconnect delay: 100 ms, doubling to 30 s, each ±20 % (after gRPC's connection backoff, but sooner at first). */
const BACKOFF_FIRST_MS = 100;
const BACKOFF_MAX_MS = 30_000;
const BACKOFF_JITTER = 0.2;
/** While calls wait for an upstream that was just lost: the end of a restart is noticed quickly. */
const BACKOFF_HURRIED_MS = 250;
/** An endpoint that was just lost is probably restarting: retry at least this often. */
const BACKOFF_RECENT_MS = 1000;
const RECENT_MS = 30_000;

export class Backoff {
  private failures = 0;
  /** When the last stable connection was lost. */
  private lostAt = Number.NEGATIVE_INFINITY;

  /** The endpoint was reached. */
  reset(): void {
    this.failures = 0;
  }

  /** A stable connection was lost. */
  lost(now: number): void {
    this.lostAt = now;
    this.failures = 0;
  }

  /**
   * Milliseconds until the next attempt.
   * @param hurries calls wait for the endpoint
   * @param random 0 ≤ n < 1
   */
  next(now: number, hurries: boolean, random: number): number {
    const recent = now - this.lostAt < RECENT_MS;
    const most = hurries ? BACKOFF_HURRIED_MS : recent ? BACKOFF_RECENT_MS : BACKOFF_MAX_MS;
    const usual = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** this.failures);
    const base = Math.min(usual, most);
    if (base === usual) this.failures++;
    return base * (1 + BACKOFF_JITTER * (2 * random - 1));
  }
}
