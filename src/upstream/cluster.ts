// A cluster: the endpoints that serve the same services, the balancer and the queue before them, and the Handler that
// sends calls there.

import { type Attempt, type AttemptObserver, NO_OBSERVERS } from "../call/attempt.js";
import { CallKey } from "../call/call-key.js";
import type { Handler } from "../call/sink.js";
import type { SendMemory } from "../http2/send-memory.js";
import { type Clock, systemClock } from "../kit/clock.js";
import { type Counter, type Labels, type Meters, NO_METERS } from "../kit/meters.js";
import type {
  BalancerContext,
  BalancerFactory,
  BalancerOptions,
  BalancerView,
} from "./balancers/balancer.js";
import { Layers, type LayersOptions } from "./balancers/layers.js";
import { roundRobin } from "./balancers/round-robin.js";
import type { EndpointInfo, EndpointSource } from "./discovery/endpoint-source.js";
import { FollowedSource } from "./discovery/followed-source.js";
import { ClusterHealth, type HealthOwner } from "./health/cluster-health.js";
import { type HealthFeatures, NO_HEALTH } from "./health/keys.js";
import { Serving } from "./health/serving.js";
import { CONNECT_FAILURES, type ConnectFailure } from "./pool/connect-failure.js";
import { Connector } from "./pool/connector.js";
import { Endpoint, type EndpointAddress } from "./pool/endpoint.js";
import type { EndpointOwner } from "./pool/endpoint-owner.js";
import type { Link } from "./pool/link.js";
import { DEFAULT_POOL, type PoolLimits } from "./pool/pool-limits.js";
import { Queue, type QueueOwner } from "./queue.js";
import { ReplayMemory } from "./replay-memory.js";
import { transparentRetry } from "./transparent-retry.js";

/** How a cluster's endpoints are picked, beside the balancer itself. */
export interface Balancing extends LayersOptions {
  readonly options?: BalancerOptions;
}

export interface ClusterOptions {
  readonly name: string;
  /** Those known from the start. Default: none. */
  readonly endpoints?: readonly EndpointAddress[];
  /** Those that differ from the defaults. */
  readonly limits?: Partial<PoolLimits>;
  /** Default: round robin. */
  readonly balancer?: BalancerFactory;
  readonly balancing?: Balancing;
  /** Default: every reachable endpoint gets calls, and there are no circuit breakers. */
  readonly health?: Partial<HealthFeatures>;
  /** An endpoint was taken out for its health, or gets calls again. */
  readonly onHealth?: (endpoint: Endpoint) => void;
  /** There is a healthy endpoint, or none any longer. */
  readonly onServing?: () => void;
  /** An endpoint has become ready, or is no longer ready. */
  readonly onChange?: (endpoint: Endpoint) => void;
  /** The source has reported its endpoints, or (with a problem) could not. */
  readonly onSource?: (problem: string | undefined) => void;
  /** Counts bytes waiting to be sent, on all connections of a hub. Default: each connection by itself. */
  readonly memory?: SendMemory | undefined;
  /** Counts buffered request bytes, of all calls of a hub. Default: those of the cluster by themselves. */
  readonly replayMemory?: ReplayMemory | undefined;
  readonly clock?: Clock;
  readonly random?: () => number;
  /** A load report of an endpoint was unusable. Called for each. */
  readonly onBadReport?: (address: string, reason: string) => void;
  readonly meters?: Meters;
}

export class Cluster implements EndpointOwner, QueueOwner, HealthOwner<Endpoint> {
  readonly name: string;
  readonly clock: Clock;
  readonly memory: SendMemory | undefined;
  readonly replayMemory: ReplayMemory;
  readonly random: () => number;
  limits: PoolLimits;
  /** What a call to this cluster is doing, for the message of a timeout. */
  readonly stage: string;
  readonly waitingStage: string;
  endpoints: readonly Endpoint[] = [];
  /** The source of its endpoints, and what it last reported. */
  readonly source: FollowedSource;
  /** Observe every attempt at the cluster. */
  observers: readonly AttemptObserver[] = NO_OBSERVERS;
  readonly health: ClusterHealth<Endpoint>;
  readonly serving: Serving;
  /** The hash of a call, for balancers that use one. */
  readonly hashes = new CallKey<number>("balancer hash");
  readonly queue: Queue;
  /** Sends a call to one of the endpoints. */
  readonly handler: Handler;
  closed = false;

  private balancer: Layers<Endpoint>;
  private readonly options: ClusterOptions;
  private addressOf: ((endpoint: EndpointInfo) => EndpointAddress) | undefined = undefined;
  private readonly connector = new Connector();
  /** Endpoints that were removed, until their calls have ended. */
  private readonly removed = new Set<Endpoint>();
  private readonly refusals: Counter;
  private readonly resetsSent: Counter;
  private readonly resetsHeld: Counter;
  private readonly retirements: Counter;
  private readonly reserves: Counter;
  private readonly badReports: Counter;
  private readonly connectFailures: ReadonlyMap<ConnectFailure, Counter>;
  /** While the balancer picks: the last connection found with room, nearly always that of the picked endpoint. */
  private room: Link | undefined = undefined;

  constructor(options: ClusterOptions) {
    this.name = options.name;
    this.options = options;
    this.stage = `waiting for upstream "${options.name}"`;
    this.waitingStage = `waiting for a connection to upstream "${options.name}"`;
    this.clock = options.clock ?? systemClock;
    this.memory = options.memory;
    this.replayMemory = options.replayMemory ?? new ReplayMemory();
    this.random = options.random ?? Math.random;
    this.limits = { ...DEFAULT_POOL, ...options.limits };
    const counter = this.counter.bind(this);
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
    const sourceProblems = counter(
      "discovery.problems",
      "Times that the source of an upstream's endpoints had no newer list, or one with mistakes.",
    );
    this.source = new FollowedSource({
      clock: this.clock,
      onEndpoints: (all) => {
        const { addressOf } = this;
        if (addressOf !== undefined) this.setEndpoints(all.map(addressOf));
      },
      onWord: () => {
        const problem = this.source.problem?.text;
        if (problem !== undefined) sourceProblems.add();
        this.options.onSource?.(problem);
        // Calls that waited for the first report of the source may have nothing to wait for.
        this.queue.onChange(false);
      },
    });
    this.queue = new Queue(this);
    this.badReports = counter(
      "load_reports.rejected",
      "Load reports of services that were of no use: malformed, negative, not finite, or beyond all reason.",
    );
    this.balancer = this.layersOf(options.balancer ?? roundRobin, options.balancing);
    this.health = new ClusterHealth(this);
    this.serving = new Serving(this, () => options.onServing?.());
    this.handler = transparentRetry(this);
    this.take(options.endpoints ?? []);
    this.configure({ ...NO_HEALTH, ...options.health });
  }

  /** Takes over the config of health, outliers and breakers. */
  configure(health: HealthFeatures): void {
    this.health.configure(health);
    // Ejections end if outlier detection is switched off.
    for (const endpoint of this.endpoints) this.balancer.changed(endpoint);
    this.observe();
    // With another panic threshold, waiting calls may have an endpoint, or nothing to wait for.
    if (this.pending > 0) this.queue.onChange(false);
  }

  private observe(): void {
    const observers = [...this.balancer.observers, ...this.health.observers];
    this.observers = observers.length > 0 ? observers : NO_OBSERVERS;
  }

  counter(name: string, help: string, labels: Labels = {}): Counter {
    const { name: upstream, meters = NO_METERS } = this.options;
    return meters.counter(`linchpin.upstream.${name}`, help, { "linchpin.upstream": upstream, ...labels });
  }

  private layersOf(factory: BalancerFactory, { options, ...layers }: Balancing = {}): Layers<Endpoint> {
    const context: BalancerContext = {
      clock: this.clock,
      random: this.random,
      hashes: this.hashes,
      ...(options === undefined ? {} : { options }),
      onBadReport: (address, reason) => {
        this.badReports.add();
        this.options.onBadReport?.(address, reason);
      },
      onRoom: () => this.queue.serve(),
    };
    return new Layers<Endpoint>(factory, context, layers);
  }

  /** Takes over another balancer, or other options. Connections, calls, and what is known of endpoints are retained. */
  setBalancer(factory: BalancerFactory, balancing: Balancing): void {
    if (this.closed) return;
    this.balancer.close();
    this.balancer = this.layersOf(factory, balancing);
    this.balancer.update(this.endpoints);
    this.observe();
    if (this.pending > 0) this.queue.serve();
  }

  /** The balancer's data about an endpoint, for people. */
  describe(endpoint: Endpoint): BalancerView {
    return this.balancer.describe(endpoint);
  }

  /** Calls that wait for a connection. */
  get pending(): number {
    return this.queue.pending;
  }

  // ---------------------------------------------------------------- endpoints

  /** Connects to every endpoint, and stays connected. */
  connect(): void {
    this.connector.start(this.endpoints);
  }

  /**
   * Takes its endpoints from a source, which replaces the one before.
   * @param addressOf how to reach an endpoint
   */
  follow(source: EndpointSource, addressOf: (endpoint: EndpointInfo) => EndpointAddress): void {
    if (this.closed) return;
    this.addressOf = addressOf;
    this.queue.onSource();
    this.source.follow(source);
  }

  /**
   * Takes over another list. Endpoints that stay keep their connections; new ones are connected; calls on removed ones
   * end normally.
   */
  setEndpoints(targets: readonly EndpointAddress[]): void {
    if (this.closed) return;
    const gone = this.take(targets);
    for (const endpoint of gone) {
      this.removed.add(endpoint);
      endpoint.drain("it is no longer one of the upstream's endpoints");
      if (endpoint.total === 0) this.removed.delete(endpoint);
    }
    this.connect();
    this.serving.recheck();
    if (this.pending > 0) this.queue.serve();
  }

  /** Returns the removed endpoints. */
  private take(targets: readonly EndpointAddress[]): Iterable<Endpoint> {
    const before = new Map(this.endpoints.map((endpoint) => [endpoint.address, endpoint]));
    this.endpoints = targets.map((target) => {
      const same = before.get(target.address);
      before.delete(target.address);
      same?.update(target);
      return same ?? new Endpoint(target, this);
    });
    this.balancer.update(this.endpoints);
    this.health.update(this.endpoints);
    this.observe();
    return before.values();
  }

  // ---------------------------------------------------------------- QueueOwner

  get knowsEndpoints(): boolean {
    return this.endpoints.length > 0 || !this.source.silent;
  }

  linkFor(attempt: Attempt): Link | undefined {
    const { avoids } = attempt;
    const other = avoids && this.balancer.pick(attempt, (one) => !avoids(one) && this.usable(one));
    const endpoint = other ?? this.balancer.pick(attempt, this.usable);
    const { room } = this;
    this.room = undefined;
    if (endpoint !== undefined) return room?.endpoint === endpoint ? room : endpoint.available();
    for (const other of this.endpoints) {
      const link = this.takes(other) ? other.lastResort() : undefined;
      if (link !== undefined) return link;
    }
    return undefined;
  }

  /** Whether an endpoint gets calls, if it has room for them. */
  takes(endpoint: Endpoint): boolean {
    return this.health.allows(endpoint);
  }

  private readonly usable = (endpoint: Endpoint): boolean => {
    if (endpoint.health !== undefined && !this.takes(endpoint)) return false;
    const link = endpoint.available();
    if (link === undefined) return false;
    this.room = link;
    return true;
  };

  onRefused(): void {
    this.refusals.add();
  }

  // ---------------------------------------------------------------- EndpointOwner

  get hasRoom(): boolean {
    let total = 0;
    for (const endpoint of this.endpoints) total += endpoint.total;
    for (const endpoint of this.removed) total += endpoint.total;
    return total < this.limits.maxConnections;
  }

  get hurries(): boolean {
    return this.queue.isPatient;
  }

  onCapacity(): void {
    this.queue.serve();
  }

  onChange(endpoint: Endpoint, lasted: boolean): void {
    if (this.closed) return;
    if (this.removed.has(endpoint)) {
      if (endpoint.total === 0) this.removed.delete(endpoint);
      return;
    }
    this.health.onChange(endpoint);
    this.balancer.changed(endpoint);
    this.serving.check(endpoint);
    this.queue.onChange(lasted && !this.endpoints.some((one) => one.state === "ready" && this.takes(one)));
    this.options.onChange?.(endpoint);
  }

  // ---------------------------------------------------------------- HealthOwner

  onHealth(endpoint: Endpoint): void {
    if (this.closed) return;
    this.balancer.changed(endpoint);
    this.serving.check(endpoint);
    this.queue.onChange(false);
    this.options.onHealth?.(endpoint);
  }

  onConnectFailed(failure: ConnectFailure): void {
    this.connectFailures.get(failure)?.add();
    this.source.refresh();
  }

  onResetSent(): void {
    this.resetsSent.add();
  }

  onResetHeld(client: string): void {
    this.resetsHeld.add();
    this.queue.onHeld(client);
  }

  onHeldEnded(client: string): void {
    this.queue.onHeldEnded(client);
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
    this.source.close();
    this.connector.stop();
    this.health.close();
    this.balancer.close();
    this.serving.close();
    for (const endpoint of [...this.endpoints, ...this.removed]) how(endpoint);
    this.queue.close();
  }

  /** Takes no new calls; running calls may end. */
  drain(): void {
    this.end((endpoint) => endpoint.drain("the hub is shutting down"));
  }

  close(): void {
    this.end((endpoint) => endpoint.close("the hub is shutting down"));
  }
}
