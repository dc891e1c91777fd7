// A client's HTTP/1.1 connection, as long as its requests are plain (head-reader.ts): read and served here, at a
// fraction of the cost of node:http. The first request that is not plain, valid or not, passes the socket to node:http
// for good, with every byte that was not handled yet.
import type { Socket } from "node:net";
import { hubFault } from "../../../call/status/hub-fault.js";
import type { Status } from "../../../call/status/status.js";
import type { ClientLimits } from "../../../config/listener-limits.js";
import { barrier, contain } from "../../../kit/barrier.js";
import type { Clock } from "../../../kit/clock.js";
import { attempt, reportFault } from "../../../kit/faults.js";
import type { Timed, TimerWheel } from "../../../kit/timer-wheel.js";
import type { Client } from "../../client/client.js";
import { type Exchange, type ExchangeHead, NO_HANDLER } from "../exchange.js";
import type { ResponseWatch } from "../response-watch.js";
import { unread } from "../short-reads.js";
import { Http1Exchange } from "./exchange.js";
import { HeadReader } from "./head-reader.js";

export interface Http1ConnectionOptions {
  readonly client: Client;
  /** Of this connection. */
  readonly watch: ResponseWatch;
  readonly timers: TimerWheel;
  readonly limits: Pick<
    ClientLimits,
    "headersMs" | "bodyMs" | "http1IdleMs" | "maxHeaderFields" | "maxHeaderListBytes"
  >;
}

export interface Http1ConnectionOwner {
  /** The hub is draining: responses have `connection: close`. */
  readonly draining: boolean;
  /** A request; sets the exchange's handler. */
  onExchange(exchange: Exchange): void;
  /** The hub failed before the exchange had a handler. Must get a response. */
  onRejected(exchange: Exchange, status: Status): void;
  /** The socket is node:http's: paused, with all unread bytes in it again. */
  onHandOver(socket: Socket): void;
  /** The head of a request did not arrive in time. Must get a response, and the socket be closed. */
  onTimeout(socket: Socket): void;
  /** The hub failed before there was a request (fault `id`). Must get a response, and the socket be closed. */
  onBroken(socket: Socket, id: string): void;
  onClose(connection: Http1Connection): void;
}

/** Reads that a head may take to arrive; with more, node:http waits for the slow client. */
const MAX_HEAD_READS = 8;
/** What is read ahead of the request that is being answered. */
const MAX_AHEAD_BYTES = 64 * 1024;
/** And in how many reads: each copies what came before it, which bytes one by one would make dear. */
const MAX_AHEAD_READS = 64;
/** Body that waits for its taker, beyond which nothing more is read. */
const PAUSE_BYTES = 256 * 1024;
/** Up to here head and body are copied into one buffer, for one write: cheaper than a vector of two. */
const MAX_COPY_BYTES = 16 * 1024;
/** How long the rest of a body is read and dropped after its response: closing at once could lose the response. */
const LINGER_MS = 1000;

export class Http1Connection implements Timed {
  timerSlot = -1;
  timerNext: Timed | undefined = undefined;
  timerPrevious: Timed | undefined = undefined;
  expiresAt = 0;
  readonly client: Client;
  readonly owner: Http1ConnectionOwner;
  private readonly socket: Socket;
  private readonly options: Http1ConnectionOptions;
  private readonly clock: Clock;
  private readonly reader: HeadReader;
  /** When the client is late; Infinity: nothing is awaited. The timer may be set earlier. */
  private due = Number.POSITIVE_INFINITY;
  /** Unread bytes, from `at`. */
  private input: Buffer | undefined = undefined;
  private at = 0;
  /** Reads that the head at `at` has taken so far; 0: none of it has arrived. */
  private headReads = 0;
  /** Reads since the last request began, whose bytes were not handled yet. */
  private aheadReads = 0;
  /** The current request: without a complete response, or with body still arriving. */
  private exchange: Http1Exchange | undefined = undefined;
  private bodyLeft = 0;
  /** Bytes of the body that were passed on and not consumed yet. */
  private owed = 0;
  private closeAfter = false;
  private going = false;
  private advancing = false;
  private paused = false;
  /** The socket has more to write than it should. */
  private blocked = false;
  /** No more is read or written here. */
  private over = false;
  private out: Buffer[] = [];
  private outBytes = 0;
  private readonly keepAliveLines: string;
  private readonly listeners: readonly (readonly [event: string, listener: (chunk: Buffer) => void])[];

  /** Takes a paused socket, and resumes it. */
  constructor(socket: Socket, owner: Http1ConnectionOwner, options: Http1ConnectionOptions) {
    this.socket = socket;
    this.owner = owner;
    this.options = options;
    this.client = options.client;
    this.clock = options.timers.clock;
    this.reader = new HeadReader(options.limits);
    this.keepAliveLines = `connection: keep-alive\r\nkeep-alive: timeout=${Math.floor(options.limits.http1IdleMs / 1000)}\r\n`;
    const onFault = (error: unknown): void => this.onFault(error);
    this.listeners = [
      ["data", barrier((chunk: Buffer) => this.onData(chunk), onFault)],
      ["end", barrier(() => this.leave(), onFault)],
      ["drain", barrier(() => this.onDrain(), onFault)],
      ["close", barrier(() => this.onClose(), onFault)],
    ];
    for (const [event, listener] of this.listeners) socket.on(event, listener);
    socket.resume();
  }

  // ---------------------------------------------------------------- reading

  private onData(chunk: Buffer): void {
    const { input } = this;
    if (input === undefined) {
      this.input = chunk;
      this.at = 0;
    } else {
      // The rest of a head, or pipelined requests: both bounded.
      this.aheadReads++;
      this.input = Buffer.concat([input.subarray(this.at), chunk]);
      this.at = 0;
    }
    this.advance();
  }

  /** Continues as far as the available bytes allow. */
  private advance(): void {
    if (this.advancing || this.over) return;
    this.advancing = true;
    try {
      let more = true;
      while (more) more = this.step();
      this.advancing = false;
      this.writeOut();
      this.regulate();
    } catch (error) {
      this.onFault(error);
    }
  }

  /** The connection's own code threw: its request gets a response if possible, and the connection ends. */
  onFault(error: unknown): void {
    const where = "on an HTTP/1.1 connection";
    const { exchange, socket } = this;
    if (this.over) {
      reportFault(where, error);
      socket.destroy();
      return;
    }
    this.closeAfter = true;
    this.advancing = true; // nothing more is read, though the response requests it
    if (exchange === undefined) {
      const id = reportFault(where, error);
      attempt(where, () => this.release());
      attempt(where, () => this.owner.onBroken(socket, id));
      return;
    }
    if (exchange.handler === NO_HANDLER) {
      const status = hubFault("the hub failed while it read the request", where, error);
      attempt(where, () => this.owner.onRejected(exchange, status));
    } else contain(error, (fault) => exchange.handler.onFault(fault));
    attempt(where, () => this.writeOut());
    attempt(where, () => this.leave());
    socket.destroySoon();
  }

  private step(): boolean {
    const { input } = this;
    if (input === undefined || this.over) return false;
    if (this.bodyLeft > 0) {
      this.readBody(input);
      return true;
    }
    // One request at a time: pipelined ones wait, and so do those after responses that nobody reads.
    if (this.exchange !== undefined || this.blocked) return false;
    const { reader } = this;
    switch (reader.read(input, this.at)) {
      case "odd":
        this.handOver(input);
        return false;
      case "more":
        this.awaitHead(input);
        return false;
      case "head":
        this.headReads = 0;
        this.forward(reader.end);
        this.begin();
        return true;
    }
  }

  private forward(to: number): void {
    this.at = to;
    if (to === this.input?.length) this.input = undefined;
  }

  private awaitHead(input: Buffer): void {
    this.headReads++;
    if (this.headReads > MAX_HEAD_READS) {
      this.handOver(input);
      return;
    }
    // The whole chunk must not be kept alive for it.
    this.input = Buffer.from(input.subarray(this.at));
    this.at = 0;
    if (this.headReads === 1) this.expect(this.options.limits.headersMs);
  }

  private begin(): void {
    const { block, method, target } = this.reader;
    const { fields, host, length, close } = block;
    this.aheadReads = 0;
    this.bodyLeft = length;
    this.closeAfter = close;
    if (this.atHand < length) this.expect(this.options.limits.bodyMs);
    else this.due = Number.POSITIVE_INFINITY;
    const { client } = this;
    const ended = length === 0;
    const head: ExchangeHead = { version: "1.1", method, target, authority: host, fields, client, ended };
    const exchange = new Http1Exchange(this, head);
    this.exchange = exchange;
    this.owner.onExchange(exchange);
  }

  private readBody(input: Buffer): void {
    const start = this.at;
    const end = Math.min(input.length, start + this.bodyLeft);
    this.bodyLeft -= end - start;
    this.forward(end);
    const last = this.bodyLeft === 0;
    const { exchange } = this;
    if (exchange === undefined) return;
    if (exchange.done) {
      if (last) this.next();
      return;
    }
    this.owed += end - start;
    if (last) this.due = Number.POSITIVE_INFINITY;
    else this.expect(this.options.limits.bodyMs);
    exchange.handler.onBody(input, start, end, last);
  }

  private get atHand(): number {
    return this.input === undefined ? 0 : this.input.length - this.at;
  }

  consumed(bytes: number): void {
    this.owed -= bytes;
    if (this.bodyLeft > 0 && this.exchange?.done === false) this.expect(this.options.limits.bodyMs);
    if (this.paused && !this.advancing) this.regulate();
  }

  /** Reads on, or waits: until the body is consumed, or pipelined bytes get their turn. */
  private regulate(): void {
    const ahead = this.atHand > MAX_AHEAD_BYTES || this.aheadReads > MAX_AHEAD_READS;
    const enough = ahead || this.owed > PAUSE_BYTES;
    if (this.over || enough === this.paused) return;
    this.paused = enough;
    if (enough) this.socket.pause();
    else this.socket.resume();
  }

  private handOver(input: Buffer): void {
    const { socket } = this;
    const rest = input.subarray(this.at);
    this.writeOut();
    this.release();
    socket.pause();
    unread(socket, rest);
    this.owner.onHandOver(socket);
  }

  /** Releases the socket. */
  private release(): void {
    const { socket } = this;
    this.over = true;
    this.input = undefined;
    this.options.timers.cancel(this);
    for (const [event, listener] of this.listeners) socket.removeListener(event, listener);
    this.owner.onClose(this);
  }

  // ---------------------------------------------------------------- responding

  /** A response to the current request begins: returns its fields about the connection. */
  connectionLines(): string {
    // The rest of the body is not worth reading, unless it is here already.
    if (this.bodyLeft > this.atHand || this.owner.draining) this.closeAfter = true;
    return this.closeAfter ? "connection: close\r\n" : this.keepAliveLines;
  }

  /** Text (ISO-8859-1), bytes, text, written in one piece: now, or together with other responses of this turn. */
  send(text: string, pieces: readonly Buffer[], bytes: number, tail: string): void {
    if (this.over) return;
    if (bytes <= MAX_COPY_BYTES) {
      const all = Buffer.allocUnsafe(text.length + bytes + tail.length);
      let at = all.write(text, 0, "latin1");
      for (const piece of pieces) at += piece.copy(all, at);
      if (tail !== "") all.write(tail, at, "latin1");
      this.out.push(all);
    } else {
      this.out.push(Buffer.from(text, "latin1"), ...pieces);
      if (tail !== "") this.out.push(Buffer.from(tail, "latin1"));
    }
    this.outBytes += bytes;
    if (!this.advancing || this.outBytes > MAX_COPY_BYTES) this.writeOut();
  }

  /** Writes the buffered output. Returns false when the socket is full, until `Http1Exchange.drained`. */
  writeOut(): boolean {
    const { out, socket } = this;
    const [first] = out;
    if (first === undefined) return !this.blocked;
    if (out.length === 1) this.blocked = !socket.write(first);
    else {
      socket.cork();
      for (const piece of out) this.blocked = !socket.write(piece);
      socket.uncork();
    }
    this.out = [];
    this.outBytes = 0;
    if (this.blocked) this.options.watch.wrote();
    return !this.blocked;
  }

  private onDrain(): void {
    this.blocked = false;
    this.exchange?.drained();
    this.advance();
  }

  /** The response is complete, and passed to `send`. */
  responded(): void {
    if (this.over) return;
    this.owed = 0;
    if (this.bodyLeft > 0) {
      if (this.closeAfter) this.expect(LINGER_MS);
    } else this.next();
    this.advance();
  }

  /** The request and its response are finished. */
  private next(): void {
    this.exchange = undefined;
    if (this.closeAfter || this.going) this.close();
    else this.expect(this.options.limits.http1IdleMs);
  }

  /** Ends the connection once all is written. */
  private close(): void {
    this.writeOut();
    this.over = true;
    this.input = undefined;
    this.due = Number.POSITIVE_INFINITY;
    this.socket.destroySoon();
  }

  destroy(): void {
    this.over = true;
    this.socket.destroy();
  }

  /** Accepts no more requests after those that have begun, whether their responses said so or not. */
  drain(): void {
    this.going = true;
    if (!this.over && this.exchange === undefined && this.input === undefined) this.close();
  }

  // ---------------------------------------------------------------- time

  /** Something must arrive within this many ms. */
  private expect(withinMs: number): void {
    this.due = this.clock.now() + withinMs;
    this.wakeAt(this.due);
  }

  /** Mostly the timer is set to an earlier time already, and stays so: a request costs no timer. */
  private wakeAt(time: number): void {
    if (time === Number.POSITIVE_INFINITY) return;
    const { timers } = this.options;
    if (this.timerSlot >= 0) {
      if (this.expiresAt <= time) return;
      timers.cancel(this);
    }
    this.expiresAt = time;
    timers.add(this);
  }

  onExpired(): void {
    if (this.due <= this.clock.now() && !this.over) this.onLate();
    else if (this.due < Number.POSITIVE_INFINITY) this.wakeAt(this.due);
  }

  private onLate(): void {
    const { exchange } = this;
    // While the hub itself holds the client back, the client is not late.
    if (this.bodyLeft > 0 && this.owed > 0) {
      this.expect(this.options.limits.bodyMs);
      return;
    }
    const arriving = this.headReads > 0 || (this.bodyLeft > 0 && exchange?.done === false);
    if (!arriving) {
      this.close();
      return;
    }
    if (exchange?.headSent === true) {
      this.destroy();
      return;
    }
    if (exchange !== undefined) {
      // Its call is notified, and responds; one with a response that is not printed yet continues.
      exchange.handler.onStill();
      if (!exchange.headSent) this.expect(this.options.limits.bodyMs);
      return;
    }
    const { socket } = this;
    this.release();
    this.owner.onTimeout(socket);
  }

  // ---------------------------------------------------------------- the client leaves

  private onClose(): void {
    this.options.timers.cancel(this);
    this.leave();
    this.owner.onClose(this);
  }

  private leave(): void {
    this.over = true;
    this.input = undefined;
    this.due = Number.POSITIVE_INFINITY;
    const { exchange } = this;
    this.exchange = undefined;
    exchange?.leave(this.options.watch.reason ?? "the client closed the connection");
  }
}
