// Checks the health of one endpoint, by grpc.health.v1 Watch on its first connection, for as long as it has one (gRFC
// A17).
import type { Clock, Timer } from "../../kit/clock.js";
import { HealthStream, type WatchedLink } from "./health-stream.js";

export interface HealthConfig {
  /** The service whose health is checked; "": that of the server as a whole. */
  readonly service: string;
  /** How long the first response may take. */
  readonly timeoutMs: number;
}

/** Retry delay: 1 s, doubling to 60 s, each ±20 %. */
const BACKOFF_FIRST_MS = 1000;
const BACKOFF_MAX_MS = 60_000;
const BACKOFF_JITTER = 0.2;
/** A connection that allows a single stream would have none left for calls. */
const MIN_STREAMS = 2;

/** `checking`: not checked, or no response yet. Anything else: why it gets no calls. */
export type Verdict = "serving" | "checking" | { readonly why: string };

export interface HealthCheckOwner {
  readonly clock: Clock;
  /** 0 ≤ n < 1 */
  readonly random: () => number;
  readonly config: HealthConfig;
}

export class HealthCheck {
  private readonly owner: HealthCheckOwner;
  private readonly address: string;
  private readonly onVerdict: (verdict: Verdict) => void;
  private link: WatchedLink | undefined = undefined;
  private stream: HealthStream | undefined = undefined;
  /** Until the response is due, or until the next check. */
  private timer: Timer | undefined = undefined;
  private openedAt = 0;
  private answered = false;
  private failures = 0;
  private closed = false;

  constructor(owner: HealthCheckOwner, address: string, onVerdict: (verdict: Verdict) => void) {
    this.owner = owner;
    this.address = address;
    this.onVerdict = onVerdict;
  }

  /**
   * Its first connection may be another one, or none. A replacement of the first usually leads to the same process: the
   * known status stays. After a time without connections it is checked anew, and gets no calls until it has responded.
   */
  attend(link: WatchedLink | undefined): void {
    if (this.closed || link === this.link) return;
    this.stop();
    this.link = link;
    this.failures = 0;
    if (link === undefined) this.onVerdict("checking");
    else this.ask();
  }

  /** The name of the checked service has changed. */
  restart(): void {
    this.stop();
    this.failures = 0;
    this.ask();
  }

  close(): void {
    this.closed = true;
    this.stop();
  }

  private stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
    const { stream } = this;
    this.stream = undefined;
    stream?.close();
  }

  private readonly ask = (): void => {
    this.timer = undefined;
    const { link, owner } = this;
    if (link === undefined) return;
    const { clock, config } = owner;
    this.openedAt = clock.now();
    this.answered = false;
    if (link.connection.maxStreams < MIN_STREAMS) {
      this.onVerdict("serving");
      return;
    }
    const stream = HealthStream.open(link, this.address, config.service, {
      said: (problem) => this.said(problem),
      unimplemented: () => this.unimplemented(),
      ended: (why) => this.ended(why),
      lost: () => this.lost(),
    });
    if (stream === undefined) {
      // Full of calls: the endpoint does serve.
      this.askLater();
      this.onVerdict("serving");
      return;
    }
    this.stream = stream;
    this.timer = clock.setTimeout(() => {
      this.stop();
      this.failed(`there was no answer within ${config.timeoutMs / 1000} s`);
    }, config.timeoutMs);
  };

  private said(problem: string | undefined): void {
    if (!this.answered) {
      this.answered = true;
      this.timer?.cancel();
      this.timer = undefined;
    }
    this.onVerdict(problem === undefined ? "serving" : { why: problem });
  }

  private unimplemented(): void {
    this.stop();
    this.onVerdict("serving");
  }

  private ended(why: string): void {
    this.timer?.cancel();
    this.stream = undefined;
    // A stream that had a response, and was not broken off at once, is restarted without delay, and is not a failure.
    const lastedMs = this.owner.clock.now() - this.openedAt;
    if (this.answered && lastedMs >= BACKOFF_FIRST_MS) {
      this.failures = 0;
      // Not while its stream ends: the connection may be ending too.
      this.timer = this.owner.clock.setTimeout(this.ask, 0);
    } else this.failed(why);
  }

  /** Its endpoint reports another connection, or none; otherwise this one is checked again. */
  private lost(): void {
    this.timer?.cancel();
    this.stream = undefined;
    this.askLater();
  }

  private failed(why: string): void {
    this.askLater();
    this.onVerdict({ why });
  }

  private askLater(): void {
    const { clock, random } = this.owner;
    const base = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** this.failures++);
    const delayMs = base * (1 + BACKOFF_JITTER * (2 * random() - 1));
    this.timer = clock.setTimeout(this.ask, delayMs);
  }
}
