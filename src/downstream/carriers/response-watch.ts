// Timeouts for an HTTP/1.1 client that does not read its responses (`limits.stallTimeout`, `limits.http1ReadRate`),
// written by our own code, node:http, or a WebSocket. Also detects a client that disconnects while it is
// held back, which nothing else would notice. One per connection, for its lifetime; it checks every few seconds, so
// that requests and responses cost it nothing.
import type { Socket } from "node:net";
import type { ClientLimits } from "../../config/listener-limits.js";
import type { Holder, SendMemory } from "../../http2/send-memory.js";
import { barrier } from "../../kit/barrier.js";
import { reportFault } from "../../kit/faults.js";
import type { Timed, TimerWheel } from "../../kit/timer-wheel.js";
import { DepartedClients, socketBelowTls } from "../client/departed-clients.js";

/** Interval of the checks at most: a client is disconnected at most two checks late. */
const LOOK_MS = 5000;
/** A client is slow if it has not reached `http1ReadRate` for this many checks: a minute. */
const SLOW_LOOKS = 12;
/** And at least this often within `stallTimeout`, if that is short. */
const LOOKS = 4;
/** Buffered bytes are counted for the process from here on: sockets buffer less in any case. */
const COUNTED_BYTES = 64 * 1024;

const departed = new DepartedClients();

export interface ResponseWatchOptions {
  readonly timers: TimerWheel;
  readonly limits: Pick<ClientLimits, "stallMs" | "http1ReadRate">;
  /** Of the whole process. */
  readonly memory: SendMemory;
  /** The client exceeded a limit; its connection is closed when this returns. */
  readonly onPassed: (limit: keyof ClientLimits, reason: string) => void;
}

export class ResponseWatch implements Timed, Holder {
  timerSlot = -1;
  timerNext: Timed | undefined = undefined;
  timerPrevious: Timed | undefined = undefined;
  expiresAt = 0;
  /** Bytes that wait for the client, as far as they are counted. */
  queuedBytes = 0;
  /** One response at a time is buffered here, and `maxMessage` bounds it. */
  readonly maxQueuedBytes = Number.POSITIVE_INFINITY;
  /** Why the connection was ended; undefined: not by us. */
  reason: string | undefined = undefined;
  private readonly socket: Socket;
  private readonly options: ResponseWatchOptions;
  private readonly lookMs: number;
  /**
   * Output was buffered at this many checks, and this many bytes were sent at the first. Checks are counted, not
   * minutes: a client is not responsible for the time in which the machine was suspended.
   */
  private looks = 0;
  private gone = 0;
  private over = false;

  constructor(socket: Socket, options: ResponseWatchOptions) {
    this.socket = socket;
    this.options = options;
    const { stallMs } = options.limits;
    this.lookMs = Math.min(LOOK_MS, stallMs / LOOKS);
    const onFault = (error: unknown): void => this.onFault(error);
    socket.on("drain", barrier(this.onDrain, onFault));
    socket.on("close", barrier(this.onClose, onFault));
    this.lookAgain();
  }

  /** Output was written: counts what is buffered now. */
  wrote(): void {
    const bytes = this.socket.writableLength;
    if (bytes > COUNTED_BYTES || this.queuedBytes > 0) this.hold(bytes);
  }

  /** A connection that nothing watches any more must not continue. */
  onFault(error: unknown): void {
    this.socket.destroy();
    reportFault("while it was seen whether a client reads; its connection was closed", error);
  }

  private readonly onDrain = (): void => this.hold(0);

  private readonly onClose = (): void => {
    this.options.timers.cancel(this);
    this.hold(0);
    this.over = true;
  };

  private hold(bytes: number): void {
    const more = bytes - this.queuedBytes;
    if (more === 0 || this.over) return;
    this.queuedBytes = bytes;
    if (more > 0) this.options.memory.add(this, more);
    else this.options.memory.remove(this, -more);
  }

  slowBytes(): number {
    return this.looks > SLOW_LOOKS ? this.queuedBytes : 0;
  }

  /** Too much waits in the process, and most of it here. */
  shed(): void {
    this.end(
      "maxProcessQueuedBytes",
      "too much data waits for clients to take it, and most of it for this one",
    );
  }

  private lookAgain(): void {
    const { timers } = this.options;
    this.expiresAt = timers.clock.now() + this.lookMs;
    timers.add(this);
  }

  /** It has closed its side, or is lost, while nothing was read of it. */
  private readonly left = (): void => {
    this.reason ??= "the client closed the connection";
    this.socket.destroy();
  };

  onExpired(): void {
    if (this.socket.isPaused()) departed.ask(this.socket, this.left);
    const { stallMs, http1ReadRate } = this.options.limits;
    if (this.socket.writableLength === 0) this.looks = 0;
    else {
      const gone = goneFrom(this.socket);
      const taken = gone - this.gone;
      if (this.looks === 0 || taken >= Math.max(1, (http1ReadRate * stallMs) / 1000)) {
        this.looks = 1;
        this.gone = gone;
      } else if (this.looks * this.lookMs < stallMs) this.looks++;
      else {
        if (taken === 0) this.letGo("stallMs", `the peer took nothing of an answer for ${stallMs} ms`);
        else {
          const rate = `less than ${http1ReadRate} bytes per second`;
          this.letGo("http1ReadRate", `the peer took ${rate} of an answer for ${stallMs} ms`);
        }
        return;
      }
    }
    this.lookAgain();
  }

  /** Ends the connection of a client that does not read, so that the system releases its buffer. */
  private letGo(limit: keyof ClientLimits, reason: string): void {
    if (this.over) return;
    this.reason = reason;
    const raw = socketBelowTls(this.socket);
    try {
      // Otherwise the system would keep offering it, megabytes, for minutes. Not possible while node:http parses.
      if (!raw.destroyed) raw.resetAndDestroy();
    } catch {
      // A Unix socket has no reset.
    }
    this.end(limit, reason);
  }

  /** The client exceeded a limit: its connection ends, and the code that responds gets the reason. */
  end(limit: keyof ClientLimits, reason: string): void {
    if (this.over) return;
    this.reason = reason;
    this.hold(0);
    this.over = true;
    this.options.timers.cancel(this);
    this.socket.destroy();
    this.options.onPassed(limit, reason);
  }
}

/**
 * Bytes that the system has accepted. A socket's own counters count a write only when all of it was sent, which for a
 * large one may take longer than the limit for a slow client; its handle, which node's own timeouts use, knows.
 */
function goneFrom(socket: Socket): number {
  const handle: unknown = Reflect.get(socketBelowTls(socket), "_handle");
  if (typeof handle === "object" && handle !== null) {
    const written: unknown = Reflect.get(handle, "bytesWritten");
    const queued: unknown = Reflect.get(handle, "writeQueueSize");
    if (typeof written === "number" && typeof queued === "number") return written - queued;
  }
  return socket.bytesWritten - socket.writableLength;
}
