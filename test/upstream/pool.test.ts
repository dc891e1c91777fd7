// Connections to a service: as many as calls demand and the limits allow, and which of them a call gets.
import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { Code } from "#src/call/status/status.js";
import { retrySeconds } from "#src/call/status/status-details.js";
import { ErrorCode, FrameType, Setting } from "#src/http2/wire/protocol.js";
import { Cluster, type ClusterOptions } from "#src/upstream/cluster.js";
import { RESET_BUDGET } from "#src/upstream/pool/link.js";
import { FakeClock } from "../support/fake-clock.js";
import { data, goaway, rst, SETTINGS_ACK, settings } from "../support/frames.js";
import { callOf } from "../support/sinks.js";
import { turns, until } from "../support/until.js";
import { Exchange } from "./support/exchange.js";
import {
  answer,
  answerHead,
  framesOf,
  requestsOf,
  resetsOf,
  ScriptedService,
  trailers,
} from "./support/scripted.js";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0)) clean();
});

interface Setup {
  readonly service: ScriptedService;
  readonly cluster: Cluster;
  readonly clock: FakeClock;
  readonly counts: Map<string, number>;
}

const maxStreams = (count: number): Buffer => settings([Setting.MAX_CONCURRENT_STREAMS, count]);

function setup(hello: Buffer | undefined, limits: ClusterOptions["limits"] = {}): Setup {
  const service = new ScriptedService();
  service.hello = hello;
  const clock = new FakeClock(1000);
  const counts = new Map<string, number>();
  const meters: ClusterOptions["meters"] = {
    counter: (name) => ({
      add: (by = 1) => void counts.set(name, (counts.get(name) ?? 0) + by),
    }),
  };
  const { address, dial } = service;
  const endpoints = [{ address, dial }];
  const cluster = new Cluster({
    name: "s",
    endpoints,
    clock,
    random: () => 0.5,
    limits: { ...limits },
    meters,
  });
  cleanups.push(() => cluster.close());
  return { service, cluster, clock, counts };
}

async function ready({ cluster }: Setup): Promise<void> {
  cluster.connect();
  await until(() => cluster.endpoints.every((e) => e.state === "ready"), "ready");
}

/** Lets time pass in steps, and what is due in each happen. */
async function pass(clock: FakeClock, ms: number, stepMs = 5_000): Promise<void> {
  for (let left = ms; left > 0; left -= stepMs) {
    clock.advance(Math.min(left, stepMs));
    await turns(5);
  }
}

const open = (cluster: Cluster, count: number): Exchange[] =>
  Array.from({ length: count }, () => new Exchange(cluster).send("q", true));

describe("streams of a connection", () => {
  it("are not opened before the service's SETTINGS have come", async () => {
    const { service, cluster } = setup(undefined);
    const calls = open(cluster, 3);
    await turns();
    assert.deepEqual(requestsOf(service.peer(0)), []);
    service.peer(0).send(maxStreams(2));
    await until(() => requestsOf(service.peer(0)).length === 2, "the first two");
    await turns();
    assert.deepEqual(requestsOf(service.peer(0)), [1, 3], "the third waits for another connection");
    assert.equal(cluster.pending, 1);
    service.peer(0).send(answer(1), answer(3));
    await until(() => requestsOf(service.peer(0)).length === 3, "the third, as soon as there is room");
    service.peer(0).send(answer(5));
    for (const call of calls) assert.equal(await call.status(), "0");
  });

  it("are as many as the service allows, also when it later allows fewer, or none, or more", async () => {
    const { service, cluster } = setup(maxStreams(3), { maxPerEndpoint: 1 });
    const calls = open(cluster, 3);
    await until(() => requestsOf(service.peer(0)).length === 3, "three");
    const peer = service.peer(0);
    peer.send(maxStreams(1));
    await peer.roundTrip();
    calls.push(...open(cluster, 2));
    peer.send(answer(1), answer(3));
    await peer.roundTrip();
    assert.equal(requestsOf(peer).length, 3, "one is open still, and one is the limit");
    peer.send(maxStreams(0), answer(5));
    await peer.roundTrip();
    assert.equal(requestsOf(peer).length, 3);
    assert.equal(cluster.pending, 2);
    peer.send(maxStreams(10));
    await until(() => requestsOf(peer).length === 5, "those that waited");
    peer.send(answer(7), answer(9));
    for (const call of calls) assert.equal(await call.status(), "0");
    assert.equal(service.peers.length, 1);
  });

  it("that allows none does not get ever more connections", async () => {
    const { service, cluster } = setup(maxStreams(0));
    const calls = open(cluster, 50);
    await until(() => cluster.endpoints[0]?.state === "ready", "ready");
    await turns();
    assert.equal(service.peers.length, 1);
    for (const call of calls) call.cancel();
    assert.equal(cluster.pending, 0);
  });
});

describe("connections", () => {
  it("are opened at once for all waiting calls, up to the limit", async () => {
    const made = setup(maxStreams(10), { maxPerEndpoint: 4 });
    const { service, cluster } = made;
    await ready(made);
    service.hello = undefined;
    open(cluster, 35);
    await until(() => requestsOf(service.peer(0)).length === 10, "the first ten");
    assert.equal(service.peers.length, 4, "25 wait for 3 connections of 10");
    open(cluster, 100);
    await turns();
    assert.equal(service.peers.length, 4);
    assert.equal(cluster.pending, 125);
    for (const peer of service.peers.slice(1)) peer.send(maxStreams(10));
    await until(() => service.peers.every((peer) => requestsOf(peer).length === 10), "all are full");
    assert.equal(cluster.pending, 95);
    assert.deepEqual(cluster.endpoints[0]?.counts, { open: 4, connecting: 0, draining: 0, calls: 40 });
  });

  it("to all endpoints together are bounded, but each has its first", async () => {
    const services = [new ScriptedService(), new ScriptedService(), new ScriptedService()];
    for (const service of services) service.hello = maxStreams(1);
    const cluster = new Cluster({
      name: "s",
      endpoints: services.map(({ dial }, i) => ({ address: `s${i}`, dial })),
      clock: new FakeClock(),
      limits: { maxConnections: 2 },
    });
    cleanups.push(() => cluster.close());
    cluster.connect();
    await until(() => cluster.endpoints.every((e) => e.state === "ready"), "ready");
    open(cluster, 20);
    await turns();
    assert.deepEqual(
      services.map(({ peers }) => peers.length),
      [1, 1, 1],
    );
    assert.equal(cluster.pending, 17);
  });

  it("with the fewest calls take the next one", async () => {
    const made = setup(maxStreams(4));
    const { service, cluster } = made;
    await ready(made);
    open(cluster, 5);
    await until(() => service.peers.length === 2 && requestsOf(service.peer(1)).length === 1, "a second one");
    open(cluster, 2);
    await until(() => requestsOf(service.peer(1)).length === 3, "both on the second");
    service.peer(0).send(answer(1), answer(3), answer(5));
    await service.peer(0).roundTrip();
    open(cluster, 1);
    await until(() => requestsOf(service.peer(0)).length === 5, "the first has one, the second three");
  });

  it("beyond the first are closed when idle for a while, the first never", async () => {
    const made = setup(maxStreams(1), { idleMs: 60_000 });
    const { service, cluster, clock } = made;
    await ready(made);
    open(cluster, 3);
    await until(() => service.peers.length === 3 && requestsOf(service.peer(2)).length === 1, "three");
    await pass(clock, 60_000);
    service.peer(0).send(answer(1));
    service.peer(1).send(answer(1));
    await service.peer(1).roundTrip();
    await pass(clock, 60_000);
    assert.ok(
      service.peers.every((peer) => !peer.ended),
      "they had calls since the last look",
    );
    await pass(clock, 60_000);
    await service.peer(1).over();
    assert.equal(framesOf(service.peer(1), FrameType.GOAWAY).length, 1);
    assert.ok(!service.peer(0).ended, "the first stays");
    assert.ok(!service.peer(2).ended, "this one has a call");
    service.peer(2).send(answer(1));
    await service.peer(2).roundTrip();
    await pass(clock, 120_000);
    await service.peer(2).over();
    assert.ok(!service.peer(0).ended);
    assert.equal(cluster.endpoints[0]?.counts.open, 1);
    assert.equal(clock.pending, 1, "the watch of the first; nothing looks for idle ones any more");
  });
});

describe("waiting calls", () => {
  it("are served in order of arrival, whichever endpoint has room first", async () => {
    const services = [new ScriptedService(), new ScriptedService()];
    for (const service of services) service.hello = undefined;
    const cluster = new Cluster({
      name: "s",
      endpoints: services.map(({ dial }, i) => ({ address: `s${i}`, dial })),
      clock: new FakeClock(),
    });
    cleanups.push(() => cluster.close());
    cluster.connect();
    const calls = open(cluster, 4);
    services[1]?.peer(0).send(maxStreams(2));
    await until(() => cluster.pending === 2, "two are taken");
    assert.deepEqual(
      calls.map(({ call }) => call.attempt?.endpoint?.address),
      ["s1", "s1", undefined, undefined],
    );
    services[0]?.peer(0).send(maxStreams(1));
    await until(() => cluster.pending === 1, "the third is taken");
    assert.deepEqual(
      calls.map(({ call }) => call.attempt?.endpoint?.address),
      ["s1", "s1", "s0", undefined],
    );
  });

  it("are bounded, and one more is refused at once with the limit's name", async () => {
    const { cluster, counts } = setup(undefined, { maxPending: 5 });
    const calls = open(cluster, 6);
    const refused = calls[5]?.response.aborted;
    assert.equal(refused?.status.code, Code.UNAVAILABLE);
    assert.match(
      refused.status.withHint().message,
      /"s" has 5 calls waiting for a connection; upstreams\.s\.pending\.max is the limit/,
    );
    assert.equal(refused.sent, "never");
    assert.equal(counts.get("linchpin.upstream.pending.refusals"), 1);
    calls[0]?.cancel();
    assert.equal(cluster.pending, 4, "one that is cancelled leaves at once");
    open(cluster, 1);
    assert.equal(cluster.pending, 5);
  });
});

describe("the budget of resets", () => {
  /** A connection on which another client's call runs, beside `count` calls that will be cancelled. */
  async function crowded(count: number): Promise<Setup & { calm: Exchange; calls: Exchange[] }> {
    const made = setup(settings());
    await ready(made);
    const calm = new Exchange(made.cluster).send("q", true);
    const calls = open(made.cluster, count);
    await until(() => requestsOf(made.service.peer(0)).length === count + 1, "all calls");
    return { ...made, calm, calls };
  }

  it("once spent sends new calls elsewhere; the connection closes when its last call has ended", async () => {
    const { service, cluster, calm, calls, counts } = await crowded(RESET_BUDGET);
    for (const call of calls) call.cancel();
    await until(() => resetsOf(service.peer(0)).length === RESET_BUDGET, "the resets");
    const next = new Exchange(cluster).send("q", true);
    await until(
      () => service.peers.length === 2 && requestsOf(service.peer(1)).length === 1,
      "a call elsewhere",
    );
    assert.ok(!service.peer(0).ended);
    assert.deepEqual(cluster.endpoints[0]?.counts, { open: 1, connecting: 0, draining: 1, calls: 2 });
    service.peer(0).send(answer(1));
    assert.equal(await calm.status(), "0");
    await service.peer(0).over();
    service.peer(1).send(answer(1));
    assert.equal(await next.status(), "0");
    assert.equal(counts.get("linchpin.upstream.connections.retired"), 1);
    assert.equal(counts.get("linchpin.upstream.resets.sent"), RESET_BUDGET);
  });

  it("makes another connection ready before it is spent", async () => {
    const { service, calls } = await crowded(80);
    for (const call of calls) call.cancel();
    await until(() => service.peers.length === 2, "a spare one");
    assert.ok(!service.peer(0).ended);
  });

  it("is never exceeded: further cancelled calls end with the connection", async () => {
    const { service, calm, calls, counts } = await crowded(RESET_BUDGET * 3);
    for (const call of calls) call.cancel();
    await service.peer(0).roundTrip();
    assert.equal(resetsOf(service.peer(0)).length, RESET_BUDGET);
    assert.equal(counts.get("linchpin.upstream.resets.held"), RESET_BUDGET * 2);
    service.peer(0).send(answerHead(1), data(1, "\0\0\0\0\0"));
    await service.peer(0).roundTrip();
    assert.ok(!calm.response.ended);
    service.peer(0).send(trailers(1));
    assert.equal(await calm.status(), "0");
    await service.peer(0).over();
    assert.equal(resetsOf(service.peer(0)).length, RESET_BUDGET);
  });

  it("closes the connection at once if no other client uses it", async () => {
    const { service, calm, calls } = await crowded(RESET_BUDGET * 2);
    calm.cancel();
    for (const call of calls) call.cancel();
    await service.peer(0).over();
    assert.equal(resetsOf(service.peer(0)).length, RESET_BUDGET);
  });

  it("refills after 30 s, and the held-back resets are sent", async () => {
    const { service, clock, calls } = await crowded(RESET_BUDGET + 50);
    for (const call of calls) call.cancel();
    await service.peer(0).roundTrip();
    assert.equal(resetsOf(service.peer(0)).length, RESET_BUDGET);
    // One of them ends by itself meanwhile.
    service.peer(0).send(answer(1 + 2 * (RESET_BUDGET + 50)));
    await service.peer(0).roundTrip();
    await pass(clock, 30_000);
    await service.peer(0).roundTrip();
    assert.equal(resetsOf(service.peer(0)).length, RESET_BUDGET + 49);
    assert.ok(!service.peer(0).ended, "a call of somebody else is still on it");
  });

  it("counts half for a call whose response had begun", async () => {
    const { service, calls } = await crowded(RESET_BUDGET * 2 + 10);
    const peer = service.peer(0);
    peer.send(...calls.map((_, i) => answerHead(3 + 2 * i)));
    await until(() => calls.every(({ response }) => response.received !== undefined), "the heads");
    for (const call of calls) call.cancel();
    await peer.roundTrip();
    assert.equal(resetsOf(peer).length, RESET_BUDGET * 2);
  });

  it("is not used by calls that were never sent", async () => {
    const made = setup(maxStreams(1), { maxPerEndpoint: 1 });
    await ready(made);
    const { service, cluster, counts } = made;
    open(cluster, 1);
    for (const call of open(cluster, 500)) call.cancel();
    await service.peer(0).roundTrip();
    assert.deepEqual(requestsOf(service.peer(0)), [1]);
    assert.deepEqual(resetsOf(service.peer(0)), []);
    assert.equal(counts.get("linchpin.upstream.resets.sent"), undefined);
  });

  it("holds resets back if no other connection is allowed, and the connection stays in use", async () => {
    const { service, cluster, clock, calm, calls } = await crowded(RESET_BUDGET * 2);
    // As many are leaving already as may.
    cluster.limits = { ...cluster.limits, maxPerEndpoint: 0 };
    for (const call of calls) call.cancel();
    const next = new Exchange(cluster).send("q", true);
    const peer = service.peer(0);
    await peer.roundTrip();
    assert.equal(resetsOf(peer).length, RESET_BUDGET);
    assert.equal(service.peers.length, 1);
    peer.send(answer(1), answer(3 + RESET_BUDGET * 4));
    assert.equal(await calm.status(), "0");
    assert.equal(await next.status(), "0");
    await pass(clock, 30_000);
    await peer.roundTrip();
    assert.equal(resetsOf(peer).length, RESET_BUDGET * 2);
  });
});

describe("a service that is going away", () => {
  it("completes calls up to its last stream ID; those above are sent elsewhere, once", async () => {
    const made = setup(settings());
    const { service, cluster } = made;
    await ready(made);
    const calls = open(cluster, 4);
    await until(() => requestsOf(service.peer(0)).length === 4, "all calls");
    service.peer(0).send(goaway(3));
    await until(() => service.peers.length === 2 && requestsOf(service.peer(1)).length === 2, "two go on");
    assert.deepEqual(
      calls.map(({ call }) => call.attempts),
      [1, 1, 2, 2],
    );
    service.peer(0).send(answer(1, "5"), answer(3, "6"));
    service.peer(1).send(answer(1, "7"));
    // The second connection goes as well, and names no stream: that call has had its second chance.
    service.peer(1).send(goaway(0));
    assert.deepEqual(await Promise.all(calls.slice(0, 3).map((call) => call.status())), ["5", "6", "7"]);
    assert.match((await calls[3]?.status()) ?? "", /^14 .*going away/);
    await service.peer(0).over();
  });

  it("by GOAWAY(2^31-1) first accepts calls in flight, and no call fails", async () => {
    const made = setup(settings());
    const { service, cluster, clock } = made;
    await ready(made);
    clock.advance(1000);
    const early = new Exchange(cluster).send("q", true);
    service.peer(0).send(goaway(0x7fffffff));
    await until(() => service.peers.length === 2, "another connection");
    const late = new Exchange(cluster).send("q", true);
    await until(() => requestsOf(service.peer(1)).length === 1, "the next call");
    assert.deepEqual(requestsOf(service.peer(0)), [1]);
    service.peer(0).send(goaway(1), answer(1));
    service.peer(1).send(answer(1));
    assert.deepEqual([await early.status(), await late.status()], ["0", "0"]);
  });

  it("before a call was sent costs it nothing: it is retried without limit", async () => {
    const { service, cluster, clock } = setup(settings());
    const call = callOf();
    let attempts = 0;
    call.attemptObservers = [
      {
        begin: () => {
          // The connection is lost before what was written in this turn has left.
          if (++attempts > 20) return;
          clock.advance(1000);
          process.nextTick(() => near.at(-1)?.emit("close"));
        },
      },
    ];
    const near: NodeJS.EventEmitter[] = [];
    const { dial } = service;
    cluster.setEndpoints([
      {
        address: "again",
        dial: () => {
          const socket = dial();
          near.push(socket);
          return socket;
        },
      },
    ]);
    const exchange = new Exchange(cluster, call).send("q", true);
    await until(() => attempts === 21, "the last attempt");
    const last = service.peers.at(-1);
    await until(() => last !== undefined && requestsOf(last).length === 1, "the request");
    assert.ok(service.peers.slice(0, -1).every((peer) => requestsOf(peer).length === 0));
    last?.send(answer(1));
    assert.equal(await exchange.status(), "0");
  });

  it("and refuses by REFUSED_STREAM gets a call once more, and not a third time", async () => {
    const made = setup(settings());
    const { service, cluster } = made;
    await ready(made);
    const call = new Exchange(cluster).send("q", true);
    await until(() => requestsOf(service.peer(0)).length === 1, "the first");
    service.peer(0).send(SETTINGS_ACK, rst(1, ErrorCode.REFUSED_STREAM));
    await until(() => requestsOf(service.peer(0)).length === 2, "the second");
    service.peer(0).send(rst(3, ErrorCode.REFUSED_STREAM));
    assert.match(await call.status(), /^14 /);
    assert.equal(requestsOf(service.peer(0)).length, 2);
  });
});

describe("a service that is lost entirely", () => {
  /** Its only connection is lost, and no other can be made until `back`. */
  async function lost(limits: ClusterOptions["limits"] = {}): Promise<Setup & { back: () => void }> {
    const made = setup(settings(), limits);
    const { service, cluster, clock } = made;
    let down = false;
    const { dial } = service;
    cluster.setEndpoints([
      {
        address: "only",
        dial: () => {
          const socket = dial();
          if (down) process.nextTick(() => socket.destroy(new Error("connect ECONNREFUSED")));
          return socket;
        },
      },
    ]);
    await until(() => cluster.endpoints[0]?.state === "ready", "ready");
    clock.advance(5_000);
    down = true;
    service.hello = undefined;
    service.peers.at(-1)?.socket.destroy();
    await until(() => cluster.endpoints[0]?.state === "backoff", "the loss");
    return {
      ...made,
      back: () => {
        down = false;
        service.hello = settings();
      },
    };
  }

  it("is waited for: calls go to it once it is back, which is checked every 250 ms", async () => {
    const { service, cluster, clock, back } = await lost();
    const calls = open(cluster, 3);
    const tried: number[] = [];
    for (let ms = 0; ms < 3000; ms += 50) {
      const before = service.peers.length;
      clock.advance(50);
      await turns(5);
      if (service.peers.length > before) tried.push(ms + 50);
    }
    assert.ok(calls.every(({ response }) => !response.ended));
    assert.deepEqual(tried.slice(0, 5), [100, 300, 550, 800, 1050]);
    back();
    clock.advance(250);
    await until(() => cluster.pending === 0, "the calls are taken");
    const peer = service.peers.at(-1);
    peer?.send(answer(1), answer(3), answer(5));
    for (const call of calls) assert.equal(await call.status(), "0");
  });

  it("is tried every second for half a minute once no call waits, and then less often", async () => {
    const { service, clock } = await lost({ lostWaitMs: 0 });
    const tried: number[] = [];
    for (let ms = 100; ms <= 60_000; ms += 100) {
      const before = service.peers.length;
      clock.advance(100);
      await turns(5);
      if (service.peers.length > before) tried.push(ms / 1000);
    }
    assert.deepEqual(tried.slice(0, 6), [0.1, 0.3, 0.7, 1.5, 2.5, 3.5]);
    assert.equal(tried.filter((at) => at < 30).length, 32);
    assert.ok(tried.length < 40, String(tried));
  });

  it("fails calls 5 s after the loss, and later ones at once", async () => {
    const { cluster, clock } = await lost();
    const early = new Exchange(cluster).send("q", true);
    await pass(clock, 4_800, 100);
    assert.ok(!early.response.ended);
    const late = new Exchange(cluster).send("q", true);
    assert.ok(!late.response.ended);
    await pass(clock, 400, 100);
    for (const call of [early, late]) {
      assert.match(await call.status(), /^14 upstream "s" cannot be reached \(only: .*ECONNREFUSED/);
    }
    const after = new Exchange(cluster).send("q", true);
    assert.ok(after.response.ended, "nobody waits for what is down");
  });

  it("is not waited for where pending.wait is 0s", async () => {
    const { cluster } = await lost({ lostWaitMs: 0 });
    assert.ok(new Exchange(cluster).send("q", true).response.ended);
  });

  it("lets no more calls wait than allowed", async () => {
    const { cluster } = await lost({ maxPending: 2 });
    const calls = open(cluster, 3);
    assert.deepEqual(
      calls.map(({ response }) => response.ended),
      [false, false, true],
    );
    assert.match((await calls[2]?.status()) ?? "", /2 calls waiting/);
  });
});

describe("a stream that does not move", () => {
  it("because its response is not read does not block a hundred others on its connection", async () => {
    const made = setup(settings());
    const { service, cluster } = made;
    await ready(made);
    const slow = new Exchange(cluster).send("q", true);
    await until(() => requestsOf(service.peer(0)).length === 1, "its request");
    const peer = service.peer(0);
    // All that its window allows: nobody gives credit for it.
    peer.send(answerHead(1), ...Array.from({ length: 3 }, () => data(1, Buffer.alloc(16_384))));
    peer.send(data(1, Buffer.alloc(16_383)));
    await until(() => slow.response.body.length === 65_535, "a whole window");
    const others = open(cluster, 100);
    await until(() => requestsOf(peer).length === 101, "the others' requests");
    // 3 MB: far more than the connection's window, were it given back as streams are read.
    const chunk = Buffer.alloc(15_000);
    for (const id of requestsOf(peer).slice(1)) {
      peer.send(answerHead(id), data(id, chunk), data(id, chunk), trailers(id));
      await peer.roundTrip();
    }
    for (const other of others) {
      assert.equal(await other.status(), "0");
      assert.equal(other.response.body.length, 30_000);
    }
    assert.ok(!slow.response.ended);
    assert.equal(service.peers.length, 1);
  });
});

describe("a connection that does not move", () => {
  const probesOf = (service: ScriptedService): number =>
    framesOf(service.peer(0), FrameType.SETTINGS).filter(({ flags }) => flags === 0).length - 1;

  it("whose TCP is stalled gets no new calls after a while, and is closed; calls elsewhere continue", async () => {
    const made = setup(settings());
    const { service, cluster, clock } = made;
    await ready(made);
    const stalled = service.peer(0);
    stalled.socket.pause();
    const stuck = new Exchange(cluster).send(Buffer.alloc(60_000), true);
    await turns();
    clock.advance(10_000);
    await until(() => service.peers.length === 2, "another connection");
    const next = new Exchange(cluster).send("q", true);
    await until(() => requestsOf(service.peer(1)).length === 1, "the next call there");
    service.peer(1).send(answer(1));
    assert.equal(await next.status(), "0");
    assert.ok(!stuck.response.ended);
    clock.advance(15_000);
    assert.match(await stuck.status(), /^14 .*read nothing for 20000 ms/);
  });

  it("that moves again is used again", async () => {
    const made = setup(settings());
    const { service, cluster, clock } = made;
    await ready(made);
    service.hello = undefined; // no other comes about
    service.peer(0).socket.pause();
    open(cluster, 1)[0]?.send(Buffer.alloc(60_000));
    const stuck = new Exchange(cluster).send(Buffer.alloc(60_000), true);
    await turns();
    clock.advance(10_000);
    const waits = new Exchange(cluster).send("q", true);
    assert.equal(cluster.pending, 1);
    service.peer(0).socket.resume();
    await turns();
    clock.advance(5_000);
    await until(() => requestsOf(service.peer(0)).length === 3, "the call that waited");
    service.peer(0).send(answer(3), answer(5));
    assert.deepEqual([await stuck.status(), await waits.status()], ["0", "0"]);
  });

  it("is used nevertheless if no other is allowed", async () => {
    const made = setup(settings(), { maxPerEndpoint: 1 });
    const { service, cluster, clock } = made;
    await ready(made);
    service.peer(0).socket.pause();
    const stuck = new Exchange(cluster).send(Buffer.alloc(60_000), true);
    await turns();
    clock.advance(10_000);
    const next = new Exchange(cluster).send("q", true);
    assert.equal(cluster.pending, 0);
    service.peer(0).socket.resume();
    await until(() => requestsOf(service.peer(0)).length === 2, "both");
    service.peer(0).send(answer(1), answer(3));
    assert.deepEqual([await stuck.status(), await next.status()], ["0", "0"]);
    assert.equal(service.peers.length, 1);
  });

  it("that is silent gets a PING after 20 s, and its calls fail 20 s later", async () => {
    const made = setup(settings());
    const { service, cluster, clock } = made;
    service.answersPings = false;
    await ready(made);
    clock.advance(5_000);
    const call = new Exchange(cluster).send("q", true);
    await turns();
    clock.advance(20_000);
    await until(() => framesOf(service.peer(0), FrameType.PING).length === 1, "the PING");
    clock.advance(25_000);
    assert.match(await call.status(), /^14 .*did not answer a PING/);
  });

  /** A call whose deadline passes, here or at its client. */
  async function timesOut(made: Setup): Promise<void> {
    const call = callOf({ startedAt: made.clock.now() });
    call.deadline = made.clock.now() + 200;
    const exchange = new Exchange(made.cluster, call).send("q", true);
    await turns();
    made.clock.advance(200);
    exchange.cancel();
    await turns();
  }

  it("on which two calls have timed out in silence gets no more of them; another is made", async () => {
    const made = setup(settings());
    const { service, cluster, clock } = made;
    await ready(made);
    await timesOut(made);
    assert.equal(probesOf(service), 1, "it is asked whether it is there");
    assert.equal(cluster.endpoints[0]?.state, "ready", "one may be bad luck");
    service.hello = undefined;
    await timesOut(made);
    const next = new Exchange(cluster).send("q", true);
    await turns();
    assert.equal(requestsOf(service.peer(0)).length, 2);
    assert.equal(cluster.pending, 1);
    assert.equal(cluster.endpoints[0]?.state, "connecting");
    clock.advance(1000);
    service.peer(1).send(settings());
    await until(() => requestsOf(service.peer(1)).length === 1, "the next call on another connection");
    service.peer(1).send(answer(1));
    assert.equal(await next.status(), "0");
    clock.advance(20_000);
    await service.peer(0).over();
  });

  it("is used again once it sends anything, and is not closed", async () => {
    const made = setup(settings(), { maxPerEndpoint: 1 });
    const { service, cluster, clock } = made;
    await ready(made);
    await timesOut(made);
    await timesOut(made);
    const next = new Exchange(cluster).send("q", true);
    await turns();
    assert.equal(cluster.pending, 1, "it waits for the word");
    clock.advance(500);
    service.peer(0).send(SETTINGS_ACK);
    await until(() => requestsOf(service.peer(0)).length === 3, "the call that waited");
    service.peer(0).send(answer(5));
    assert.equal(await next.status(), "0");
    await pass(clock, 60_000);
    assert.ok(!service.peer(0).ended);
    assert.equal(service.peers.length, 1);
  });

  it("whose service is slow, but alive, is kept however many calls time out on it", async () => {
    const made = setup(settings());
    const { service } = made;
    service.answersSettings = true;
    await ready(made);
    for (let i = 0; i < 50; i++) await timesOut(made);
    assert.equal(requestsOf(service.peer(0)).length, 50);
    assert.equal(service.peers.length, 1);
    const asked = probesOf(service);
    assert.ok(asked > 0 && asked <= 10, `50 calls in 10 s; asked ${asked} times, at most once a second`);
    assert.deepEqual(framesOf(service.peer(0), FrameType.PING), [], "servers strike clients for those");
  });

  it("of one of two instances costs two calls, and the other gets the rest", async () => {
    const [frozen, sound] = [new ScriptedService(), new ScriptedService()];
    const clock = new FakeClock();
    const cluster = new Cluster({
      name: "s",
      endpoints: [frozen, sound].map(({ dial }, i) => ({ address: `s${i}`, dial })),
      clock,
      limits: { maxPerEndpoint: 1 },
    });
    cleanups.push(() => cluster.close());
    cluster.connect();
    await until(() => cluster.endpoints.every((e) => e.state === "ready"), "ready");
    frozen.hello = undefined;
    let answered = 0;
    for (let i = 0; i < 100; i++) {
      const call = callOf({ startedAt: clock.now() });
      call.deadline = clock.now() + 250;
      const exchange = new Exchange(cluster, call).send("q", true);
      const before = requestsOf(sound.peer(0)).length;
      await turns(3);
      const [id] = requestsOf(sound.peer(0)).slice(before);
      if (id !== undefined) {
        sound.peer(0).send(answer(id));
        assert.equal(await exchange.status(), "0");
        answered++;
      }
      clock.advance(250);
      exchange.cancel();
    }
    assert.equal(requestsOf(frozen.peer(0)).length, 2);
    assert.equal(answered, 98);
    assert.ok(frozen.peers.length > 1, "it is tried again");
  });

  it("without calls is not probed at all", async () => {
    const made = setup(settings());
    await ready(made);
    made.clock.advance(3_600_000);
    await turns();
    assert.deepEqual(framesOf(made.service.peer(0), FrameType.PING), []);
    assert.ok(!made.service.peer(0).ended);
  });
});

describe("another list of endpoints", () => {
  it("keeps connections of endpoints that stay, connects to new ones, and lets calls on others end", async () => {
    const [a, b, c] = [new ScriptedService(), new ScriptedService(), new ScriptedService()];
    const clock = new FakeClock();
    const target = (address: string, { dial }: ScriptedService) => ({ address, dial });
    const cluster = new Cluster({ name: "s", endpoints: [target("a", a), target("b", b)], clock });
    cleanups.push(() => cluster.close());
    cluster.connect();
    await until(() => cluster.endpoints.every((e) => e.state === "ready"), "ready");
    const calls = open(cluster, 2);
    await until(() => requestsOf(a.peer(0)).length + requestsOf(b.peer(0)).length === 2, "one call each");
    cluster.setEndpoints([target("b", b), target("c", c)]);
    await until(() => cluster.endpoints.every((e) => e.state === "ready"), "the new one is ready");
    calls.push(...open(cluster, 2));
    await until(() => requestsOf(b.peer(0)).length === 2 && requestsOf(c.peer(0)).length === 1, "b and c");
    a.peer(0).send(answer(1));
    b.peer(0).send(answer(1), answer(3));
    c.peer(0).send(answer(1));
    for (const call of calls) assert.equal(await call.status(), "0");
    await a.peer(0).over();
    assert.deepEqual(
      [a, b, c].map(({ peers }) => peers.length),
      [1, 1, 1],
    );
    assert.equal(clock.pending, 2, "the watches of b and c");
  });
});

describe("a service that reads no data", () => {
  const SHUT = settings([Setting.INITIAL_WINDOW_SIZE, 0]);

  it("is not waited for indefinitely: 503, with a retry delay", async () => {
    const made = setup(SHUT);
    await ready(made);
    const exchange = new Exchange(made.cluster).send("question", true);
    await until(() => requestsOf(made.service.peer(0)).length === 1, "the request");
    await pass(made.clock, 320_000);
    assert.match(await exchange.status(), /^14 upstream "s" does not take what is sent to it .*took no data/);
    assert.equal(exchange.response.aborted?.status.http, 503);
    assert.equal(retrySeconds(exchange.response.aborted?.status.details ?? []), 1);
  });

  it("holds at most 64 MiB: the largest requests are cancelled", async () => {
    const made = setup(SHUT);
    await ready(made);
    const message = Buffer.alloc(14 * 1024 * 1024);
    const exchanges = Array.from({ length: 6 }, () => new Exchange(made.cluster).send(message, true));
    await until(() => exchanges.some(({ response }) => response.ended), "the first to be given up");
    for (const { response } of exchanges.filter(({ response }) => response.ended)) {
      assert.equal(
        response.aborted?.status.withHint().message,
        'upstream "s" does not take what is sent to it (scripted): too much data is queued for the peer',
      );
      assert.equal(response.aborted?.status.http, 503);
    }
    const waiting = exchanges.filter(({ response }) => !response.ended).length;
    assert.ok(waiting >= 2 && waiting * message.length <= 64 * 1024 * 1024, `${waiting} wait`);
    for (const exchange of exchanges) exchange.cancel();
  });
});
