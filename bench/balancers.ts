// Latencies under each balancer when instances are uneven: `node build/bench/balancers.js`, some seconds.
//
// A simulation: virtual time, no sockets, seeded random numbers, so every run prints the same. Each instance has four
// workers and one queue; a call takes 10 ms of a worker on average (exponential). Calls come as they come (Poisson), at
// 30 % of what the instances can do when all are well, however long answers take: an open loop. The balancers are the
// hub's own, told of each attempt as a cluster tells them.
//
// The row of Envoy is its algorithm, simulated as well: for equal weights it draws two hosts, which may be the same one,
// and takes the one with fewer active requests (source/extensions/load_balancing_policies/least_request).
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { Attempt } from "#src/call/attempt.js";
import { Call, type Method } from "#src/call/call.js";
import type { Clock, Timer } from "#src/kit/clock.js";
import { Headers } from "#src/kit/headers.js";
import type { BalancedEndpoint, BalancerFactory } from "#src/upstream/balancers/balancer.js";
import { BALANCERS } from "#src/upstream/balancers/balancers.js";
import { EndpointLoad } from "#src/upstream/balancers/endpoint-load.js";
import { Layers } from "#src/upstream/balancers/layers.js";
import { LOAD_REPORT } from "#src/upstream/balancers/parts/load-report.js";

const WORKERS = 4;
const SERVICE_MS = 10;
const UTILIZATION = 0.3;
const WARM_UP_MS = 20_000;
const MEASURED_MS = 60_000;
const KEYS = 1000;

interface Shape {
  readonly name: string;
  readonly instances: number;
  /** How many times as long a call takes. */
  readonly slowness: (instance: number, random: number) => number;
}

const SHAPES: readonly Shape[] = [
  { name: "4 alike", instances: 4, slowness: () => 1 },
  { name: "1 of 4 tenfold", instances: 4, slowness: (i) => (i === 0 ? 10 : 1) },
  { name: "1 of 20 tenfold", instances: 20, slowness: (i) => (i === 0 ? 10 : 1) },
  { name: "4, jitter", instances: 4, slowness: (_, random) => (random < 0.01 ? 20 : 1) },
];

/** The same numbers in each run (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Event extends Timer {
  readonly at: number;
  run: () => void;
}

/** Virtual time: a heap of what happens next. */
class Time implements Clock {
  private time = 0;
  private readonly heap: Event[] = [];

  now(): number {
    return this.time;
  }

  wallTime(): number {
    return this.time;
  }

  setTimeout(callback: () => void, delayMs: number): Timer {
    const event: Event = {
      at: this.time + delayMs,
      run: callback,
      cancel: () => {
        event.run = () => {};
      },
    };
    const { heap } = this;
    let at = heap.push(event) - 1;
    for (; at > 0; ) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || parent.at <= event.at) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = event;
    return event;
  }

  /** Until so many milliseconds have passed in all. */
  runUntil(end: number): void {
    for (let next = this.heap[0]; next !== undefined && next.at <= end; next = this.heap[0]) {
      this.take();
      this.time = next.at;
      next.run();
    }
    this.time = end;
  }

  private take(): void {
    const { heap } = this;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const left = heap[child];
      const right = heap[child + 1];
      if (left === undefined) break;
      if (right !== undefined && right.at < left.at) child++;
      const less = heap[child] ?? left;
      if (less.at >= last.at) break;
      heap[at] = less;
      at = child;
    }
    heap[at] = last;
  }
}

class Instance implements BalancedEndpoint {
  readonly address: string;
  readonly traits = {};
  readonly load = new EndpointLoad();
  readonly healthy = true;
  readonly filling = false;
  calls = 0;
  taken = 0;
  private busy = 0;
  private readonly queue: (() => void)[] = [];
  /** For its load reports: what the last second was like. */
  private busyMs = 0;
  private done = 0;
  private since = 0;
  private report: Headers | undefined = undefined;
  private readonly time: Time;

  constructor(index: number, time: Time) {
    this.address = `10.0.0.${index}:50051`;
    this.time = time;
  }

  serve(ms: number, done: () => void): void {
    const work = (): void => {
      this.busy++;
      this.time.setTimeout(() => {
        this.busy--;
        this.busyMs += ms;
        this.done++;
        done();
        this.queue.shift()?.();
      }, ms);
    };
    if (this.busy < WORKERS) work();
    else this.queue.push(work);
  }

  /** With an ORCA report of its last second. */
  trailers(): Headers {
    const lasted = this.time.now() - this.since;
    if (this.report === undefined || lasted >= 1000) {
      const writer = new BinaryWriter();
      writer.tag(1, WireType.Bit64).double(Math.min(1, this.busyMs / (WORKERS * Math.max(lasted, 1))));
      writer.tag(6, WireType.Bit64).double((this.done * 1000) / Math.max(lasted, 1));
      const value = Buffer.from(writer.finish()).toString("base64");
      this.report = Headers.of(["grpc-status", "0"], [LOAD_REPORT, value]);
      this.busyMs = 0;
      this.done = 0;
      this.since = this.time.now();
    }
    return this.report;
  }
}

const method: Method = {
  service: "library.v1.LibraryService",
  name: "GetBook",
  path: "/library.v1.LibraryService/GetBook",
  kind: "unary",
  idempotent: true,
  descriptor: undefined,
};

/** Envoy's least_request for equal weights. */
const envoyLeastRequest: BalancerFactory = <E extends BalancedEndpoint>({
  random,
}: Parameters<BalancerFactory>[0]) => {
  let all: readonly E[] = [];
  const draw = (): E | undefined => all[Math.floor(random() * all.length)];
  return {
    update(endpoints: readonly E[]): void {
      all = endpoints;
    },
    pick(): E | undefined {
      const first = draw();
      const second = draw();
      return first !== undefined && second !== undefined && second.calls < first.calls ? second : first;
    },
  };
};

interface Result {
  readonly p50: number;
  readonly p99: number;
  /** Of the calls, those that went to the first instance. */
  readonly first: number;
}

function simulate(factory: BalancerFactory, { instances, slowness }: Shape): Result {
  const time = new Time();
  const random = seeded(42);
  const peer = { address: "127.0.0.1:1", protocol: "grpc" };
  const all = Array.from({ length: instances }, (_, i) => new Instance(i, time));
  const layers = new Layers<Instance>(factory, {
    clock: time,
    random: seeded(7),
    options: { by: { kind: "header", name: "x-user" } },
  });
  layers.update(all);
  const [observer] = layers.observers;
  const latencies: number[] = [];
  const exponential = (mean: number): number => -Math.log(1 - random()) * mean;
  const everyMs = SERVICE_MS / (WORKERS * instances * UTILIZATION);
  const arrive = (): void => {
    time.setTimeout(arrive, exponential(everyMs));
    const key = `user-${Math.floor(random() * KEYS)}`;
    const ms = exponential(SERVICE_MS);
    const odds = random();
    const call = new Call(method, method.path, "bench", peer, Headers.of(["x-user", key]), time.now());
    const waiting = attemptAt(call, undefined, 0);
    const instance = layers.pick(waiting, () => true);
    if (instance === undefined) throw new Error("no instance");
    const startedAt = time.now();
    const attempt = attemptAt(call, instance, startedAt);
    instance.calls++;
    if (startedAt >= WARM_UP_MS) instance.taken++;
    observer?.begin?.(attempt);
    instance.serve(ms * slowness(all.indexOf(instance), odds), () => {
      instance.calls--;
      const durationMs = time.now() - startedAt;
      if (startedAt >= WARM_UP_MS) latencies.push(durationMs);
      observer?.headers?.(attempt, durationMs);
      observer?.end?.(attempt, {
        code: 0,
        by: "upstream",
        sent: "maybe",
        headersMs: durationMs,
        durationMs,
        trailers: instance.trailers(),
      });
    });
  };
  arrive();
  time.runUntil(WARM_UP_MS + MEASURED_MS);
  // What has not been answered yet has taken at least so long.
  layers.close();
  const taken = all.reduce((sum, instance) => sum + instance.taken, 0);
  for (let i = latencies.length; i < taken; i++) latencies.push(MEASURED_MS);
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99), first: (all[0]?.taken ?? 0) / taken };
}

function attemptAt(call: Call, endpoint: Instance | undefined, startedAt: number): Attempt {
  return {
    call,
    kind: "first",
    number: 1,
    upstream: "bench",
    endpoint,
    startedAt,
    headers: call.headers,
    setHeader() {},
  };
}

const ROWS: readonly (readonly [string, BalancerFactory])[] = [
  ...Object.entries(BALANCERS),
  ["Envoy least_request (simulated)", envoyLeastRequest],
];

const ms = (value: number): string => (value >= 1000 ? `${(value / 1000).toFixed(0)} s` : value.toFixed(1));
console.log("p50 and p99 in milliseconds, and the share of calls that the first instance got\n");
console.log(`| balancer | ${SHAPES.map(({ name }) => name).join(" | ")} |`);
console.log(`| --- | ${SHAPES.map(() => "---").join(" | ")} |`);
for (const [name, factory] of ROWS) {
  const cells = SHAPES.map((shape) => {
    const { p50, p99, first } = simulate(factory, shape);
    return `${ms(p50)} / ${ms(p99)} (${(first * 100).toFixed(1)} %)`;
  });
  console.log(`| ${name} | ${cells.join(" | ")} |`);
}
