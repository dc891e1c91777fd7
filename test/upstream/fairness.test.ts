// What an upstream has room for, shared by clients of whom one takes all it can get: calls that are kept, calls that
// are cancelled and whose resets are held back, and a queue full of its calls.
import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import type { Identity, Peer } from "#src/call/call.js";
import { Setting } from "#src/http2/wire/protocol.js";
import { Cluster, type ClusterOptions } from "#src/upstream/cluster.js";
import { RESET_BUDGET } from "#src/upstream/pool/link.js";
import { FakeClock } from "../support/fake-clock.js";
import { settings } from "../support/frames.js";
import { callOf } from "../support/sinks.js";
import { turns, until } from "../support/until.js";
import { Exchange } from "./support/exchange.js";
import { answer, requestsOf, resetsOf, ScriptedService } from "./support/scripted.js";

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

async function setup(maxStreams: number, limits: ClusterOptions["limits"]): Promise<Setup> {
  const service = new ScriptedService();
  service.hello = settings([Setting.MAX_CONCURRENT_STREAMS, maxStreams]);
  const clock = new FakeClock(1000);
  const counts = new Map<string, number>();
  const meters: ClusterOptions["meters"] = {
    counter: (name) => ({ add: (by = 1) => void counts.set(name, (counts.get(name) ?? 0) + by) }),
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
  cluster.connect();
  await until(() => cluster.endpoints.every((e) => e.state === "ready"), "ready");
  return { service, cluster, clock, counts };
}

const peers = new Map<string, Peer>();
function call(cluster: Cluster, ip: string, identity?: Identity): Exchange {
  const peer = peers.get(ip) ?? { address: `${ip}:1234`, ip, protocol: "grpc" };
  peers.set(ip, peer);
  const made = callOf({ peer });
  made.identity = identity;
  return new Exchange(cluster, made).send("q", true);
}

const calls = (cluster: Cluster, ip: string, count: number): Exchange[] =>
  Array.from({ length: count }, () => call(cluster, ip));

const sent = ({ call: { attempts } }: Exchange): boolean => attempts > 0;

/** One client has all the room: some of its calls run, the others are cancelled, and their resets held back. */
async function starve(made: Setup, streams: number, kept: number): Promise<readonly Exchange[]> {
  const { cluster, service } = made;
  const running: Exchange[] = [];
  // Connections that are spent leave, until as many have left as may: then resets are held on those that stay.
  for (let round = 0; round < 1000 && cluster.pending === 0; round++) {
    const batch = calls(cluster, "10.0.0.1", streams);
    await turns();
    running.push(...batch.slice(0, kept));
    for (const exchange of batch.slice(kept)) exchange.cancel();
    await turns();
  }
  assert.ok(cluster.pending > 0, "there is no room");
  assert.ok(service.peers.every((peer) => resetsOf(peer).length <= RESET_BUDGET));
  return running;
}

describe("a client that fills all connections", () => {
  const full = { maxPerEndpoint: 2 };

  it("with long calls and held-back resets delays others for a moment, but not past their deadline", async () => {
    const made = await setup(60, full);
    const { service, cluster, clock, counts } = made;
    await starve(made, 60, 2);
    assert.ok((counts.get("linchpin.upstream.resets.held") ?? 0) > 0);
    const before = service.peers.length;
    const other = call(cluster, "10.0.0.2");
    await turns();
    assert.ok(!sent(other));
    clock.advance(400);
    await until(() => sent(other), "a connection for it");
    assert.equal(service.peers.length, before + 1);
    assert.equal(counts.get("linchpin.upstream.connections.reserved"), 1);
    const next = call(cluster, "10.0.0.2");
    assert.ok(sent(next), "its next one waits for nothing");
    const reserve = service.peer(before);
    await until(() => requestsOf(reserve).length === 2, "both calls");
    reserve.send(answer(1), answer(3));
    assert.deepEqual([await other.status(), await next.status()], ["0", "0"]);
  });

  it("gets none of the room reserved for others, and no client gets all of it", async () => {
    const { service, cluster, clock } = await setup(10, full);
    calls(cluster, "10.0.0.1", 100);
    await until(() => service.peers.length === 2 && requestsOf(service.peer(1)).length === 10, "all is full");
    const greedy = calls(cluster, "10.0.0.2", 100);
    clock.advance(400);
    await turns();
    assert.equal(greedy.filter(sent).length, 5, "as many as it leaves for others");
    for (let i = 3; i < 8; i++) {
      const [first, ...more] = calls(cluster, `10.0.0.${i}`, 10);
      assert.ok(first !== undefined && sent(first), `client ${i}`);
      assert.ok(more.length > 0);
      if (i === 5) break;
    }
    assert.equal(service.peers.length, 3);
    assert.equal(requestsOf(service.peer(2)).length <= 10, true);
  });

  it("alone gets all room of its connections, and no more", async () => {
    const { service, cluster, clock, counts } = await setup(10, full);
    const own = calls(cluster, "10.0.0.1", 100);
    await until(() => own.filter(sent).length === 20, "all is full");
    for (let i = 0; i < 20; i++) {
      clock.advance(400);
      await turns(3);
    }
    assert.equal(service.peers.length, 2);
    assert.equal(counts.get("linchpin.upstream.connections.reserved"), undefined);
  });

  it("the connection reserved for others is kept only while it is one too many", async () => {
    const { service, cluster, clock } = await setup(10, full);
    const own = calls(cluster, "10.0.0.1", 30);
    await until(() => own.filter(sent).length === 20, "all is full");
    const other = call(cluster, "10.0.0.2");
    clock.advance(400);
    await until(() => sent(other), "the reserve");
    service.peer(0).socket.destroy();
    await until(
      () => own.filter(sent).length >= 20 + 9,
      "it serves everybody, in place of the one that was lost",
    );
    assert.deepEqual(cluster.endpoints[0]?.counts.open, 2);
  });
});

describe("waiting calls", () => {
  /** One connection of one stream; `next` answers what runs, and returns who is served then. */
  async function narrow(maxPending = 1024) {
    const made = await setup(1, { maxPerEndpoint: 1, maxPending });
    const { cluster, service } = made;
    const running = call(cluster, "10.0.0.9");
    await until(() => requestsOf(service.peer(0)).length === 1, "one runs");
    const answerNext = async (): Promise<void> => {
      const id = requestsOf(service.peer(0)).at(-1) ?? 0;
      service.peer(0).send(answer(id));
      await until(() => requestsOf(service.peer(0)).at(-1) !== id, "the next");
    };
    return { ...made, running, answerNext };
  }

  it("are served in turn, client by client, each client's in order of arrival", async () => {
    const { cluster, answerNext } = await narrow();
    const one = calls(cluster, "10.0.0.1", 5);
    const two = calls(cluster, "10.0.0.2", 2);
    const [three] = calls(cluster, "10.0.0.3", 1);
    const names = new Map<Exchange, string>([
      ...one.map((e, i) => [e, `1.${i}`] as const),
      ...two.map((e, i) => [e, `2.${i}`] as const),
    ]);
    if (three !== undefined) names.set(three, "3.0");
    const order: string[] = [];
    for (let i = 0; i < 8; i++) {
      await answerNext();
      for (const [exchange, name] of names) if (sent(exchange) && !order.includes(name)) order.push(name);
    }
    assert.deepEqual(order, ["1.0", "2.0", "3.0", "1.1", "2.1", "1.2", "1.3", "1.4"]);
  });

  it("count for a client by its authenticated identity first, then by its address", async () => {
    const { cluster, answerNext } = await narrow();
    const alice: Identity = { name: "alice", kind: "api-key", roles: [] };
    const bob: Identity = { name: "bob", kind: "api-key", roles: [] };
    const first = ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map((ip) => call(cluster, ip, alice));
    const [second] = ["10.0.0.1"].map((ip) => call(cluster, ip, bob));
    await answerNext();
    await answerNext();
    assert.deepEqual(
      [...first, second].map((e) => e !== undefined && sent(e)),
      [true, false, false, true],
    );
  });

  it("of a client with too many make room for another's: the last one is refused", async () => {
    const { cluster, answerNext, counts } = await narrow(10);
    const flood = calls(cluster, "10.0.0.1", 30);
    assert.equal(cluster.pending, 10);
    assert.equal(flood.filter(({ response }) => response.ended).length, 20);
    const other = call(cluster, "10.0.0.2");
    assert.equal(cluster.pending, 10);
    assert.match(await (flood[9] as Exchange).status(), /^14 .*has 10 calls waiting/);
    assert.equal(counts.get("linchpin.upstream.pending.refusals"), 21);
    await answerNext();
    await answerNext();
    assert.ok(sent(other));
  });

  it("of a client with held-back resets are served after those of others", async () => {
    const made = await setup(RESET_BUDGET + 20, { maxPerEndpoint: 1, maxPending: 1024 });
    const { cluster, service } = made;
    const limits = cluster.limits;
    // As many connections are leaving already as may.
    cluster.limits = { ...limits, maxPerEndpoint: 0 };
    const own = calls(cluster, "10.0.0.1", RESET_BUDGET + 19);
    const running = call(cluster, "10.0.0.2");
    await until(() => requestsOf(service.peer(0)).length === RESET_BUDGET + 20, "all run");
    for (const exchange of own) exchange.cancel();
    await service.peer(0).roundTrip();
    assert.equal(made.counts.get("linchpin.upstream.resets.held"), 19);
    const fill = calls(cluster, "10.0.0.3", RESET_BUDGET);
    assert.ok(fill.every(sent));
    const [late, ...others] = [call(cluster, "10.0.0.1"), ...calls(cluster, "10.0.0.2", 3)];
    for (const [i, other] of others.entries()) {
      service.peer(0).send(answer(2 * (RESET_BUDGET + 20 + i) + 1));
      await until(() => sent(other), `call ${i} of the other`);
      assert.ok(late !== undefined && !sent(late));
    }
    assert.ok(!running.response.ended);
  });
});
