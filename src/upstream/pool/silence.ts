// Whether the service behind a connection is there: one that is frozen keeps its connections, takes calls into its
// socket's buffers, and answers none. Known by the calls that time out while it says nothing at all.

import type { Connection } from "../../http2/connection.js";
import type { Clock, Timer } from "../../kit/clock.js";

/** After so many such calls in a row the connection gets no new ones. One may be bad luck: it is lost, and asked after. */
const SILENT_CALLS = 2;
/** How long a suspect may take to say a word, before another connection is made in its place. */
const WORD_MS = 1000;
/** How long calls on it are left to it, from then on: as long as a PING may take (`keepaliveTimeoutMs`). */
const LAST_WORD_MS = 20_000;
/** A service that was asked and answered is slow, not gone: it is not asked again for so long. */
const PROVEN_MS = 1000;

export interface SilenceOwner {
  /** It gets no new calls, until `onWord` or `onSilent`. */
  onSuspect(): void;
  /** The suspect is there: it has said something. */
  onWord(): void;
  /** The suspect has said nothing. It is not asked again; it ends by itself when it goes on saying nothing. */
  onSilent(): void;
}

export class Silence {
  /** Calls time out on it, and it says nothing. */
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
   * A call has timed out, and had no answer.
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
    // A peer that acknowledges no SETTINGS, but talks, is there.
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

  /** No word is waited for any more. */
  close(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }
}
