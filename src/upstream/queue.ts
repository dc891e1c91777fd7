// The attempts that wait for a connection to a cluster: their order, their connection, and how long they may wait.

import type { Attempt } from "../call/attempt.js";
import type { Clock, Timer } from "../kit/clock.js";
import { AddressCounts } from "../kit/net/address-counts.js";
import { FairQueue } from "./fair-queue.js";
import { clientOf } from "./pool/client-of.js";
import type { Endpoint } from "./pool/endpoint.js";
import type { Link } from "./pool/link.js";
import type { PoolLimits } from "./pool/pool-limits.js";
import { Reserve, type ReserveOwner } from "./reserve.js";

/** An attempt that waits for a connection. Exactly one of these functions is called, once. */
export interface Waiter {
  readonly attempt: Attempt;
  /** This connection has room. */
  onLink(link: Link): void;
  /** No endpoint is reachable. */
  onUnavailable(): void;
  /** Too many wait, and this is the last one of its client. */
  onDropped(): void;
  /** One of these functions threw: the call ends. */
  onFault(error: unknown): void;
}

/** `refused`: the queue is full. `unavailable`: there is nothing to wait for. */
export type Waiting = "waits" | "refused" | "unavailable";

/** The cluster, as its queue sees it. */
export interface QueueOwner {
  readonly clock: Clock;
  readonly limits: PoolLimits;
  readonly endpoints: readonly Endpoint[];
  readonly closed: boolean;
  /** Whether an endpoint gets calls, if it has room for them. */
  takes(endpoint: Endpoint): boolean;
  /** False until the source has reported its endpoints, or a problem, for the first time. */
  readonly knowsEndpoints: boolean;
  /** A connection with room, at the endpoint that the balancer picks. */
  linkFor(attempt: Attempt): Link | undefined;
  /** A call was refused because too many wait. */
  onRefused(): void;
}

export class Queue implements ReserveOwner {
  readonly clock: Clock;
  private readonly owner: QueueOwner;
  /** Calls whose reset is held back, by client. */
  private readonly held = new AddressCounts();
  private readonly reserve: Reserve;
  private readonly waiters: FairQueue;
  /** When the last endpoint was lost; -Infinity: never. */
  private lostAt = Number.NEGATIVE_INFINITY;
  /** Since when the source of the endpoints is asked. */
  private askedAt = Number.NEGATIVE_INFINITY;
  private patience: Timer | undefined = undefined;
  private nextToGrow = 0;

  constructor(owner: QueueOwner) {
    this.owner = owner;
    this.clock = owner.clock;
    this.reserve = new Reserve(this);
    this.waiters = new FairQueue(this.held, () => this.reserve.close());
  }

  get endpoints(): readonly Endpoint[] {
    return this.owner.endpoints;
  }

  takes(endpoint: Endpoint): boolean {
    return this.owner.takes(endpoint);
  }

  get pending(): number {
    return this.waiters.size;
  }

  /** The last endpoint was just lost: calls wait for it to come back, and it is retried sooner. */
  get isPatient(): boolean {
    return this.clock.now() - this.lostAt < this.owner.limits.lostWaitMs;
  }

  /** A connection for the attempt at once; undefined if there is none, or others wait for one. */
  pick(attempt: Attempt): Link | undefined {
    if (this.waiters.size === 0) return this.owner.linkFor(attempt);
    const client = clientOf(attempt.call);
    return this.waiters.has(client) ? undefined : this.reserve.linkFor(client);
  }

  /** Waits until one of the waiter's functions is called, or `stopWaiting`. */
  wait(waiter: Waiter): Waiting {
    const { owner, waiters } = this;
    const dropped = waiters.add(waiter, owner.limits.maxPending, this.clock.now());
    if (dropped !== undefined) owner.onRefused();
    if (dropped === waiter) return "refused";
    if (dropped !== undefined) tell(dropped, () => dropped.onDropped());
    this.reserve.watch();
    this.grow();
    if (this.mayWait()) return "waits";
    waiters.delete(waiter);
    return "unavailable";
  }

  stopWaiting(waiter: Waiter): void {
    this.waiters.delete(waiter);
  }

  waiting(sinceBefore: number): readonly string[] {
    return this.waiters.waiting(sinceBefore);
  }

  /** There may be room: serves waiting calls in order. */
  serve(): void {
    const { waiters } = this;
    for (let waiter = waiters.next(); waiter !== undefined; waiter = waiters.next()) {
      const link = this.owner.linkFor(waiter.attempt);
      if (link === undefined) {
        this.grow();
        this.serveFromReserve();
        return;
      }
      this.hand(link, waiter);
    }
  }

  private serveFromReserve(): void {
    for (let served = true; served; ) {
      served = false;
      for (const waiter of this.waiters.firsts) {
        const link = this.reserve.linkFor(clientOf(waiter.attempt.call));
        if (link === undefined) continue;
        this.hand(link, waiter);
        served = true;
      }
    }
  }

  private hand(link: Link, waiter: Waiter): void {
    this.waiters.take(waiter, this.clock.now());
    tell(waiter, () => waiter.onLink(link));
  }

  /** Opens further connections, until those being established have room for all waiting calls. */
  private grow(): void {
    const { endpoints } = this;
    const count = endpoints.length;
    let expected = 0;
    for (let i = 0; i < count; i++) expected += endpoints[i]?.expected ?? 0;
    // First endpoints that get calls; if these cannot grow, those that take the overflow.
    for (const spare of [false, true]) {
      for (let i = 0; i < count && expected < this.waiters.size; i++) {
        const endpoint = endpoints[(this.nextToGrow + i) % count];
        // An endpoint that gets no calls needs no room for them.
        if (endpoint === undefined || endpoint.load.spare !== spare || !this.takes(endpoint)) continue;
        const before = endpoint.expected;
        endpoint.grow();
        expected += endpoint.expected - before;
      }
      if (expected > 0) break;
    }
    this.nextToGrow = count === 0 ? 0 : (this.nextToGrow + 1) % count;
  }

  /** Whether there is something to wait for: an endpoint, or one that may be back in a moment. */
  private mayWait(): boolean {
    const { owner } = this;
    if (owner.closed) return false;
    if (owner.endpoints.some((one) => one.hopeful && (this.takes(one) || one.health?.checking === true)))
      return true;
    const since = owner.knowsEndpoints ? this.lostAt : Math.max(this.lostAt, this.askedAt);
    const leftMs = since + owner.limits.lostWaitMs - this.clock.now();
    if (leftMs <= 0) return false;
    this.patience ??= this.clock.setTimeout(() => {
      this.patience = undefined;
      if (this.waiters.size > 0) this.failUnlessMayWait();
    }, leftMs);
    return true;
  }

  private failUnlessMayWait(): void {
    if (this.mayWait()) return;
    for (const waiter of this.waiters.clear()) tell(waiter, () => waiter.onUnavailable());
  }

  /** The state of the endpoints has changed. `lost`: the last one was lost just now. */
  onChange(lost: boolean): void {
    if (lost) this.lostAt = this.clock.now();
    if (this.waiters.size === 0) return;
    this.serve();
    this.failUnlessMayWait();
  }

  /** Another source is followed: without endpoints, calls wait for its first report as for a lost upstream. */
  onSource(): void {
    this.askedAt = this.clock.now();
  }

  onHeld(client: string): void {
    this.held.add(client);
  }

  onHeldEnded(client: string): void {
    this.held.remove(client);
  }

  /** The cluster is closed: ends all waiting. */
  close(): void {
    this.patience?.cancel();
    this.patience = undefined;
    this.reserve.close();
    this.failUnlessMayWait();
  }
}

/** A fault of one call does not affect the others: the queue continues with those behind it. */
function tell(waiter: Waiter, step: () => void): void {
  try {
    step();
  } catch (error) {
    waiter.onFault(error);
  }
}
