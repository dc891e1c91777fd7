// What a pick costs, and an update, for each balancer: `node --expose-gc build/bench/micro/balancers.js`
//
// A pick is what a cluster asks for each attempt, together with what the balancer is told of it (begin, headers, end).
// Processor time, the least of several rounds. With --expose-gc the last column says what a thousand picks allocate.
import type { Attempt } from "#src/call/attempt.js";
import { Call, type Method } from "#src/call/call.js";
import { systemClock } from "#src/kit/clock.js";
import { Headers } from "#src/kit/headers.js";
import type { BalancedEndpoint } from "#src/upstream/balancers/balancer.js";
import { BALANCERS } from "#src/upstream/balancers/balancers.js";
import { EndpointLoad } from "#src/upstream/balancers/endpoint-load.js";
import { Layers, type LayersOptions } from "#src/upstream/balancers/layers.js";

const ROUNDS = 7;
const PICKS = 200_000;
const SIZES = [4, 100, 1000, 10_000];

const method: Method = {
  service: "library.v1.LibraryService",
  name: "GetBook",
  path: "/library.v1.LibraryService/GetBook",
  kind: "unary",
  idempotent: true,
  descriptor: undefined,
};
const peer = { address: "127.0.0.1:1", protocol: "grpc" };
/** Calls whose hash is known already: to work it out is measured apart. */
const CALLS = Array.from(
  { length: 1024 },
  (_, i) => new Call(method, method.path, "bench", peer, Headers.of(["x-user", `user-${i}`]), 0),
);

class Bench implements BalancedEndpoint {
  readonly address: string;
  readonly traits;
  readonly load = new EndpointLoad();
  calls = 0;
  healthy = true;
  filling = false;

  constructor(i: number, uneven: boolean) {
    this.address = `10.0.${i >> 8}.${i & 255}:50051`;
    this.traits = { weight: uneven ? 1 + (i % 5) : 1 };
  }
}

class BenchAttempt implements Attempt {
  call = CALLS[0] ?? fail();
  readonly kind = "first";
  readonly number = 1;
  readonly upstream = "bench";
  endpoint: Bench | undefined = undefined;
  startedAt = 0;
  readonly headers = new Headers();
  setHeader(): void {}
}

function fail(): never {
  throw new Error("the benchmark is broken");
}

const usable = (): boolean => true;

function setup(name: keyof typeof BALANCERS, size: number, uneven: boolean, options: LayersOptions) {
  const endpoints = Array.from({ length: size }, (_, i) => new Bench(i, uneven));
  const layers = new Layers<Bench>(
    BALANCERS[name],
    { clock: systemClock, random: Math.random, options: { by: { kind: "header", name: "x-user" } } },
    options,
  );
  layers.update(endpoints);
  return { endpoints, layers };
}

/** Microseconds of processor time. */
function cpu(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

function picking(layers: Layers<Bench>): () => void {
  const attempt = new BenchAttempt();
  const outcome = {
    code: 0,
    by: "upstream",
    sent: "maybe",
    headersMs: 1,
    durationMs: 1,
    trailers: undefined,
  } as const;
  const [observer] = layers.observers;
  return () => {
    for (let i = 0; i < PICKS; i++) {
      attempt.call = CALLS[i & 1023] ?? fail();
      const endpoint = layers.pick(attempt, usable) ?? fail();
      if (observer === undefined) continue;
      attempt.endpoint = endpoint;
      attempt.startedAt = i * 0.01;
      observer.begin?.(attempt);
      observer.headers?.(attempt, 1);
      observer.end?.(attempt, outcome);
    }
  };
}

const collect = globalThis.gc;

/** Bytes for a thousand picks; undefined: not known. */
function allocated(work: () => void): number | undefined {
  if (collect === undefined) return undefined;
  collect();
  const before = process.memoryUsage().heapUsed;
  work();
  return Math.max(0, ((process.memoryUsage().heapUsed - before) / PICKS) * 1000);
}

const column = (text: string | number): string => String(text).padStart(11);
console.log("Processor time of a pick with all that its balancer is told of the attempt, ns");
console.log(`${"".padEnd(32)}${SIZES.map((size) => column(size)).join("")}${column("bytes/1000")}`);
for (const name of Object.keys(BALANCERS) as (keyof typeof BALANCERS)[]) {
  for (const uneven of [false, true]) {
    const nanos: number[] = [];
    let bytes: number | undefined;
    for (const size of SIZES) {
      const { layers } = setup(name, size, uneven, {});
      const work = picking(layers);
      work();
      nanos.push((Math.min(...Array.from({ length: ROUNDS }, () => cpu(work))) / PICKS) * 1000);
      if (size === 1000) bytes = allocated(work);
      layers.close();
    }
    const figures = nanos.map((ns) => column(ns.toFixed(0))).join("");
    const label = `${name}${uneven ? ", weights" : ""}`;
    console.log(`${label.padEnd(32)}${figures}${column(bytes === undefined ? "-" : bytes.toFixed(0))}`);
  }
}

console.log("\nProcessor time of an update, µs");
for (const name of Object.keys(BALANCERS) as (keyof typeof BALANCERS)[]) {
  const micros = SIZES.map((size) => {
    const { endpoints, layers } = setup(name, size, true, {});
    const rounds = Array.from({ length: ROUNDS }, (_, i) => {
      const some = endpoints.slice(i % 2);
      return cpu(() => layers.update(some));
    });
    layers.close();
    return column(Math.min(...rounds).toFixed(0));
  });
  console.log(`${name.padEnd(32)}${micros.join("")}`);
}

console.log("\nWith two priorities, or zones, ns a pick");
for (const name of ["peak_ewma", "ring_hash"] as const) {
  const endpoints = Array.from({ length: 1000 }, (_, i) =>
    Object.assign(new Bench(i, false), {
      traits: { weight: 1, priority: i % 2, zone: i % 3 === 0 ? "a" : "b" },
    }),
  );
  const layers = new Layers<Bench>(
    BALANCERS[name],
    { clock: systemClock, random: Math.random, options: { by: { kind: "header", name: "x-user" } } },
    { zone: "a" },
  );
  layers.update(endpoints);
  const work = picking(layers);
  work();
  const ns = (Math.min(...Array.from({ length: ROUNDS }, () => cpu(work))) / PICKS) * 1000;
  console.log(`${name.padEnd(32)}${column(ns.toFixed(0))}`);
}
process.exit(0);
