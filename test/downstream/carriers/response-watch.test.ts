// The patience with clients that do not read their answers: who is let go, when, and who never is. Real sockets, in
// clear text, over TLS and on a Unix socket; the clock is the test's.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { DEFAULT_LISTENER_LIMITS } from "#src/config/listener-limits.js";
import { ResponseWatch } from "#src/downstream/carriers/response-watch.js";
import { SendMemory } from "#src/http2/send-memory.js";
import { DEFAULT_LIMITS } from "#src/http2/wire/limits.js";
import { TimerWheel } from "#src/kit/timer-wheel.js";
import { Authority, folder } from "../../support/authority.js";
import { FakeClock } from "../../support/fake-clock.js";
import { turns, until } from "../../support/until.js";

const MIB = 1024 * 1024;
/** Of which the system takes some MiB itself, and shows a client's reading in steps of more than one. */
const ANSWER = Buffer.alloc(32 * MIB, "x");
const STEP_BYTES = 3 * MIB;
const MINUTE = 60_000;
const authority = new Authority("servers");

type Kind = "clear text" | "TLS" | "a Unix socket";

interface Options {
  readonly rate?: number;
  readonly memory?: SendMemory;
  readonly stallMs?: number;
}

/** A connection that is watched, and its client, which reads what it is told to. */
class Rig {
  readonly clock = new FakeClock(1000);
  readonly timers = new TimerWheel(this.clock);
  readonly passed: string[] = [];
  readonly server: Socket;
  readonly client: Socket;
  readonly watch: ResponseWatch;
  received = 0;

  constructor(server: Socket, client: Socket, { rate, stallMs, memory }: Options) {
    this.server = server;
    this.client = client;
    client.pause();
    client.on("error", () => {});
    server.on("error", () => {});
    this.watch = new ResponseWatch(server, {
      timers: this.timers,
      limits: {
        stallMs: stallMs ?? DEFAULT_LIMITS.stallMs,
        http1ReadRate: rate ?? DEFAULT_LISTENER_LIMITS.http1ReadRate,
      },
      memory: memory ?? new SendMemory(DEFAULT_LIMITS.maxProcessQueuedBytes),
      onPassed: (limit) => this.passed.push(limit),
    });
  }

  write(bytes: Buffer): void {
    this.server.write(bytes);
    this.watch.wrote();
  }

  /** Reads so much more, and lets the server's side see it. */
  async read(bytes: number): Promise<void> {
    const goal = Math.min(this.received + bytes, ANSWER.length);
    while (this.received < goal) {
      assert.ok(!this.client.closed, `closed after ${this.received} bytes`);
      const chunk: Buffer | null = this.client.read();
      if (chunk === null) await Promise.race([once(this.client, "readable"), turns(1)]);
      else this.received += chunk.length;
    }
    await turns(50);
  }

  async advance(ms: number): Promise<void> {
    this.clock.advance(ms);
    await turns(5);
  }
}

async function started(t: TestContext, kind: Kind, options: Options = {}): Promise<Rig> {
  const server: Server = createServer({ noDelay: true });
  const path = join(folder(t), "s");
  if (kind === "a Unix socket") server.listen(path);
  else server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const raw =
    typeof address === "string" || address === null ? connect(path) : connect(address.port, "127.0.0.1");
  const tls = createTlsServer(authority.server());
  if (kind === "TLS") server.on("connection", (socket) => tls.emit("connection", socket));
  const accepted = once(kind === "TLS" ? tls : server, kind === "TLS" ? "secureConnection" : "connection");
  const client =
    kind === "TLS" ? connectTls({ socket: raw, ca: authority.cert, servername: "localhost" }) : raw;
  const [socket] = (await accepted) as [Socket];
  server.close();
  t.after(() => {
    client.destroy();
    raw.destroy();
    socket.destroy();
  });
  return new Rig(socket, client, options);
}

for (const kind of ["clear text", "TLS", "a Unix socket"] as const) {
  describe(`a client over ${kind}`, () => {
    it("that reads nothing for five minutes is disconnected, and not before", async (t) => {
      const rig = await started(t, kind);
      rig.write(ANSWER);
      await turns(20);
      await rig.advance(299_000);
      assert.equal(rig.server.destroyed, false);
      await rig.advance(11_000);
      assert.equal(rig.server.destroyed, true);
      assert.deepEqual(rig.passed, ["stallMs"]);
      assert.match(rig.watch.reason ?? "", /took nothing of an answer for 300000 ms/);
      rig.client.resume();
      await until(() => rig.client.closed, "the end");
      await until(() => rig.timers.size === 0, "no timer left");
    });

    it("that leaves the last few bytes is disconnected as well", async (t) => {
      const rig = await started(t, kind);
      // As much as the system takes, and a little more.
      while (rig.server.writableLength === 0) {
        rig.write(Buffer.alloc(1024));
        await turns(1);
      }
      assert.ok(rig.server.writableLength < 64 * 1024);
      await rig.advance(311_000);
      assert.deepEqual(rig.passed, ["stallMs"]);
    });

    it("that reads slowly but steadily gets all of it, even one write that takes an hour", async (t) => {
      const rig = await started(t, kind);
      rig.write(ANSWER);
      while (rig.received < ANSWER.length) {
        await rig.advance(290_000);
        await rig.read(STEP_BYTES);
      }
      await until(() => rig.server.writableLength === 0, "the end");
      assert.ok(rig.clock.now() > 50 * MINUTE);
      assert.deepEqual(rig.passed, []);
    });

    it("that reads, but less than it must, is disconnected", async (t) => {
      // A step of the system's within five minutes is far too little then.
      const rig = await started(t, kind, { rate: MIB });
      rig.write(ANSWER);
      for (let i = 0; i < 3; i++) {
        await rig.advance(100_000);
        assert.deepEqual(rig.passed, []);
        await rig.read(STEP_BYTES);
      }
      await rig.advance(11_000);
      assert.deepEqual(rig.passed, ["http1ReadRate"]);
      assert.match(rig.watch.reason ?? "", /less than 1048576 bytes per second/);
    });

    it("that reads half, and then nothing, is disconnected", async (t) => {
      const rig = await started(t, kind);
      rig.write(ANSWER);
      await rig.advance(290_000);
      await rig.read(16 * MIB);
      await rig.advance(290_000);
      assert.deepEqual(rig.passed, []);
      await rig.advance(30_000);
      assert.deepEqual(rig.passed, ["stallMs"]);
    });

    it("for whom there is little to read, or nothing, is left alone", async (t) => {
      const rig = await started(t, kind, { rate: MIB });
      rig.client.resume();
      for (let i = 0; i < 60; i++) {
        rig.write(Buffer.from("data: tick\n\n"));
        await turns(5);
        await rig.advance(i < 30 ? MINUTE : 60 * MINUTE);
      }
      assert.deepEqual(rig.passed, []);
      assert.equal(rig.server.destroyed, false);
    });

    it("is left alone where there is no limit", async (t) => {
      const rig = await started(t, kind, { stallMs: Number.POSITIVE_INFINITY });
      rig.write(ANSWER);
      await rig.advance(24 * 60 * MINUTE);
      assert.equal(rig.server.destroyed, false);
      assert.deepEqual(rig.passed, []);
    });
  });
}

describe("what waits for clients", () => {
  it("is counted while it waits, and no longer", async (t) => {
    const memory = new SendMemory(DEFAULT_LIMITS.maxProcessQueuedBytes);
    const [read, left] = [
      await started(t, "clear text", { memory }),
      await started(t, "clear text", { memory }),
    ];
    read.write(ANSWER);
    left.write(ANSWER);
    assert.equal(memory.bytes, 2 * ANSWER.length);
    read.client.resume();
    await until(() => memory.bytes === ANSWER.length, "one answer read");
    left.client.destroy();
    await until(() => memory.bytes === 0, "one client gone");
    // What is on its way anyhow is not counted.
    read.write(Buffer.alloc(32 * 1024));
    assert.equal(memory.bytes, 0);
  });

  it("is bounded for all together: the one that holds most is disconnected, the others are not", async (t) => {
    const memory = new SendMemory(64 * MIB);
    const rigs = await Promise.all(
      [16, 32, 8].map(async (mib) => ({ mib, rig: await started(t, "clear text", { memory }) })),
    );
    for (const { mib, rig } of rigs) rig.write(ANSWER.subarray(0, mib * MIB));
    await turns(5);
    assert.deepEqual(
      rigs.map(({ rig }) => rig.passed),
      [[], [], []],
    );
    rigs[2]?.rig.write(ANSWER.subarray(0, 16 * MIB));
    await turns(5);
    assert.deepEqual(
      rigs.map(({ rig }) => rig.passed),
      [[], ["maxProcessQueuedBytes"], []],
    );
    assert.equal(memory.bytes, 40 * MIB);
  });
});

describe("a client that is held back", () => {
  /** More than node takes in before it stops to read, and little enough for the system to take the rest. */
  const BODY = Buffer.alloc(90_000, "x");
  const LOOK_MS = 5000;

  async function heldBack(t: TestContext, kind: Kind, leave: (client: Socket) => void): Promise<Rig> {
    const rig = await started(t, kind);
    rig.server.pause();
    await new Promise((resolve) => rig.client.write(BODY, resolve));
    await turns(50);
    leave(rig.client);
    await turns(50);
    return rig;
  }

  for (const kind of ["clear text", "TLS"] as const) {
    const linuxAlone = { skip: process.platform !== "linux" };
    it(`over ${kind} and goes is noticed at the next look`, linuxAlone, async (t) => {
      const { server, watch, clock, passed } = await heldBack(t, kind, (client) => client.destroy());
      assert.equal(server.destroyed, false, "node tells of nothing");
      clock.advance(LOOK_MS);
      await until(() => server.destroyed, "the end of the connection");
      assert.equal(watch.reason, "the client closed the connection");
      assert.deepEqual(passed, [], "it passed no limit");
    });

    it(`over ${kind} and stays is left alone`, async (t) => {
      const { server, clock } = await heldBack(t, kind, () => {});
      for (let i = 0; i < 10; i++) {
        clock.advance(LOOK_MS);
        await turns();
      }
      assert.equal(server.destroyed, false);
      let bytes = 0;
      server.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
      });
      server.resume();
      await until(() => bytes === BODY.length, "all that it sent");
    });
  }

  it("and resets its connection is noticed at the next look", async (t) => {
    const { server, clock } = await heldBack(t, "clear text", (client) => client.resetAndDestroy());
    clock.advance(LOOK_MS);
    await until(() => server.destroyed, "the end of the connection");
  });
});
