// Endpoints by DNS, against a server that the test has in its hand, with time on a fake clock.
import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { formatAddress } from "#src/config/address.js";
import { UserError } from "#src/kit/text/user-error.js";
import type { EndpointInfo, EndpointWatcher, Watch } from "#src/upstream/discovery/endpoint-source.js";
import { watchListed } from "#src/upstream/discovery/listed-names.js";
import { NoAnswer } from "#src/upstream/discovery/polling.js";
import { openSource } from "#src/upstream/discovery/sources.js";
import { listedEndpoints } from "#src/upstream/discovery/static-endpoints.js";
import { type DnsAnswer, DnsServer } from "../support/dns-server.js";
import { FakeClock } from "../support/fake-clock.js";
import { turns, until } from "../support/until.js";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

/** What a source said. */
class Heard implements EndpointWatcher {
  lists: (readonly EndpointInfo[])[] = [];
  problems: (string | undefined)[] = [];

  endpoints(all: readonly EndpointInfo[], problem?: string): void {
    this.lists.push(all);
    this.problems.push(problem);
  }

  problem(text: string): void {
    this.problems.push(text);
  }

  get words(): number {
    return this.problems.length;
  }

  get last(): string {
    return (this.lists.at(-1) ?? []).map(formatAddress).join(" ");
  }
}

interface Rig {
  readonly server: DnsServer;
  readonly clock: FakeClock;
  readonly heard: Heard;
  readonly watch: Watch;
  /** Moves time on, and waits for one more word of the source. */
  next(ms: number): Promise<void>;
}

async function rig(rest: string, zone: Readonly<Record<string, DnsAnswer>>): Promise<Rig> {
  const server = await new DnsServer().start();
  cleanups.push(() => server.stop());
  for (const [key, answer] of Object.entries(zone)) server.zone.set(key, answer);
  const clock = new FakeClock();
  const heard = new Heard();
  const scheme = rest.startsWith("_") ? "dns+srv" : "dns";
  const source = openSource(`${scheme}://${server.address}/${rest}`, { clock, random: () => 0.5 });
  const watch = source.watch(heard);
  cleanups.push(() => watch.close());
  await until(() => heard.words > 0, "the first word");
  const next = async (ms: number): Promise<void> => {
    const before = heard.words;
    // Nothing is set while it is asked.
    await until(() => clock.pending > 0, "the next question");
    clock.advance(ms);
    await until(() => heard.words > before, "one more word");
  };
  return { server, clock, heard, watch, next };
}

const A = "library.test A";
const AAAA = "library.test AAAA";
const SRV = "_grpc._tcp.library.test SRV";
const records = (ttl: number, ...data: string[]): DnsAnswer => ({ ttl, data });

describe("a name", () => {
  it("stands for all its addresses, of both families, and certificates are verified for the name", async () => {
    const { heard } = await rig("library.test:50051", {
      [A]: records(60, "10.0.0.2", "10.0.0.1"),
      [AAAA]: records(60, "fd00::2"),
    });
    assert.equal(heard.last, "10.0.0.1:50051 10.0.0.2:50051 [fd00::2]:50051");
    assert.deepEqual(heard.lists[0]?.[0], { host: "10.0.0.1", port: 50051, name: "library.test" });
  });

  for (const [ttl, seconds] of [
    [7, 7],
    [0, 1],
    [86_400, 300],
  ] as const)
    it(`with a TTL of ${ttl} s is resolved again after ${seconds} s`, async () => {
      const { server, clock, heard } = await rig("library.test:1", { [A]: records(ttl, "10.0.0.1") });
      server.zone.set(A, records(ttl, "10.0.0.9"));
      await until(() => clock.pending === 1, "the timer");
      assert.equal(clock.nextAt, seconds * 1000);
      clock.advance(seconds * 1000);
      await until(() => heard.words === 2, "the second list");
      assert.equal(heard.last, "10.0.0.9:1");
    });

  for (const [what, answer, said] of [
    ["NXDOMAIN", 3, /^library\.test: there is no such name/],
    ["SERVFAIL", 2, /^library\.test: the DNS server cannot say it now/],
    ["REFUSED", 5, /^library\.test: the DNS server refuses/],
    ["no records", records(5), /^library\.test: the name has no such record/],
  ] as const)
    it(`keeps its addresses while the server responds with ${what}, and is resolved again with backoff`, async () => {
      const { server, clock, heard, next } = await rig("library.test:1", { [A]: records(1, "10.0.0.1") });
      server.zone.set(A, answer);
      server.zone.set(AAAA, answer);
      await next(1_000);
      assert.match(heard.problems.at(-1) ?? "", said);
      for (const ms of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
        await until(() => clock.pending > 0, "the next question");
        assert.equal((clock.nextAt ?? 0) - clock.now(), ms);
        await next(ms);
      }
      assert.deepEqual([heard.lists.length, heard.last], [1, "10.0.0.1:1"]);
      server.zone.set(A, records(60, "10.0.0.2"));
      server.zone.delete(AAAA);
      await next(30_000);
      assert.deepEqual([heard.last, heard.problems.at(-1)], ["10.0.0.2:1", undefined]);
    });

  it("keeps the addresses of a family whose lookup fails", async () => {
    const { server, heard, next } = await rig("library.test:1", {
      [A]: records(1, "10.0.0.1"),
      [AAAA]: records(1, "fd00::1"),
    });
    server.zone.set(A, records(1, "10.0.0.2"));
    server.zone.set(AAAA, 2);
    await next(1_000);
    assert.equal(heard.last, "10.0.0.2:1 [fd00::1]:1");
    assert.match(heard.problems.at(-1) ?? "", /^library\.test: .*SERVFAIL.*, asked for AAAA$/);
    server.zone.delete(AAAA);
    await next(1_000);
    assert.deepEqual([heard.last, heard.problems.at(-1)], ["10.0.0.2:1", undefined]);
  });

  it("keeps its addresses while the server is silent, or its responses are not DNS", async () => {
    const { server, heard, next } = await rig("library.test:1", { [A]: records(1, "10.0.0.1") });
    for (const answer of ["silence", "garbage"] as const) {
      server.zone.set(A, answer);
      server.zone.set(AAAA, answer);
      await next(2_000);
      assert.match(heard.problems.at(-1) ?? "", /^library\.test: /);
    }
    assert.equal(heard.last, "10.0.0.1:1");
  });

  it("is resolved again at once when an endpoint is unreachable, at most every 5 s", async () => {
    const { server, clock, heard, watch } = await rig("library.test:1", { [A]: records(60, "10.0.0.1") });
    await until(() => clock.pending === 1, "the timer");
    server.zone.set(A, records(60, "10.0.0.2"));
    clock.advance(3_000);
    for (let i = 0; i < 100; i++) watch.refresh?.();
    clock.advance(1_999);
    await turns();
    assert.equal(heard.words, 1);
    clock.advance(1);
    await until(() => heard.words === 2, "the second list");
    assert.equal(heard.last, "10.0.0.2:1");
    await until(() => clock.pending === 1, "the timer");
    clock.advance(6_000);
    watch.refresh?.();
    await until(() => heard.words === 3, "the third word");
    assert.equal(server.asked.length, 6);
  });

  it("reports nothing once the watch is closed", async () => {
    const { clock, heard, watch, server } = await rig("library.test:1", { [A]: records(1, "10.0.0.1") });
    await until(() => clock.pending === 1, "the timer");
    server.zone.set(A, "silence");
    clock.advance(1_000);
    await until(() => server.asked.length >= 4, "the question");
    watch.close();
    watch.refresh?.();
    await turns();
    assert.deepEqual([heard.words, clock.pending], [1, 0]);
  });
});

describe("SRV records", () => {
  it("give ports, priorities and weights, which the addresses of a host share", async () => {
    const { heard } = await rig("_grpc._tcp.library.test", {
      [SRV]: records(60, "0 30 50051 a.test", "0 0 50052 b.test", "5 10 50053 a.test"),
      "a.test A": records(60, "10.0.0.1", "10.0.0.2"),
      "b.test AAAA": records(60, "fd00::1"),
    });
    assert.deepEqual(heard.lists[0], [
      { host: "10.0.0.1", port: 50051, name: "a.test", priority: 0, weight: 15 },
      { host: "10.0.0.2", port: 50051, name: "a.test", priority: 0, weight: 15 },
      { host: "fd00::1", port: 50052, name: "b.test", priority: 0, weight: 1 },
      { host: "10.0.0.1", port: 50053, name: "a.test", priority: 5, weight: 5 },
      { host: "10.0.0.2", port: 50053, name: "a.test", priority: 5, weight: 5 },
    ]);
  });

  it("are resolved again after the lowest TTL of their hosts, and keep a host that cannot be resolved", async () => {
    const { server, clock, heard, next } = await rig("_grpc._tcp.library.test", {
      [SRV]: records(60, "0 1 1 a.test", "0 1 2 b.test"),
      "a.test A": records(3, "10.0.0.1"),
      "b.test A": records(60, "10.0.0.2"),
    });
    await until(() => clock.pending === 1, "the timer");
    assert.equal(clock.nextAt, 3_000);
    server.zone.set("a.test A", 2);
    server.zone.set("a.test AAAA", 2);
    server.zone.set("b.test A", records(60, "10.0.0.3"));
    await next(3_000);
    assert.equal(heard.last, "10.0.0.1:1 10.0.0.3:2");
    assert.match(heard.problems.at(-1) ?? "", /^a\.test: /);
    // SRV records themselves say no TTL to Node.
    await until(() => clock.pending === 1, "the timer");
    assert.equal((clock.nextAt ?? 0) - clock.now(), 30_000);
    server.zone.set(SRV, records(60, "0 0 0 ."));
    await next(30_000);
    assert.equal(heard.last, "10.0.0.1:1 10.0.0.3:2");
    assert.match(heard.problems.at(-1) ?? "", /the service has no host/);
  });
});

describe("a target", () => {
  for (const [target, said] of [
    ["dns:///library", /^dns: must be HOST:PORT/],
    ["dns:library:50051/x", /^dns: must be as in dns:\/\/\/library:50051/],
    ["dns://library:50051", /^dns: must be as in dns:\/\/\/library:50051/],
    ["dns://ns.test/library:1", /^dns: must name its DNS server by an IP address/],
    ["dns://10.0.0.1:99999/library:1", /^dns: must name its DNS server by an IP address/],
    ["dns:///", /^dns: must be as in/],
    ["dns+srv:///library:1", /^dns\+srv: must name SRV records/],
    ["dns+srv:///10.0.0.1", /^dns\+srv: must name SRV records/],
  ] as const)
    it(`${target} is refused`, () =>
      assert.throws(
        () => openSource(target, { clock: new FakeClock(), random: () => 0 }),
        (error) => error instanceof UserError && said.test(error.message),
      ));

  it("may be an address, which needs no lookup", () => {
    const heard = new Heard();
    for (const target of ["dns:///10.0.0.1:1", "dns:10.0.0.1:1", "dns://10.0.0.53/10.0.0.1:1"])
      openSource(target, { clock: new FakeClock(), random: () => 0 }).watch(heard);
    assert.deepEqual(heard.lists.flat(), Array(3).fill({ host: "10.0.0.1", port: 1 }));
  });
});

describe("names in a list", () => {
  const list: readonly EndpointInfo[] = [
    { host: "10.0.0.1", port: 1 },
    { host: "many.test", port: 2, weight: 3 },
    { host: "dual.test", port: 3 },
    { path: "/s" },
  ];

  it("with several addresses stand for all of them; others stay as they are", async () => {
    const clock = new FakeClock();
    const names = new Map<string, readonly string[]>();
    const context = { clock, random: () => 0.5, names };
    const heard = new Heard();
    let many: readonly string[] | undefined = ["10.1.0.1", "10.1.0.2"];
    const lookup = async (name: string): Promise<readonly string[]> => {
      if (name === "dual.test") return ["10.2.0.1", "fd00::1"];
      if (many === undefined) throw new NoAnswer(`${name}: away`);
      return many;
    };
    const watch = watchListed(list, heard, context, lookup);
    await until(() => heard.words === 1, "the list");
    assert.equal(heard.last, "10.0.0.1:1 10.1.0.1:2 10.1.0.2:2 dual.test:3 unix:/s");
    assert.deepEqual(heard.lists[0]?.[1], { host: "10.1.0.1", port: 2, weight: 3, name: "many.test" });
    many = undefined;
    await until(() => clock.pending === 1, "the timer");
    clock.advance(30_000);
    await until(() => heard.words === 2, "the next list");
    assert.deepEqual(
      [heard.last, heard.problems.at(-1)],
      [heard.lists.at(0)?.map(formatAddress).join(" "), "many.test: away"],
    );
    watch.close();

    // What was known outlives a list that a reload replaces, as long as the name is in it.
    const next = watchListed(list.slice(1), heard, context, lookup);
    await until(() => heard.words === 3, "the list after a reload");
    assert.equal(heard.last, "10.1.0.1:2 10.1.0.2:2 dual.test:3 unix:/s");
    next.close();
    watchListed(list.slice(2), heard, context, lookup).close();
    assert.deepEqual([...names.keys()], ["dual.test"]);
    await turns();
    assert.equal(clock.pending, 0);
  });

  it("do not delay the others for long", async () => {
    const clock = new FakeClock();
    const heard = new Heard();
    const watch = watchListed(list, heard, { clock, random: () => 0.5 }, () => new Promise(() => {}));
    clock.advance(2_000);
    assert.equal(heard.last, list.map(formatAddress).join(" "));
    watch.close();
    assert.equal(clock.pending, 0);
  });

  it("are ignored if there are none, or only this machine's", () => {
    const clock = new FakeClock();
    const heard = new Heard();
    listedEndpoints(
      [
        { host: "localhost", port: 1 },
        { host: "::1", port: 2 },
      ],
      { clock, random: () => 0 },
    ).watch(heard);
    assert.deepEqual([heard.last, clock.pending], ["localhost:1 [::1]:2", 0]);
  });
});
