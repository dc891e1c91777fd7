// What each balancer does beside what all of them do.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { Headers } from "#src/kit/headers.js";
import type { BalancerFactory, BalancerOptions } from "#src/upstream/balancers/balancer.js";
import { BALANCERS } from "#src/upstream/balancers/balancers.js";
import { Layers } from "#src/upstream/balancers/layers.js";
import { LOAD_REPORT, readLoadReport, weightOf } from "#src/upstream/balancers/parts/load-report.js";
import { hashOf, murmur3 } from "#src/upstream/balancers/parts/murmur3.js";
import { FakeClock } from "../../support/fake-clock.js";
import { callOf } from "../../support/sinks.js";
import {
  attemptAt,
  callsOneByOne,
  contextOf,
  FakeEndpoint,
  fleet,
  isOpen,
  keyed,
  pickedOf,
  start,
} from "../support/fleet.js";

function setup(factory: BalancerFactory, endpoints: readonly FakeEndpoint[], options: BalancerOptions = {}) {
  const clock = new FakeClock(1000);
  const bad: string[] = [];
  const layers = new Layers<FakeEndpoint>(
    factory,
    contextOf(clock, {
      options: { by: { kind: "header", name: "x-user" }, ...options },
      onBadReport: (address, reason) => bad.push(`${address}: ${reason}`),
    }),
  );
  layers.update(endpoints);
  return { clock, layers, bad };
}

/** Calls at a steady rate, each of which ends by itself; how many each endpoint got. */
function openLoop(
  { clock, layers }: ReturnType<typeof setup>,
  endpoints: readonly FakeEndpoint[],
  seconds: number,
  ms: (endpoint: FakeEndpoint) => number | undefined,
): number[] {
  for (const endpoint of endpoints) endpoint.picked = 0;
  for (let i = 0; i < seconds * 100; i++) {
    const call = start(layers, clock, keyed(i));
    assert.ok(call);
    const took = ms(call.endpoint);
    if (took !== undefined) clock.setTimeout(() => call.end(took), took);
    clock.advance(10);
  }
  return pickedOf(endpoints);
}

describe("peak_ewma", () => {
  it("gives a slowed endpoint few calls, and its share back when it is fast again", () => {
    const endpoints = fleet(4);
    const made = setup(BALANCERS.peak_ewma, endpoints);
    openLoop(made, endpoints, 60, () => 10);
    const slow = openLoop(made, endpoints, 60, (one) => (one === endpoints[0] ? 200 : 10));
    assert.ok((slow[0] ?? 0) < 200, `the slow one got ${slow}`);
    openLoop(made, endpoints, 60, () => 10);
    const again = openLoop(made, endpoints, 60, () => 10);
    assert.ok((again[0] ?? 0) > 1000, `the one that is fast again got ${again}`);
  });

  it("gives an endpoint that stops responding few calls, although it yields no latencies", () => {
    const endpoints = fleet(4);
    const made = setup(BALANCERS.peak_ewma, endpoints);
    openLoop(made, endpoints, 30, () => 10);
    const frozen = openLoop(made, endpoints, 60, (one) => (one === endpoints[0] ? undefined : 10));
    assert.ok((frozen[0] ?? 0) < 60, `the frozen one got ${frozen}`);
  });

  it("does not mistake an endpoint that fails at once for a fast one", () => {
    const endpoints = fleet(4);
    const { clock, layers } = setup(BALANCERS.peak_ewma, endpoints);
    for (let i = 0; i < 6000; i++) {
      const call = start(layers, clock);
      assert.ok(call);
      const fails = call.endpoint === endpoints[0];
      const ms = fails ? 0.1 : 10;
      clock.setTimeout(() => call.end(ms, fails ? { code: 14 } : {}), ms);
      clock.advance(10);
    }
    const [failing = 0] = pickedOf(endpoints);
    assert.ok(failing < 1600, `it got ${failing} of 6000`);
  });

  it("samples methods of unknown kind whose responses end as they begin, as unary ones do", () => {
    const endpoints = fleet(2);
    const { clock, layers } = setup(BALANCERS.peak_ewma, endpoints);
    const calls = (durationOf: (ms: number) => number): number[] => {
      for (const endpoint of endpoints) endpoint.picked = 0;
      for (let i = 0; i < 2000; i++) {
        const call = start(layers, clock, callOf({ kind: "unknown" }));
        assert.ok(call);
        const ms = call.endpoint === endpoints[0] ? 100 : 10;
        clock.advance(ms);
        call.end(ms, { durationMs: durationOf(ms) });
      }
      return pickedOf(endpoints);
    };
    const [streaming = 0] = calls((ms) => ms * 2);
    assert.ok(streaming > 900, `${streaming} of 2000`);
    const [slow = 0] = calls((ms) => ms + 1);
    assert.ok(slow < 100, `the slow one got ${slow} of 2000`);
  });

  it("works like least_request for streams, whose latencies say nothing", () => {
    const endpoints = fleet(2);
    const { clock, layers } = setup(BALANCERS.peak_ewma, endpoints);
    const stream = () => start(layers, clock, callOf({ kind: "bidi_streaming" }));
    for (let i = 0; i < 100; i++) {
      const call = stream();
      assert.ok(call);
      clock.advance(100);
      if (i % 10 === 0) call.end(60_000);
    }
    const [one = 0, two = 0] = endpoints.map(({ calls }) => calls);
    assert.ok(Math.abs(one - two) < 10, `${one} and ${two} streams`);
  });
});

describe("least_request", () => {
  it("picks the one of two with fewer calls relative to its weight", () => {
    const [busy, idle] = fleet(2, (i) => ({ weight: i + 1 }));
    assert.ok(busy && idle);
    const { layers } = setup(BALANCERS.least_request, [busy, idle]);
    busy.calls = 3;
    idle.calls = 5; // of twice the weight
    const picks = new Set(
      Array.from({ length: 50 }, () => layers.pick(attemptAt(keyed(1), undefined), isOpen)),
    );
    assert.ok(picks.has(idle));
    idle.calls = 100;
    const many = Array.from({ length: 300 }, () => layers.pick(attemptAt(keyed(1), undefined), isOpen));
    assert.ok(many.filter((one) => one === busy).length > 120);
  });

  it("compares as many endpoints as configured", () => {
    const endpoints = fleet(10);
    for (const [i, endpoint] of endpoints.entries()) endpoint.calls = i;
    const { layers } = setup(BALANCERS.least_request, endpoints, { choices: 100 });
    for (let i = 0; i < 50; i++)
      assert.equal(layers.pick(attemptAt(keyed(1), undefined), isOpen), endpoints[0]);
  });
});

describe("round_robin", () => {
  it("picks in turn, and smoothly by weight", () => {
    const endpoints = fleet(3);
    const { layers } = setup(BALANCERS.round_robin, endpoints);
    const next = () => layers.pick(attemptAt(keyed(1), undefined), isOpen)?.address;
    const turns = Array.from({ length: 6 }, next);
    assert.deepEqual(
      turns,
      [...endpoints, ...endpoints].map(({ address }) => address),
    );
    const [heavy, light] = fleet(2, (i) => ({ weight: i === 0 ? 5 : 1 }));
    assert.ok(heavy && light);
    layers.update([heavy, light]);
    const twelve = Array.from({ length: 12 }, next).map((address) => (address === heavy.address ? "a" : "b"));
    assert.match(twelve.join(""), /^a{0,5}ba{5}ba{0,5}$/);
  });
});

/** A report, of (field, value) pairs: doubles, or a varint for field 3. */
function report(fields: Readonly<Record<number, number>>): string {
  const writer = new BinaryWriter();
  for (const [field, value] of Object.entries(fields)) {
    if (field === "3") writer.tag(3, WireType.Varint).uint64(value);
    else writer.tag(Number(field), WireType.Bit64).double(value);
  }
  // named_metrics of some name: skipped.
  writer.tag(8, WireType.LengthDelimited).bytes(Buffer.from("0a0161110000000000000840", "hex"));
  return Buffer.from(writer.finish()).toString("base64").replace(/=+$/, "");
}
const trailersOf = (value: string): Headers => Headers.of(["grpc-status", "0"], [LOAD_REPORT, value]);

describe("weighted_round_robin", () => {
  it("reads reports, and computes weights from them", () => {
    for (const [fields, weight] of [
      [{ 1: 0.5, 6: 100 }, 200],
      [{ 1: 0.5, 9: 0.8, 6: 100 }, 125],
      [{ 1: 0.5, 3: 100 }, 200],
      [{ 1: 0.5, 6: 100, 7: 50 }, 100],
      [{ 1: 2, 6: 100 }, 50],
      [{ 6: 100 }, 0],
      [{ 1: 0.5 }, 0],
      [{}, 0],
    ] as const) {
      const read = readLoadReport(report(fields));
      assert.ok(typeof read !== "string", String(read));
      assert.equal(weightOf(read, 1), weight, JSON.stringify(fields));
    }
  });

  it("says what is wrong with false reports, and never throws", () => {
    for (const [fields, reason] of [
      [{ 1: -0.5, 6: 100 }, "cpu_utilization is -0.5: it must be from 0 to 1000"],
      [{ 1: Number.NaN, 6: 100 }, "cpu_utilization is NaN: it must be from 0 to 1000"],
      [{ 1: 1e300, 6: 100 }, "cpu_utilization is 1e+300: it must be from 0 to 1000"],
      [
        { 1: 0.5, 6: Number.POSITIVE_INFINITY },
        "rps_fractional is Infinity: it must be from 0 to 1000000000",
      ],
      [{ 1: 0.5, 6: 100, 7: -1 }, "eps is -1: it must be from 0 to 1000000000"],
      [{ 9: -1 }, "application_utilization is -1: it must be from 0 to 1000"],
    ] as const)
      assert.equal(readLoadReport(report(fields)), reason);
    assert.equal(readLoadReport(Buffer.from([9, 1, 2]).toString("base64")), "it is no OrcaLoadReport");
    assert.match(String(readLoadReport("A".repeat(70_000))), /more than 65536 characters/);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.string(), (bytes, text) => {
        for (const value of [Buffer.from(bytes).toString("base64"), text]) {
          const read = readLoadReport(value);
          if (typeof read === "string") continue;
          const weight = weightOf(read, 1);
          assert.ok(weight >= 0 && weight < Number.POSITIVE_INFINITY);
        }
      }),
    );
  });

  const reporting = (
    made: ReturnType<typeof setup>,
    seconds: number,
    value: (endpoint: FakeEndpoint) => string,
  ) => {
    for (let i = 0; i < seconds * 100; i++) {
      const call = start(made.layers, made.clock);
      assert.ok(call);
      call.end(1, { trailers: trailersOf(value(call.endpoint)) });
      made.clock.advance(10);
    }
  };
  const half = (endpoints: readonly FakeEndpoint[]) => (endpoint: FakeEndpoint) =>
    report({ 6: 100, 1: endpoint === endpoints[0] ? 0.2 : 0.8 });

  it("uses reports once they have arrived for 10 s; configured weights before, and 3 min after the last", () => {
    const endpoints = fleet(3, (i) => ({ weight: i === 1 ? 2 : 1 }));
    const made = setup(BALANCERS.weighted_round_robin, endpoints);
    reporting(made, 9, half(endpoints));
    const [a = 0, b = 0] = pickedOf(endpoints);
    assert.ok(b > a * 1.8, `in the blackout: ${pickedOf(endpoints)}`);
    reporting(made, 3, half(endpoints));
    for (const endpoint of endpoints) endpoint.picked = 0;
    reporting(made, 60, half(endpoints));
    const [most = 0, less = 0, third = 0] = pickedOf(endpoints);
    assert.ok(
      Math.abs(most / less - 4) < 0.2 && Math.abs(less - third) < 30,
      `by reports: ${pickedOf(endpoints)}`,
    );
    assert.deepEqual(made.layers.describe(endpoints[0] ?? new FakeEndpoint("none")), {
      weight: 1,
      reported: 500,
    });
    made.clock.advance(181_000);
    for (const endpoint of endpoints) endpoint.picked = 0;
    callsOneByOne(made.layers, made.clock, 400);
    assert.deepEqual(pickedOf(endpoints), [100, 200, 100]);
  });

  it("gives endpoints without reports the average, and those that claim too much ten times the share of others", () => {
    const endpoints = fleet(20);
    const made = setup(BALANCERS.weighted_round_robin, endpoints);
    const value = (endpoint: FakeEndpoint): string => {
      if (endpoint === endpoints[0]) return report({ 6: 1e9, 1: 1e-9 });
      return endpoint === endpoints[1] ? report({}) : report({ 6: 100, 1: 0.5 });
    };
    reporting(made, 12, value);
    for (const endpoint of endpoints) endpoint.picked = 0;
    reporting(made, 100, value);
    const share = (endpoints[0]?.picked ?? 0) / 10_000;
    assert.ok(share > 0.3 && share < 0.36, `it got ${share}, not 10 of 29.5`);
    for (const { picked } of endpoints) assert.ok(picked > 0, String(pickedOf(endpoints)));
  });

  it("ignores false reports, notifies of them, and forgets an instance's reports when it was away", () => {
    const endpoints = fleet(2);
    const made = setup(BALANCERS.weighted_round_robin, endpoints);
    const [first] = endpoints;
    assert.ok(first);
    reporting(made, 12, half(endpoints));
    assert.equal(first.load.reported, 500);
    reporting(made, 1, () => report({ 1: -1, 6: 5 }));
    assert.equal(first.load.reported, 500);
    assert.equal(made.bad.length, 100);
    assert.match(made.bad[0] ?? "", /cpu_utilization is -1/);
    first.healthy = false;
    made.layers.changed(first);
    first.healthy = true;
    made.layers.changed(first);
    assert.equal(first.load.reported, 0);
  });
});

describe("hashes", () => {
  it("are MurmurHash3, by its published vectors", () => {
    for (const [bytes, seed, hash] of [
      ["", 0, 0],
      ["", 1, 0x514e28b7],
      ["", 0xffffffff, 0x81f16f39],
      ["ffffffff", 0, 0x76293b50],
      ["21436587", 0, 0xf55b516b],
      ["21436587", 0x5082edee, 0x2362f9de],
      ["214365", 0, 0x7e4a8634],
      ["2143", 0, 0xa0f7b07a],
      ["21", 0, 0x72661cf4],
      ["00000000", 0, 0x2362f9de],
      ["000000", 0, 0x85f0b427],
      ["0000", 0, 0x30f4c306],
      ["00", 0, 0x514e28b7],
    ] as const) {
      const input = Buffer.from(bytes, "hex");
      assert.equal(murmur3(input, input.length, seed), hash, `${bytes} with seed ${seed}`);
    }
    assert.equal(hashOf("Hello, world!", 0x9747b28c), 0x24884cba);
    assert.equal(hashOf("The quick brown fox jumps over the lazy dog", 0x9747b28c), 0x2fa826cd);
    assert.equal(hashOf("ππππππππ", 0x9747b28c), 0xd58063c1);
    assert.equal(hashOf("a".repeat(256), 0x9747b28c), 0x37405bdc);
    // What is long goes another way, to the same hash.
    const long = "ü€𝄞".repeat(500);
    assert.equal(hashOf(long, 7), murmur3(Buffer.from(long), Buffer.byteLength(long), 7));
  });

  const KEYS = 4000;
  for (const [name, factory, most] of [
    ["ring_hash", BALANCERS.ring_hash, 1.5],
    ["maglev", BALANCERS.maglev, 2],
  ] as const) {
    const placesOf = (made: ReturnType<typeof setup>): (FakeEndpoint | undefined)[] =>
      Array.from({ length: KEYS }, (_, i) => made.layers.pick(attemptAt(keyed(i), undefined), isOpen));

    for (const count of [2, 4, 20])
      it(`${name}: few keys move when one of ${count} endpoints leaves, and they return with it`, () => {
        const endpoints = fleet(count);
        const made = setup(factory, endpoints);
        const before = placesOf(made);
        const [gone, ...others] = endpoints;
        made.layers.update(others);
        const without = placesOf(made);
        const moved = before.filter((endpoint, i) => endpoint !== gone && endpoint !== without[i]).length;
        // Of a ring none but those of the endpoint that has gone; of a table a few more (Maglev, §5.3).
        assert.ok(moved <= (name === "ring_hash" ? 0 : KEYS / 20), `${moved} keys of others moved`);
        assert.ok(before.filter((endpoint) => endpoint === gone).length < (KEYS / count) * most);
        made.layers.update(endpoints);
        assert.deepEqual(placesOf(made), before);
      });

    it(`${name}: an unusable endpoint loses only its own keys, each to one other`, () => {
      const endpoints = fleet(10);
      const made = setup(factory, endpoints);
      const before = placesOf(made);
      const [away] = endpoints;
      assert.ok(away);
      away.open = false;
      const without = placesOf(made);
      assert.deepEqual(placesOf(made), without);
      for (const [i, endpoint] of before.entries()) if (endpoint !== away) assert.equal(without[i], endpoint);
    });

    it(`${name}: hashes the caller if configured, and sends calls without a key anywhere`, () => {
      const endpoints = fleet(10);
      const made = setup(factory, endpoints, { by: { kind: "identity" } });
      const placeOf = (who?: string): FakeEndpoint | undefined => {
        const call = callOf();
        if (who !== undefined) call.identity = { name: who, kind: "jwt", roles: [] };
        const attempt = attemptAt(call, undefined);
        const place = made.layers.pick(attempt, isOpen);
        // A further attempt of the same call has the same hash.
        assert.equal(made.layers.pick(attempt, isOpen), place);
        return place;
      };
      for (let i = 0; i < 20; i++) assert.equal(placeOf(`user ${i}`), placeOf(`user ${i}`));
      assert.ok(new Set(Array.from({ length: 50 }, (_, i) => placeOf(`user ${i}`))).size > 7);
      assert.ok(new Set(Array.from({ length: 50 }, () => placeOf())).size > 7);
    });
  }

  it("of a header with several values cover all of them, in order", () => {
    const made = setup(BALANCERS.maglev, fleet(50));
    const placeOf = (...values: string[]) => {
      const headers = Headers.of(...values.map((value) => ["x-user", value] as const));
      return made.layers.pick(attemptAt(callOf({ headers }), undefined), isOpen);
    };
    assert.equal(placeOf("a", "b"), placeOf("a,b"));
    assert.notEqual(placeOf("a", "b"), placeOf("a", "c"));
  });

  it("maglev: the shares of its table are exact", () => {
    const endpoints = fleet(7);
    const made = setup(BALANCERS.maglev, endpoints, { size: 5003 });
    callsOneByOne(made.layers, made.clock, 20_000);
    for (const { picked } of endpoints)
      assert.ok(Math.abs(picked / 20_000 - 1 / 7) < 0.01, String(pickedOf(endpoints)));
  });
});
