// Common to all balancers: priorities with spill-over, the hub's own zone first, and a slow start of new endpoints.
// Each group of equally near endpoints has its own balancer; a single group is used directly.
import { type Attempt, type AttemptObserver, NO_OBSERVERS } from "../../call/attempt.js";
import { CallKey } from "../../call/call-key.js";
import type { Timer } from "../../kit/clock.js";
import type {
  BalancedEndpoint,
  Balancer,
  BalancerContext,
  BalancerFactory,
  BalancerView,
} from "./balancer.js";
import { type EndpointLoad, loadOf } from "./endpoint-load.js";
import { mixed } from "./parts/murmur3.js";

export interface SlowStart {
  readonly windowMs: number;
  /** The share grows as (time / window)^(1 / aggression): 1 evenly, more is faster at first. */
  readonly aggression: number;
  /** Share at the beginning, 0..1. */
  readonly min: number;
}

export interface LayersOptions {
  /** undefined: an endpoint gets its full share at once. */
  readonly slowStart?: SlowStart | undefined;
  /** The hub's zone. undefined: zones make no difference. */
  readonly zone?: string | undefined;
}

/** Envoy's overprovisioning factor: endpoints can take this many times their usual calls before others must help. */
const SPARE_ROOM = 1.4;
/** A slow start updates weights this many times in its window, and at least every second. */
const STEPS = 20;
const MAX_STEP_MS = 1000;
/** How long calls wait for the first connection to preferred endpoints before they go to others. */
const FIRST_CONNECTION_MS = 1000;

interface Group<E extends BalancedEndpoint> {
  readonly balancer: Balancer<E>;
  endpoints: readonly E[];
  /** Sums of `base` weights: of all, and of the healthy ones. */
  total: number;
  healthy: number;
  /** The groups before it have enough capacity. */
  spare: boolean | undefined;
}

interface Level<E extends BalancedEndpoint> {
  /** The hub's zone, then the others; a single group if zones make no difference. */
  readonly groups: readonly Group<E>[];
  /** The level's share of the calls, 0..1. */
  load: number;
  /** The first group's share of the level's calls. */
  near: number;
}

export class Layers<E extends BalancedEndpoint> {
  /** The callbacks that its balancers implement; others cost nothing. */
  private readonly observing: readonly AttemptObserver[];
  /** There is more than one endpoint. */
  private chooses = false;
  private readonly factory: BalancerFactory;
  private readonly context: BalancerContext;
  private readonly options: LayersOptions;
  private readonly groups = new Map<string, Group<E>>();
  private levels: readonly Level<E>[] = [];
  /** The only group, if there is one. */
  private only: Group<E> | undefined;
  /** Number of zones of its endpoints. */
  private zones = 1;
  private ramp: Timer | undefined = undefined;
  private wait: Timer | undefined = undefined;

  constructor(factory: BalancerFactory, context: BalancerContext, options: LayersOptions = {}) {
    this.factory = factory;
    this.context = { hashes: new CallKey("balancer hash"), ...context };
    this.options = options;
    const first = this.newGroup();
    this.only = first;
    this.groups.set("", first);
    const { begin, headers, end } = first.balancer;
    const observer: AttemptObserver = {
      ...(begin && { begin: (attempt) => this.balancerOf(attempt)?.begin?.(attempt) }),
      ...(headers && { headers: (attempt, ms) => this.balancerOf(attempt)?.headers?.(attempt, ms) }),
      ...(end && { end: (attempt, outcome) => this.balancerOf(attempt)?.end?.(attempt, outcome) }),
    };
    this.observing = begin || headers || end ? [observer] : NO_OBSERVERS;
  }

  /** Observers of the cluster's attempts; changes with `update`. Empty while there is at most one endpoint. */
  get observers(): readonly AttemptObserver[] {
    return this.chooses ? this.observing : NO_OBSERVERS;
  }

  private newGroup(): Group<E> {
    return { balancer: this.factory(this.context), endpoints: [], total: 0, healthy: 0, spare: undefined };
  }

  private balancerOf(attempt: Attempt): AttemptObserver | undefined {
    return this.only?.balancer ?? loadOf(attempt)?.group;
  }

  // ---------------------------------------------------------------- endpoints

  update(endpoints: readonly E[]): void {
    this.chooses = endpoints.length > 1;
    const now = this.context.clock.now();
    const some = endpoints.some(({ traits }) => weightIn(traits.weight) > 0);
    const zones = new Set<string | undefined>();
    const near = new Map<number, E[]>();
    const far = new Map<number, E[]>();
    const { zone } = this.options;
    for (const endpoint of endpoints) {
      const { load, traits } = endpoint;
      if (Number.isNaN(load.since)) {
        load.since = now;
        load.startedAt = now;
      }
      load.healthy = endpoint.healthy;
      // A list without a positive weight was rejected before; as a fallback, all count alike.
      load.base = some ? weightIn(traits.weight) : 1;
      load.weight = load.base * this.started(load, now);
      load.group = undefined;
      if (load.base === 0) continue;
      const side = zone !== undefined && traits.zone === zone ? near : far;
      const priority = traits.priority ?? 0;
      const list = side.get(priority);
      if (list === undefined) side.set(priority, [endpoint]);
      else list.push(endpoint);
      zones.add(traits.zone);
    }
    this.zones = zones.size;
    this.regroup(near, far);
    this.weigh();
    this.climb();
  }

  private regroup(near: ReadonlyMap<number, E[]>, far: ReadonlyMap<number, E[]>): void {
    const priorities = [...new Set([...near.keys(), ...far.keys()])].sort((a, b) => a - b);
    const left = new Set(this.groups.keys());
    const groupOf = (key: string, endpoints: readonly E[]): Group<E> => {
      const group = this.groups.get(key) ?? this.newGroup();
      this.groups.set(key, group);
      left.delete(key);
      group.endpoints = endpoints;
      group.total = 0;
      group.healthy = 0;
      group.spare = undefined;
      for (const { load } of endpoints) {
        group.total += load.base;
        if (load.healthy) group.healthy += load.base;
        load.group = group.balancer;
      }
      group.balancer.update(endpoints);
      return group;
    };
    this.levels = priorities.map((priority, rank) => {
      const here = near.get(priority);
      const there = far.get(priority);
      // Groups of the first level keep their balancers when others come or go, and so their state.
      const at = rank === 0 ? "" : String(priority);
      const groups: Group<E>[] = [];
      if (here !== undefined && there !== undefined)
        groups.push(groupOf(`${at} near`, here), groupOf(at, there));
      else groups.push(groupOf(at, here ?? there ?? []));
      return { groups, load: 1, near: 1 };
    });
    if (this.levels.length === 0) this.levels = [{ groups: [groupOf("", [])], load: 1, near: 1 }];
    for (const key of left) {
      this.groups.get(key)?.balancer.close?.();
      this.groups.delete(key);
    }
    const [first] = this.levels;
    this.only = this.levels.length === 1 && first?.groups.length === 1 ? first.groups[0] : undefined;
  }

  changed(endpoint: E): void {
    const { load, healthy } = endpoint;
    if (load.healthy === healthy) return;
    load.healthy = healthy;
    if (healthy) {
      // It may be another process: the load reports of the one before do not apply.
      load.startedAt = this.context.clock.now();
      load.reported = 0;
      load.reportedSince = Number.POSITIVE_INFINITY;
      this.climb();
    }
    for (const group of this.groups.values())
      if (group.balancer === load.group) group.healthy += healthy ? load.base : -load.base;
    this.weigh();
  }

  /** Shares of levels and zones, after Envoy's "Priority levels" and "Zone aware routing". */
  private weigh(): void {
    if (this.only !== undefined) {
      setSpare(this.only, false);
      return;
    }
    let sum = 0;
    for (const level of this.levels) {
      level.load = Math.min(1, SPARE_ROOM * shareOf(level.groups));
      sum += level.load;
    }
    let left = 1;
    for (const level of this.levels) {
      // If no level is healthy, the first one is as good as any.
      level.load = sum === 0 ? left : Math.min(left, level.load / Math.min(1, sum));
      left -= level.load;
      const [near, far] = level.groups;
      level.near = near === undefined || far === undefined ? 1 : this.nearShare(near, far);
      for (const [i, group] of level.groups.entries())
        setSpare(group, level.load === 0 || (i === 1 && level.near === 1));
    }
  }

  /** Assumes hubs spread evenly over the zones: a zone with its share of the endpoints can serve its hubs. */
  private nearShare(near: Group<E>, far: Group<E>): number {
    const healthy = near.healthy + far.healthy;
    if (healthy === 0) return 1;
    return Math.min(1, (near.healthy / healthy) * this.zones * SPARE_ROOM);
  }

  // ---------------------------------------------------------------- slow start

  /** The part of its share that an endpoint gets now, 0..1. */
  private started({ startedAt }: EndpointLoad, now: number): number {
    const { slowStart } = this.options;
    if (slowStart === undefined) return 1;
    const { windowMs, aggression, min } = slowStart;
    const part = (now - startedAt) / windowMs;
    return part >= 1 ? 1 : Math.max(min, part ** (1 / aggression));
  }

  /** Weights of endpoints in slow start, until it is over. */
  private climb(): void {
    const { slowStart } = this.options;
    if (slowStart === undefined) return;
    this.ramp?.cancel();
    this.ramp = undefined;
    const { clock } = this.context;
    const now = clock.now();
    let climbs = false;
    for (const group of this.groups.values()) {
      let changed = false;
      for (const { load } of group.endpoints) {
        const weight = load.base * this.started(load, now);
        if (weight < load.base) climbs = true;
        if (weight === load.weight) continue;
        load.weight = weight;
        changed = true;
      }
      if (changed) group.balancer.update(group.endpoints);
    }
    if (!climbs) return;
    this.ramp = clock.setTimeout(() => this.climb(), Math.min(MAX_STEP_MS, slowStart.windowMs / STEPS));
  }

  // ---------------------------------------------------------------- calls

  pick(attempt: Attempt, usable: (endpoint: E) => boolean): E | undefined {
    if (this.only !== undefined) return this.only.balancer.pick(attempt, usable);
    const { levels } = this;
    // Calls with one hash stay together; the ring must not see the value that chose the group.
    const hash = levels[0]?.groups[0]?.balancer.hash?.(attempt);
    let at = hash === undefined ? this.context.random() : mixed(hash ^ 0x2545f491) / 2 ** 32;
    let chosen: Level<E> | undefined;
    for (const level of levels) {
      if (level.load === 0) continue;
      chosen = level;
      if (at < level.load) break;
      at -= level.load;
    }
    if (chosen === undefined) return undefined;
    const far = at >= chosen.load * chosen.near && chosen.groups.length > 1;
    const first = chosen.groups[far ? 1 : 0];
    const found = first?.balancer.pick(attempt, usable);
    if (found !== undefined || first === undefined) return found;
    if (this.hasRoomSoon(first)) return undefined;
    for (const { groups } of [chosen, ...levels]) {
      for (const { balancer } of groups) {
        const other = balancer.pick(attempt, usable);
        if (other !== undefined) return other;
      }
    }
    return undefined;
  }

  /** A call waits for a connection that is being established rather than go to a less suitable endpoint. */
  private hasRoomSoon({ endpoints }: Group<E>): boolean {
    const { clock, onRoom } = this.context;
    const now = clock.now();
    for (const { load, healthy, filling } of endpoints) {
      if (!healthy || !filling) continue;
      if (load.connected) return true;
      const waits = load.since + FIRST_CONNECTION_MS - now;
      if (waits <= 0) continue;
      this.wait ??= clock.setTimeout(() => {
        this.wait = undefined;
        onRoom?.();
      }, waits);
      return true;
    }
    return false;
  }

  // ---------------------------------------------------------------- for people

  describe(endpoint: E): BalancerView {
    const { load } = endpoint;
    const own = [...this.groups.values()].find(({ balancer }) => balancer === load.group);
    return {
      weight: Math.round(load.weight * 1000) / 1000,
      ...(load.spare ? { spare: true } : {}),
      ...own?.balancer.describe?.(endpoint),
    };
  }

  close(): void {
    this.ramp?.cancel();
    this.wait?.cancel();
    for (const { balancer } of this.groups.values()) balancer.close?.();
  }
}

function setSpare<E extends BalancedEndpoint>(group: Group<E>, spare: boolean): void {
  if (group.spare === spare) return;
  group.spare = spare;
  for (const { load } of group.endpoints) load.spare = spare;
}

function shareOf(groups: readonly { readonly total: number; readonly healthy: number }[]): number {
  let total = 0;
  let healthy = 0;
  for (const group of groups) {
    total += group.total;
    healthy += group.healthy;
  }
  return total === 0 ? 0 : healthy / total;
}

/** A source's value, if it is a valid weight. */
function weightIn(weight = 1): number {
  return weight >= 0 && weight < Number.POSITIVE_INFINITY ? weight : 1;
}
