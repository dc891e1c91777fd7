// One address of a cluster: its connections, made again with backoff after loss, and the calls that wait for one.
import type { Duplex } from "node:stream";
import type { Clock, Timer } from "../core/clock.js";
import { Connection } from "../http2/connection.js";
import { ErrorCode } from "../http2/protocol.js";

export type EndpointState = "idle" | "connecting" | "ready" | "backoff";

/** Something that waits for a stream; told once. */
export interface Waiter {
  /** A connection with room for a stream. */
  onConnection(connection: Connection): void;
  /** The endpoint could not be reached. */
  onUnreachable(reason: string): void;
}

export interface EndpointOptions {
  readonly address: string;
  /** Over TLS: what calls say as `:authority`; undefined: clear text, and the authority is the client's. */
  readonly secureAuthority?: string | undefined;
  /** Opens a transport; `onOpen` once bytes can flow. */
  readonly dial: () => Duplex;
  readonly clock: Clock;
  /** 0 ≤ n < 1 */
  readonly random: () => number;
  readonly onChange: (endpoint: Endpoint) => void;
}

/** Connecting again: 100 ms, doubling to 30 s, each ±20 % (after gRPC's connection backoff, but sooner at first). */
const BACKOFF_FIRST_MS = 100;
const BACKOFF_MAX_MS = 30_000;
const BACKOFF_JITTER = 0.2;
/** TCP, TLS and the peer's SETTINGS together. */
const CONNECT_TIMEOUT_MS = 10_000;
/** A connection that is lost sooner was none: it does not reset the backoff. */
const STABLE_MS = 1000;
/** One connection carries as many streams as the peer allows; more are opened only when it is full. */
const MAX_CONNECTIONS = 16;

export class Endpoint {
  readonly address: string;
  readonly secureAuthority: string | undefined;
  private readonly options: EndpointOptions;
  /** Those that take new streams, or will when one of theirs ends. */
  private readonly connections: Connection[] = [];
  /** Those that take none any more, until their calls have ended. */
  private readonly leaving = new Set<Connection>();
  private readonly waiting = new Set<Waiter>();
  private connecting: Connection | undefined = undefined;
  private timeout: Timer | undefined = undefined;
  private failures = 0;
  private retry: Timer | undefined = undefined;
  private retryAt = 0;
  /** The retry need not be waited for by a call: the endpoint was reached, but its connection did not last. */
  private retryYields = false;
  private connectedAt = 0;
  private closed = false;
  private lastProblem = "not connected yet";

  constructor(options: EndpointOptions) {
    this.options = options;
    this.address = options.address;
    this.secureAuthority = options.secureAuthority;
  }

  get state(): EndpointState {
    // A call that is told of a GOAWAY looks here before the connection has been taken out.
    const connections = this.connections;
    for (let i = 0; i < connections.length; i++) if (connections[i]?.leaving === false) return "ready";
    if (this.connecting !== undefined) return "connecting";
    return this.retry !== undefined && !this.retryYields ? "backoff" : "idle";
  }

  /** Why it cannot be reached, for messages. */
  get problem(): string {
    return this.lastProblem;
  }

  /** Milliseconds until it is tried again by itself; undefined: it is not waiting. */
  get retryInMs(): number | undefined {
    if (this.retry === undefined) return undefined;
    return Math.max(0, this.retryAt - this.options.clock.now());
  }

  get waiters(): number {
    return this.waiting.size;
  }

  /** A connection that can open a stream now. */
  available(): Connection | undefined {
    const connections = this.connections;
    for (let i = 0; i < connections.length; i++) {
      const connection = connections[i];
      if (connection?.canOpen === true) return connection;
    }
    return undefined;
  }

  /** Waits for a connection; ends in one of the waiter's two calls unless `stopWaiting` comes first. */
  wait(waiter: Waiter): void {
    if (this.closed) {
      waiter.onUnreachable(this.lastProblem);
      return;
    }
    this.waiting.add(waiter);
    this.connect();
  }

  stopWaiting(waiter: Waiter): void {
    this.waiting.delete(waiter);
  }

  /** Connects if there is need and room; not while in backoff. */
  connect(): void {
    if (this.closed || this.connecting !== undefined) return;
    if (this.retry !== undefined) {
      if (!this.retryYields || this.waiting.size === 0) return;
      this.retry.cancel();
      this.retry = undefined;
    }
    // A further connection only for calls that wait for one.
    if (this.connections.length > 0 && this.waiting.size === 0 && this.state === "ready") return;
    if (this.connections.length >= MAX_CONNECTIONS || this.available() !== undefined) return;
    const connection: Connection = new Connection(
      this.options.dial(),
      { role: "client", clock: this.options.clock },
      {
        onStream: () => {},
        onReady: () => this.onConnected(connection),
        onCapacity: () => this.onCapacity(connection),
        onClose: (reason) => this.onClosed(connection, reason),
      },
    );
    this.connecting = connection;
    this.timeout = this.options.clock.setTimeout(
      () =>
        connection.destroy(
          ErrorCode.SETTINGS_TIMEOUT,
          `no HTTP/2 connection within ${CONNECT_TIMEOUT_MS} ms`,
        ),
      CONNECT_TIMEOUT_MS,
    );
    this.options.onChange(this);
  }

  private settle(): void {
    this.timeout?.cancel();
    this.timeout = undefined;
    this.connecting = undefined;
  }

  private onConnected(connection: Connection): void {
    this.settle();
    this.connectedAt = this.options.clock.now();
    if (this.connections.length > 0) this.failures = 0;
    this.connections.push(connection);
    this.options.onChange(this);
    this.serveWaiters();
  }

  private onClosed(connection: Connection, reason: string): void {
    if (connection === this.connecting) {
      this.settle();
      this.lastProblem = reason;
      this.backOff(false);
      // With other connections alive, waiters go on waiting for room there.
      if (this.connections.length === 0) this.failWaiters(reason);
    } else if (!this.leaving.delete(connection)) {
      this.lastProblem = reason;
      this.lose(connection);
    }
    this.options.onChange(this);
  }

  private onCapacity(connection: Connection): void {
    if (connection === this.connecting) return;
    if (connection.leaving && this.connections.includes(connection)) {
      this.leaving.add(connection);
      this.lose(connection);
    }
    if (this.waiting.size > 0) this.serveWaiters();
  }

  /** A connection takes no more streams. If it was the last one another is made: at once, unless they come and go. */
  private lose(connection: Connection): void {
    const at = this.connections.indexOf(connection);
    if (at < 0) return;
    this.connections.splice(at, 1);
    if (this.connections.length > 0 || this.connecting !== undefined || this.retry !== undefined) return;
    if (this.options.clock.now() - this.connectedAt >= STABLE_MS) this.failures = 0;
    else if (this.waiting.size === 0) {
      this.backOff(true);
      return;
    }
    this.connect();
  }

  private backOff(yields: boolean): void {
    if (this.closed) return;
    this.retryYields = yields;
    const base = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** this.failures);
    this.failures++;
    const jitter = 1 + BACKOFF_JITTER * (2 * this.options.random() - 1);
    this.retryAt = this.options.clock.now() + base * jitter;
    this.retry = this.options.clock.setTimeout(() => {
      this.retry = undefined;
      this.connect();
    }, base * jitter);
  }

  private serveWaiters(): void {
    for (const waiter of this.waiting) {
      const connection = this.available();
      if (connection === undefined) {
        this.connect();
        return;
      }
      this.waiting.delete(waiter);
      waiter.onConnection(connection);
    }
  }

  private failWaiters(reason: string): void {
    const waiters = [...this.waiting];
    this.waiting.clear();
    for (const waiter of waiters) waiter.onUnreachable(reason);
  }

  /** No new calls; connections close when their calls have ended. */
  drain(): void {
    this.closed = true;
    this.retry?.cancel();
    this.retry = undefined;
    this.connecting?.destroy();
    this.lastProblem = "the hub is shutting down";
    for (const connection of [...this.connections]) {
      this.leaving.add(connection);
      connection.drain();
    }
    this.connections.length = 0;
    this.failWaiters(this.lastProblem);
  }

  close(): void {
    this.drain();
    for (const connection of [...this.leaving]) connection.destroy();
  }
}
