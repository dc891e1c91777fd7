// One connection of an endpoint's pool, and what it may still be told: services end connections that bring many resets.
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
 * A service may put what its caller sent into a status, several times as long there. Up to here such a block fails its
 * call alone, for its list is too large; only beyond does it end the connection, and with it the calls of others.
 */
const LIMITS = { maxHeaderBlockBytes: 1024 ** 2, maxContinuations: 64 };

/**
 * Servers count the resets of a connection, and end it when there are too many (rapid reset, CVE-2023-44487): Netty
 * after 200 in 30 s, nghttp2 and with it Node after 1000 and 33 per second, whoever of its clients they come from.
 * Stay below the strictest: one client's cancelled calls must not cost another client its running ones.
 */
export const RESET_BUDGET = 100;
export const RESET_WINDOW_MS = 30_000;
/** Such a call was no rapid reset, but servers count it all the same: half, so that there are at most 200. */
const ANSWERED_WEIGHT = 0.5;
/** From here on another connection is made ready, so that nobody waits for it once this one is spent. */
const RESETS_BEFORE_SPARE = 75;

/** Its endpoint, and what a link tells it. */
export interface LinkOwner extends AttemptEndpoint {
  /** The service's SETTINGS have come. */
  onReady(link: Link): void;
  /** There may be room again, or never again. */
  onCapacity(link: Link): void;
  onClosed(link: Link, reason: string): void;
  /** Soon, or now, no more calls shall go to it. */
  onSpending(link: Link, spent: boolean): void;
  /** Its service says nothing. `lost`: not even when it was asked; otherwise that is not known yet. */
  onSilence(link: Link, lost: boolean): void;
  /** It says something after all. */
  onWord(link: Link): void;
  onResetSent(): void;
  /** A reset of this client's is held back: its call takes room of the service in vain. */
  onResetHeld(client: string): void;
  /** That room is free again. */
  onHeldEnded(client: string): void;
}

/** Where a link leads, and how. */
export interface LinkTarget {
  readonly address: string;
  /** Over TLS: what calls say as `:authority`; undefined: clear text, and the authority is the client's. */
  readonly secureAuthority?: string | undefined;
  /** What calls in clear text say as `:authority` where the client named none. Default: the address. */
  readonly authority?: string | undefined;
  /** Opens a transport. */
  readonly dial: () => Duplex;
}

export interface LinkContext {
  readonly clock: Clock;
  /** Counts what waits to be sent, with other connections; undefined: by itself. */
  readonly memory: SendMemory | undefined;
}

export class Link implements WatchedLink {
  readonly connection: Connection;
  /** Where it leads. */
  readonly endpoint: LinkOwner;
  /** What calls say as `:authority`; undefined: what the client said, and no TLS. */
  readonly secureAuthority: string | undefined;
  /** What calls in clear text say as `:authority` where the client named none. */
  readonly authority: string;
  /** Since when it is ready, ms. */
  readyAt = 0;
  /** Beyond the limit of connections, for clients that others leave no room (reserve.ts): not for every call. */
  reserved = false;
  own = 0;
  /** For the sweep of idle connections: streams ever opened at the last look. */
  openedAtLook = -1;

  private readonly clock: Clock;
  private readonly secure: boolean;
  private error: NodeJS.ErrnoException | undefined = undefined;
  private readonly silence: Silence;
  private gaveUp = false;
  private resets = 0;
  private windowStart = 0;
  /** Calls that nobody waits for any more, but whose reset would be one too many, and who left them. They go with the connection. */
  private readonly abandoned = new Map<Stream, string>();
  private windowEnd: Timer | undefined = undefined;

  constructor(target: LinkTarget, { clock, memory }: LinkContext, endpoint: LinkOwner) {
    this.endpoint = endpoint;
    this.secureAuthority = target.secureAuthority;
    this.authority = target.authority ?? target.address;
    this.clock = clock;
    const socket = guarded(target.dial());
    this.secure = "encrypted" in socket;
    // Before the connection, which tells of its end when it hears of it.
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

  /** Ends it: it has not come about in time. */
  giveUp(afterMs: number): void {
    this.gaveUp = true;
    this.connection.destroy(ErrorCode.SETTINGS_TIMEOUT, `no HTTP/2 connection within ${afterMs} ms`);
  }

  /** Why it has not come about. */
  get failure(): ConnectFailure {
    return this.gaveUp ? "timeout" : connectFailureOf(this.error, this.secure);
  }

  /** It takes new calls, now or when one of its calls ends. */
  get sound(): boolean {
    return !this.connection.leaving && !this.connection.stuck && !this.silence.suspect;
  }

  /** Its service says nothing, and it is not known yet whether that is so for good. */
  get suspect(): boolean {
    return this.silence.suspect;
  }

  /** A call can be sent on it now, and it is as good as another. */
  get usable(): boolean {
    return this.connection.canOpen && !this.connection.stuck && !this.silence.suspect && !this.reserved;
  }

  /** Whose calls it has, by `client` of its streams' handlers, and those that were left: one entry for each. Looks at all. */
  clients(): string[] {
    const clients = [...this.abandoned.values()];
    for (const owner of this.connection.owners)
      if ("client" in owner && typeof owner.client === "string") clients.push(owner.client);
    return clients;
  }

  /** A call has timed out, and had no answer. `heardBefore`: `connection.heard` when it was sent. */
  timedOut(heardBefore: number): void {
    this.silence.timedOut(heardBefore);
  }

  /** Calls that somebody waits for. */
  get calls(): number {
    return this.connection.active - this.abandoned.size - this.own;
  }

  /** Ends a client's call with RST_STREAM(CANCEL), or, when that would be one too many, leaves it to itself for now. */
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

  /** What still comes of it is dropped, and gets no credit, so that it is little. */
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
