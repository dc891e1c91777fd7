// What every balancer of the list must do, whatever it picks by.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BALANCERS } from "#src/upstream/balancers/balancers.js";
import { Layers } from "#src/upstream/balancers/layers.js";
import { FakeClock } from "../../support/fake-clock.js";
import {
  attemptAt,
  callsOneByOne,
  contextOf,
  FakeEndpoint,
  fleet,
  isOpen,
  keyed,
  pickedOf,
  type Running,
  seeded,
  start,
} from "../support/fleet.js";

for (const [name, factory] of Object.entries(BALANCERS)) {
  const setup = (endpoints: readonly FakeEndpoint[]) => {
    const clock = new FakeClock(1000);
    const layers = new Layers<FakeEndpoint>(factory, contextOf(clock));
    layers.update(endpoints);
    return { clock, layers };
  };
  const byHash = name === "ring_hash" || name === "maglev";

  describe(name, () => {
    it("picks nothing without endpoints, and the only one if there is one", () => {
      const { layers } = setup([]);
      const attempt = attemptAt(keyed(1), undefined);
      assert.equal(layers.pick(attempt, isOpen), undefined);
      const single = new FakeEndpoint("one");
      layers.update([single]);
      assert.equal(layers.pick(attempt, isOpen), single);
      single.open = false;
      assert.equal(layers.pick(attempt, isOpen), undefined);
      layers.update([]);
      assert.equal(layers.pick(attempt, isOpen), undefined);
    });

    for (const count of [2, 3, 10, 100])
      it(`spreads calls evenly over ${count} equal endpoints`, () => {
        const endpoints = fleet(count);
        const { layers, clock } = setup(endpoints);
        const calls = count * 400;
        callsOneByOne(layers, clock, calls);
        for (const { picked, address } of endpoints)
          assert.ok(
            picked > 250 && picked < 600,
            `${address} got ${picked} of ${calls}: ${pickedOf(endpoints)}`,
          );
      });

    it("spreads calls by weight, concurrent ones too", () => {
      const endpoints = fleet(10, (i) => ({ weight: i === 0 ? 10 : 2 }));
      const { layers, clock } = setup(endpoints);
      const [heavy] = endpoints;
      assert.ok(heavy);
      callsOneByOne(layers, clock, 7_000);
      const share = heavy.picked / 7_000;
      assert.ok(share > 0.3 && share < 0.42, `one after the other it got ${share}, not 10 of 28`);
      heavy.picked = 0;
      const running = Array.from({ length: 7_000 }, (_, i) => start(layers, clock, keyed(i)));
      const loaded = heavy.picked / running.length;
      assert.ok(loaded > 0.3 && loaded < 0.42, `all at once it got ${loaded}, not 10 of 28`);
    });

    it("gives an endpoint of weight 0 no calls, and equal shares if all have weight 0", () => {
      const endpoints = fleet(4, (i) => ({ weight: i === 2 ? 0 : 3 }));
      const { layers, clock } = setup(endpoints);
      callsOneByOne(layers, clock, 1000);
      assert.equal(endpoints[2]?.picked, 0);
      const idle = fleet(4, () => ({ weight: 0 }));
      layers.update(idle);
      callsOneByOne(layers, clock, 1000);
      for (const { picked } of idle) assert.ok(picked > 100, String(pickedOf(idle)));
    });

    it("treats an invalid weight as 1", () => {
      const endpoints = fleet(3, (i) => ({ weight: [Number.NaN, -5, Number.POSITIVE_INFINITY][i] }));
      const { layers, clock } = setup(endpoints);
      callsOneByOne(layers, clock, 900);
      for (const { picked } of endpoints) assert.ok(picked > 150, String(pickedOf(endpoints)));
    });

    it("never picks an unusable endpoint, and finds the last usable one", () => {
      for (const count of [2, 5, 300]) {
        const endpoints = fleet(count, (i) => ({ weight: 1 + (i % 3) }));
        const { layers } = setup(endpoints);
        const random = seeded(7);
        for (let i = 0; i < 200; i++) {
          for (const endpoint of endpoints) endpoint.open = random() < 0.3;
          const found = layers.pick(attemptAt(keyed(i), undefined), isOpen);
          assert.equal(found?.open ?? false, endpoints.some(isOpen));
        }
        for (const endpoint of endpoints) endpoint.open = false;
        for (const endpoint of endpoints) {
          endpoint.open = true;
          for (let i = 0; i < 5; i++)
            assert.equal(layers.pick(attemptAt(keyed(i), undefined), isOpen), endpoint);
          endpoint.open = false;
        }
      }
    });

    it("checks each endpoint at most a few times when none is usable", () => {
      const { layers } = setup(fleet(1000, (i) => ({ weight: 1 + (i % 2) })));
      let asked = 0;
      const never = (): boolean => {
        asked++;
        return false;
      };
      assert.equal(layers.pick(attemptAt(keyed(1), undefined), never), undefined);
      assert.ok(asked <= 1100, `asked ${asked} times`);
    });

    it("counts an address listed twice as two", () => {
      const endpoints = [new FakeEndpoint("a"), new FakeEndpoint("b"), new FakeEndpoint("b")];
      const { layers, clock } = setup(endpoints);
      callsOneByOne(layers, clock, 3000);
      for (const { picked } of endpoints) assert.ok(picked > 500, String(pickedOf(endpoints)));
    });

    it("works while endpoints come and go during calls, which end wherever they run", () => {
      const all = fleet(40, (i) => ({ weight: 1 + (i % 4), priority: i % 7 === 0 ? 1 : 0 }));
      const { layers, clock } = setup(all.slice(0, 20));
      const random = seeded(3);
      let current = new Set(all.slice(0, 20));
      let running: Running[] = [];
      for (let round = 0; round < 300; round++) {
        if (round % 3 === 0) {
          current = new Set(all.filter(() => random() < 0.5));
          layers.update([...current]);
        }
        for (let i = 0; i < 10; i++) {
          const call = start(layers, clock, keyed(i));
          if (current.size > 0) assert.ok(call !== undefined && current.has(call.endpoint));
          if (call !== undefined) running.push(call);
        }
        clock.advance(100);
        const staying: Running[] = [];
        for (const call of running)
          if (random() < 0.4) call.end(50, random() < 0.2 ? { code: 14, headersMs: undefined } : {});
          else staying.push(call);
        running = staying;
      }
      for (const call of running) call.end(50);
      for (const { calls } of all) assert.equal(calls, 0);
      layers.close();
      assert.equal(clock.pending, 0);
    });

    it("starves no working endpoint, however slow one is", () => {
      const endpoints = fleet(4);
      const { layers, clock } = setup(endpoints);
      // A minute of 100 calls per second, each of which ends by itself.
      for (let i = 0; i < 6_000; i++) {
        const call = start(layers, clock, keyed(i));
        assert.ok(call);
        const ms = call.endpoint === endpoints[1] ? 100 : 10;
        clock.setTimeout(() => call.end(ms), ms);
        clock.advance(10);
      }
      for (const { picked } of endpoints) assert.ok(picked > 0, String(pickedOf(endpoints)));
    });

    it("handles ten thousand endpoints, and changes of them", () => {
      const endpoints = fleet(10_000);
      const { layers, clock } = setup(endpoints);
      for (let i = 0; i < 3; i++) {
        layers.update(endpoints.slice(i * 10));
        callsOneByOne(layers, clock, 2_000);
      }
      const used = endpoints.filter(({ picked }) => picked > 0).length;
      assert.ok(used > 1_500, `calls of 2,000 keys went to ${used} endpoints`);
      layers.close();
    });

    if (byHash)
      it("sends calls of one key to one endpoint, and those without a key to any", () => {
        const endpoints = fleet(20);
        const { layers, clock } = setup(endpoints);
        const first = layers.pick(attemptAt(keyed("a"), undefined), isOpen);
        callsOneByOne(layers, clock, 100);
        assert.equal(layers.pick(attemptAt(keyed("a"), undefined), isOpen), first);
        // Sources tell endpoints in any order.
        layers.update(endpoints.toReversed());
        assert.equal(layers.pick(attemptAt(keyed("a"), undefined), isOpen), first);
      });
  });
}
