// What stands before every balancer: priorities, zones, slow start; and a balancer that is replaced while calls run.
import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { BALANCERS } from "#src/upstream/balancers/balancers.js";
import { Layers, type LayersOptions } from "#src/upstream/balancers/layers.js";
import { Cluster } from "#src/upstream/cluster.js";
import { FakeClock } from "../../support/fake-clock.js";
import { H2Service } from "../../support/h2-service.js";
import { until } from "../../support/until.js";
import { Exchange } from "../support/exchange.js";
import {
  attemptAt,
  callsOneByOne,
  contextOf,
  type FakeEndpoint,
  fleet,
  isOpen,
  keyed,
  pickedOf,
} from "../support/fleet.js";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

function setup(
  endpoints: readonly FakeEndpoint[],
  options: LayersOptions = {},
  name: keyof typeof BALANCERS = "round_robin",
) {
  const clock = new FakeClock(1000);
  let rooms = 0;
  const layers = new Layers<FakeEndpoint>(
    BALANCERS[name],
    contextOf(clock, { onRoom: () => rooms++ }),
    options,
  );
  layers.update(endpoints);
  cleanups.push(() => {
    layers.close();
    assert.equal(clock.pending, 0, "timers that are left");
  });
  const toggle = (healthy: boolean, ...some: (FakeEndpoint | undefined)[]): void => {
    for (const endpoint of some) {
      assert.ok(endpoint);
      endpoint.healthy = healthy;
      endpoint.open = healthy;
      layers.changed(endpoint);
    }
  };
  /** Shares of calls, in percent, of each endpoint. */
  const shares = (): number[] => {
    for (const endpoint of endpoints) endpoint.picked = 0;
    callsOneByOne(layers, clock, 2000, () => 0);
    return pickedOf(endpoints).map((picked) => Math.round(picked / 20));
  };
  return { clock, layers, toggle, shares, rooms: () => rooms };
}
const sum = (shares: readonly number[], from: number, to: number): number =>
  shares.slice(from, to).reduce((total, share) => total + share, 0);

for (const name of ["round_robin", "peak_ewma", "ring_hash"] as const)
  describe(`priorities under ${name}`, () => {
    it("keep calls at the first until fewer than 1 in 1.4 are healthy, then spill over the missing share", () => {
      const endpoints = fleet(20, (i) => ({ priority: Math.floor(i / 10) }));
      const { toggle, shares } = setup(endpoints, {}, name);
      for (const [unhealthy, first] of [
        [0, 100],
        [2, 100],
        [5, 70],
        [8, 28],
        [10, 0],
      ] as const) {
        toggle(true, ...endpoints);
        toggle(false, ...endpoints.slice(0, unhealthy));
        const share = sum(shares(), 0, 10);
        // By hash as many keys spill over: 2,000 of them.
        assert.ok(Math.abs(share - first) <= 5, `${unhealthy} of 10 unhealthy: ${share} %, not ${first} %`);
      }
    });

    it("are used in order, whatever their numbers, and all are used when no endpoint is healthy", () => {
      const endpoints = fleet(9, (i) => ({ priority: [7, 100, 7000][Math.floor(i / 3)] }));
      const { toggle, shares, layers } = setup(endpoints, {}, name);
      toggle(false, ...endpoints.slice(0, 6));
      assert.ok(sum(shares(), 6, 9) > 97);
      toggle(false, ...endpoints);
      for (const endpoint of endpoints) endpoint.open = true;
      assert.ok(sum(shares(), 0, 3) > 97);
      // One that is usable is found, wherever it is.
      for (const endpoint of endpoints) endpoint.open = false;
      for (const endpoint of endpoints) {
        endpoint.open = true;
        assert.equal(layers.pick(attemptAt(keyed(1), undefined), isOpen), endpoint);
        endpoint.open = false;
      }
    });
  });

describe("priorities", () => {
  it("share the available capacity if no priority has enough", () => {
    const endpoints = fleet(20, (i) => ({ priority: Math.floor(i / 10) }));
    const { toggle, shares } = setup(endpoints);
    toggle(false, ...endpoints.slice(0, 8), ...endpoints.slice(10, 18));
    const share = sum(shares(), 0, 10);
    assert.ok(Math.abs(share - 50) <= 3, `28 % and 28 % are half each, not ${share} %`);
  });

  it("let calls wait up to a second for a connection being established, before others get them", () => {
    const endpoints = fleet(2, (i) => ({ priority: i }));
    const [first, second] = endpoints;
    assert.ok(first && second);
    const { layers, clock, rooms } = setup(endpoints);
    const pick = () => layers.pick(attemptAt(keyed(1), undefined), isOpen);
    first.open = false;
    first.filling = true;
    assert.equal(pick(), undefined);
    clock.advance(999);
    assert.equal(pick(), undefined);
    assert.equal(rooms(), 0);
    clock.advance(1);
    assert.equal(rooms(), 1, "those that wait are told");
    assert.equal(pick(), second);
    // One that was connected to and is full for the moment is waited for: its next connection is made by then.
    first.load.connected = true;
    assert.equal(pick(), undefined);
    first.filling = false;
    assert.equal(pick(), second);
    assert.deepEqual([first.load.spare, second.load.spare], [false, true]);
  });
});

describe("zones", () => {
  const inZones = (counts: readonly number[]): FakeEndpoint[] => {
    const zones = counts.flatMap((count, i) => Array.from({ length: count }, () => "abc"[i]));
    return fleet(zones.length, (i) => ({ zone: zones[i] }));
  };

  it("keep calls in the hub's own zone, as far as it has its share of the endpoints", () => {
    for (const [counts, near] of [
      [[4, 4, 4], 100],
      [[3, 4, 5], 100],
      [[1, 10, 9], 21], // 1 of 20, 3 zones: 1/20 × 3 × 1.4
      [[2, 8], 56],
      [[0, 5, 5], 0],
      [[5], 100],
    ] as const) {
      const endpoints = inZones(counts);
      const { shares } = setup(endpoints, { zone: "a" });
      const share = sum(shares(), 0, counts[0]);
      assert.ok(Math.abs(share - near) <= 3, `${counts}: ${share} %, not ${near} %`);
    }
  });

  it("make no difference to a hub without a zone", () => {
    const endpoints = inZones([2, 2]);
    assert.deepEqual(setup(endpoints).shares(), [25, 25, 25, 25]);
  });

  it("give calls to others as their endpoints fail, and at once if none has room", () => {
    const endpoints = inZones([4, 4, 4]);
    const { toggle, shares, layers } = setup(endpoints, { zone: "a" });
    toggle(false, ...endpoints.slice(0, 3));
    const share = sum(shares(), 0, 4); // 1 of 9 that are healthy: × 3 × 1.4
    assert.ok(Math.abs(share - 47) <= 4, `${share} %`);
    toggle(false, endpoints[3]);
    assert.equal(sum(shares(), 0, 4), 0);
    toggle(true, ...endpoints);
    for (const endpoint of endpoints.slice(0, 4)) endpoint.open = false;
    assert.equal(layers.pick(attemptAt(keyed(1), undefined), isOpen)?.traits.zone !== "a", true);
  });
});

describe("slow start", () => {
  const slowStart = { windowMs: 10_000, aggression: 1, min: 0.1 };

  for (const name of ["round_robin", "least_request", "random", "weighted_round_robin"] as const)
    it(`of a new endpoint under ${name}: its share grows evenly, and is whole after the window`, () => {
      const old = fleet(4);
      const { layers, clock } = setup(old, { slowStart }, name);
      clock.advance(20_000);
      const [fresh] = fleet(5).reverse();
      assert.ok(fresh);
      layers.update([...old, fresh]);
      const shareOf = (): number => {
        for (const endpoint of [...old, fresh]) endpoint.picked = 0;
        callsOneByOne(layers, clock, 4000, () => 0);
        return fresh.picked / 4000;
      };
      for (const [after, weight] of [
        [0, 0.1],
        [5_000, 0.5],
        [10_000, 1],
      ] as const) {
        clock.advance(after === 0 ? 0 : 5_000);
        const expected = weight / (4 + weight);
        assert.ok(Math.abs(shareOf() - expected) < 0.03, `after ${after} ms`);
        assert.equal(layers.describe(fresh).weight, weight);
      }
      clock.advance(1000);
      if (name !== "weighted_round_robin") assert.equal(clock.pending, 0, "no timer once all have started");
    });

  it("begins again for an endpoint that was unhealthy, and is faster at first with more aggression", () => {
    const endpoints = fleet(3);
    const { layers, clock, toggle } = setup(endpoints, { slowStart: { ...slowStart, aggression: 2 } });
    const [first] = endpoints;
    assert.ok(first);
    clock.advance(20_000);
    assert.equal(layers.describe(first).weight, 1);
    toggle(false, first);
    toggle(true, first);
    assert.equal(layers.describe(first).weight, 0.1);
    clock.advance(2_500);
    assert.equal(layers.describe(first).weight, 0.5);
    clock.advance(7_500);
    assert.equal(layers.describe(first).weight, 1);
  });
});

describe("a cluster", () => {
  it("calls the first priority while it is up, the second while it is down, then the first again", async () => {
    const served: string[] = [];
    const [first, second] = await Promise.all(
      ["first", "second"].map((name) =>
        new H2Service((r) => {
          served.push(name);
          r.ok();
        }).start(),
      ),
    );
    assert.ok(first && second);
    const clock = new FakeClock(1000);
    const cluster = new Cluster({
      name: "library",
      endpoints: [first, second].map(({ address, dial }, priority) => ({ address, dial, priority })),
      balancer: BALANCERS.peak_ewma,
      clock,
      random: () => 0.5,
    });
    cleanups.push(async () => {
      cluster.close();
      await Promise.all([first.stop(), second.stop()]);
    });
    const calls = async (): Promise<string> => {
      served.length = 0;
      for (let i = 0; i < 3; i++) await new Exchange(cluster).send("question", true).end();
      return served.join();
    };
    cluster.connect();
    // Waits for the first, though the second may be connected to sooner.
    assert.equal(await calls(), "first,first,first");
    await until(() => cluster.endpoints.every(({ state }) => state === "ready"), "both ready");
    await first.stop();
    await until(() => cluster.endpoints[0]?.healthy === false, "the first is away");
    assert.equal(await calls(), "second,second,second");
    await first.start();
    await until(() => {
      clock.advance(1000);
      return cluster.endpoints[0]?.state === "ready";
    }, "the first is back");
    assert.equal(await calls(), "first,first,first");
  });
});

describe("a cluster whose balancer is replaced", () => {
  it("retains connections, calls and its data, and uses the new one", async () => {
    const held: (() => void)[] = [];
    let holds = false;
    const services = await Promise.all(
      [0, 1].map(() => new H2Service((r) => (holds ? held.push(() => r.ok()) : r.ok())).start()),
    );
    const clock = new FakeClock(1000);
    const cluster = new Cluster({
      name: "library",
      endpoints: services.map(({ address, dial }) => ({ address, dial })),
      balancer: BALANCERS.peak_ewma,
      clock,
      random: () => 0.5,
    });
    cleanups.push(async () => {
      cluster.close();
      await Promise.all(services.map((service) => service.stop()));
    });
    cluster.connect();
    await until(() => cluster.endpoints.every(({ state }) => state === "ready"), "both ready");
    assert.equal(cluster.observers.length, 1);
    for (let i = 0; i < 4; i++) await new Exchange(cluster).send("question", true).end();
    const known = cluster.endpoints.map(({ load }) => load.rttMs);
    holds = true;
    const running = new Exchange(cluster).send("question", true);
    await until(() => held.length === 1, "a call that runs");
    cluster.setBalancer(BALANCERS.round_robin, {});
    assert.equal(cluster.observers.length, 0, "round robin asks for nothing");
    held[0]?.();
    await running.end();
    holds = false;
    assert.deepEqual(
      services.map(({ accepted }) => accepted),
      [1, 1],
    );
    const before = services.map(({ requests }) => requests.length);
    for (let i = 0; i < 10; i++) await new Exchange(cluster).send("question", true).end();
    assert.deepEqual(
      services.map(({ requests }, i) => requests.length - (before[i] ?? 0)),
      [5, 5],
    );
    assert.deepEqual(
      cluster.endpoints.map(({ load }) => load.rttMs),
      known,
    );
  });
});
