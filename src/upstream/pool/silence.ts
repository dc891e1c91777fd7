// Detects whether the service behind a connection is alive. A frozen service keeps its connections, accepts calls into
// its socket's buffers, and responds to none. The sign is calls that time out while nothing at all arrives.

import type { Connection } from "../../http2/connection.js";
import type { Clock, Timer } from "../../kit/clock.js";

/** After this many such calls in a row the connection gets no new ones. One may be bad luck: it sends a probe. */
const SILENT_CALLS = 2;
/** How long a suspect connection may stay silent before another one is made in its place. */
const WORD_MS = 1000;
/** How long its running calls may stay on it from then on: as long as a PING may take (`keepaliveTimeoutMs`). */
const LAST_WORD_MS = 20_000;
/** A service that responded to a probe is slow, not gone: it gets no further probe for this long. */
const PROVEN_MS = 1000;

export interface SilenceOwner {
  /** It gets no new calls until `onWord` or `onSilent`. */
  onSuspect(): void;
  /** The suspect is alive: it has sent something. */
  onWord(): void;
  /** The suspect has sent nothing. There is no further probe; the connection closes if it stays silent. */
  onSilent(): void;
}

export class Silence {
  /** Calls time out on it, and nothing arrives. */
  suspect = false;
  private readonly clock: Clock;
  private readonly connection: Connection;
  private readonly owner: SilenceOwner;
  private calls = 0;
  private asked = false;
  private provenAt = Number.NEGATIVE_INFINITY;
  private timer: Timer | undefined = undefined;

  constructor(connection: Connection, clock: Clock, owner: SilenceOwner) {
    this.connection = connection;
    this.clock = clock;
    this.owner = owner;
  }

  /**
   * A call has timed out without a response.
   * @param heardBefore `connection.heard` when it was sent
   */
  timedOut(heardBefore: number): void {
    if (this.suspect) return;
    if (this.connection.heard !== heardBefore || this.clock.now() - this.provenAt < PROVEN_MS) {
      this.calls = 0;
      return;
    }
    this.calls++;
    if (!this.asked) {
      this.asked = true;
      this.connection.probe(this.onAck);
    }
    if (this.calls < SILENT_CALLS) return;
    this.suspect = true;
    this.timer = this.clock.setTimeout(() => this.giveUp(heardBefore), WORD_MS);
    this.owner.onSuspect();
  }

  private readonly onAck = (): void => {
    this.asked = false;
    this.calls = 0;
    this.provenAt = this.clock.now();
    this.close();
    if (!this.suspect) return;
    this.suspect = false;
    this.owner.onWord();
  };

  private giveUp(heardBefore: number): void {
    // A peer that sends frames is alive, even if it does not acknowledge SETTINGS.
    if (this.connection.heard !== heardBefore) {
      this.onAck();
      return;
    }
    this.timer = this.clock.setTimeout(() => {
      this.timer = undefined;
      const waitedMs = WORD_MS + LAST_WORD_MS;
      this.connection.destroy(
        undefined,
        `the service said nothing for ${waitedMs} ms after calls had timed out`,
      );
    }, LAST_WORD_MS);
    this.owner.onSilent();
  }

  /** Stops waiting for a sign of life. */
  close(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }
}
