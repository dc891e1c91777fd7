// A cluster: the endpoints that serve the same services, the calls that wait for one of them, and the Handler that
// sends calls there.

import type { Call } from "../call/call.js";
import type { Handler } from "../call/sink.js";
import type { PoolLimits } from "../config/config.js";
import { DEFAULT_POOL } from "../config/defaults.js";
import { type Clock, systemClock, type Timer } from "../kit/clock.js";
import { type Counter, type Labels, type Meters, NO_METERS } from "../kit/meters.js";
import { AddressCounts } from "../kit/net/address-counts.js";
import { type Balancer, RoundRobin } from "./balancer.js";
import { clientOf } from "./client-of.js";
import { CONNECT_FAILURES, type ConnectFailure } from "./connect-failure.js";
import { Endpoint, type EndpointAddress, type EndpointOwner } from "./endpoint.js";
import type { Link } from "./link.js";
import { Reserve, type ReserveOwner } from "./reserve.js";
import { UpstreamCall } from "./upstream-call.js";
import { WaitQueue } from "./wait-queue.js";

export interface ClusterOptions {
  readonly name: string;
  readonly endpoints: readonly EndpointAddress[];
  /** Those that differ from the defaults. */
  readonly limits?: Partial<PoolLimits>;
  /** An endpoint has become ready, or has stopped being so. */
  readonly onChange?: (endpoint: Endpoint) => void;
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly meters?: Meters;
}

/** A call that waits for a connection; told once. */
export interface Waiter {
  readonly call: Call;
  /** There is room on this one. */
  onLink(link: Link): void;
  /** No endpoint can be reached. */
  onUnavailable(): void;
  /** Too many wait, and of those of its client it came last. */
  onDropped(): void;
  /** One of these threw: the call ends. */
  onFault(error: unknown): void;
}

/** `refused`: as many calls as may are waiting already. `unavailable`: there is nothing to wait for. */
export type Waiting = "waits" | "refused" | "unavailable";

export class Cluster implements EndpointOwner, ReserveOwner {
  readonly name: string;
  readonly clock: Clock;
  readonly random: () => number;
  limits: PoolLimits;
  /** What a call to this cluster says it is doing. */
  readonly stage: string;
  readonly waitingStage: string;
  endpoints: readonly Endpoint[];
  balancer: Balancer;

  private readonly options: ClusterOptions;
  /** Calls whose reset is held back, by client. */
  private readonly held = new AddressCounts();
  private readonly reserve = new Reserve(this);
  private readonly queue = new WaitQueue(this.held, () => this.reserve.close());
  /** Endpoints that were taken out, until their calls have ended. */
  private readonly removed = new Set<Endpoint>();
  private readonly refusals: Counter;
  private readonly resetsSent: Counter;
  private readonly resetsHeld: Counter;
  private readonly retirements: Counter;
  private readonly reserves: Counter;
  private readonly connectFailures: ReadonlyMap<ConnectFailure, Counter>;
  /** When the last endpoint was lost; -Infinity: never, or it has come back since. */
  private lostAt = Number.NEGATIVE_INFINITY;
  private patience: Timer | undefined = undefined;
  private nextToGrow = 0;
  private closed = false;

  constructor(options: ClusterOptions) {
    this.options = options;
    this.name = options.name;
    this.stage = `waiting for upstream "${options.name}"`;
    this.waitingStage = `waiting for a connection to upstream "${options.name}"`;
    this.clock = options.clock ?? systemClock;
    this.random = options.random ?? Math.random;
    this.limits = { ...DEFAULT_POOL, ...options.limits };
    const counter = (name: string, help: string, labels: Labels = {}): Counter =>
      (options.meters ?? NO_METERS).counter(`linchpin.upstream.${name}`, help, {
        "linchpin.upstream": options.name,
        ...labels,
      });
    this.connectFailures = new Map(
      CONNECT_FAILURES.map((failure) => [
        failure,
        counter("connections.failed", "Connections that did not come about.", { "linchpin.reason": failure }),
      ]),
    );
    this.refusals = counter("pending.refusals", "Calls refused because too many waited for a connection.");
    this.resetsSent = counter("resets.sent", "Calls that the hub ended at a service by RST_STREAM.");
    this.resetsHeld = counter(
      "resets.held",
      "Resets held back because the service would have taken so many for an attack.",
    );
    this.retirements = counter(
      "connections.retired",
      "Connections that take no more calls because their budget of resets is used up.",
    );
    this.reserves = counter(
      "connections.reserved",
      "Connections beyond the limit, made for clients that others had left no room.",
    );
    this.endpoints = options.endpoints.map((target) => new Endpoint(target, this));
    this.balancer = new RoundRobin(this.endpoints);
  }

  /** Sends a call to one of the endpoints. */
  readonly handler: Handler = (call, response) => {
    const upstreamCall = new UpstreamCall(this, call, response);
    try {
      upstreamCall.start();
    } catch (error) {
      upstreamCall.onFault(error);
    }
    return upstreamCall;
  };

  /** Calls that wait for a connection. */
  get pending(): number {
    return this.queue.size;
  }

  /** Connects to every endpoint, and keeps connected. */
  connect(): void {
    for (const endpoint of this.endpoints) endpoint.connect();
  }

  /**
   * Takes over another list. Endpoints that stay keep their connections; new ones are connected to; calls on those
   * that go end as they would have.
   */
  setEndpoints(targets: readonly EndpointAddress[]): void {
    if (this.closed) return;
    const before = new Map(this.endpoints.map((endpoint) => [endpoint.address, endpoint]));
    this.endpoints = targets.map((target) => {
      const same = before.get(target.address);
      before.delete(target.address);
      return same ?? new Endpoint(target, this);
    });
    this.balancer = new RoundRobin(this.endpoints);
    for (const endpoint of before.values()) {
      this.removed.add(endpoint);
      endpoint.drain("it is no longer in the config");
      if (endpoint.total === 0) this.removed.delete(endpoint);
    }
    this.connect();
    if (this.queue.size > 0) this.onCapacity();
  }

  // ---------------------------------------------------------------- calls that wait

  /** A connection for the call at once; undefined when there is none, or others wait for one. */
  pick(call: Call): Link | undefined {
    if (this.queue.size === 0) return this.balancer.pick(call);
    const client = clientOf(call);
    return this.queue.has(client) ? undefined : this.reserve.linkFor(client);
  }

  /** Until `onLink`, `onUnavailable` or `onDropped`, or `stopWaiting`. */
  wait(waiter: Waiter): Waiting {
    const dropped = this.queue.add(waiter, this.limits.maxPending, this.clock.now());
    if (dropped !== undefined) this.refusals.add();
    if (dropped === waiter) return "refused";
    if (dropped !== undefined) tell(dropped, () => dropped.onDropped());
    this.reserve.watch();
    this.grow();
    if (this.mayWait()) return "waits";
    this.queue.delete(waiter);
    return "unavailable";
  }

  stopWaiting(waiter: Waiter): void {
    this.queue.delete(waiter);
  }

  waiting(sinceBefore: number): readonly string[] {
    return this.queue.waiting(sinceBefore);
  }

  /** Further connections, until those that are being made have room for all that wait. */
  private grow(): void {
    const { endpoints } = this;
    const count = endpoints.length;
    let expected = 0;
    for (let i = 0; i < count; i++) expected += endpoints[i]?.expected ?? 0;
    for (let i = 0; i < count && expected < this.queue.size; i++) {
      const endpoint = endpoints[(this.nextToGrow + i) % count];
      if (endpoint === undefined) continue;
      const before = endpoint.expected;
      endpoint.grow();
      expected += endpoint.expected - before;
    }
    this.nextToGrow = count === 0 ? 0 : (this.nextToGrow + 1) % count;
  }

  /** Whether there is something to wait for: an endpoint, or one that may be back in a moment. */
  private mayWait(): boolean {
    if (this.closed) return false;
    if (this.endpoints.some((endpoint) => endpoint.hopeful)) return true;
    if (!this.isPatient) return false;
    this.patience ??= this.clock.setTimeout(
      () => {
        this.patience = undefined;
        if (this.queue.size > 0) this.failUnlessMayWait();
      },
      this.lostAt + this.limits.lostWaitMs - this.clock.now(),
    );
    return true;
  }

  private get isPatient(): boolean {
    return this.clock.now() - this.lostAt < this.limits.lostWaitMs;
  }

  private failUnlessMayWait(): void {
    if (this.mayWait()) return;
    for (const waiter of this.queue.clear()) tell(waiter, () => waiter.onUnavailable());
  }

  // ---------------------------------------------------------------- EndpointOwner

  get hasRoom(): boolean {
    let total = 0;
    for (const endpoint of this.endpoints) total += endpoint.total;
    for (const endpoint of this.removed) total += endpoint.total;
    return total < this.limits.maxConnections;
  }

  get hurries(): boolean {
    return this.isPatient;
  }

  onCapacity(): void {
    const { queue } = this;
    for (let waiter = queue.next(); waiter !== undefined; waiter = queue.next()) {
      const link = this.balancer.pick(waiter.call);
      if (link === undefined) {
        this.grow();
        this.serveFromReserve();
        return;
      }
      queue.take(waiter, this.clock.now());
      tell(waiter, () => waiter.onLink(link));
    }
  }

  private serveFromReserve(): void {
    const { queue, reserve } = this;
    for (let served = true; served; ) {
      served = false;
      for (const waiter of queue.firsts) {
        const link = reserve.linkFor(clientOf(waiter.call));
        if (link === undefined) continue;
        queue.take(waiter, this.clock.now());
        tell(waiter, () => waiter.onLink(link));
        served = true;
      }
    }
  }

  onChange(endpoint: Endpoint, lasted: boolean): void {
    if (this.closed) return;
    if (this.removed.has(endpoint)) {
      if (endpoint.total === 0) this.removed.delete(endpoint);
      return;
    }
    if (lasted && !this.endpoints.some(({ state }) => state === "ready")) this.lostAt = this.clock.now();
    if (this.queue.size > 0) {
      this.onCapacity();
      this.failUnlessMayWait();
    }
    this.options.onChange?.(endpoint);
  }

  onConnectFailed(failure: ConnectFailure): void {
    this.connectFailures.get(failure)?.add();
  }

  onResetSent(): void {
    this.resetsSent.add();
  }

  onResetHeld(client: string): void {
    this.resetsHeld.add();
    this.held.add(client);
  }

  onHeldEnded(client: string): void {
    this.held.remove(client);
  }

  onReserved(): void {
    this.reserves.add();
  }

  onRetired(): void {
    this.retirements.add();
  }

  // ---------------------------------------------------------------- the end

  private end(how: (endpoint: Endpoint) => void): void {
    this.closed = true;
    this.patience?.cancel();
    this.patience = undefined;
    this.reserve.close();
    for (const endpoint of [...this.endpoints, ...this.removed]) how(endpoint);
    this.failUnlessMayWait();
  }

  /** No new calls; those under way may end. */
  drain(): void {
    this.end((endpoint) => endpoint.drain("the hub is shutting down"));
  }

  close(): void {
    this.end((endpoint) => endpoint.close("the hub is shutting down"));
  }
}

/** What one call makes of it is no other's matter: the cluster goes on with those behind it. */
function tell(waiter: Waiter, step: () => void): void {
  try {
    step();
  } catch (error) {
    waiter.onFault(error);
  }
}
