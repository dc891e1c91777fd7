// One connection of an endpoint's pool, and its budget of resets: services close connections that carry many resets.
import type { Duplex } from "node:stream";
import type { AttemptEndpoint } from "../../call/attempt.js";
import type { Call } from "../../call/call.js";
import { Connection } from "../../http2/connection.js";
import type { SendMemory } from "../../http2/send-memory.js";
import type { Stream, StreamHandler } from "../../http2/stream.js";
import { ErrorCode } from "../../http2/wire/protocol.js";
import type { Clock, Timer } from "../../kit/clock.js";
import { guarded } from "../../kit/net/guarded.js";
import type { WatchedLink } from "../health/health-stream.js";
import { clientOf } from "./client-of.js";
import { type ConnectFailure, connectFailureOf } from "./connect-failure.js";
import { Silence } from "./silence.js";

/**
 * A service may copy a client's input into a status, where encoding makes it several times as long. Up to this size
 * such a block fails its own call only, as a header list that is too large; beyond it the connection ends, with its
 * other calls.
 */
const LIMITS = { maxHeaderBlockBytes: 1024 ** 2, maxContinuations: 64 };

/**
 * Servers count the resets of a connection, and close it when there are too many (rapid reset, CVE-2023-44487): Netty
 * after 200 in 30 s, nghttp2 and with it Node after 1000 and 33 per second, whichever of its clients sent them. Stay
 * below the strictest: one client's cancelled calls must not cost another client its running ones.
 */
export const RESET_BUDGET = 100;
export const RESET_WINDOW_MS = 30_000;
/** Not a rapid reset when the response had begun, but servers count it too: it counts half, so at most 200 are sent. */
const ANSWERED_WEIGHT = 0.5;
/** From here on another connection is prepared, so that no call waits once this one is spent. */
const RESETS_BEFORE_SPARE = 75;

/** The endpoint of a link, and the notifications that it gets. */
export interface LinkOwner extends AttemptEndpoint {
  /** The service's SETTINGS have arrived. */
  onReady(link: Link): void;
  /** There may be capacity again, or the link takes no more calls at all. */
  onCapacity(link: Link): void;
  onClosed(link: Link, reason: string): void;
  /** New calls should soon (`spent` false) or now (true) go elsewhere. */
  onSpending(link: Link, spent: boolean): void;
  /** The service is silent. `lost`: it did not respond to a probe either; otherwise that is not known yet. */
  onSilence(link: Link, lost: boolean): void;
  /** The service has responded after all. */
  onWord(link: Link): void;
  onResetSent(): void;
  /** A reset of this client is held back: its abandoned call still occupies a stream of the service. */
  onResetHeld(client: string): void;
  /** That stream is free again. */
  onHeldEnded(client: string): void;
}

/** The target of a link, and how to reach it. */
export interface LinkTarget {
  readonly address: string;
  /** With TLS: the `:authority` of calls; undefined: clear text, where calls keep the client's authority. */
  readonly secureAuthority?: string | undefined;
  /** The `:authority` of clear-text calls whose client sent none. Default: the address. */
  readonly authority?: string | undefined;
  /** Opens a transport. */
  readonly dial: () => Duplex;
}

export interface LinkContext {
  readonly clock: Clock;
  /** Counts bytes waiting to be sent, shared with other connections; undefined: counted for this connection alone. */
  readonly memory: SendMemory | undefined;
}

export class Link implements WatchedLink {
  readonly connection: Connection;
  /** The endpoint it connects to. */
  readonly endpoint: LinkOwner;
  /** The `:authority` of calls; undefined: the client's, without TLS. */
  readonly secureAuthority: string | undefined;
  /** The `:authority` of clear-text calls whose client sent none. */
  readonly authority: string;
  /** When it became ready, ms. */
  readyAt = 0;
  /** Beyond the connection limit, for clients that others leave no room (reserve.ts): not for every call. */
  reserved = false;
  own = 0;
  /** For the sweep of idle connections: total streams opened at the last sweep. */
  openedAtLook = -1;

  private readonly clock: Clock;
  private readonly secure: boolean;
  private error: NodeJS.ErrnoException | undefined = undefined;
  private readonly silence: Silence;
  private gaveUp = false;
  private resets = 0;
  private windowStart = 0;
  /** Cancelled calls whose reset would exceed the budget, and the client of each. They end with the connection. */
  private readonly abandoned = new Map<Stream, string>();
  private windowEnd: Timer | undefined = undefined;

  constructor(target: LinkTarget, { clock, memory }: LinkContext, endpoint: LinkOwner) {
    this.endpoint = endpoint;
    this.secureAuthority = target.secureAuthority;
    this.authority = target.authority ?? target.address;
    this.clock = clock;
    const socket = guarded(target.dial());
    this.secure = "encrypted" in socket;
    // Registered before the connection's own listener, which reports the end when the error arrives.
    socket.once("error", (error: Error) => {
      this.error = error;
    });
    this.connection = new Connection(
      socket,
      { role: "client", clock, limits: LIMITS, memory },
      {
        onStream: () => {},
        onReady: () => endpoint.onReady(this),
        onCapacity: () => endpoint.onCapacity(this),
        onClose: (reason) => {
          this.windowEnd?.cancel();
          this.silence.close();
          endpoint.onClosed(this, reason);
        },
      },
    );
    this.silence = new Silence(this.connection, clock, {
      onSuspect: () => endpoint.onSilence(this, false),
      onSilent: () => endpoint.onSilence(this, true),
      onWord: () => endpoint.onWord(this),
    });
  }

  /** Closes it: the connection was not established in time. */
  giveUp(afterMs: number): void {
    this.gaveUp = true;
    this.connection.destroy(ErrorCode.SETTINGS_TIMEOUT, `no HTTP/2 connection within ${afterMs} ms`);
  }

  /** Why the connection was not established. */
  get failure(): ConnectFailure {
    return this.gaveUp ? "timeout" : connectFailureOf(this.error, this.secure);
  }

  /** It takes new calls, now or when one of its calls ends. */
  get sound(): boolean {
    return !this.connection.leaving && !this.connection.stuck && !this.silence.suspect;
  }

  /** The service is silent, and may or may not recover. */
  get suspect(): boolean {
    return this.silence.suspect;
  }

  /** A new call can be sent on it now, by any client. */
  get usable(): boolean {
    return this.connection.canOpen && !this.connection.stuck && !this.silence.suspect && !this.reserved;
  }

  /** `client` of its streams' handlers, and the clients of abandoned calls: one entry for each call. Visits all. */
  clients(): string[] {
    const clients = [...this.abandoned.values()];
    for (const owner of this.connection.owners)
      if ("client" in owner && typeof owner.client === "string") clients.push(owner.client);
    return clients;
  }

  /** A call has timed out without a response. `heardBefore`: `connection.heard` when it was sent. */
  timedOut(heardBefore: number): void {
    this.silence.timedOut(heardBefore);
  }

  /** Calls that are still wanted. */
  get calls(): number {
    return this.connection.active - this.abandoned.size - this.own;
  }

  /** Ends a client's call with RST_STREAM(CANCEL), or abandons it for now when that would exceed the budget. */
  reset(stream: Stream, call: Call): void {
    if (stream.closed) return;
    const now = this.clock.now();
    if (now - this.windowStart >= RESET_WINDOW_MS) {
      this.windowStart = now;
      this.resets = 0;
    }
    if (this.resets >= RESET_BUDGET) {
      this.abandon(stream, clientOf(call), now);
      this.endpoint.onSpending(this, true);
      return;
    }
    this.send(stream);
    if (this.resets >= RESETS_BEFORE_SPARE) this.endpoint.onSpending(this, this.resets >= RESET_BUDGET);
  }

  private send(stream: Stream): void {
    this.resets += stream.headersReceived ? ANSWERED_WEIGHT : 1;
    stream.reset(ErrorCode.CANCEL);
    this.endpoint.onResetSent();
  }

  /** Drops what still arrives for it, without giving credit, so that it stays little. */
  private abandon(stream: Stream, client: string, now: number): void {
    stream.handler = this.dropping;
    this.abandoned.set(stream, client);
    this.endpoint.onResetHeld(client);
    this.windowEnd ??= this.clock.setTimeout(this.onWindowEnd, this.windowStart + RESET_WINDOW_MS - now);
  }

  private readonly onWindowEnd = (): void => {
    this.windowEnd = undefined;
    this.windowStart = this.clock.now();
    this.resets = 0;
    for (const stream of this.abandoned.keys()) {
      if (this.resets >= RESET_BUDGET) break;
      this.ended(stream);
      this.send(stream);
    }
    if (this.abandoned.size > 0 && !this.connection.closed) {
      this.windowEnd = this.clock.setTimeout(this.onWindowEnd, RESET_WINDOW_MS);
    }
  };

  private ended(stream: Stream): void {
    const client = this.abandoned.get(stream);
    if (client === undefined) return;
    this.abandoned.delete(stream);
    this.endpoint.onHeldEnded(client);
  }

  private readonly dropping: StreamHandler = {
    onHeaders: (stream, _block, end) => {
      if (end) this.ended(stream);
    },
    onData: (stream, _chunk, _start, _end, last) => {
      if (last) this.ended(stream);
    },
    onTrailers: (stream) => this.ended(stream),
    onReset: (stream) => this.ended(stream),
    onSent() {},
  };
}
