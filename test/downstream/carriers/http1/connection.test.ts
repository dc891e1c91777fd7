import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import type { Status } from "#src/call/status/status.js";
import { DEFAULT_LISTENER_LIMITS } from "#src/config/listener-limits.js";
import type { Exchange } from "#src/downstream/carriers/exchange.js";
import { Http1Connection, type Http1ConnectionOwner } from "#src/downstream/carriers/http1/connection.js";
import { ResponseWatch } from "#src/downstream/carriers/response-watch.js";
import type { Client } from "#src/downstream/client/client.js";
import { SendMemory } from "#src/http2/send-memory.js";
import { DEFAULT_LIMITS } from "#src/http2/wire/limits.js";
import { field } from "#src/kit/headers.js";
import { TimerWheel } from "#src/kit/timer-wheel.js";
import { FakeClock } from "../../../support/fake-clock.js";
import { turns, until } from "../../../support/until.js";
import { ODD_REQUESTS } from "./support/odd-requests.js";

/** One connection: the client's socket, ours, and what was asked on it. */
class Rig implements Http1ConnectionOwner {
  readonly clock = new FakeClock(1000);
  readonly timers = new TimerWheel(this.clock);
  readonly exchanges: Exchange[] = [];
  readonly bodies: string[] = [];
  readonly gone: string[] = [];
  sent = 0;
  draining = false;
  closed = 0;
  /** Body bytes are given back as they come. */
  takes = true;
  /** A request has come whole; `index` counts from 0. */
  onRequest: (exchange: Exchange, body: string, index: number) => void = (exchange, body) =>
    answer(exchange, `${exchange.head.method} ${exchange.head.target} ${body}`);
  handedOver: Socket | undefined = undefined;
  received = "";
  readonly client: Socket;
  readonly server: Socket;
  readonly connection: Http1Connection;

  constructor(client: Socket, server: Socket) {
    this.client = client;
    this.server = server;
    client.on("error", () => {});
    client.on("data", (chunk) => {
      this.received += chunk.toString("latin1");
    });
    const { timers } = this;
    const limits = { ...DEFAULT_LIMITS, ...DEFAULT_LISTENER_LIMITS };
    const memory = new SendMemory(limits.maxProcessQueuedBytes);
    this.connection = new Http1Connection(server, this, {
      client: {} as Client, // passed on, never looked at
      watch: new ResponseWatch(server, { timers, limits, memory, onPassed: () => {} }),
      timers,
      limits,
    });
  }

  onExchange(exchange: Exchange): void {
    const index = this.exchanges.push(exchange) - 1;
    this.bodies.push("");
    exchange.handler = {
      onBody: (chunk, start, end, last) => {
        this.bodies[index] += chunk.toString("latin1", start, end);
        if (this.takes) exchange.consumed(end - start);
        if (last) this.onRequest(exchange, this.bodies[index] ?? "", index);
      },
      onStill: () => answer(exchange, "still"),
      onGone: (reason) => this.gone.push(reason),
      onSent: (bytes) => {
        this.sent += bytes;
      },
      onFault: (error) => {
        throw error;
      },
    };
    if (exchange.head.ended) this.onRequest(exchange, "", index);
  }

  onRejected(_exchange: Exchange, status: Status): void {
    throw status;
  }

  onBroken(_socket: Socket, id: string): void {
    throw new Error(`fault ${id}`);
  }

  onHandOver(socket: Socket): void {
    this.handedOver = socket;
  }

  onTimeout(socket: Socket): void {
    socket.end("late");
  }

  onClose(): void {
    this.closed++;
  }

  /** Sends bytes, and waits until they have arrived. */
  async send(text: string): Promise<void> {
    const before = this.server.bytesRead;
    const bytes = Buffer.from(text, "latin1");
    this.client.write(bytes);
    await until(() => this.server.bytesRead === before + bytes.length, "the bytes to arrive");
    await turns(2);
  }
}

function answer(exchange: Exchange, body: string): void {
  exchange.respond(200, [field("content-length", String(body.length))], body === "");
  if (body !== "") exchange.write(Buffer.from(body), 0, body.length, true);
}

async function started(t: TestContext): Promise<Rig> {
  const server = createServer({ noDelay: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const client = connect({ port: address.port, host: "127.0.0.1", noDelay: true });
  const [socket] = (await once(server, "connection")) as [Socket];
  server.close();
  t.after(() => {
    client.destroy();
    socket.destroy();
  });
  return new Rig(client, socket);
}

const GET = "GET /a HTTP/1.1\r\nhost: a\r\n\r\n";
const post = (body: string, more = ""): string =>
  `POST /b HTTP/1.1\r\nhost: a\r\ncontent-length: ${body.length}\r\n${more}\r\n${body}`;

describe("requests on one connection", () => {
  it("are the same wherever their bytes are cut in two", async (t) => {
    const rig = await started(t);
    const bytes = `${post("hello")}${GET}${post("x")}`;
    for (let cut = 0; cut <= bytes.length; cut++) {
      rig.received = "";
      await rig.send(bytes.slice(0, cut));
      await rig.send(bytes.slice(cut));
      await until(() => rig.received.endsWith("POST /b x"), `the answers, cut at ${cut}`);
      const bodies = rig.received.split(/HTTP\/1\.1 200 OK\r\n[\s\S]*?\r\n\r\n/).slice(1);
      assert.deepEqual(bodies, ["POST /b hello", "GET /a ", "POST /b x"], `cut at ${cut}`);
    }
    assert.equal(rig.handedOver, undefined);
  });

  it("are answered one after the other, however late", async (t) => {
    const rig = await started(t);
    rig.onRequest = () => {};
    await rig.send(GET + post("2") + GET);
    assert.equal(rig.exchanges.length, 1);
    for (let i = 0; i < 3; i++) {
      const exchange = rig.exchanges[i];
      assert.ok(exchange);
      answer(exchange, `answer ${i}`);
    }
    await until(() => rig.received.endsWith("answer 2"), "the last answer");
    assert.deepEqual(rig.received.match(/answer \d/g), ["answer 0", "answer 1", "answer 2"]);
  });

  it("that are pipelined are read up to a bound", async (t) => {
    const rig = await started(t);
    rig.onRequest = () => {};
    rig.client.write(GET.repeat(400_000));
    await turns(300);
    assert.equal(rig.exchanges.length, 1);
    assert.ok(rig.server.bytesRead < 512 * 1024, `${rig.server.bytesRead} bytes were read`);
  });

  it("that are pipelined in many small pieces are read up to a bound too, and served all the same", async (t) => {
    const rig = await started(t);
    rig.onRequest = () => {};
    await rig.send(GET);
    for (let i = 0; i < 100; i++) await rig.send(i % 2 === 0 ? GET.slice(0, 14) : GET.slice(14));
    assert.equal(rig.server.isPaused(), true);
    assert.equal(rig.exchanges.length, 1);
    rig.onRequest = (exchange) => answer(exchange, "answer");
    const [exchange] = rig.exchanges;
    assert.ok(exchange);
    answer(exchange, "answer");
    await until(() => rig.received.split("answer").length === 52, "all answers");
    assert.equal(rig.server.isPaused(), false);
  });

  it("wait while the client does not read earlier responses", async (t) => {
    const rig = await started(t);
    rig.client.pause();
    const large = "x".repeat(256 * 1024);
    rig.onRequest = (exchange) => answer(exchange, large);
    for (let i = 0; i < 200; i++) rig.client.write(GET);
    let before = -1;
    while (before !== rig.exchanges.length) {
      before = rig.exchanges.length;
      await turns(100);
    }
    assert.ok(before < 100, `${before} requests were answered`);
    assert.ok(rig.server.writableLength < 1024 * 1024);
    rig.client.resume();
    await until(() => rig.received.length > 200 * large.length, "all answers");
  });

  it("do not get more of a body than their taker takes", async (t) => {
    const rig = await started(t);
    rig.takes = false;
    rig.client.write(post("x".repeat(8 * 1024 * 1024)));
    await until(() => rig.exchanges.length === 1, "the request");
    await turns(300);
    const [exchange] = rig.exchanges;
    const held = rig.bodies[0]?.length ?? 0;
    assert.ok(held < 512 * 1024, `${held} bytes were passed on`);
    rig.takes = true;
    exchange?.consumed(held);
    await until(() => rig.bodies[0]?.length === 8 * 1024 * 1024, "the rest");
  });
});

describe("requests that are not plain are passed to node:http, byte for byte, after earlier responses", () => {
  for (const [what, odd] of ODD_REQUESTS) {
    it(what, async (t) => {
      const rig = await started(t);
      rig.onRequest = () => {};
      const rest = `${odd}GET /next HTTP/1.1\r\nhost: a\r\n\r\n`;
      rig.client.write(Buffer.from(GET + rest, "latin1"));
      await until(() => rig.exchanges.length === 1, "the plain request");
      await turns(2);
      assert.equal(rig.handedOver, undefined, "not before the answer");
      const [exchange] = rig.exchanges;
      assert.ok(exchange);
      answer(exchange, "answer");
      await until(() => rig.handedOver !== undefined, "the hand-over");
      let bytes = "";
      rig.server.on("data", (chunk: Buffer) => {
        bytes += chunk.toString("latin1");
      });
      rig.server.resume();
      await until(() => bytes.length === rest.length, "the bytes");
      assert.equal(bytes, rest);
      assert.equal(rig.exchanges.length, 1);
      assert.equal(rig.closed, 1);
      rig.server.write("from there");
      await until(() => rig.received.endsWith("answerfrom there"), "the answers, in order");
    });
  }

  it("a head that comes in many pieces does too", async (t) => {
    const rig = await started(t);
    for (const byte of "GET /a HTTP/1.1\r\nhos") {
      if (rig.handedOver === undefined) await rig.send(byte);
    }
    assert.ok(rig.handedOver);
    assert.equal(rig.exchanges.length, 0);
  });
});

describe("the head of an answer", () => {
  const cases: [what: string, method: string, status: number, end: boolean, has: RegExp, hasNot: RegExp][] = [
    ["without a body says so", "GET", 200, true, /\r\ncontent-length: 0\r\n/, /chunked/],
    [
      "to HEAD says nothing of a length it does not know",
      "HEAD",
      200,
      true,
      /200 OK/,
      /chunked|content-length/,
    ],
    ["of 204 has no length", "GET", 204, true, /204 No Content/, /chunked|content-length/],
    ["of 304 has no length", "GET", 304, true, /304 Not Modified/, /chunked|content-length/],
    ["of a stream has chunks", "GET", 200, false, /\r\ntransfer-encoding: chunked\r\n/, /content-length/],
  ];
  for (const [what, method, status, end, has, hasNot] of cases) {
    it(what, async (t) => {
      const rig = await started(t);
      rig.onRequest = (exchange) => exchange.respond(status, [], end);
      rig.client.write(GET.replace("GET", method));
      await until(() => rig.received.includes("\r\n\r\n"), "the head");
      assert.match(rig.received, has);
      assert.doesNotMatch(rig.received, hasNot);
      assert.match(rig.received, /\r\ndate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n/);
    });
  }

  it("cannot be split by a field, nor can trailers", async (t) => {
    const rig = await started(t);
    const bad = [
      field("x", "1\r\nset-cookie: a=b"),
      field("y\r\nz", "1"),
      field("n", "\0"),
      field("good", "1"),
    ];
    rig.onRequest = (exchange) => {
      exchange.respond(200, bad, false);
      exchange.write(Buffer.from("body"), 0, 4, false);
      exchange.trailers(bad);
    };
    rig.client.write(GET);
    await until(() => rig.received.endsWith("0\r\ngood: 1\r\n\r\n"), "the end");
    assert.match(rig.received, /^good: 1\r$/m);
    assert.doesNotMatch(rig.received, /cookie|^z|\0/m);
    assert.match(rig.received, /\r\n\r\n4\r\nbody\r\n0\r\n/);
  });
});

describe("a connection ends", () => {
  it("at once when its client leaves, and its handler is notified", async (t) => {
    const rig = await started(t);
    rig.onRequest = () => {};
    await rig.send(GET);
    rig.client.destroy();
    await until(() => rig.gone.length === 1, "the end of the call");
    assert.deepEqual(rig.gone, ["the client closed the connection"]);
    await until(() => rig.timers.size === 0, "no timer left");
  });

  it("behind an answer that its client asked to be the last", async (t) => {
    const rig = await started(t);
    rig.client.write(post("x", "connection: close\r\n") + GET);
    await once(rig.client, "close");
    assert.match(rig.received, /^connection: close\r$/im);
    assert.equal(rig.exchanges.length, 1);
  });

  it("after a response in progress when the hub drains, and at once if there is none", async (t) => {
    const rig = await started(t);
    rig.onRequest = () => {};
    await rig.send(GET);
    rig.draining = true;
    rig.connection.drain();
    const [exchange] = rig.exchanges;
    assert.ok(exchange);
    answer(exchange, "answer");
    await once(rig.client, "close");
    assert.match(rig.received, /^connection: close\r$[\s\S]*answer$/im);
    const idle = await started(t);
    await idle.send(GET);
    idle.connection.drain();
    await once(idle.client, "close");
  });

  it("broken off when an answer is reset", async (t) => {
    const rig = await started(t);
    rig.onRequest = (exchange) => {
      exchange.respond(200, [], false);
      exchange.write(Buffer.from("part"), 0, 4, false);
      setImmediate(() => setImmediate(() => exchange.reset()));
    };
    rig.client.write(GET);
    await once(rig.client, "close");
    assert.match(rig.received, /4\r\npart\r\n$/);
    assert.doesNotMatch(rig.received, /\r\n0\r\n/);
  });

  const silences: [what: string, bytes: string, ms: number, told: RegExp][] = [
    ["10 s after the beginning of a head", "GET /a HT", 10_000, /^late$/],
    [
      "60 s after the beginning of a body",
      post("hello").slice(0, -1),
      60_000,
      /connection: close[\s\S]*still$/,
    ],
    ["65 s after its last answer", GET, 65_000, /GET \/a $/],
  ];
  for (const [what, bytes, ms, told] of silences) {
    it(`${what}, not before`, async (t) => {
      const rig = await started(t);
      await rig.send(bytes);
      rig.clock.advance(ms - 100);
      await turns(5);
      assert.doesNotMatch(rig.received, /late|still/);
      assert.equal(rig.closed, 0);
      rig.clock.advance(200);
      await until(() => told.test(rig.received), "what the client is told");
      // What is left of a body is awaited for a second, so that the client gets to read its answer.
      rig.clock.advance(1100);
      await once(rig.client, "close");
    });
  }

  it("not while an answer takes its time", async (t) => {
    const rig = await started(t);
    rig.onRequest = () => {};
    await rig.send(GET);
    rig.clock.advance(3_600_000);
    const [exchange] = rig.exchanges;
    assert.ok(exchange);
    answer(exchange, "late");
    await until(() => rig.received.endsWith("late"), "the answer");
  });

  it("when a client takes nothing of its answer for five minutes", async (t) => {
    const rig = await started(t);
    rig.client.pause();
    rig.onRequest = (exchange) => answer(exchange, "x".repeat(32 * 1024 * 1024));
    await rig.send(GET);
    await turns(100);
    rig.clock.advance(299_000);
    assert.equal(rig.server.destroyed, false);
    rig.clock.advance(302_000);
    assert.equal(rig.server.destroyed, true);
  });

  it("without timers for each request", async (t) => {
    const rig = await started(t);
    for (let i = 0; i < 10; i++) await rig.send(GET);
    assert.ok(rig.clock.pending <= 1);
  });
});
