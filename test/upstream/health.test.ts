// Endpoints that fail calls are taken out for a while, never so many that the rest cannot do it; and circuit breakers.
import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import type { Attempt, AttemptOutcome } from "#src/call/attempt.js";
import { Code } from "#src/call/status/status.js";
import { Cluster, type ClusterOptions } from "#src/upstream/cluster.js";
import { EndpointHealth, type HealthEndpoint } from "#src/upstream/health/endpoint-health.js";
import { judge } from "#src/upstream/health/failures.js";
import type { HealthFeatures } from "#src/upstream/health/keys.js";
import { type OutlierConfig, Outliers } from "#src/upstream/health/outliers.js";
import { FakeClock } from "../support/fake-clock.js";
import { H2Service, type ServiceRequest } from "../support/h2-service.js";
import { callOf } from "../support/sinks.js";
import { turns, until } from "../support/until.js";
import { Exchange } from "./support/exchange.js";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

const OUTLIERS: OutlierConfig = {
  consecutive: 5,
  successRate: { hosts: 5, requests: 100, deviations: 1.9 },
  codes: ["UNAVAILABLE", "INTERNAL", "DATA_LOSS", "DEADLINE_EXCEEDED"],
  intervalMs: 10_000,
  ejectionMs: 30_000,
  maxEjectionMs: 300_000,
  maxShare: 0.1,
};

describe("what an attempt says of its endpoint", () => {
  const ended = { code: 0, by: "upstream", sent: "maybe", headersMs: undefined, durationMs: 10 } as const;
  const trailers = callOf().headers;
  type Row = readonly [
    what: string,
    outcome: Partial<AttemptOutcome>,
    deadline: number | undefined,
    said: unknown,
  ];
  const rows: readonly Row[] = [
    ["an answer", { trailers }, undefined, "success"],
    ["a status of the service's business", { trailers, code: Code.NOT_FOUND }, undefined, "success"],
    [
      "an error of a handler, which many servers call UNKNOWN",
      { trailers, code: Code.UNKNOWN },
      undefined,
      "success",
    ],
    ["a service that is overloaded", { trailers, code: Code.RESOURCE_EXHAUSTED }, undefined, "success"],
    ["UNAVAILABLE", { trailers, code: Code.UNAVAILABLE }, undefined, "failure"],
    ["INTERNAL", { trailers, code: Code.INTERNAL }, undefined, "failure"],
    ["a call that was broken off", { code: Code.UNAVAILABLE }, undefined, "lost"],
    ["an answer that is no gRPC", { code: Code.UNKNOWN }, undefined, "lost"],
    ["a stream that the service refused", { code: Code.UNAVAILABLE, sent: "refused" }, undefined, undefined],
    ["one that never left", { code: Code.UNAVAILABLE, sent: "never" }, undefined, undefined],
    ["a client that leaves", { code: Code.CANCELLED, by: "client" }, undefined, undefined],
    ["a client that leaves long before the deadline", { code: 1, by: "client" }, 5000, undefined],
    ["a service that cancels", { code: Code.CANCELLED }, undefined, undefined],
    ["a deadline that passed here", { code: 1, by: "hub", durationMs: 1500 }, 2500, "failure"],
    ["one that passed at the client", { code: 1, by: "client", durationMs: 1480 }, 2500, "failure"],
    ["one that passed at the service", { trailers, code: 4, durationMs: 1500 }, 2500, "failure"],
    [
      "a deadline that was too short to blame anybody",
      { code: 1, by: "hub", durationMs: 20 },
      1020,
      undefined,
    ],
    [
      "a stream that ran to its deadline",
      { code: 1, by: "hub", headersMs: 3, durationMs: 1500 },
      2500,
      undefined,
    ],
  ];
  const codes = new Set(OUTLIERS.codes.map((name) => Code[name]));
  for (const [what, outcome, deadline, said] of rows)
    it(`${what}: ${said ?? "nothing"}`, () => {
      const call = callOf();
      call.deadline = deadline;
      const attempt: Partial<Attempt> = { call, startedAt: 1000 };
      assert.equal(judge(attempt as Attempt, { trailers: undefined, ...ended, ...outcome }, codes), said);
    });
});

/** Endpoints without connections, whose outcomes the test makes up. */
class Hosts {
  readonly clock = new FakeClock(1000);
  readonly endpoints: HealthEndpoint[];
  readonly events: string[] = [];
  readonly outliers: Outliers<HealthEndpoint>;
  private readonly call = callOf();

  constructor(count: number, config: Partial<OutlierConfig> = {}) {
    this.endpoints = Array.from({ length: count }, (_, i) => ({
      address: `${i}`,
      state: "ready",
      health: undefined,
    }));
    const { clock, events } = this;
    const owner = {
      clock,
      healthOf: (endpoint: HealthEndpoint) => {
        endpoint.health ??= new EndpointHealth();
        return endpoint.health;
      },
      onEjection: ({ address, health }: HealthEndpoint) =>
        events.push(`${clock.now() / 1000} s: ${address} ${health?.why ?? "back"}`),
    };
    const counter = { add: () => {} };
    this.outliers = new Outliers(
      owner,
      { ...OUTLIERS, ...config },
      { consecutive: counter, success_rate: counter },
    );
    this.outliers.update(this.endpoints);
  }

  ends(at: number, code: number, times = 1, outcome: Partial<AttemptOutcome> = {}): void {
    const attempt: Partial<Attempt> = {
      call: this.call,
      endpoint: this.endpoints[at],
      startedAt: this.clock.now(),
    };
    const whole = {
      code,
      by: "upstream",
      sent: "maybe",
      headersMs: 1,
      durationMs: 1,
      trailers: this.call.headers,
    };
    for (let i = 0; i < times; i++)
      this.outliers.end(attempt as Attempt, { ...whole, ...outcome } as AttemptOutcome);
  }

  get out(): string[] {
    return this.endpoints.filter(({ health }) => health?.out === true).map(({ address }) => address);
  }
}

describe("outlier detection", () => {
  it("ejects after five failures in a row, not four, and says why and until when", () => {
    const hosts = new Hosts(3);
    hosts.ends(1, 14, 4);
    hosts.ends(1, 0);
    hosts.ends(1, 14, 4);
    assert.deepEqual(hosts.out, []);
    hosts.ends(1, 14);
    assert.deepEqual(hosts.out, ["1"]);
    assert.equal(hosts.endpoints[1]?.health?.ejection?.untilMs, 31_000);
    hosts.clock.advance(29_999);
    assert.deepEqual(hosts.out, ["1"]);
    hosts.clock.advance(1);
    assert.deepEqual(hosts.events, [
      "1 s: 1 ejected: 5 failures in a row, the last UNAVAILABLE",
      "31 s: 1 back",
    ]);
  });

  it("takes longer each time, up to the most, and forgets one ejection with each interval", () => {
    const hosts = new Hosts(3);
    const times: number[] = [];
    for (let i = 0; i < 12; i++) {
      hosts.ends(0, 14, 5);
      const begun = hosts.clock.now();
      while (hosts.out.length > 0) hosts.clock.advance(500);
      times.push((hosts.clock.now() - begun) / 1000);
    }
    assert.deepEqual(times, [30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300]);
    hosts.clock.advance(110_000);
    hosts.ends(0, 14, 5);
    assert.equal(
      (hosts.endpoints[0]?.health?.ejection?.untilMs ?? 0) - hosts.clock.now(),
      60_000,
      "12 − 11 + 1",
    );
    hosts.clock.advance(200_000);
    hosts.ends(1, 0);
    hosts.clock.advance(60_000);
    assert.equal(hosts.clock.pending, 0, "no timer is left once there is nothing to forget");
  });

  it("counts calls that a connection takes with it as one failure", () => {
    const hosts = new Hosts(3);
    hosts.ends(0, 14, 50, { trailers: undefined });
    assert.deepEqual(hosts.out, []);
    for (let i = 0; i < 4; i++) {
      hosts.clock.advance(100);
      hosts.ends(0, 14, 50, { trailers: undefined });
    }
    assert.deepEqual(hosts.out, ["0"]);
  });

  for (const [count, most] of [
    [1, 0],
    [2, 1],
    [9, 1],
    [19, 1],
    [20, 2],
    [50, 5],
  ] as const)
    it(`has at most ${most} of ${count} out at a time`, () => {
      const hosts = new Hosts(count);
      for (let i = 0; i < count; i++) hosts.ends(i, 14, 20);
      assert.equal(hosts.out.length, most);
    });

  it("ejects nobody when no other endpoint can be reached", () => {
    const hosts = new Hosts(3);
    for (const [i, endpoint] of hosts.endpoints.entries())
      if (i > 0) Object.assign(endpoint, { state: "backoff" });
    hosts.ends(0, 14, 20);
    assert.deepEqual(hosts.out, []);
    Object.assign(hosts.endpoints[1] ?? {}, { state: "ready" });
    hosts.ends(0, 14);
    assert.deepEqual(hosts.out, ["0"]);
  });

  const mixed = (hosts: Hosts, at: number, failures: number, total: number): void => {
    // Never five in a row.
    for (let i = 0; i < total; i++) hosts.ends(at, i % Math.ceil(total / failures) === 0 ? 13 : 0);
  };

  it("ejects whose success rate is far below the mean, of five hosts with a hundred calls each", () => {
    for (const [count, calls, out] of [
      [5, 100, ["0"]],
      [5, 99, []],
      [4, 100, []],
    ] as const) {
      const hosts = new Hosts(count);
      for (let i = 0; i < count; i++) mixed(hosts, i, i === 0 ? calls / 2 : 1, calls);
      assert.deepEqual(hosts.out, [], "not before the sweep");
      hosts.clock.advance(10_000);
      assert.deepEqual(hosts.out, out, `${count} hosts, ${calls} calls`);
      if (out.length > 0)
        assert.equal(hosts.events[0], "11 s: 0 ejected: 50 % of its calls succeeded, 89.2 % on average");
    }
  });

  it("ejects nobody where all are alike, however bad", () => {
    const hosts = new Hosts(6);
    for (let i = 0; i < 6; i++) mixed(hosts, i, 50, 100);
    hosts.clock.advance(10_000);
    assert.deepEqual(hosts.out, []);
  });

  it("keeps what it knows of endpoints that stay, and lets go of the others", () => {
    const hosts = new Hosts(3);
    hosts.ends(0, 14, 5);
    hosts.ends(1, 14, 4);
    hosts.outliers.configure({ ...OUTLIERS, consecutive: 4, maxShare: 1 });
    hosts.outliers.update(hosts.endpoints.slice(0, 2));
    assert.deepEqual(hosts.out, ["0"]);
    hosts.outliers.update(hosts.endpoints.slice(1));
    hosts.ends(0, 14, 5);
    hosts.ends(1, 14);
    assert.deepEqual(hosts.out, ["0", "1"], "0 is nobody's any more");
    hosts.outliers.close();
    assert.deepEqual([hosts.out, hosts.clock.pending], [["0"], 0]);
  });
});

// ---------------------------------------------------------------- with connections

async function service(onRequest: (request: ServiceRequest) => void = answers(0)): Promise<H2Service> {
  const started = await new H2Service(onRequest).start();
  cleanups.push(() => started.stop());
  return started;
}

/** Answers every call with a status. */
function answers(code: number): (request: ServiceRequest) => void {
  return (request) =>
    request.headers({ ":status": "200", "content-type": "application/grpc", "grpc-status": `${code}` }, true);
}

async function clusterOf(
  services: readonly H2Service[],
  health: Partial<HealthFeatures>,
  options: Partial<ClusterOptions> = {},
): Promise<{ cluster: Cluster; clock: FakeClock }> {
  const clock = new FakeClock(1000);
  const endpoints = services.map(({ address, dial }) => ({ address, dial }));
  const cluster = new Cluster({ name: "library", endpoints, clock, random: () => 0.5, health, ...options });
  cleanups.push(() => cluster.close());
  cluster.connect();
  await until(() => cluster.endpoints.every(({ state }) => state === "ready"), "all endpoints");
  return { cluster, clock };
}

/** So many calls one after the other; how many each service got. */
async function shares(cluster: Cluster, services: readonly H2Service[], count: number): Promise<number[]> {
  const before = services.map(({ requests }) => requests.length);
  for (let i = 0; i < count; i++) await new Exchange(cluster).send("q", true).end();
  return services.map(({ requests }, i) => requests.length - (before[i] ?? 0));
}

describe("a cluster with outlier detection", () => {
  it("sends nothing to what is ejected, until it is back; its connection stays", async () => {
    const services = [await service(answers(14)), await service(), await service()];
    const { cluster, clock } = await clusterOf(services, { outliers: OUTLIERS });
    assert.deepEqual(await shares(cluster, services, 15), [5, 5, 5]);
    assert.deepEqual(await shares(cluster, services, 12), [0, 6, 6]);
    const [bad] = services;
    if (bad !== undefined) bad.onRequest = answers(0);
    clock.advance(30_000);
    assert.deepEqual(await shares(cluster, services, 12), [4, 4, 4]);
    assert.equal(bad?.accepted, 1);
  });

  it("uses all again when too few are left (panic), and stops doing so", async () => {
    const services = [await service(answers(14)), await service(), await service()];
    const { cluster, clock } = await clusterOf(services, { outliers: OUTLIERS });
    await shares(cluster, services, 15);
    const [, second] = services;
    await second?.stop();
    await until(() => cluster.endpoints[1]?.state === "backoff", "the loss of the second");
    assert.deepEqual(await shares(cluster, services, 10), [5, 0, 5], "one of three is healthy");
    await second?.start();
    clock.advance(1000);
    await until(() => cluster.endpoints[1]?.state === "ready", "the second");
    assert.deepEqual(await shares(cluster, services, 10), [0, 5, 5]);
  });

  it("without panic, calls fail at once and say why, and no connection is made for them", async () => {
    const services = [await service(answers(14)), await service()];
    const { cluster } = await clusterOf(services, { outliers: OUTLIERS, panicShare: 0 });
    await shares(cluster, services, 10);
    await services[1]?.stop();
    await until(() => cluster.endpoints[1]?.state === "backoff", "the loss of the second");
    const waiting = new Exchange(cluster).send("q", true);
    // A moment ago there was another: it may be back.
    await turns();
    assert.equal(waiting.response.ended, false);
    cluster.limits = { ...cluster.limits, lostWaitMs: 0 };
    const failed = await new Exchange(cluster).send("q", true).status();
    assert.match(
      failed,
      /^14 upstream "library" cannot be reached \(127.*: ejected: 5 failures in a row, the last UNAVAILABLE; /,
    );
    assert.equal(services[0]?.accepted, 1);
  });

  it("never takes the only endpoint out", async () => {
    const services = [await service(answers(14))];
    const { cluster } = await clusterOf(services, { outliers: OUTLIERS, panicShare: 0 });
    assert.deepEqual(await shares(cluster, services, 20), [20]);
  });

  it("keeps ejections of endpoints that stay across another list, and ends them when it is switched off", async () => {
    const services = [await service(answers(14)), await service(), await service()];
    const { cluster } = await clusterOf(services, { outliers: OUTLIERS });
    await shares(cluster, services, 15);
    const joined = await service();
    cluster.setEndpoints([...services, joined].map(({ address, dial }) => ({ address, dial, weight: 2 })));
    cluster.configure({
      outliers: { ...OUTLIERS, consecutive: 9 },
      panicShare: 0.5,
      breakers: { calls: undefined, streams: undefined },
    });
    await until(() => cluster.endpoints.every(({ state }) => state === "ready"), "the one that joined");
    assert.deepEqual(await shares(cluster, [...services, joined], 12), [0, 4, 4, 4]);
    cluster.configure({
      outliers: undefined,
      panicShare: 0.5,
      breakers: { calls: undefined, streams: undefined },
    });
    assert.deepEqual(await shares(cluster, [...services, joined], 12), [3, 3, 3, 3]);
    assert.equal(cluster.observers.length, 0, "what is off is not told of attempts");
  });
});

describe("circuit breakers", () => {
  const stream = () => callOf({ kind: "bidi_streaming" });

  it("refuse at once what is beyond, unary calls and streams apart, and take more when some have ended", async () => {
    const held: ServiceRequest[] = [];
    const services = [await service((request) => held.push(request))];
    const { cluster } = await clusterOf(services, { breakers: { calls: 2, streams: 1 } });
    const running = [new Exchange(cluster).send("q", true), new Exchange(cluster).send("q", true)];
    const streaming = new Exchange(cluster, stream()).send("q");
    assert.equal(
      await new Exchange(cluster).send("q", true).status(),
      '14 upstream "library" has 2 calls running, and takes no more; upstreams.library.breakers.calls is the limit',
    );
    assert.match(
      await new Exchange(cluster, stream()).send("q").status(),
      /^14 upstream "library" has 1 streams /,
    );
    await until(() => held.length === 3, "the calls");
    assert.deepEqual(cluster.health.breakers?.states, [
      { name: "calls", active: 2, max: 2 },
      { name: "streams", active: 1, max: 1 },
    ]);
    running[0]?.cancel();
    held[2]?.ok();
    assert.equal(await streaming.status(), "0");
    new Exchange(cluster).send("q", true);
    new Exchange(cluster, stream()).send("q");
    await until(() => held.length === 5, "the next calls");
    assert.deepEqual(
      cluster.health.breakers?.states.map(({ active }) => active),
      [2, 1],
    );
  });

  it("take over other limits, and count no call that began before them", async () => {
    const held: ServiceRequest[] = [];
    const services = [await service((request) => held.push(request))];
    const { cluster } = await clusterOf(services, {});
    assert.equal(cluster.observers.length, 0);
    const early = new Exchange(cluster).send("q", true);
    cluster.configure({ outliers: undefined, panicShare: 0.5, breakers: { calls: 1, streams: undefined } });
    const counted = new Exchange(cluster).send("q", true);
    await until(() => held.length === 2, "the calls");
    held[0]?.ok();
    assert.equal(await early.status(), "0");
    assert.match(await new Exchange(cluster).send("q", true).status(), /^14 .* 1 calls running/);
    held[1]?.ok();
    assert.equal(await counted.status(), "0");
    assert.deepEqual(cluster.health.breakers?.states, [{ name: "calls", active: 0, max: 1 }]);
  });
});
