// Clients of HTTP/1.1 that ask and do not read, on a whole listener: whoever reads the requests, the connection ends,
// the service is told, and metrics and log say which limit it was. And pipelined requests, which come one at a time.
import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { afterEach, describe, it } from "node:test";
import type { ClientLimits } from "#src/config/listener-limits.js";
import type { Labels, Meters } from "#src/kit/meters.js";
import { FakeClock } from "../../support/fake-clock.js";
import { turns, until } from "../../support/until.js";
import { Rig, type ServiceCall } from "../support/rig.js";

const rigs: Rig[] = [];
afterEach(async () => {
  for (const rig of rigs.splice(0)) {
    await rig.listener.close();
    assert.equal(rig.memory.bytes, 0, "nothing is counted any more");
  }
});

const MIB = 1024 * 1024;
const HANDSHAKE =
  "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const get = (path: string, more = ""): string => `GET ${path} HTTP/1.1\r\nhost: a\r\n${more}\r\n`;

/** A rig on a clock of the test's, with what it counted and told. */
class Watched extends Rig {
  readonly counts = new Map<string, number>();
  readonly told: string[] = [];
  readonly time: FakeClock;

  constructor(http1: "own" | "node", limits: Partial<ClientLimits>) {
    const time = new FakeClock(1000);
    const counts = new Map<string, number>();
    const told: string[] = [];
    const meters: Meters = {
      counter: (name: string, _help: string, labels: Labels = {}) => ({
        add: () => {
          const key = `${name} ${Object.values(labels).join(" ")}`;
          counts.set(key, (counts.get(key) ?? 0) + 1);
        },
      }),
    };
    const warn = (line: string): void => void told.push(line);
    super({ http1, limits, clock: time, meters, log: { info: warn, warn, error: warn } }, 32 * MIB);
    this.counts = counts;
    this.told = told;
    this.time = time;
  }
}

async function started(http1: "own" | "node", limits: Partial<ClientLimits> = {}): Promise<Watched> {
  const rig = new Watched(http1, limits);
  rigs.push(rig);
  await rig.start();
  return rig;
}

/** Asks on a new connection, and does not read. */
async function ask(rig: Rig, bytes: string): Promise<Socket> {
  const socket = rig.socket();
  socket.pause();
  await once(socket, "connect");
  socket.write(bytes);
  return socket;
}

/** Streams as long as the client takes it; true once it does not. */
function floods(call: ServiceCall): () => boolean {
  call.open();
  let sent = 0;
  const pump = (): void => {
    for (; sent - call.taken < MIB && call.request.aborted === undefined; sent += 64 * 1024)
      call.message(Buffer.alloc(64 * 1024 - 5, "x"));
    if (call.request.aborted === undefined && sent < 64 * MIB) setTimeout(pump, 1);
  };
  pump();
  let [before, since] = [-1, 0];
  return () => {
    since = call.taken === before ? since + 1 : 0;
    before = call.taken;
    return since > 1000;
  };
}

const REASON = "the peer took nothing of an answer for 300000 ms";
const COUNTED = "linchpin.http1.limits.passed stallTimeout";

for (const http1 of ["own", "node"] as const) {
  describe(`of what ${http1 === "own" ? "the hub" : "node:http"} reads first, a client that does not read`, () => {
    const streams: [what: string, request: string][] = [
      ["a stream", get("/stream")],
      ["a stream that it asked for with Expect", get("/stream", "expect: 100-continue\r\n")],
      ["a stream that it asked to be the last", get("/stream", "connection: close\r\n")],
      ["the messages of a WebSocket", get("/chat", HANDSHAKE)],
    ];
    for (const [what, request] of streams) {
      it(`${what} is disconnected after stallTimeout, and its call is cancelled`, async () => {
        const rig = await started(http1);
        let blocked: (() => boolean) | undefined;
        rig.onCall = (call) => {
          blocked = floods(call);
        };
        rig.onRequest = () => {};
        const socket = await ask(rig, request);
        await until(() => blocked?.() === true, "an answer that waits");
        const seen = rig.calls[0]?.request;
        assert.ok(seen !== undefined);
        rig.time.advance(299_000);
        await turns();
        assert.equal(seen.aborts.length, 0);
        rig.time.advance(11_000);
        await until(() => seen.aborts.length > 0, "the end of the call");
        assert.equal(seen.aborted?.by, "client");
        assert.match(seen.aborted?.status.message ?? "", new RegExp(`^the client left: ${REASON}$`));
        assert.deepEqual([...rig.counts], [[COUNTED, 1]]);
        assert.deepEqual(rig.told, [
          `a connection of 127.0.0.1 was closed: ${REASON} (limits.stallTimeout; logged once an hour)`,
        ]);
        assert.equal(rig.listener.open.http, 0);
        socket.destroy();
      });
    }

    const wholes: [what: string, request: string, halfCloses: boolean][] = [
      ["a whole answer", get("/unary"), false],
      ["a whole answer that it asked to be the last", get("/unary", "connection: close\r\n"), false],
      ["a whole answer, and has ended its own side", get("/unary"), true],
      ["the answers to pipelined requests", get("/unary").repeat(20), false],
    ];
    for (const [what, request, halfCloses] of wholes) {
      it(`${what} is disconnected after stallTimeout`, async () => {
        const rig = await started(http1);
        rig.onRequest = (call) =>
          call
            .open()
            .message(Buffer.alloc(24 * MIB, "x"))
            .end();
        const socket = await ask(rig, request);
        await until(() => rig.memory.bytes > MIB, "an answer that waits");
        if (halfCloses) socket.end();
        await turns(100);
        // Past every other limit, and far below this one.
        rig.time.advance(200_000);
        await turns();
        assert.equal(rig.listener.open.http, 1);
        rig.time.advance(120_000);
        await until(() => rig.listener.open.http === 0, "the end of the connection");
        assert.deepEqual([...rig.counts], [[COUNTED, 1]]);
        assert.equal(rig.calls.length, 1, "one answer at a time");
        socket.destroy();
      });
    }

    it("is disconnected if too much is buffered in the process, and most of it there", async () => {
      const rig = await started(http1);
      rig.onRequest = (call) =>
        call
          .open()
          .message(Buffer.alloc(24 * MIB, "x"))
          .end();
      const sockets: Socket[] = [];
      for (let i = 0; i < 16; i++) sockets.push(await ask(rig, get("/unary")));
      await until(() => rig.calls.length === 16 && rig.counts.size > 0, "the guard");
      await turns(100);
      assert.deepEqual([...rig.counts.keys()], ["linchpin.http1.limits.passed maxProcessQueued"]);
      assert.ok(rig.memory.bytes <= 256 * MIB, `${rig.memory.bytes} bytes wait`);
      assert.ok(rig.listener.open.http >= 8, "no more than need be");
      for (const socket of sockets) socket.destroy();
      await until(() => rig.listener.open.http === 0, "the end");
    });

    it("on a WebSocket, but slowly, may answer pings late, and reads to the end", async () => {
      const rig = await started(http1);
      let call: ServiceCall | undefined;
      rig.onCall = (seen) => {
        call = seen;
      };
      const socket = await ask(rig, get("/chat", HANDSHAKE));
      await until(() => call !== undefined, "the call");
      call?.open();
      for (let i = 0; i < 24; i++) call?.message(Buffer.alloc(MIB, "x"));
      call?.end();
      await turns(100);
      let read = 0;
      for (let minutes = 0; minutes < 12; minutes++) {
        rig.clock.advance(60_000);
        rig.time.advance(60_000);
        for (const goal = read + 3 * MIB; read < goal && read < 24 * MIB; ) {
          const chunk: Buffer | null = socket.read();
          if (chunk === null) await turns(1);
          else read += chunk.length;
        }
        await turns(20);
      }
      assert.ok(read >= 24 * MIB);
      assert.deepEqual([...rig.counts], []);
      socket.destroy();
    });
  });
}

describe("requests that node:http finds behind one that is not answered", () => {
  it("wait for it, and are answered in order", async () => {
    const rig = await started("node");
    rig.onRequest = () => {};
    const socket = rig.socket();
    let all = "";
    socket.on("data", (chunk) => {
      all += String(chunk);
    });
    socket.write(get("/unary").repeat(65));
    for (let i = 0; i < 65; i++) {
      await until(() => rig.calls.length === i + 1, `request ${i}`);
      await turns(2);
      assert.equal(rig.calls.length, i + 1);
      rig.calls[i]?.open().message(`answer ${i}`).end();
    }
    await until(() => all.endsWith('"answer 64"'), "the last answer");
    assert.deepEqual(
      all.match(/answer \d+/g),
      Array.from({ length: 65 }, (_, i) => `answer ${i}`),
    );
    socket.destroy();
  });

  it("are asked for their bodies when it is their turn", async () => {
    const rig = await started("node");
    rig.onRequest = () => {};
    const socket = rig.socket();
    let all = "";
    socket.on("data", (chunk) => {
      all += String(chunk);
    });
    socket.write(
      `${get("/unary")}POST /unary HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n`,
    );
    await until(() => rig.calls.length === 1, "the first");
    await turns(20);
    assert.equal(all, "");
    rig.calls[0]?.open().message("one").end();
    await until(() => /"one"HTTP\/1\.1 100 Continue\r\n\r\n$/.test(all), "the question for the body");
    socket.write("hello");
    await until(() => rig.calls[1]?.request.ended === true, "the second");
    assert.equal(rig.calls[1]?.request.body.slice(5), "hello");
    socket.destroy();
  });

  it("are too many past 64: the connection is closed, and the first call cancelled", async () => {
    const rig = await started("node");
    rig.onRequest = () => {};
    const socket = await ask(rig, get("/unary").repeat(1500));
    socket.resume();
    await until(() => socket.closed, "the end of the connection");
    await until(() => rig.calls[0]?.request.aborted !== undefined, "the end of the call");
    assert.equal(rig.calls.length, 1);
    const reason = "more than 64 requests wait for the answers before them";
    assert.equal(rig.calls[0]?.request.aborted?.status.message, `the client left: ${reason}`);
    assert.deepEqual([...rig.counts], [["linchpin.http1.limits.passed http1Pipelined", 1]]);
    assert.deepEqual(rig.told, [`a connection of 127.0.0.1 was closed: ${reason} (logged once an hour)`]);
  });

  it("end with their client", async () => {
    const rig = await started("node");
    rig.onRequest = () => {};
    const socket = await ask(rig, get("/unary").repeat(10));
    await until(() => rig.calls.length === 1, "the first");
    socket.destroy();
    await until(() => rig.calls[0]?.request.aborted !== undefined, "its end");
    await turns(20);
    assert.equal(rig.calls.length, 1);
  });

  it("may not be for a WebSocket: its frames would come before the responses", async () => {
    const rig = await started("node");
    rig.onRequest = () => {};
    const answer = await rig.raw(get("/unary") + get("/chat", HANDSHAKE));
    assert.equal(answer, "");
    assert.equal(rig.calls.length, 1);
    await until(() => rig.calls[0]?.request.aborted !== undefined, "its end");
  });
});
