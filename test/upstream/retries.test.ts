// Calls that are sent again by a policy: which, when, how often, to which endpoint, and what everybody is told of it.
import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import fc from "fast-check";
import type { Attempt, AttemptObserver, AttemptOutcome } from "#src/call/attempt.js";
import { frameMessage } from "#src/call/messages.js";
import { Code } from "#src/call/status/status.js";
import { ErrorCode, Flag, FrameType } from "#src/http2/wire/protocol.js";
import { Headers } from "#src/kit/headers.js";
import type { Labels, Meters } from "#src/kit/meters.js";
import { Cluster } from "#src/upstream/cluster.js";
import { ReplayMemory } from "#src/upstream/replay-memory.js";
import { BudgetCounts } from "#src/upstream/retry/budget.js";
import { DEFAULT_RETRIES, type RetryPolicy } from "#src/upstream/retry/policy/policy.js";
import { retryPolicy } from "#src/upstream/retry/policy/retry-policies.js";
import { readServiceConfig } from "#src/upstream/retry/policy/service-config.js";
import { retrying } from "#src/upstream/retry/retrying.js";
import { UpstreamRetries } from "#src/upstream/retry/upstream-retries.js";
import { FakeClock } from "../support/fake-clock.js";
import { block, data, frame, goaway, type RawPeer, rst, SETTINGS_ACK } from "../support/frames.js";
import { H2Service } from "../support/h2-service.js";
import { callOf, methodOf } from "../support/sinks.js";
import { turns, until } from "../support/until.js";
import { Exchange } from "./support/exchange.js";
import { answer, answerHead, requestsOf, resetsOf, ScriptedService, trailers } from "./support/scripted.js";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0)) clean();
});

/** Counters by name and reason. */
class Counts implements Meters {
  readonly values = new Map<string, number>();
  counter(name: string, _help: string, labels: Labels = {}) {
    const key = [name, labels["linchpin.reason"]].filter((part) => part !== undefined).join(" ");
    return { add: (by = 1) => void this.values.set(key, (this.values.get(key) ?? 0) + by) };
  }
}

/** Each attempt that ended: `2 retry: 14 upstream maybe at b`. */
class Notes implements AttemptObserver {
  readonly lines: string[] = [];
  readonly end = ({ number, kind, endpoint }: Attempt, { code, by, sent }: AttemptOutcome): void => {
    this.lines.push(`${number} ${kind}: ${code} ${by} ${sent} at ${endpoint?.address}`);
  };
}

interface Options {
  readonly policy?: Partial<RetryPolicy> | undefined;
  readonly endpoints?: readonly string[];
  readonly memory?: ReplayMemory;
}

async function setup({ policy = {}, endpoints = ["a"], memory }: Options = {}) {
  const clock = new FakeClock(100_000);
  const counts = new Counts();
  const services = endpoints.map((address) => ({ address, service: new ScriptedService() }));
  const replayMemory = memory ?? new ReplayMemory(counts);
  const cluster = new Cluster({
    name: "s",
    endpoints: services.map(({ address, service }) => ({ address, dial: service.dial })),
    clock,
    replayMemory,
    random: () => 0.5,
    meters: counts,
  });
  cleanups.push(() => cluster.close());
  cluster.connect();
  await until(() => cluster.endpoints.every(({ state }) => state === "ready"), "the connections");
  const peers = services.map(({ service }) => service.peer(0));
  for (const peer of peers) peer.send(SETTINGS_ACK);
  const retries = new UpstreamRetries("s", clock, counts);
  const handlerFor = (changes: Partial<RetryPolicy>) =>
    retrying({ cluster, retries, policy: { ...DEFAULT_RETRIES, ...changes } });
  const begin = (call = callOf(), handler = handlerFor(policy)) => {
    const notes = new Notes();
    call.attemptObservers = [notes];
    const exchange = new Exchange(cluster, call, handler);
    return Object.assign(exchange, { notes });
  };
  /** Requests that the services have seen. */
  const seen = (): number => peers.reduce((sum, peer) => sum + requestsOf(peer).length, 0);
  const requests = (count: number) => until(() => seen() === count, `request ${count}`);
  /** All that is on its way has arrived, and has been acted upon. */
  const settled = async (): Promise<void> => {
    for (const peer of peers) if (!peer.ended) await peer.roundTrip();
  };
  const peer = (at = 0) => {
    const found = peers[at];
    if (found === undefined) throw new Error("no such service");
    return found;
  };
  return {
    clock,
    counts,
    services,
    cluster,
    retries,
    replayMemory,
    handlerFor,
    begin,
    seen,
    requests,
    settled,
    peer,
  };
}

type Scene = Awaited<ReturnType<typeof setup>>;

/** The stream of the newest request at a service. */
const newest = (scene: Scene, at = 0): number => requestsOf(scene.peer(at)).at(-1) ?? 0;

describe("a failed call is retried", () => {
  const ways: Readonly<Record<string, (scene: Scene, id: number, code: string) => void | Promise<void>>> = {
    "a status alone": ({ peer }, id, code) => peer().send(answer(id, code)),
    "a head and its trailers in one read": ({ peer }, id, code) =>
      peer().send(answerHead(id), trailers(id, code)),
    "a head, and trailers later": async ({ peer }, id, code) => {
      peer().send(answerHead(id));
      await peer().roundTrip();
      peer().send(trailers(id, code));
    },
    "a head, data and trailers in one read": ({ peer }, id, code) =>
      peer().send(answerHead(id), data(id, frameMessage(Buffer.from("x"))), trailers(id, code)),
  };
  const committing = new Set(["a head, and trailers later", "a head, data and trailers in one read"]);
  const codes = { 14: true, 8: false, 5: false };
  const deadlines = { "no deadline": undefined, "one that leaves time": 10_000, "one that leaves none": 20 };
  const clients = ["stays", "leaves before the answer", "leaves in the backoff"] as const;
  const sizes = { whole: 10, "too large": 100 };
  const rows = Object.entries(ways).flatMap(([way, fail]) =>
    Object.entries(codes).flatMap(([code, listed]) =>
      [true, false].flatMap((idempotent) =>
        Object.entries(deadlines).flatMap(([deadline, left]) =>
          clients.flatMap((client) =>
            Object.entries(sizes).map(([size, bytes]) => {
              return { way, fail, code, listed, idempotent, deadline, left, client, size, bytes };
            }),
          ),
        ),
      ),
    ),
  );

  it("only where code, method, deadline, client and request allow it, and nothing has gone to the client", async () => {
    const scene = await setup({ policy: { replayBytes: 50 } });
    for (const { way, fail, code, listed, idempotent, deadline, left, client, size, bytes } of rows) {
      const what = [way, code, idempotent, deadline, client, size].join(", ");
      const before = scene.seen();
      const call = callOf();
      if (left !== undefined) call.deadline = scene.clock.now() + left;
      // Without a policy there is the Handler of all.
      const exchange = scene.begin(call, idempotent ? undefined : scene.cluster.handler);
      exchange.send("q".repeat(bytes), true);
      await scene.requests(before + 1);
      const id = newest(scene);
      if (client === "leaves before the answer") exchange.cancel();
      await fail(scene, id, code);
      await scene.settled();
      if (client === "leaves in the backoff" && !exchange.response.ended) exchange.cancel();
      scene.clock.advance(31);
      await scene.settled();
      const again =
        listed && idempotent && !committing.has(way) && left !== 20 && client === "stays" && size === "whole";
      assert.equal(scene.seen(), before + (again ? 2 : 1), what);
      if (again) {
        assert.deepEqual(exchange.response.events, [], what);
        assert.deepEqual(scene.peer().body(newest(scene)), scene.peer().body(id), what);
        scene.peer().send(answer(newest(scene)));
      }
      if (client === "stays") assert.equal(await exchange.status(), again ? "0" : code, what);
      assert.deepEqual(exchange.response.late, [], what);
      assert.equal(scene.replayMemory.bytes, 0, what);
      // So that resets do not use up the connection, nor retries the budget.
      scene.clock.advance(30_000);
      await scene.settled();
    }
    assert.equal(scene.clock.pending, 1, "no timer is left but that of the connection");
  });

  it("when the stream is reset or the connection lost, by the resulting code", async () => {
    const rows: readonly (readonly [
      what: string,
      on: number[],
      fail: (scene: Scene) => void,
      lines: string[],
    ])[] = [
      [
        "reset",
        [Code.INTERNAL],
        ({ peer }) => peer().send(rst(1, ErrorCode.INTERNAL_ERROR)),
        ["1 first: 13 upstream maybe at a", "2 retry: 0 upstream maybe at a"],
      ],
      [
        "reset behind a head in the same read",
        [Code.INTERNAL],
        ({ peer }) => peer().send(answerHead(1), rst(1, ErrorCode.INTERNAL_ERROR)),
        ["1 first: 13 upstream maybe at a", "2 retry: 0 upstream maybe at a"],
      ],
      [
        "reset with a code that is not listed",
        [Code.UNAVAILABLE],
        ({ peer }) => peer().send(rst(1, ErrorCode.INTERNAL_ERROR)),
        ["1 first: 13 upstream maybe at a"],
      ],
      [
        "a proxy's 503",
        [Code.UNAVAILABLE],
        ({ peer }) => peer().send(httpError(1)),
        ["1 first: 14 upstream maybe at a", "2 retry: 0 upstream maybe at a"],
      ],
    ];
    for (const [what, on, fail, lines] of rows) {
      const scene = await setup({ policy: { on } });
      const exchange = scene.begin().send("q", true);
      await scene.requests(1);
      fail(scene);
      await scene.settled();
      scene.clock.advance(25);
      if (lines.length === 2) {
        await scene.requests(2);
        scene.peer().send(answer(3));
      }
      await exchange.end();
      assert.deepEqual(exchange.notes.lines, lines, what);
    }
  });

  it("at most as often as the policy allows, and the client gets the last response", async () => {
    const scene = await setup({ policy: { attempts: 4 } });
    const exchange = scene.begin().send("q", true);
    for (const [at, wait] of [0, 25, 50, 100].entries()) {
      scene.clock.advance(wait - 0.001);
      await scene.settled();
      if (at > 0) assert.equal(scene.seen(), at, "not sooner");
      scene.clock.advance(0.001);
      await scene.requests(at + 1);
      scene.peer().send(answer(newest(scene), "14", ["x-at", String(at)]));
      await scene.settled();
    }
    assert.equal(await exchange.status(), "14");
    assert.equal(exchange.response.received?.get("x-at"), "3");
    assert.deepEqual(
      exchange.notes.lines.map((line) => line.split(":")[0]),
      ["1 first", "2 retry", "3 retry", "4 retry"],
    );
    assert.equal(exchange.call.attempts, 4);
  });

  it("with the number of earlier attempts in a header, including those of the client", async () => {
    for (const [own, told] of [
      [undefined, [undefined, "1", "2"]],
      ["2", ["2", "3", "4"]],
      ["-1", ["-1", "1", "2"]],
    ] as const) {
      const scene = await setup();
      const headers = Headers.of(["content-type", "application/grpc"]);
      if (own !== undefined) headers.set("grpc-previous-rpc-attempts", own);
      const call = callOf({ headers });
      const sent: (string | undefined)[] = [];
      const exchange = scene.begin(call);
      call.attemptObservers = [
        { begin: (attempt) => sent.push(attempt.headers.get("grpc-previous-rpc-attempts")) },
      ];
      exchange.send("q", true);
      // The first one waits for nothing, and has begun before this.
      await scene.requests(1);
      for (const count of [2, 3]) {
        scene.peer().send(answer(newest(scene), "14"));
        await scene.settled();
        scene.clock.advance(1000);
        await scene.requests(count);
      }
      scene.peer().send(answer(newest(scene)));
      assert.equal(await exchange.status(), "0");
      assert.deepEqual(sent, told.slice(1));
      assert.equal(call.headers.get("grpc-previous-rpc-attempts"), own);
    }
  });

  it("after the pushback of the service, or not at all if it says so", async () => {
    const pushbacks: readonly (readonly [value: string | undefined, waitMs: number | undefined])[] = [
      [undefined, 25],
      ["0", 0],
      ["700", 700],
      ["60000", 60_000],
      ["60001", undefined],
      ["-1", undefined],
      ["1.5", undefined],
      ["soon", undefined],
      ["", undefined],
      ["99999999999999", undefined],
    ];
    for (const form of ["alone", "behind a head"]) {
      for (const [value, waitMs] of pushbacks) {
        const what = `${form}: ${value}`;
        const scene = await setup();
        const exchange = scene.begin().send("q", true);
        await scene.requests(1);
        const more = value === undefined ? [] : ([["grpc-retry-pushback-ms", value]] as const);
        scene
          .peer()
          .send(
            ...(form === "alone" ? [answer(1, "14", ...more)] : [answerHead(1), trailers(1, "14", ...more)]),
          );
        await scene.settled();
        if (waitMs === undefined) {
          assert.equal(await exchange.status(), "14", what);
          assert.equal(scene.clock.pending, 1, what);
          continue;
        }
        if (waitMs > 0) {
          scene.clock.advance(waitMs - 1);
          await scene.settled();
          assert.equal(scene.seen(), 1, what);
        }
        scene.clock.advance(1);
        await scene.requests(2);
        // What follows begins from the shortest again.
        scene.peer().send(answer(3, "14"));
        await scene.settled();
        scene.clock.advance(value === undefined ? 50 : 25);
        await scene.requests(3);
      }
    }
  });

  it("at another endpoint, while there is one that the call has not tried", async () => {
    const scene = await setup({ endpoints: ["a", "b", "c"], policy: { attempts: 5 } });
    const exchange = scene.begin().send("q", true);
    const answered = new Set<string>();
    for (let at = 1; at <= 5; at++) {
      await scene.requests(at);
      const which = scene.services.findIndex(({ address }, i) =>
        requestsOf(scene.peer(i)).some((id) => !answered.has(`${address} ${id}`)),
      );
      const id = newest(scene, which);
      answered.add(`${scene.services[which]?.address} ${id}`);
      scene.peer(which).send(answer(id, "14"));
      await scene.settled();
      scene.clock.advance(1200);
    }
    assert.equal(await exchange.status(), "14");
    const where = exchange.notes.lines.map((line) => line.at(-1));
    assert.deepEqual(where.slice(0, 3).sort(), ["a", "b", "c"]);
    assert.equal(where.length, 5);
  });

  it("in addition to transparent retries, which do not count", async () => {
    const scene = await setup({ policy: { attempts: 2, budget: { share: 0, perSecond: 1 } } });
    const exchange = scene.begin().send("q", true);
    await scene.requests(1);
    scene.peer().send(rst(1, ErrorCode.REFUSED_STREAM));
    await scene.requests(2);
    scene.peer().send(answer(3, "14"));
    await scene.settled();
    scene.clock.advance(25);
    await scene.requests(3);
    // Once for each call: the second refusal is a failure as any other.
    scene.peer().send(rst(5, ErrorCode.REFUSED_STREAM));
    assert.match(await exchange.status(), /^14 /);
    assert.deepEqual(exchange.notes.lines, [
      "1 first: 14 upstream refused at a",
      "2 transparent: 14 upstream maybe at a",
      "3 retry: 14 upstream refused at a",
    ]);
  });

  it("with the remaining time as its timeout (grpc-java#4412)", async (t) => {
    const clock = new FakeClock(100_000);
    const service = await new H2Service((request) => {
      request.onEnd = () => {
        // The attempt takes a second.
        clock.advance(1000);
        request.headers({ ":status": "200", "content-type": "application/grpc", "grpc-status": "14" }, true);
      };
    }).start();
    const cluster = new Cluster({
      name: "s",
      endpoints: [{ address: service.address, dial: service.dial }],
      clock,
      random: () => 0.5,
    });
    t.after(() => {
      cluster.close();
      return service.stop();
    });
    cluster.connect();
    await until(() => cluster.endpoints[0]?.state === "ready", "the connection");
    const call = callOf({ headers: Headers.of(["grpc-timeout", "10S"]) });
    call.deadline = clock.now() + 10_000;
    const retries = new UpstreamRetries("s", clock);
    const exchange = new Exchange(cluster, call, retrying({ cluster, retries, policy: DEFAULT_RETRIES }));
    exchange.send("q", true);
    for (const count of [1, 2, 3]) {
      await until(() => service.requests.length === count, `attempt ${count}`);
      await until(() => call.stage.includes("try again") || exchange.response.ended, "the backoff");
      clock.advance(25 * count);
    }
    assert.equal(await exchange.status(), "14");
    assert.deepEqual(
      service.requests.map((request) => request.get("grpc-timeout")),
      ["10000m", "8975m", "7925m"],
    );
  });

  it("and the last attempt may be retried transparently too (grpc-java#10011)", async () => {
    const scene = await setup({ policy: { attempts: 2 } });
    const exchange = scene.begin().send("q", true);
    await scene.requests(1);
    scene.peer().send(answer(1, "14"));
    await scene.settled();
    scene.clock.advance(25);
    await scene.requests(2);
    scene.peer().send(rst(3, ErrorCode.REFUSED_STREAM));
    await scene.requests(3);
    scene.peer().send(answer(5));
    assert.equal(await exchange.status(), "0");
    assert.equal(exchange.notes.lines.at(-1), "3 transparent: 0 upstream maybe at a");
  });

  it("with data beyond the buffer that arrives in backoff: it waits, and none is lost (envoy#15211)", async () => {
    const scene = await setup({ policy: { replayBytes: 20 } });
    const exchange = scene.begin(callOf({ kind: "client_streaming" })).send("one");
    await scene.requests(1);
    scene.peer().send(answer(1, "14"));
    await scene.settled();
    for (const text of ["q".repeat(100), "two"]) exchange.send(text);
    assert.equal(exchange.client.credit, 8, "what waits has no credit: the client's window bounds it");
    assert.equal(scene.replayMemory.bytes, 8 + 105 + 8);
    scene.clock.advance(25);
    await scene.requests(2);
    exchange.send("end", true);
    const all = Buffer.concat(
      ["one", "q".repeat(100), "two", "end"].map((text) => frameMessage(Buffer.from(text))),
    );
    await until(() => scene.peer().bytes(3) === all.length, "the request");
    assert.deepEqual(scene.peer().body(3), all);
    assert.equal(exchange.client.credit, all.length);
    assert.equal(scene.replayMemory.bytes, 0);
    // By now it is not whole any more: this failure is the client's.
    scene.peer().send(answer(3, "14"));
    assert.equal(await exchange.status(), "14");
  });

  it("of a stream with all buffered and later data; its client gets credit for each byte once", async () => {
    const scene = await setup({ policy: { replayBytes: 1000 } });
    const exchange = scene.begin(callOf({ kind: "bidi_streaming" })).send("one");
    await scene.requests(1);
    scene.peer().send(answer(1, "14"));
    await scene.settled();
    exchange.send("two");
    assert.equal(exchange.client.credit, frameMessage(Buffer.from("one")).length, "what waits has no credit");
    scene.clock.advance(25);
    await scene.requests(2);
    exchange.send("three", true);
    const all = Buffer.concat(["one", "two", "three"].map((text) => frameMessage(Buffer.from(text))));
    await until(() => scene.peer().bytes(3) === all.length, "the request");
    assert.deepEqual(scene.peer().body(3), all);
    assert.equal(exchange.client.credit, all.length);
    scene.peer().send(answer(3));
    assert.equal(await exchange.status(), "0");
    assert.equal(scene.replayMemory.bytes, 0);
  });

  it("not while other requests take all memory for buffering, which is counted", async () => {
    const counts = new Counts();
    const memory = new ReplayMemory(counts, 30);
    const scene = await setup({ memory });
    const first = scene.begin().send("q".repeat(20), true);
    await scene.requests(1);
    const second = scene.begin().send("q".repeat(20), true);
    await scene.requests(2);
    assert.ok(memory.bytes > 0);
    // The second was not kept before it had a stream: what waits has to be.
    scene.peer().send(answer(1, "14"));
    await scene.settled();
    scene.clock.advance(25);
    await scene.requests(3);
    scene.peer().send(answer(5), answer(3, "14"));
    assert.equal(await first.status(), "0");
    await until(() => counts.values.get("linchpin.replay.refusals") === 1, "the count");
    await second.end();
    assert.equal(memory.bytes, 0);
  });

  it("not while the upstream's budget is used up, which is counted", async () => {
    const scene = await setup({ policy: { attempts: 2, budget: { share: 0.5, perSecond: 0 } } });
    const outcome = async (): Promise<boolean> => {
      const before = scene.seen();
      const exchange = scene.begin().send("q", true);
      await scene.requests(before + 1);
      scene.peer().send(answer(newest(scene), "14"));
      await scene.settled();
      scene.clock.advance(25);
      await scene.settled();
      const again = scene.seen() === before + 2;
      if (again) scene.peer().send(answer(newest(scene)));
      assert.equal(await exchange.status(), again ? "0" : "14");
      return again;
    };
    const outcomes: boolean[] = [];
    for (let i = 0; i < 6; i++) outcomes.push(await outcome());
    assert.deepEqual(outcomes, [false, true, false, true, false, true]);
    assert.equal(scene.counts.values.get("linchpin.upstream.retries.refused budget"), 3);
  });

  it("not while half of the tokens or more are used up (gRFC A6, throttling)", async () => {
    const scene = await setup({ policy: { attempts: 2, throttling: { maxTokens: 4, tokenRatio: 0.5 } } });
    const outcomes: number[] = [];
    for (const code of ["14", "14", "0", "0", "5", "14", "5", "14"]) {
      const before = scene.seen();
      const exchange = scene.begin().send("q", true);
      await scene.requests(before + 1);
      scene.peer().send(answer(newest(scene), code));
      await scene.settled();
      scene.clock.advance(25);
      await scene.settled();
      outcomes.push(scene.seen() - before);
      if (!exchange.response.ended) scene.peer().send(answer(newest(scene)));
      await exchange.end();
    }
    // 4 → 3 and again (3.5) → 2.5 and again (3) → 3.5 → 4, which NOT_FOUND leaves → 3 and again (3.5), and once more.
    assert.deepEqual(outcomes, [2, 2, 1, 1, 1, 2, 1, 2]);
    const low = await setup({ policy: { attempts: 2, throttling: { maxTokens: 2, tokenRatio: 0.1 } } });
    const exchange = low.begin().send("q", true);
    await low.requests(1);
    low.peer().send(answer(1, "14"));
    assert.equal(await exchange.status(), "14");
    assert.equal(low.counts.values.get("linchpin.upstream.retries.refused throttling"), 1);
  });

  it("not if the connection was lost before processing: that is a transparent retry", async () => {
    const scene = await setup();
    const exchange = scene.begin().send("q", true);
    await scene.requests(1);
    scene.peer().send(goaway(0));
    await until(() => scene.services[0]?.service.peers.length === 2, "another connection");
    const next = scene.services[0]?.service.peer(1);
    await until(() => next !== undefined && requestsOf(next).length === 1, "the request there");
    next?.send(answer(1));
    assert.equal(await exchange.status(), "0");
    assert.deepEqual(exchange.notes.lines, [
      "1 first: 14 upstream refused at a",
      "2 transparent: 0 upstream maybe at a",
    ]);
  });
});

describe("hedging", () => {
  const hedged = { hedgeDelayMs: 40, attempts: 3 };

  it("starts attempts one by one until a response; the client gets the first, others are cancelled", async () => {
    const scene = await setup({ endpoints: ["a", "b", "c"], policy: hedged });
    const exchange = scene.begin().send("q", true);
    await scene.requests(1);
    for (const count of [2, 3]) {
      scene.clock.advance(39);
      await scene.settled();
      assert.equal(scene.seen(), count - 1, "not sooner");
      scene.clock.advance(1);
      await scene.requests(count);
    }
    scene.clock.advance(1000);
    await scene.settled();
    assert.equal(scene.seen(), 3, "no more than the policy says");
    for (const at of [0, 1, 2]) assert.equal(requestsOf(scene.peer(at)).length, 1, "each elsewhere");
    scene.peer(1).send(answerHead(1));
    await until(() => exchange.response.received !== undefined, "the head");
    await until(
      () => [0, 2].every((at) => resetsOf(scene.peer(at)).length === 1),
      "the resets of the others",
    );
    scene.peer(1).send(data(1, frameMessage(Buffer.from("b"))), trailers(1));
    assert.equal(await exchange.status(), "0");
    assert.deepEqual(exchange.notes.lines.sort(), [
      "1 first: 1 hub maybe at a",
      "2 hedge: 0 upstream maybe at b",
      "3 hedge: 1 hub maybe at c",
    ]);
    assert.equal(exchange.call.attempt?.endpoint?.address, "b", "who logs it knows who has answered");
    assert.equal(scene.replayMemory.bytes, 0);
    assert.deepEqual(exchange.response.late, []);
  });

  it("continues at once after a retryable code, and ends with another code", async () => {
    const scene = await setup({ endpoints: ["a", "b"], policy: hedged });
    const exchange = scene.begin().send("q", true);
    await scene.requests(1);
    scene.peer(0).send(answer(1, "14"));
    await scene.requests(2);
    scene.clock.advance(40);
    await scene.requests(3);
    // Not found is an answer: whoever else is asked would say the same.
    scene.peer(1).send(answer(1, "5"));
    assert.equal(await exchange.status(), "5");
    await until(
      () => resetsOf(scene.peer(0)).length + resetsOf(scene.peer(1)).length === 1,
      "the reset of the third",
    );
  });

  it("fails the call with the last failure once all attempts have failed", async () => {
    const scene = await setup({ policy: hedged });
    const exchange = scene.begin().send("q", true);
    for (const [at, id] of [1, 3, 5].entries()) {
      await scene.requests(at + 1);
      assert.equal(exchange.response.ended, false);
      scene.peer().send(answer(id, "14", ["x-at", String(id)]));
      await scene.settled();
    }
    assert.equal(await exchange.status(), "14");
    assert.equal(exchange.response.received?.get("x-at"), "5");
    assert.equal(exchange.call.attempts, 3);
  });

  it("delays attempts as a service's pushback says, or stops", async () => {
    const scene = await setup({ policy: hedged });
    const exchange = scene.begin().send("q", true);
    await scene.requests(1);
    scene.peer().send(answer(1, "14", ["grpc-retry-pushback-ms", "500"]));
    await scene.settled();
    scene.clock.advance(499);
    await scene.settled();
    assert.equal(scene.seen(), 1);
    scene.clock.advance(1);
    await scene.requests(2);
    scene.clock.advance(40);
    await scene.requests(3);
    scene.peer().send(answer(3, "14", ["grpc-retry-pushback-ms", "-1"]));
    await scene.settled();
    assert.equal(exchange.response.ended, false, "another one still runs");
    scene.peer().send(answer(5, "14"));
    assert.equal(await exchange.status(), "14");
  });

  it("sends the whole request to each attempt, and the client gets credit for each byte once", async () => {
    const scene = await setup({
      endpoints: ["a", "b"],
      policy: { ...hedged, attempts: 2, replayBytes: 1000 },
    });
    const exchange = scene.begin(callOf({ kind: "client_streaming" })).send("one");
    await scene.requests(1);
    scene.clock.advance(40);
    await scene.requests(2);
    exchange.send("two", true);
    const all = Buffer.concat(["one", "two"].map((text) => frameMessage(Buffer.from(text))));
    await until(() => [0, 1].every((at) => scene.peer(at).bytes(1) === all.length), "the request, twice");
    for (const at of [0, 1]) assert.deepEqual(scene.peer(at).body(1), all);
    assert.equal(exchange.client.credit, all.length);
    scene.peer(0).send(answer(1, "0"));
    assert.equal(await exchange.status(), "0");
  });

  it("leaves one attempt if the request is too large to be buffered", async () => {
    const scene = await setup({ endpoints: ["a", "b"], policy: { ...hedged, replayBytes: 20 } });
    const exchange = scene.begin(callOf({ kind: "client_streaming" })).send("one");
    await scene.requests(1);
    scene.clock.advance(40);
    await scene.requests(2);
    exchange.send("q".repeat(100));
    await until(() => resetsOf(scene.peer(0)).length + resetsOf(scene.peer(1)).length === 1, "a reset");
    scene.clock.advance(1000);
    await scene.settled();
    assert.equal(scene.seen(), 2);
    const left = resetsOf(scene.peer(0)).length === 0 ? 0 : 1;
    exchange.send("end", true);
    const all = Buffer.concat(["one", "q".repeat(100), "end"].map((text) => frameMessage(Buffer.from(text))));
    await until(() => scene.peer(left).bytes(1) === all.length, "the rest");
    assert.deepEqual(scene.peer(left).body(1), all);
    assert.equal(exchange.client.credit, all.length);
    scene.peer(left).send(answer(1, "0"));
    assert.equal(await exchange.status(), "0");
    assert.equal(scene.replayMemory.bytes, 0);
  });

  it("ends at once with a failure if no other attempt is allowed (grpc-java#7222)", async () => {
    for (const changes of [
      { budget: { share: 0, perSecond: 0 } },
      { throttling: { maxTokens: 2, tokenRatio: 0.1 } },
    ]) {
      const scene = await setup({ policy: { ...hedged, ...changes } });
      const exchange = scene.begin().send("q", true);
      await scene.requests(1);
      scene.peer().send(answer(1, "14"));
      assert.equal(await exchange.status(), "14");
      assert.equal(scene.clock.pending, 1);
    }
  });

  it("cancels attempts with the call, whether a response has begun or not (envoy#7192, envoy#7530)", async () => {
    for (const answered of [true, false]) {
      const scene = await setup({ endpoints: ["a", "b"], policy: { ...hedged, attempts: 2 } });
      const exchange = scene.begin().send("q", true);
      await scene.requests(1);
      scene.clock.advance(40);
      await scene.requests(2);
      if (answered) {
        scene.peer(0).send(answerHead(1));
        await until(() => exchange.response.received !== undefined, "the head");
      }
      exchange.cancel();
      await until(() => [0, 1].every((at) => resetsOf(scene.peer(at)).length === 1), "both resets");
      for (const at of [0, 1]) scene.peer(at).send(trailers(1));
      await scene.settled();
      assert.deepEqual(exchange.response.late, []);
      assert.equal(exchange.notes.lines.length, 2, "each attempt ends once");
      assert.equal(scene.replayMemory.bytes, 0);
    }
  });

  it("starts no attempts past the deadline, for a client that has left, or beyond the budget", async () => {
    for (const why of ["deadline", "client", "budget"]) {
      const scene = await setup({
        policy: { ...hedged, ...(why === "budget" ? { budget: { share: 0, perSecond: 0 } } : {}) },
      });
      const call = callOf();
      if (why === "deadline") call.deadline = scene.clock.now() + 30;
      const exchange = scene.begin(call).send("q", true);
      await scene.requests(1);
      if (why === "client") exchange.cancel();
      scene.clock.advance(200);
      await scene.settled();
      assert.equal(scene.seen(), 1, why);
      assert.equal(scene.clock.pending, 1, why);
      if (why === "client") continue;
      scene.peer().send(answer(1, "14"));
      assert.equal(await exchange.status(), "14", why);
    }
  });
});

const upstream = { ...DEFAULT_RETRIES, attempts: 4 };

describe("the policy of a method", () => {
  const own = { attempts: 2, anyCall: false };
  it("applies to idempotent methods only, by schema or config, unless a key of the method says otherwise", () => {
    const rows = [];
    for (const schema of [true, false])
      for (const config of [true, false, undefined])
        for (const from of ["upstream", "method", "both", "neither", "switched off"] as const)
          for (const anyCall of [true, false]) rows.push({ schema, config, from, anyCall });
    for (const { schema, config, from, anyCall } of rows) {
      const ofMethod = from === "method" || from === "both";
      const policy = retryPolicy(
        { ...methodOf(), idempotent: schema },
        {
          upstream: from === "method" || from === "neither" ? undefined : upstream,
          method: from === "switched off" ? false : ofMethod ? { ...own, anyCall } : undefined,
          idempotent: config,
        },
      );
      const configured = from !== "neither" && from !== "switched off";
      const allowed = (ofMethod && anyCall) || (config ?? schema);
      const attempts = configured && allowed ? (ofMethod ? 2 : 4) : undefined;
      assert.equal(policy?.attempts, attempts, JSON.stringify({ schema, config, from, anyCall }));
    }
  });

  it("does not exist if the method is unknown, or only one attempt is allowed", () => {
    const sources = { upstream, method: { ...own, anyCall: true }, idempotent: true };
    assert.equal(retryPolicy({ ...methodOf("/a.B/C", "unknown"), idempotent: true }, sources), undefined);
    const single = { ...sources, method: { attempts: 1, anyCall: false } };
    assert.equal(retryPolicy({ ...methodOf(), idempotent: true }, single), undefined);
    for (const kind of ["unary", "server_streaming", "client_streaming", "bidi_streaming"] as const)
      assert.notEqual(retryPolicy(methodOf("/a.B/C", kind), sources), undefined);
  });
});

describe("a gRPC service config", () => {
  const retryPolicyOf = {
    maxAttempts: 4,
    initialBackoff: "0.1s",
    maxBackoff: "1.5s",
    backoffMultiplier: 3,
    retryableStatusCodes: ["unavailable", 10],
  };
  const retries = {
    attempts: 4,
    on: [14, 10],
    backoff: { baseMs: 100, maxMs: 1500, multiplier: 3 },
    hedgeDelayMs: undefined,
    throttling: { maxTokens: 10, tokenRatio: 0.123 },
  };

  it("has policies and timeouts for methods, services and all others", () => {
    const { config, problems, warnings } = readServiceConfig(
      JSON.stringify({
        loadBalancingConfig: [{ round_robin: {} }],
        retryThrottling: { maxTokens: 10, tokenRatio: 0.1239 },
        methodConfig: [
          {
            name: [
              { service: "a.B", method: "C" },
              { service: "a.B", method: "D" },
            ],
            retryPolicy: retryPolicyOf,
          },
          { name: [{ service: "a.B" }], timeout: "1.25s", waitForReady: true },
          { name: [{}], hedgingPolicy: { maxAttempts: 9, hedgingDelay: "0.05s", nonFatalStatusCodes: [14] } },
          { name: [{ service: "a.E" }], hedgingPolicy: { maxAttempts: 2 }, timeOut: "1s" },
        ],
      }),
    );
    assert.deepEqual(problems, []);
    assert.deepEqual(warnings, [
      "loadBalancingConfig: has no effect: balancer of the upstream is what counts",
      "methodConfig[1].waitForReady: has no effect: calls wait for a connection as pending.wait says",
      "methodConfig[2].hedgingPolicy.maxAttempts: is 9, but at most 5 are made",
      "methodConfig[3].timeOut: is not known, and has no effect; did you mean timeout?",
    ]);
    const { throttling } = retries;
    assert.deepEqual(Object.fromEntries(config), {
      "a.B/C": { retries, timeoutMs: undefined },
      "a.B/D": { retries, timeoutMs: undefined },
      "a.B": { retries: undefined, timeoutMs: 1250 },
      "": { retries: { attempts: 5, on: [14], hedgeDelayMs: 50, throttling }, timeoutMs: undefined },
      "a.E": { retries: { attempts: 2, on: [], hedgeDelayMs: 1, throttling }, timeoutMs: undefined },
    });
  });

  const method = { service: "a.B", method: "C" };
  const wrong: readonly (readonly [what: string, json: unknown, problems: readonly string[]])[] = [
    ["a list", [], ["must be an object, not a list"]],
    ["no list of methods", { methodConfig: {} }, ["methodConfig: must be a list, not an object"]],
    [
      "names that cannot be",
      { methodConfig: [{ name: [{ method: "C" }, { service: 1 }, method, method, 7] }] },
      [
        "methodConfig[0].name[0]: must have a service, since it has a method",
        "methodConfig[0].name[1]: must be {}, { service } or { service, method }, with names such as pkg.Service",
        "methodConfig[0].name[3]: stands twice: a.B/C",
        "methodConfig[0].name[4]: must be an object, not a number",
      ],
    ],
    [
      "both policies",
      { methodConfig: [{ name: [method], retryPolicy: retryPolicyOf, hedgingPolicy: { maxAttempts: 2 } }] },
      ["methodConfig[0]: must have retryPolicy or hedgingPolicy, not both"],
    ],
    [
      "a policy without its fields",
      { methodConfig: [{ name: [method], retryPolicy: {} }] },
      [
        "methodConfig[0].retryPolicy.backoffMultiplier: must be a number above 0",
        "methodConfig[0].retryPolicy.retryableStatusCodes: must be a list, not undefined",
        "methodConfig[0].retryPolicy.maxAttempts: must be a whole number from 2 on",
        "methodConfig[0].retryPolicy.initialBackoff: must be a duration in seconds, such as 0.1s, of at least 0.001s",
        "methodConfig[0].retryPolicy.maxBackoff: must be a duration in seconds, such as 0.1s, of at least 0.001s",
      ],
    ],
    [
      "values out of range",
      {
        retryThrottling: { maxTokens: 1001, tokenRatio: 0 },
        methodConfig: [
          {
            name: [method],
            timeout: 5,
            retryPolicy: {
              ...retryPolicyOf,
              maxAttempts: 1,
              maxBackoff: "-1s",
              retryableStatusCodes: ["OK", 99],
            },
          },
        ],
      },
      [
        "retryThrottling.maxTokens: must be a number above 0, and at most 1000",
        "retryThrottling.tokenRatio: must be a number above 0",
        "methodConfig[0].retryPolicy.retryableStatusCodes[0]: must be one of CANCELLED, UNKNOWN",
        "methodConfig[0].retryPolicy.retryableStatusCodes[1]: must be one of CANCELLED, UNKNOWN",
        "methodConfig[0].retryPolicy.retryableStatusCodes: must name at least one code",
        "methodConfig[0].retryPolicy.maxAttempts: must be a whole number from 2 on",
        "methodConfig[0].retryPolicy.maxBackoff: must be a duration in seconds, such as 0.1s, of at least 0.001s",
        "methodConfig[0].timeout: must be a duration in seconds, such as 0.1s, of at least 0.001s",
      ],
    ],
  ];
  for (const [what, json, problems] of wrong)
    it(`reports the location of an error: ${what}`, () => {
      const told = readServiceConfig(JSON.stringify(json)).problems;
      assert.deepEqual(
        told.map((problem) => problem.replace(/(UNKNOWN), INVALID_ARGUMENT.*/, "$1")),
        problems,
      );
    });

  it("takes any text without throwing", () => {
    assert.match(readServiceConfig("{").problems.join(), /^is not JSON: /);
    fc.assert(
      fc.property(fc.jsonValue(), (json) => {
        readServiceConfig(JSON.stringify(json));
        readServiceConfig(JSON.stringify({ methodConfig: [json, { name: [method], retryPolicy: json }] }));
      }),
    );
  });

  it("allows retries for methods it names; for others only if they are idempotent", () => {
    const entry = { retries, timeoutMs: undefined };
    for (const [key, idempotent, config, allowed] of [
      ["a.B/C", false, undefined, true],
      ["a.B/C", false, false, false],
      ["a.B/C", true, undefined, true],
      ["a.B", false, undefined, false],
      ["a.B", true, undefined, true],
      ["a.B", false, true, true],
      ["", false, undefined, false],
      ["", true, undefined, true],
      ["a.X", true, undefined, false],
    ] as const) {
      const sources = { upstream: undefined, serviceConfig: new Map([[key, entry]]), method: undefined };
      const policy = retryPolicy({ ...methodOf("/a.B/C"), idempotent }, { ...sources, idempotent: config });
      assert.equal(policy?.attempts, allowed ? 4 : undefined, `${key} ${idempotent} ${config}`);
      assert.equal(policy?.replayBytes, allowed ? 64 * 1024 : undefined);
    }
    const own = retryPolicy(methodOf("/a.B/C"), {
      upstream,
      serviceConfig: new Map([["a.B/C", entry]]),
      method: { attempts: 2, anyCall: false },
      idempotent: undefined,
    });
    assert.deepEqual([own?.attempts, own?.on], [2, retries.on], "the method's own keys come first");
  });
});

it("the budget forgets calls after 10 s, second by second", () => {
  const clock = new FakeClock(5_500);
  const counts = new BudgetCounts(clock);
  const all = (share: number, perSecond: number): number => {
    let taken = 0;
    while (taken < 1000 && counts.take({ share, perSecond })) taken++;
    return taken;
  };
  assert.equal(all(0.2, 10), 100, "10 per second over 10 s");
  assert.equal(all(0.2, 10), 0);
  for (let i = 0; i < 50; i++) counts.call();
  assert.equal(all(0.2, 10), 10, "and 20 % of the calls");
  clock.advance(9_499);
  assert.equal(all(0.2, 10), 0, "not yet 10 s");
  clock.advance(1);
  assert.equal(all(0.2, 10), 100);
  clock.advance(3_600_000);
  assert.equal(all(0.2, 10), 100);
  assert.equal(all(1, 0), 0);
});

/** What a service does with a request that has come in full. Those that say so have not processed it. */
const FAULTS = {
  answers: (peer: RawPeer, id: number) => peer.send(answerHead(id), trailers(id)),
  "answers UNAVAILABLE": (peer: RawPeer, id: number) => peer.send(answer(id, "14")),
  "answers UNAVAILABLE behind a head": (peer: RawPeer, id: number) =>
    peer.send(answerHead(id), trailers(id, "14")),
  "resets it": (peer: RawPeer, id: number) => peer.send(rst(id, ErrorCode.INTERNAL_ERROR)),
  "resets it behind a head": (peer: RawPeer, id: number) =>
    peer.send(answerHead(id), rst(id, ErrorCode.INTERNAL_ERROR)),
  "cuts the connection": (peer: RawPeer) => void peer.socket.destroy(),
  "cuts the connection within a frame": (peer: RawPeer, id: number) => {
    peer.socket.write(answerHead(id).subarray(0, 12));
    peer.socket.end();
  },
  "leaves after it": (peer: RawPeer, id: number) => {
    peer.send(goaway(id));
    peer.socket.end();
  },
  "refuses it": (peer: RawPeer, id: number) => peer.send(rst(id, ErrorCode.REFUSED_STREAM)),
  "leaves before it": (peer: RawPeer, id: number) => peer.send(goaway(Math.max(0, id - 2))),
} as const;
type Fault = keyof typeof FAULTS;
const UNPROCESSED: ReadonlySet<Fault> = new Set(["refuses it", "leaves before it"]);

it("a call that is not idempotent reaches services at most once, others as often as the policy allows", async () => {
  const names = Object.keys(FAULTS) as Fault[]; // the keys of the object above
  const calls = fc.array(
    fc.record({
      policy: fc.constantFrom<Partial<RetryPolicy> | undefined>(
        undefined,
        undefined,
        { attempts: 3, on: [Code.UNAVAILABLE, Code.INTERNAL] },
        { attempts: 3, hedgeDelayMs: 10 },
      ),
      /** In one piece, or in two, the second of which comes late. */
      pieces: fc.constantFrom(1, 2),
      leaves: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    }),
    { minLength: 1, maxLength: 6 },
  );
  await fc.assert(
    fc.asyncProperty(
      calls,
      fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 12 }),
      async (all, faults) => {
        const clock = new FakeClock(100_000);
        const processed = new Map<string, number>();
        let next = 0;
        const services = ["a", "b"].map((address) => {
          const service = new ScriptedService();
          service.answersSettings = true;
          return { address, service };
        });
        const memory = new ReplayMemory();
        const dial =
          ({ dial, peers }: ScriptedService) =>
          () => {
            const near = dial();
            const peer = peers.at(-1);
            const done = new Set<number>();
            /** What the service has said that it does not look at: later streams than this. */
            let last = Number.POSITIVE_INFINITY;
            peer?.socket.on("data", () => {
              for (const id of requestsOf(peer)) {
                if (done.has(id) || id > last || peer.find(FrameType.DATA, id, Flag.END_STREAM) === undefined)
                  continue;
                done.add(id);
                // What comes behind the last of them is answered, so that every call ends.
                const fault = faults[next++] ?? "answers";
                const call = peer.body(id).subarray(5).toString();
                if (!UNPROCESSED.has(fault)) processed.set(call, (processed.get(call) ?? 0) + 1);
                if (fault === "leaves after it") last = id;
                if (fault === "leaves before it") last = Math.max(0, id - 2);
                FAULTS[fault](peer, id);
              }
            });
            return near;
          };
        const cluster = new Cluster({
          name: "s",
          endpoints: services.map(({ address, service }) => ({ address, dial: dial(service) })),
          clock,
          replayMemory: memory,
          random: () => 0.5,
        });
        cluster.connect();
        await until(() => cluster.endpoints.every(({ state }) => state === "ready"), "the connections");
        const retries = new UpstreamRetries("s", clock);
        const exchanges = all.map(({ policy, pieces }, i) => {
          const handler =
            policy === undefined
              ? cluster.handler
              : retrying({ cluster, retries, policy: { ...DEFAULT_RETRIES, ...policy } });
          const exchange = new Exchange(cluster, callOf(), handler);
          const frame = frameMessage(Buffer.from(`call ${i}`));
          const half = Math.ceil(frame.length / pieces);
          exchange.request.data(frame, 0, half, pieces === 1);
          return {
            exchange,
            rest: () => pieces === 2 && exchange.request.data(frame, half, frame.length, true),
          };
        });
        await turns(1);
        for (const { rest } of exchanges) rest();
        for (const [i, { exchange }] of exchanges.entries()) if (all[i]?.leaves) exchange.cancel();
        const over = (): boolean =>
          exchanges.every(({ exchange }, i) => all[i]?.leaves === true || exchange.response.ended);
        for (let at = 0; at < 2000 && !over(); at++) {
          clock.advance(25);
          await turns(1);
        }
        const what = JSON.stringify({ all, faults });
        assert.ok(over(), `every call ends: ${what}`);
        for (const [i, { policy }] of all.entries()) {
          const times = processed.get(`call ${i}`) ?? 0;
          assert.ok(
            times <= (policy === undefined ? 1 : 3),
            `call ${i} was processed ${times} times: ${what}`,
          );
          assert.deepEqual(exchanges[i]?.exchange.response.late, []);
        }
        assert.equal(memory.bytes, 0, what);
        cluster.close();
      },
    ),
    { numRuns: 60 },
  );
});

/** What a proxy answers that has lost the service. */
function httpError(id: number): Buffer {
  const fields = [
    [":status", "503"],
    ["content-type", "text/html"],
  ] as const;
  return frame(FrameType.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, id, block(fields));
}
