// What a connection owes to time: slow beginnings, slow headers, silence, idleness, age, data that nobody takes.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ConnectionOptions } from "#src/http2/connection.js";
import { DEFAULT_LIMITS } from "#src/http2/wire/limits.js";
import { ErrorCode, errorName, Flag, FrameType, PREFACE, Setting } from "#src/http2/wire/protocol.js";
import { FakeClock } from "../support/fake-clock.js";
import {
  block,
  data,
  frame,
  HELLO,
  headers,
  ping,
  type RawPeer,
  REQUEST,
  settings,
} from "../support/frames.js";
import { echo, type Owner, Recorder, rawClient, rawServer, request, respond } from "../support/wire.js";

/** The watch looks twice within the shortest limit: what is due is noticed that much later at the most. */
const LATE_MS = 5000;
const SECOND = 1000;
const MINUTE = 60 * SECOND;

type Served = Parameters<typeof rawClient>[0];

async function timedServer(
  serve: Served = echo,
  options: Parameters<typeof rawClient>[1] = {},
): Promise<{
  clock: FakeClock;
  peer: RawPeer;
  owner: Owner;
  server: Awaited<ReturnType<typeof rawClient>>["server"];
}> {
  const clock = new FakeClock(1000);
  const { peer, owner, server } = await rawClient(serve, { clock, ...options });
  return { clock, peer, owner, server };
}

const goawaysOf = (peer: RawPeer): string[] =>
  peer.frames
    .filter((f) => f.type === FrameType.GOAWAY)
    .map((f) => `${errorName(f.payload.readUInt32BE(4))} ${f.payload.readUInt32BE(0)}`);

const pingsOf = (peer: RawPeer): Buffer[] =>
  peer.frames.filter((f) => f.type === FrameType.PING && f.flags === 0).map((f) => f.payload);

/** Lets what was written arrive. */
async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
}

describe("a client that begins slowly is disconnected after 10 s:", () => {
  const BEGINNINGS: [string, Buffer][] = [
    ["nothing at all", Buffer.alloc(0)],
    ["half a preface", PREFACE.subarray(0, 10)],
    ["a preface and no SETTINGS", PREFACE],
    ["a preface and half of SETTINGS", HELLO.subarray(0, HELLO.length - 3)],
  ];
  for (const [what, bytes] of BEGINNINGS) {
    test(what, async () => {
      const { clock, peer, owner } = await timedServer(echo, { silent: true });
      peer.send(bytes);
      await settle();
      clock.advance(9.9 * SECOND);
      await settle();
      assert.equal(owner.closedBecause, undefined);
      clock.advance(LATE_MS);
      await peer.over();
      assert.deepEqual(goawaysOf(peer), ["SETTINGS_TIMEOUT 0"]);
      assert.match(await owner.closed, /no SETTINGS within 10000 ms/);
      assert.equal(clock.pending, 0, "no timer is left behind");
    });
  }

  test("but one that has sent its SETTINGS may wait for its first call", async () => {
    const { clock, peer, server } = await timedServer();
    clock.advance(4 * MINUTE);
    peer.send(headers(1, REQUEST, { end: true }));
    await peer.frame(FrameType.DATA, 1, Flag.END_STREAM);
    assert.deepEqual(goawaysOf(peer), []);
    server.destroy();
  });
});

describe("headers that are begun must be ended within 10 s:", () => {
  const b = block(REQUEST);
  const whole = headers(1);
  const BEGUN: [string, Buffer][] = [
    ["part of a frame's header", whole.subarray(0, 4)],
    ["part of a HEADERS frame", whole.subarray(0, 20)],
    ["HEADERS without CONTINUATION", frame(FrameType.HEADERS, 0, 1, b.subarray(0, 5))],
  ];
  for (const [what, bytes] of BEGUN) {
    test(what, async () => {
      const { clock, peer, owner } = await timedServer();
      peer.send(bytes);
      await settle();
      clock.advance(9.9 * SECOND);
      assert.equal(owner.closedBecause, undefined);
      clock.advance(2 * LATE_MS);
      await peer.over();
      assert.deepEqual(goawaysOf(peer), ["ENHANCE_YOUR_CALM 0"]);
    });
  }

  test("a byte now and then does not help", async () => {
    const { clock, peer, owner } = await timedServer();
    for (let i = 0; i < 30 && owner.closedBecause === undefined; i++) {
      peer.send(whole.subarray(i, i + 1));
      await settle();
      clock.advance(SECOND);
    }
    assert.match(owner.closedBecause ?? "", /was not complete/);
  });

  test("frames that end, however slow, are no such thing", async () => {
    const { clock, peer, server, owner } = await timedServer();
    peer.send(headers(1));
    for (let i = 0; i < 100; i++) {
      peer.send(data(1, "x"));
      await settle();
      clock.advance(4 * SECOND);
    }
    // DATA that stalls within its frame is a slow body, which its call's deadline bounds.
    peer.send(data(1, "abcdef").subarray(0, 12));
    await settle();
    clock.advance(MINUTE);
    assert.equal(owner.closedBecause, undefined);
    server.destroy();
  });
});

describe("keepalive", () => {
  test("a silent client is asked after 5 min, and disconnected 20 s later", async () => {
    const { clock, peer, owner } = await timedServer(() => {});
    peer.send(headers(1));
    await peer.roundTrip();
    clock.advance(5 * MINUTE - 1);
    await settle();
    assert.equal(pingsOf(peer).length, 0);
    clock.advance(2 * LATE_MS);
    await settle();
    assert.equal(pingsOf(peer).length, 1);
    clock.advance(20 * SECOND + LATE_MS);
    assert.match(await owner.closed, /did not answer a PING within 20000 ms/);
  });

  test("one that answers is kept, and asked again", async () => {
    const { clock, peer, server, owner } = await timedServer(() => {});
    peer.send(headers(1));
    await peer.roundTrip();
    for (let n = 1; n <= 3; n++) {
      clock.advance(5 * MINUTE + 2 * LATE_MS);
      await settle();
      assert.equal(pingsOf(peer).length, n);
      peer.send(ping(pingsOf(peer)[n - 1]?.toString("latin1"), Flag.ACK));
      await settle();
    }
    assert.equal(owner.closedBecause, undefined);
    server.destroy();
  });

  test("a service is asked only while it has calls, and never within 5 min", async () => {
    const clock = new FakeClock(1000);
    const { peer, client } = await rawServer({ clock });
    clock.advance(60 * MINUTE);
    await settle();
    assert.equal(pingsOf(peer).length, 0);
    request(client, new Recorder());
    peer.send(settings());
    await settle();
    clock.advance(5 * MINUTE - 1);
    await settle();
    assert.equal(pingsOf(peer).length, 0);
    clock.advance(2 * LATE_MS);
    await settle();
    assert.equal(pingsOf(peer).length, 1);
    client.destroy();
  });

  test("a service that was sent calls and says nothing is asked after 20 s, and then not for 5 min", async () => {
    const clock = new FakeClock(1000);
    const { peer, client } = await rawServer({ clock });
    clock.advance(LATE_MS);
    request(client, new Recorder());
    await settle();
    clock.advance(20 * SECOND - 2 * LATE_MS);
    await settle();
    assert.equal(pingsOf(peer).length, 0);
    clock.advance(2 * LATE_MS);
    await settle();
    assert.equal(pingsOf(peer).length, 1);
    peer.send(ping(pingsOf(peer)[0]?.toString("latin1"), Flag.ACK));
    await settle();
    clock.advance(LATE_MS);
    request(client, new Recorder());
    await settle();
    clock.advance(4 * MINUTE);
    await settle();
    assert.equal(pingsOf(peer).length, 1);
    clock.advance(MINUTE);
    await settle();
    assert.equal(pingsOf(peer).length, 2);
    client.destroy();
  });

  test("a service that does not respond is lost, and its calls are notified", async () => {
    const clock = new FakeClock(1000);
    const { client, owner } = await rawServer({ clock });
    const answer = new Recorder();
    request(client, answer, { end: true });
    await settle();
    clock.advance(6 * MINUTE);
    await answer.over;
    assert.equal(answer.reset?.by, "connection");
    assert.match(await owner.closed, /did not answer a PING/);
  });
});

/** A client that answers PINGs, for `minutes`. */
async function live(clock: FakeClock, peer: RawPeer, minutes: number): Promise<void> {
  let answered = 0;
  for (let i = 0; i < minutes * 6 && !peer.ended; i++) {
    clock.advance(10 * SECOND);
    await settle();
    for (const payload of pingsOf(peer).slice(answered)) {
      answered++;
      peer.send(ping(payload.toString("latin1"), Flag.ACK));
    }
    await settle();
  }
}

describe("a connection without calls", () => {
  test("is drained after an hour", async () => {
    const { clock, peer, owner } = await timedServer();
    await live(clock, peer, 59);
    assert.deepEqual(goawaysOf(peer), []);
    await live(clock, peer, 2);
    assert.deepEqual(goawaysOf(peer), [`NO_ERROR ${0x7fffffff}`, "NO_ERROR 0"]);
    assert.equal(await owner.closed, "the connection was drained");
    assert.equal(clock.pending, 0);
  });

  test("counts from its last call", async () => {
    const { clock, peer, server, owner } = await timedServer();
    await live(clock, peer, 40);
    peer.send(headers(1, REQUEST, { end: true }));
    await peer.frame(FrameType.DATA, 1, Flag.END_STREAM);
    await live(clock, peer, 40);
    assert.equal(owner.closedBecause, undefined);
    server.destroy();
  });

  test("has no such limit while a call is open", async () => {
    const { clock, peer, server, owner } = await timedServer(() => {});
    peer.send(headers(1));
    await live(clock, peer, 70);
    assert.equal(owner.closedBecause, undefined);
    server.destroy();
  });
});

describe("age", () => {
  const aged = (random: number): Partial<ConnectionOptions> => ({
    limits: { maxAgeMs: 10 * MINUTE },
    random: () => random,
  });
  for (const [random, minutes] of [
    [0, 9],
    [0.5, 10],
    [0.999, 10.99],
  ] as const) {
    test(`with chance ${random} a connection of at most 10 min is drained after ${minutes}`, async () => {
      const { clock, peer, server } = await timedServer(() => {}, aged(random));
      peer.send(headers(1));
      await live(clock, peer, Math.floor(minutes * 6 - 1) / 6);
      assert.deepEqual(goawaysOf(peer), []);
      await live(clock, peer, 0.5);
      assert.deepEqual(goawaysOf(peer), [`NO_ERROR ${0x7fffffff}`, "NO_ERROR 1"]);
      server.destroy();
    });
  }

  test("loses no call, and does not wait for ever for the PING", async () => {
    const { clock, peer, owner } = await timedServer(echo, aged(0.5));
    peer.send(headers(1));
    await peer.roundTrip();
    clock.advance(4 * MINUTE);
    await peer.roundTrip();
    clock.advance(4 * MINUTE);
    await peer.roundTrip();
    clock.advance(2 * MINUTE);
    await settle();
    assert.deepEqual(goawaysOf(peer), [`NO_ERROR ${0x7fffffff}`]);
    peer.send(headers(3, REQUEST, { end: true }));
    await peer.frame(FrameType.DATA, 3, Flag.END_STREAM);
    clock.advance(SECOND + LATE_MS);
    await settle();
    assert.deepEqual(goawaysOf(peer), [`NO_ERROR ${0x7fffffff}`, "NO_ERROR 3"]);
    peer.send(data(1, "late", true));
    await peer.frame(FrameType.DATA, 1, Flag.END_STREAM);
    await peer.over();
    assert.equal(await owner.closed, "the connection was drained");
    assert.equal(clock.pending, 0);
  });

  test("gives calls a grace, where one is set, and cuts off what is left then", async () => {
    const limits = { maxAgeMs: 10 * MINUTE, maxAgeGraceMs: MINUTE };
    const { clock, peer, owner } = await timedServer(() => {}, { limits, random: () => 0.5 });
    peer.send(headers(1));
    await live(clock, peer, 10.5);
    assert.deepEqual(goawaysOf(peer), [`NO_ERROR ${0x7fffffff}`, "NO_ERROR 1"]);
    assert.equal(owner.closedBecause, undefined);
    clock.advance(MINUTE);
    assert.match(await owner.closed, /the 60000 ms of grace for its calls are over/);
  });

  test("is no limit by default, nor is its grace", async () => {
    assert.equal(DEFAULT_LIMITS.maxAgeMs, Number.POSITIVE_INFINITY);
    assert.equal(DEFAULT_LIMITS.maxAgeGraceMs, Number.POSITIVE_INFINITY);
  });
});

describe("a service whose TCP takes nothing", () => {
  const CHUNK = Buffer.alloc(64 * 1024 - 1);

  test("is reported as stuck after 5 s, as recovered once it reads, and closed after 20 s", async () => {
    const clock = new FakeClock(1000);
    const { peer, client, owner } = await rawServer({ clock });
    let told = 0;
    owner.capacityHook = () => {
      told++;
    };
    const answer = new Recorder();
    peer.socket.pause();
    request(client, answer, {}).sendData(CHUNK, 0, CHUNK.length, true);
    await settle();
    assert.ok(client.unwritten > 0);
    clock.advance(5 * SECOND - 1);
    assert.equal(client.stuck, false);
    clock.advance(LATE_MS);
    assert.equal(client.stuck, true);
    assert.equal(told, 1);
    peer.socket.resume();
    await settle();
    clock.advance(LATE_MS);
    assert.equal(client.stuck, false);
    assert.equal(told, 2);
    peer.socket.pause();
    for (let i = 0; i < 10_000; i++) client.ping(() => {});
    await settle();
    assert.ok(client.unwritten > 0);
    clock.advance(20 * SECOND + LATE_MS);
    assert.match(await owner.closed, /read nothing for 20000 ms/);
    await answer.over;
    assert.equal(answer.reset?.by, "connection");
  });

  test("a client whose TCP takes nothing is not: its limits are others", async () => {
    const { clock, peer, server, owner } = await timedServer((stream) => {
      respond(stream, [[":status", "200"]], false);
      stream.sendData(CHUNK, 0, CHUNK.length, true);
    });
    peer.send(headers(1, REQUEST, { end: true }));
    peer.socket.pause();
    await settle();
    assert.ok(server.unwritten > 0);
    clock.advance(30 * SECOND);
    assert.equal(owner.closedBecause, undefined);
    assert.equal(server.stuck, false);
    server.destroy();
  });
});

describe("data that the client does not take", () => {
  test("is dropped with its stream after 5 min without a byte; a stream that moves is kept", async () => {
    const { clock, peer, server, owner } = await timedServer(
      (stream) => {
        respond(stream, [[":status", "200"]], false);
        stream.sendData(Buffer.alloc(100_000), 0, 100_000, true);
      },
      { settings: settings([Setting.INITIAL_WINDOW_SIZE, 10]) },
    );
    peer.send(headers(1, REQUEST, { end: true }), headers(3, REQUEST, { end: true }));
    await peer.roundTrip();
    for (let i = 0; i < 35; i++) {
      clock.advance(10 * SECOND);
      peer.send(frame(FrameType.WINDOW_UPDATE, 0, 3, Buffer.from([0, 0, 0, 1])));
      await peer.roundTrip();
    }
    assert.equal((await peer.frame(FrameType.RST_STREAM, 1)).payload.readUInt32BE(0), ErrorCode.CANCEL);
    assert.equal(peer.find(FrameType.RST_STREAM, 3), undefined);
    assert.match(owner.requests[0]?.reset?.reason ?? "", /took no data/);
    assert.equal(server.active, 1);
    server.destroy();
    assert.equal(server.queuedBytes, 0);
  });
});
