// Endpoints that fail calls are taken out for a while, never so many that the rest cannot do it; and circuit breakers.
import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import type { Attempt, AttemptOutcome } from "#src/call/attempt.js";
import { Code } from "#src/call/status/status.js";
import { Cluster, type ClusterOptions } from "#src/upstream/cluster.js";
import { EndpointHealth, type HealthEndpoint } from "#src/upstream/health/endpoint-health.js";
import { judge } from "#src/upstream/health/failures.js";
import { type HealthFeatures, NO_HEALTH } from "#src/upstream/health/keys.js";
import { type OutlierConfig, Outliers } from "#src/upstream/health/outliers.js";
import { Serving } from "#src/upstream/health/serving.js";
import { FakeClock } from "../support/fake-clock.js";
import { H2Service, type ServiceRequest } from "../support/h2-service.js";
import { abortOf, callOf } from "../support/sinks.js";
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

describe("the verdict of an attempt about its endpoint", () => {
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
      firstLink: undefined,
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

  it("takes longer each time, up to the maximum, and forgets one ejection with each interval", () => {
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

  it("counts calls lost with one connection as one failure", () => {
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

  it("ejects no endpoint if no other is reachable", () => {
    const hosts = new Hosts(3);
    for (const [i, endpoint] of hosts.endpoints.entries())
      if (i > 0) Object.assign(endpoint, { state: "backoff" });
    hosts.ends(0, 14, 20);
    assert.deepEqual(hosts.out, []);
    Object.assign(hosts.endpoints[1] ?? {}, { state: "ready" });
    hosts.ends(0, 14, 4);
    assert.deepEqual(hosts.out, []);
    hosts.ends(0, 14);
    assert.deepEqual(hosts.out, ["0"], "with the next five");
  });

  const mixed = (hosts: Hosts, at: number, failures: number, total: number): void => {
    // Never five in a row.
    for (let i = 0; i < total; i++) hosts.ends(at, i % Math.ceil(total / failures) === 0 ? 13 : 0);
  };

  it("ejects endpoints with a success rate far below the mean, of five hosts with a hundred calls each", () => {
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

  it("ejects no endpoint if all are alike, however bad", () => {
    const hosts = new Hosts(6);
    for (let i = 0; i < 6; i++) mixed(hosts, i, 50, 100);
    hosts.clock.advance(10_000);
    assert.deepEqual(hosts.out, []);
  });

  it("retains statistics of endpoints that stay, and drops those of the others", () => {
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
  it("sends nothing to an ejected endpoint until it is back; its connection stays", async () => {
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

  it("uses all endpoints while too few are left (panic)", async () => {
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
    cluster.configure({ ...NO_HEALTH, outliers: OUTLIERS, panicShare: 0.5 });
    assert.equal(await waiting.status(), "14", "a reload that allows panic lets it go to the one that fails");
    cluster.configure({ ...NO_HEALTH, outliers: OUTLIERS, panicShare: 0 });
    cluster.limits = { ...cluster.limits, lostWaitMs: 0 };
    const failed = await new Exchange(cluster).send("q", true).status();
    assert.match(
      failed,
      /^14 upstream "library" cannot be reached \(127.*: ejected: 5 failures in a row, the last UNAVAILABLE; /,
    );
    assert.equal(services[0]?.accepted, 1);
  });

  it("ejects an instance whose handlers hang: its connection works, and its calls exceed their deadlines", async () => {
    const hung: ServiceRequest[] = [];
    const services = [await service((request) => hung.push(request)), await service()];
    const { cluster, clock } = await clusterOf(services, { outliers: OUTLIERS });
    const calls: Exchange[] = [];
    while (hung.length < 5) {
      const call = callOf();
      call.deadline = clock.now() + 1500;
      const sent = hung.length + (services[1]?.requests.length ?? 0);
      calls.push(new Exchange(cluster, call).send("q", true));
      await until(() => hung.length + (services[1]?.requests.length ?? 0) > sent, "the call at a service");
    }
    clock.advance(1500);
    for (const call of calls) call.request.abort(abortOf(Code.DEADLINE_EXCEEDED, "hub"));
    assert.equal(
      cluster.endpoints[0]?.health?.why,
      "ejected: 5 failures in a row, the last DEADLINE_EXCEEDED",
    );
    assert.deepEqual(await shares(cluster, services, 4), [0, 4]);
  });

  it("never ejects the only endpoint", async () => {
    const services = [await service(answers(14))];
    const { cluster } = await clusterOf(services, { outliers: OUTLIERS, panicShare: 0 });
    assert.deepEqual(await shares(cluster, services, 20), [20]);
  });

  it("retains ejections of endpoints that stay in a new list, and ends them when it is switched off", async () => {
    const services = [await service(answers(14)), await service(), await service()];
    const { cluster } = await clusterOf(services, { outliers: OUTLIERS });
    await shares(cluster, services, 15);
    const joined = await service();
    cluster.setEndpoints([...services, joined].map(({ address, dial }) => ({ address, dial, weight: 2 })));
    cluster.configure({
      ...NO_HEALTH,
      outliers: { ...OUTLIERS, consecutive: 9 },
      panicShare: 0.5,
      breakers: { calls: undefined, streams: undefined },
    });
    await until(() => cluster.endpoints.every(({ state }) => state === "ready"), "the one that joined");
    assert.deepEqual(await shares(cluster, [...services, joined], 12), [0, 4, 4, 4]);
    cluster.configure({
      ...NO_HEALTH,
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

  it("reject excess calls at once, unary calls and streams apart, and accept more when some have ended", async () => {
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

  it("take over changed limits, and do not count calls that began before them", async () => {
    const held: ServiceRequest[] = [];
    const services = [await service((request) => held.push(request))];
    const { cluster } = await clusterOf(services, {});
    assert.equal(cluster.observers.length, 0);
    const early = new Exchange(cluster).send("q", true);
    cluster.configure({
      ...NO_HEALTH,
      outliers: undefined,
      panicShare: 0.5,
      breakers: { calls: 1, streams: undefined },
    });
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

// ---------------------------------------------------------------- what endpoints say of themselves

const WATCH = "/grpc.health.v1.Health/Watch";
const HEALTH = { service: "library.v1.Books", timeoutMs: 2000 };

/** A service whose health the test sets. Other calls it answers. */
class WatchedService {
  readonly watches: ServiceRequest[] = [];
  calls = 0;
  /** What a new Watch is told; "": nothing. Another string: the status that ends it. */
  says: number | string = 1;

  readonly onRequest = (request: ServiceRequest): void => {
    if (request.path !== WATCH) {
      this.calls++;
      answers(0)(request);
      return;
    }
    this.watches.push(request);
    const { says } = this;
    if (typeof says === "string" && says !== "") answers(Number(says))(request);
    if (typeof says === "number") request.headers().message(Buffer.from([8, says]));
  };

  /** Tells those who watch. */
  say(status: number): void {
    if (this.says === "") this.watches.at(-1)?.headers();
    this.says = status;
    this.watches.at(-1)?.message(Buffer.from([8, status]));
  }
}

async function watched(count: number, options: Partial<ClusterOptions> = {}, says: number | string = 1) {
  const services = Array.from({ length: count }, () => new WatchedService());
  for (const one of services) one.says = says;
  const servers = await Promise.all(services.map(({ onRequest }) => service(onRequest)));
  const { cluster, clock } = await clusterOf(servers, { health: HEALTH }, options);
  const calls = async (times: number): Promise<number[]> => {
    const before = services.map((one) => one.calls);
    for (let i = 0; i < times; i++) await new Exchange(cluster).send("q", true).end();
    return services.map((one, i) => one.calls - (before[i] ?? 0));
  };
  const verdicts = (): string[] =>
    cluster.endpoints.map(({ health }) => (health?.checking === true ? "checking" : (health?.why ?? "well")));
  const settled = (...wanted: string[]): Promise<void> =>
    until(() => verdicts().join() === wanted.join(), `${wanted.join()}; they are ${verdicts().join()}`);
  return { services, servers, cluster, clock, calls, verdicts, settled };
}

describe("active health", () => {
  it("checks each endpoint on its own connection, for the configured service", async () => {
    const { services, servers, settled } = await watched(3);
    await settled("well", "well", "well");
    for (const [i, { watches }] of services.entries()) {
      assert.equal(watches.length, 1);
      assert.equal(watches[0]?.body.subarray(7).toString(), "library.v1.Books");
      assert.equal(watches[0]?.get("te"), "trailers");
      assert.equal(watches[0]?.authority, servers[i]?.address);
    }
  });

  it("sends calls only to endpoints that report SERVING, as it changes", async () => {
    const { services, calls, settled } = await watched(3);
    await settled("well", "well", "well");
    services[0]?.say(2);
    await settled("unhealthy: it says NOT_SERVING", "well", "well");
    assert.deepEqual(await calls(6), [0, 3, 3]);
    services[0]?.say(1);
    services[2]?.say(3);
    await settled("well", "well", "unhealthy: it says SERVICE_UNKNOWN");
    assert.deepEqual(await calls(6), [3, 3, 0]);
  });

  it("a service without health checks is healthy, and is not checked again on that connection", async () => {
    const { services, clock, calls, settled } = await watched(2, {}, "12");
    await settled("well", "well");
    clock.advance(600_000);
    assert.deepEqual(await calls(4), [2, 2]);
    assert.deepEqual(
      services.map(({ watches }) => watches.length),
      [1, 1],
    );
  });

  it("calls wait for the first response, up to its timeout", async () => {
    const { services, clock, cluster, settled, verdicts } = await watched(2, {}, "");
    await until(() => services.every(({ watches }) => watches.length === 1), "the questions");
    assert.deepEqual(verdicts(), ["checking", "checking"]);
    const waiting = new Exchange(cluster).send("q", true);
    await turns();
    assert.equal(waiting.response.ended, false);
    services[1]?.say(1);
    assert.equal(await waiting.status(), "0");
    assert.deepEqual(
      services.map(({ calls }) => calls),
      [0, 1],
    );
    clock.advance(2000);
    await settled("unhealthy: there was no answer within 2 s", "well");
  });

  it("if no endpoint is healthy, all get calls (panic), without waiting", async () => {
    const { calls, settled, cluster } = await watched(2, {}, 2);
    await settled("unhealthy: it says NOT_SERVING", "unhealthy: it says NOT_SERVING");
    assert.equal(cluster.health.panics, true);
    assert.deepEqual(await calls(4), [2, 2]);
  });

  it("without panic, calls fail at once with the reason", async () => {
    const services = new WatchedService();
    services.says = 2;
    const { cluster } = await clusterOf([await service(services.onRequest)], {
      health: HEALTH,
      panicShare: 0,
    });
    await until(() => cluster.endpoints[0]?.health?.why !== undefined, "the verdict");
    const said = await new Exchange(cluster).send("q", true).status();
    assert.match(
      said,
      /^14 upstream "library" cannot be reached \(127.0.0.1:\d+: unhealthy: it says NOT_SERVING\)$/,
    );
    assert.equal(services.calls, 0);
  });

  it("checks again after 1 s, doubling to 60 s, when the check fails", async () => {
    const { services, clock, cluster, settled } = await watched(2, {}, "13");
    const [first] = services;
    await settled("unhealthy: it ended with INTERNAL", "unhealthy: it ended with INTERNAL");
    const idle = (): boolean =>
      cluster.endpoints.every(({ firstLink }) => firstLink?.connection.active === 0);
    // Each has one until it is asked again.
    const own = clock.pending - 2;
    for (const [i, delay] of [1, 2, 4, 8, 16, 32, 60, 60].entries()) {
      clock.advance(delay * 1000 - 1);
      await turns(3);
      assert.equal(first?.watches.length, i + 1);
      clock.advance(1);
      await until(() => first?.watches.length === i + 2, `the question after ${delay} s`);
      // Its answer has come as well.
      await until(idle, "the end of the question");
    }
    for (const one of services) one.says = 1;
    clock.advance(60_000);
    await settled("well", "well");
    assert.equal(clock.pending, own, "a healthy endpoint costs no timer");
  });

  it("checks again at once when a check that had a response ends, which is not a failure", async () => {
    const { services, clock, settled, verdicts } = await watched(2);
    await settled("well", "well");
    const [first] = services;
    clock.advance(1000);
    const heard: string[] = [];
    const own = clock.pending;
    first?.watches[0]?.trailers({ "grpc-status": "14" });
    await until(() => clock.pending === own + 1, "the end");
    heard.push(...verdicts());
    clock.advance(0);
    await until(() => first?.watches.length === 2, "the next question");
    assert.deepEqual(heard, ["well", "well"]);
    // One that ends at once every time is asked with backoff.
    first?.watches[1]?.trailers({ "grpc-status": "14" });
    await settled("unhealthy: it ended with UNAVAILABLE", "well");
    clock.advance(999);
    await turns();
    assert.equal(first?.watches.length, 2);
  });

  it("an instance that restarts is checked before it gets calls", async () => {
    const { services, servers, clock, cluster, calls, settled } = await watched(2);
    await settled("well", "well");
    const [first] = services;
    if (first !== undefined) first.says = "";
    await servers[0]?.stop();
    await until(() => cluster.endpoints[0]?.state === "backoff", "the loss");
    assert.deepEqual(await calls(4), [0, 4]);
    await servers[0]?.start();
    clock.advance(1000);
    await until(() => first?.watches.length === 2, "the question");
    assert.deepEqual(await calls(4), [0, 4]);
    first?.say(1);
    await settled("well", "well");
    assert.deepEqual(await calls(4), [2, 2]);
  });

  it("is not a call: not in the load, not in drains, not for observers", async () => {
    const { services, servers, cluster, settled, clock } = await watched(2);
    await settled("well", "well");
    assert.deepEqual(
      cluster.endpoints.map(({ calls, counts }) => [calls, counts.calls]),
      [
        [0, 0],
        [0, 0],
      ],
    );
    const [kept] = servers;
    assert.ok(kept);
    // Taken out: its connection closes at once, for it has no call.
    const [, out] = servers;
    cluster.setEndpoints([{ address: kept.address, dial: kept.dial }]);
    await until(() => out?.open === 0, "the connection to close");
    assert.equal(services[1]?.watches[0]?.reset?.code, 8, "CANCEL");
    // The service leaves: GOAWAY, and the connection closes though it was watched.
    kept.connections[0]?.drain();
    clock.advance(1000);
    await until(() => kept.accepted === 2 && kept.open === 1, "another connection in its place");
    await until(() => services[0]?.watches.length === 2, "the question on it");
    await settled("well");
    cluster.drain();
    await until(() => kept.open === 0, "all to be closed");
    assert.equal(clock.pending, 0);
  });

  it("a service that allows one stream at a time is not checked: there would be none for calls", async () => {
    const watcher = new WatchedService();
    const server = await new H2Service(watcher.onRequest, { limits: { maxConcurrentStreams: 1 } }).start();
    cleanups.push(() => server.stop());
    const { cluster } = await clusterOf([server], { health: HEALTH });
    assert.equal(await new Exchange(cluster).send("q", true).status(), "0");
    assert.deepEqual([watcher.watches.length, watcher.calls], [0, 1]);
  });

  it("an invalid health response is a failure that says so, and its connection stays", async () => {
    for (const [bad, why] of [
      [
        (r: ServiceRequest) => r.headers().message(Buffer.from([0xff])),
        "what it said is no HealthCheckResponse",
      ],
      [(r: ServiceRequest) => r.headers().message(Buffer.from([8, 0])), "it says UNKNOWN"],
      [(r: ServiceRequest) => r.headers().message(Buffer.from([8, 99])), "it says 99"],
      [(r: ServiceRequest) => r.headers().data("", true), "it ended without a status"],
      [
        (r: ServiceRequest) => r.headers({ ":status": "500" }, true),
        "it was not answered in gRPC (HTTP status 500)",
      ],
      [(r: ServiceRequest) => r.headers().data(Buffer.from([0, 1, 0, 0, 0])), /^its message|message/],
    ] as const) {
      const server = await service((r) => (r.path === WATCH ? void bad(r) : answers(0)(r)));
      const { cluster } = await clusterOf([server], { health: HEALTH });
      const why1 = (): string => cluster.endpoints[0]?.health?.why ?? "";
      await until(() => why1() !== "", "the verdict");
      if (typeof why === "string") assert.equal(why1(), `unhealthy: ${why}`);
      else assert.match(why1(), why);
      assert.equal(await new Exchange(cluster).send("q", true).status(), "0", "in panic");
      assert.equal(server.accepted, 1);
    }
    const missing = await service((r) =>
      r.path === WATCH ? void r.headers({ ":status": "404" }, true) : answers(0)(r),
    );
    const { cluster } = await clusterOf([missing], { health: HEALTH, panicShare: 0 });
    assert.equal(await new Exchange(cluster).send("q", true).status(), "0", "a proxy's 404 is UNIMPLEMENTED");
  });

  it("switched on by a reload, no call waits for it; switched off, it is forgotten", async () => {
    const one = new WatchedService();
    one.says = "";
    const { cluster, clock } = await clusterOf([await service(one.onRequest), await service()], {
      panicShare: 0,
    });
    const own = clock.pending;
    cluster.configure({ ...NO_HEALTH, panicShare: 0, health: HEALTH });
    await until(() => one.watches.length === 1, "the question");
    assert.equal(await new Exchange(cluster).send("q", true).status(), "0");
    clock.advance(2000);
    assert.equal(cluster.endpoints[0]?.health?.out, true);
    cluster.configure({ ...NO_HEALTH, panicShare: 0, health: { ...HEALTH, service: "" } });
    await until(() => one.watches.length === 2, "the question for another service");
    cluster.configure({ ...NO_HEALTH, panicShare: 0 });
    assert.deepEqual([cluster.endpoints[0]?.health?.out, clock.pending], [false, own]);
    await until(() => one.watches[1]?.reset !== undefined, "the end of the question");
  });
});

describe("an upstream serves", () => {
  /** Endpoints in the states that are given, each change told. */
  function watchedBy(...states: string[]) {
    const clock = new FakeClock(0);
    const seen: string[] = [];
    const endpoints = states.map(
      (state, i): { -readonly [K in keyof HealthEndpoint]: HealthEndpoint[K] } => ({
        address: `${i}`,
        state,
        firstLink: undefined,
        health: undefined,
      }),
    );
    const serving: Serving = new Serving({ clock, endpoints, limits: { lostWaitMs: 5000 } }, () =>
      seen.push(`${clock.now() / 1000} s: ${serving.value}`),
    );
    const become = (at: number, state: string, out = false): void => {
      const endpoint = endpoints[at];
      assert.ok(endpoint);
      endpoint.state = state;
      endpoint.health = new EndpointHealth();
      if (out) endpoint.health.verdict = { why: "it says NOT_SERVING" };
      serving.check(endpoint);
    };
    serving.recheck();
    return { clock, seen, serving, become, endpoints };
  }

  it("from the start while it is connecting, until all endpoints have failed; then once one is healthy", () => {
    const { seen, become } = watchedBy("idle", "idle");
    become(0, "connecting");
    become(0, "backoff");
    assert.deepEqual(seen, ["0 s: true"]);
    become(1, "backoff");
    become(1, "connecting");
    become(1, "ready", true);
    assert.deepEqual(seen, ["0 s: true", "0 s: false"]);
    become(1, "ready");
    assert.deepEqual(seen.at(-1), "0 s: true");
  });

  it("not once the last healthy endpoint has been gone for as long as calls wait for it", () => {
    const { clock, seen, become, serving, endpoints } = watchedBy("ready", "ready");
    become(0, "ready", true);
    become(1, "backoff");
    clock.advance(4999);
    become(1, "ready");
    become(1, "connecting");
    clock.advance(4999);
    become(1, "backoff");
    assert.deepEqual(seen, ["0 s: true"]);
    clock.advance(1);
    assert.deepEqual(seen, ["0 s: true", "9.999 s: false"]);
    endpoints.push({ address: "2", state: "ready", firstLink: undefined, health: undefined });
    serving.recheck();
    assert.equal(seen.at(-1), "9.999 s: true");
    assert.equal(clock.pending, 0);
  });

  it("not without endpoints", () => {
    const { serving, endpoints } = watchedBy();
    assert.equal(serving.value, false);
    endpoints.push({ address: "0", state: "idle", firstLink: undefined, health: undefined });
    serving.recheck();
    assert.equal(serving.value, true, "one that came is being reached");
  });
});
