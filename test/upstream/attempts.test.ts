// What is observed of attempts: each that begins ends once, with an outcome that says how, by whom and after how long.
import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import type { Attempt, AttemptObserver, AttemptOutcome } from "#src/call/attempt.js";
import { Code } from "#src/call/status/status.js";
import { ErrorCode } from "#src/http2/wire/protocol.js";
import type { BalancedEndpoint, BalancerFactory } from "#src/upstream/balancers/balancer.js";
import { roundRobin } from "#src/upstream/balancers/round-robin.js";
import { Cluster } from "#src/upstream/cluster.js";
import type { EndpointAddress } from "#src/upstream/pool/endpoint.js";
import { FakeClock } from "../support/fake-clock.js";
import { goaway, type RawPeer, rst, SETTINGS_ACK, settings } from "../support/frames.js";
import { callOf } from "../support/sinks.js";
import { until } from "../support/until.js";
import { Exchange } from "./support/exchange.js";
import { answer, answerHead, framesOf, requestsOf, ScriptedService, trailers } from "./support/scripted.js";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0)) clean();
});

type Ended = readonly [attempt: Attempt, outcome: AttemptOutcome];

/** Keeps what it is told. */
class Notes implements AttemptObserver {
  readonly begun: Attempt[] = [];
  readonly ended: Ended[] = [];

  readonly begin = (attempt: Attempt): void => {
    this.begun.push(attempt);
  };
  readonly end = (attempt: Attempt, outcome: AttemptOutcome): void => {
    this.ended.push([attempt, outcome]);
  };

  /** `2 transparent: 0 upstream maybe` */
  get lines(): string[] {
    return this.ended.map(
      ([{ number, kind }, { code, by, sent }]) => `${number} ${kind}: ${code} ${by} ${sent}`,
    );
  }
}

async function setup(balancer?: BalancerFactory, others: readonly EndpointAddress[] = []) {
  const service = new ScriptedService();
  service.hello = settings();
  const clock = new FakeClock(1000);
  const { address, dial } = service;
  const cluster = new Cluster({
    name: "s",
    endpoints: [{ address, dial }, ...others],
    clock,
    ...(balancer === undefined ? {} : { balancer }),
  });
  cleanups.push(() => cluster.close());
  cluster.connect();
  await until(() => cluster.endpoints[0]?.state === "ready", "the connection");
  const notes = new Notes();
  const call = callOf();
  call.attemptObservers = [notes];
  const exchange = new Exchange(cluster, call).send("q", true);
  const peer = service.peer(0);
  await until(() => requestsOf(peer).length === 1, "the request");
  return { service, clock, cluster, notes, call, exchange, peer };
}

type Scene = Awaited<ReturnType<typeof setup>>;

describe("the outcome of an attempt", () => {
  const rows: readonly (readonly [what: string, scene: (scene: Scene) => void, lines: string[]])[] = [
    [
      "a response in full",
      ({ peer }) => peer.send(answerHead(1), trailers(1)),
      ["1 first: 0 upstream maybe"],
    ],
    ["a status alone", ({ peer }) => peer.send(answer(1, "5")), ["1 first: 5 upstream maybe"]],
    [
      "a reset by the service",
      ({ peer }) => peer.send(rst(1, ErrorCode.INTERNAL_ERROR)),
      ["1 first: 13 upstream maybe"],
    ],
    ["a client that leaves", ({ exchange }) => exchange.cancel(), ["1 first: 1 client maybe"]],
    [
      "a service that refuses it, and then takes it",
      ({ peer }) => answerSecond(peer, rst(1, ErrorCode.REFUSED_STREAM)),
      ["1 first: 14 upstream refused", "2 transparent: 0 upstream maybe"],
    ],
    [
      "a service that refuses it twice",
      ({ peer }) => {
        peer.send(SETTINGS_ACK, rst(1, ErrorCode.REFUSED_STREAM));
        void until(() => requestsOf(peer).length === 2, "the second").then(() =>
          peer.send(rst(3, ErrorCode.REFUSED_STREAM)),
        );
      },
      ["1 first: 14 upstream refused", "2 transparent: 14 upstream refused"],
    ],
    [
      "a connection that goes away without a look at it",
      ({ peer, service }) => {
        peer.send(goaway(0));
        void until(
          () => service.peers.length === 2 && requestsOf(service.peer(1)).length === 1,
          "the next",
        ).then(() => service.peer(1).send(answer(1)));
      },
      ["1 first: 14 upstream refused", "2 transparent: 0 upstream maybe"],
    ],
  ];
  for (const [what, play, lines] of rows) {
    it(what, async () => {
      const scene = await setup();
      play(scene);
      await until(() => scene.notes.ended.length === lines.length, "the ends");
      assert.deepEqual(scene.notes.lines, lines);
      assert.deepEqual(
        scene.notes.ended.map(([attempt]) => attempt),
        scene.notes.begun,
        "each ends once, in this order",
      );
      assert.equal(scene.call.attempts, lines.length);
      assert.equal(scene.call.attempt, scene.notes.begun.at(-1));
    });
  }

  it("has durations and trailers; the time of the headers if an observer needs it", async () => {
    for (const asks of [false, true]) {
      const { clock, peer, notes, call } = await setup();
      const heads: number[] = [];
      if (asks) call.attemptObservers = [notes, { headers: (_, ms) => heads.push(ms) }];
      clock.advance(30);
      peer.send(answerHead(1));
      await peer.roundTrip();
      clock.advance(50);
      peer.send(trailers(1));
      await until(() => notes.ended.length === 1, "the end");
      const [attempt, outcome] = notes.ended[0] ?? [];
      assert.equal(outcome?.durationMs, 80);
      assert.equal(outcome.headersMs, asks ? 30 : undefined);
      assert.deepEqual(heads, asks ? [30] : []);
      assert.equal(outcome.trailers?.get("grpc-status"), "0");
      assert.deepEqual([attempt?.upstream, attempt?.endpoint?.address], ["s", "scripted"]);
    }
  });

  it("an attempt that waits for a connection has not begun, and has no outcome", async () => {
    const cluster = new Cluster({ name: "s", clock: new FakeClock(1000) });
    cleanups.push(() => cluster.close());
    const notes = new Notes();
    const call = callOf();
    call.attemptObservers = [notes];
    const exchange = new Exchange(cluster, call).send("q", true);
    assert.match(await exchange.status(), /^14 .*cannot be reached.*it has no endpoints/);
    assert.deepEqual([notes.begun, notes.ended, call.attempts], [[], [], 0]);
  });
});

it("a header that an observer sets is sent with that attempt only", async () => {
  const { service, peer, cluster } = await setup();
  const call = callOf();
  call.attemptObservers = [{ begin: (attempt) => attempt.setHeader("x-attempt", String(attempt.number)) }];
  const sent: (string | undefined)[] = [];
  call.attemptObservers = [
    ...call.attemptObservers,
    { begin: (attempt) => sent.push(attempt.headers.get("x-attempt")) },
  ];
  const exchange = new Exchange(cluster, call).send("q", true);
  await until(() => requestsOf(peer).length === 2, "the request");
  peer.send(SETTINGS_ACK, rst(3, ErrorCode.REFUSED_STREAM));
  await until(() => requestsOf(peer).length === 3, "the second attempt");
  peer.send(answer(5));
  assert.equal(await exchange.status(), "0");
  assert.deepEqual(sent, ["1", "2"]);
  assert.equal(call.headers.get("x-attempt"), undefined);
  assert.equal(framesOf(service.peer(0), 1).length, 3);
});

it("a balancer with a choice observes every attempt of its cluster, before the observers of the call", async () => {
  const silent = new ScriptedService();
  silent.hello = undefined;
  const order: string[] = [];
  const watching: BalancerFactory = <E extends BalancedEndpoint>() =>
    Object.assign(roundRobin<E>(), {
      begin: (attempt: Attempt) => order.push(`balancer begin ${attempt.endpoint?.address}`),
      end: (_: Attempt, { code }: AttemptOutcome) => order.push(`balancer end ${code}`),
    });
  const { peer, exchange, notes } = await setup(watching, [{ address: "silent", dial: silent.dial }]);
  peer.send(answer(1, "7"));
  assert.equal(await exchange.status(), "7");
  assert.deepEqual(order, ["balancer begin scripted", "balancer end 7"]);
  assert.deepEqual(notes.lines, ["1 first: 7 upstream maybe"]);
});

it("an observer that throws ends its call, and no other", async () => {
  for (const when of ["begin", "end"] as const) {
    const { peer, cluster, exchange } = await setup();
    const broken = callOf();
    broken.attemptObservers = [
      {
        [when]: () => {
          throw new Error("secret detail");
        },
      },
    ];
    const failing = new Exchange(cluster, broken).send("q", true);
    if (when === "end") {
      await until(() => requestsOf(peer).length === 2, "the request");
      peer.send(answer(3));
    }
    assert.match(await failing.status(), new RegExp(`^${Code.INTERNAL} the hub failed`));
    peer.send(answer(1));
    assert.equal(await exchange.status(), "0");
  }
});

/** Sends this, and answers the next request. */
function answerSecond(peer: RawPeer, first: Buffer): void {
  peer.send(SETTINGS_ACK, first);
  void until(() => requestsOf(peer).length === 2, "the second").then(() => peer.send(answer(3)));
}
