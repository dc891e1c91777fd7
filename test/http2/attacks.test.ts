// Attacks on a server, each while an honest client makes calls on another connection: the attacker is cut off, the
// client has no failed call, memory stays bounded. And honest patterns that look like attacks: none is cut off.
import assert from "node:assert/strict";
import { type AddressInfo, createServer, connect as netConnect, type Server } from "node:net";
import { after, before, describe, test } from "node:test";
import { Connection, type ConnectionOptions } from "#src/http2/connection.js";
import { SendMemory } from "#src/http2/send-memory.js";
import type { Limits } from "#src/http2/wire/limits.js";
import { ErrorCode, errorName, Flag, FrameType, Setting } from "#src/http2/wire/protocol.js";
import { collectGarbage } from "../support/collect-garbage.js";
import { processorMs } from "../support/cpu.js";
import { FakeClock } from "../support/fake-clock.js";
import { FLOODS, HUNGRY } from "../support/floods.js";
import {
  block,
  data,
  type Fields,
  frame,
  HELLO,
  headers,
  ping,
  RawPeer,
  REQUEST,
  rst,
  settings,
  windowUpdate,
} from "../support/frames.js";
import { Owner, Recorder, rawClient, rawServer, request, respond, trailersOf } from "../support/wire.js";

/** What the process may grow by during one attack: the pool of buffers, the sockets, what waits to be collected. */
const MEMORY_BOUND_BYTES = 48 * 1024 * 1024;
/** An attack that is not cut off by then has won. */
const MAX_ATTACK_BYTES = 32 * 1024 * 1024;

/** A call is answered in full at once, but for paths that name another fate. */
function serve(stream: Parameters<ConstructorParameters<typeof Owner>[0] & object>[0], req: Recorder): void {
  const path = req.headers?.find(([name]) => name === ":path")?.[1];
  if (path === "/never") return;
  if (path === "/large") {
    respond(stream, [[":status", "200"]], false);
    stream.sendData(Buffer.alloc(256 * 1024), 0, 256 * 1024, true);
    return;
  }
  void req.over.then(() => {
    if (req.reset !== undefined) return;
    respond(stream, [[":status", "200"]], false);
    stream.sendData(req.body, 0, req.body.length, false);
    stream.sendTrailers(trailersOf(["grpc-status", "0"]));
  });
}

const pathed = (path: string): Fields => REQUEST.map(([n, v]) => (n === ":path" ? [n, path] : [n, v]));
const NEVER = pathed("/never");

class TestServer {
  readonly server: Server;
  readonly options: Partial<ConnectionOptions>;
  port = 0;
  owners: Owner[] = [];

  constructor(options: Partial<ConnectionOptions> = {}) {
    this.options = options;
    this.server = createServer({ noDelay: true }, (socket) => {
      const owner = new Owner(serve);
      this.owners.push(owner);
      new Connection(socket, { ...this.options, role: "server" }, owner);
    });
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    this.port = (this.server.address() as AddressInfo).port;
  }

  connect(): RawPeer {
    return new RawPeer(netConnect({ port: this.port, host: "127.0.0.1", noDelay: true }), "client");
  }
}

/** Makes calls, one behind the other, until stopped; every one must succeed. */
class HonestClient {
  private readonly connection: Connection;
  private readonly owner = new Owner();
  private running = true;
  calls = 0;
  /** What this process did during a call, in milliseconds of a processor. */
  worstMs = 0;
  private done: Promise<void> = Promise.resolve();

  constructor(port: number) {
    this.connection = new Connection(netConnect(port, "127.0.0.1"), { role: "client" }, this.owner);
  }

  async start(): Promise<void> {
    await this.owner.ready;
    this.done = this.run();
  }

  private async run(): Promise<void> {
    while (this.running) {
      const answer = new Recorder();
      const from = processorMs();
      request(this.connection, answer).sendData(Buffer.from("hello"), 0, 5, true);
      await answer.over;
      this.worstMs = Math.max(this.worstMs, processorMs() - from);
      assert.equal(answer.reset, undefined, "an honest call failed");
      assert.deepEqual(answer.trailers, [["grpc-status", "0"]]);
      this.calls++;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async stop(): Promise<void> {
    this.running = false;
    await this.done;
    this.connection.destroy();
  }
}

const memory = (): number => {
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + Math.max(external, arrayBuffers);
};

/** The most that memory has grown by at any look. What is over the bound is counted again without garbage. */
class Growth {
  bytes = 0;
  private readonly from = memory();

  look(): void {
    let now = memory() - this.from;
    if (now >= MEMORY_BOUND_BYTES) {
      collectGarbage();
      now = memory() - this.from;
    }
    this.bytes = Math.max(this.bytes, now);
  }
}

const goawayOf = (peer: RawPeer): [code: string, text: string] | undefined => {
  const last = peer.frames.findLast((f) => f.type === FrameType.GOAWAY);
  if (last === undefined) return undefined;
  return [errorName(last.payload.readUInt32BE(4)), last.payload.subarray(8).toString()];
};

const REQUESTS = { never: NEVER, large: headers(1, pathed("/large"), { end: true }) };
const open = (id: number, end = true): Buffer => headers(id, NEVER, { end });

describe("an attack is cut off, and no other client is affected:", () => {
  const server = new TestServer();
  before(() => server.start());
  after(() => server.server.close());

  for (const attack of FLOODS) {
    test(attack.name, { timeout: 60_000 }, async () => {
      const honest = new HonestClient(server.port);
      await honest.start();
      const peer = server.connect();
      const growth = new Growth();
      peer.send(HELLO, attack.opening?.(REQUESTS) ?? Buffer.alloc(0));
      let sent = 0;
      for (let n = attack.opening === undefined ? 0 : 1; !peer.ended && sent < MAX_ATTACK_BYTES; ) {
        const pieces: Buffer[] = [];
        let bytes = 0;
        for (; bytes < 4096; n++) {
          const piece = attack.piece(n, REQUESTS);
          pieces.push(piece);
          bytes += piece.length;
        }
        sent += bytes;
        peer.send(...pieces);
        await new Promise((resolve) => setImmediate(resolve));
        growth.look();
      }
      await peer.over();
      const callsDuring = honest.calls;
      await honest.stop();
      assert.ok(callsDuring > 0, "the honest client made calls meanwhile");
      assert.ok(honest.worstMs < 1000, `an honest call took ${honest.worstMs} ms`);
      assert.ok(growth.bytes < MEMORY_BOUND_BYTES, `memory grew by ${growth.bytes} bytes`);
      const [code, text] = goawayOf(peer) ?? ["no GOAWAY", ""];
      assert.equal(code, "ENHANCE_YOUR_CALM");
      assert.match(text, attack.says);
      const owner = server.owners.at(-1);
      await owner?.closed;
      for (const req of owner?.requests ?? []) {
        assert.ok(req.ended || req.reset !== undefined, "every call of the attacker's has come to an end");
      }
    });
  }
});

describe("HPACK bombs", () => {
  /** A literal that goes into the table, with a value of 4000 bytes: `x` and its length in three bytes. */
  const fuse = Buffer.concat([Buffer.from([0x40, 1, 0x78, 0x7f, 0xa1, 0x1e]), Buffer.alloc(4000, "v")]);
  /** One byte each: the newest entry of the table. 16,000 of them unpack to 64 MB. */
  const bomb = Buffer.alloc(16_000, 0xbe);

  test("unpack to no more than the limit of a list, 500 times over: the rest is not kept", async () => {
    const server = new TestServer();
    await server.start();
    const honest = new HonestClient(server.port);
    await honest.start();
    const peer = server.connect();
    const flags = Flag.END_HEADERS | Flag.END_STREAM;
    peer.send(HELLO, frame(FrameType.HEADERS, flags, 1, Buffer.concat([block(REQUEST), fuse])));
    await peer.roundTrip();
    const growth = new Growth();
    for (let n = 1; n <= 500; n++) {
      peer.send(frame(FrameType.HEADERS, flags, 2 * n + 1, bomb));
      await peer.roundTrip();
      growth.look();
    }
    await honest.stop();
    const requests = server.owners.at(-1)?.requests ?? [];
    assert.equal(requests.length, 501);
    for (const { headers: fields } of requests) assert.ok((fields?.length ?? 0) <= 17, "64 KiB in all");
    assert.ok(growth.bytes < MEMORY_BOUND_BYTES, `memory grew by ${growth.bytes} bytes`);
    assert.ok(honest.worstMs < 1000, `an honest call took ${honest.worstMs} ms`);
    assert.ok(honest.calls > 0);
    peer.socket.destroy();
    server.server.close();
  });

  const BROKEN: [string, Buffer][] = [
    ["an integer that never ends", Buffer.from([0xff, ...new Array<number>(30).fill(0x80)])],
    ["an index of 2^35", Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0x7f])],
    ["a string longer than its block", Buffer.from([0x00, 0x7f, 0xff, 0xff, 0x7f])],
    ["a Huffman string with EOS in it", Buffer.from([0x00, 0x84, 0xff, 0xff, 0xff, 0xff, 0x00])],
    ["a table larger than allowed", Buffer.from([0x3f, 0xe2, 0x1f])],
  ];
  for (const [what, bytes] of BROKEN) {
    test(`that are broken end in COMPRESSION_ERROR: ${what}`, async () => {
      const { peer } = await rawClient(serve);
      peer.send(frame(FrameType.HEADERS, Flag.END_HEADERS, 1, bytes));
      await peer.over();
      assert.equal(goawayOf(peer)?.[0], "COMPRESSION_ERROR");
    });
  }
});

describe("an honest pattern is left alone:", () => {
  /** Runs frames by the hundred with a PING between, which is answered as long as the connection lives. */
  async function survives(
    pieces: (n: number) => Buffer,
    count: number,
    options: Partial<ConnectionOptions> & { every?: number } = {},
  ): Promise<RawPeer> {
    const { every = 100, ...rest } = options;
    const { peer, server } = await rawClient(serve, { limits: { maxConcurrentStreams: 100_000 }, ...rest });
    for (let n = 0; n < count; n++) {
      peer.send(pieces(n));
      if (n % every === every - 1) await peer.roundTrip();
    }
    await peer.roundTrip();
    assert.equal(goawayOf(peer), undefined, peer.describe().slice(-500));
    server.destroy();
    return peer;
  }

  test("grpc-go's half-close: DATA and END_STREAM apart", async () => {
    await survives(
      (n) => Buffer.concat([headers(2 * n + 1), data(2 * n + 1, "x"), data(2 * n + 1, "", true)]),
      3000,
    );
  });

  test("as many cancels as calls that are answered", async () => {
    await survives((n) => {
      const id = 4 * n + 1;
      return Buffer.concat([
        headers(id, REQUEST, { end: true }),
        open(id + 2),
        rst(id + 2, ErrorCode.CANCEL),
      ]);
    }, 5000);
  });

  test("deadlines that pass: cancels of calls that have waited", async () => {
    let time = 0;
    const clock = { now: () => time, wallTime: () => time, setTimeout: () => ({ cancel() {} }) };
    const { peer, server } = await rawClient(serve, { clock });
    for (let round = 0; round < 50; round++) {
      const ids = Array.from({ length: 100 }, (_, i) => 2 * (100 * round + i) + 1);
      peer.send(...ids.map((id) => open(id)));
      await peer.roundTrip();
      time += 200;
      peer.send(...ids.map((id) => rst(id, ErrorCode.CANCEL)));
      await peer.roundTrip();
    }
    assert.equal(goawayOf(peer), undefined);
    server.destroy();
  });

  test("cancels of answers under way", async () => {
    const { peer, server } = await rawClient(serve, { settings: HUNGRY });
    for (let round = 0; round < 30; round++) {
      const ids = Array.from({ length: 100 }, (_, i) => 2 * (100 * round + i) + 1);
      peer.send(...ids.map((id) => headers(id, pathed("/large"), { end: true })));
      await peer.roundTrip();
      peer.send(...ids.map((id) => rst(id, ErrorCode.CANCEL)));
      await peer.roundTrip();
    }
    assert.equal(goawayOf(peer), undefined);
    server.destroy();
  });

  test("a PING with every message: bandwidth probes", async () => {
    await survives(
      (n) => Buffer.concat([n === 0 ? headers(1) : Buffer.alloc(0), data(1, "x"), ping("bdpprobe")]),
      3000,
    );
  });

  test("WINDOW_UPDATE for stream and connection with every frame of an answer", async () => {
    const { peer, server } = await rawClient(serve, {
      settings: settings([Setting.INITIAL_WINDOW_SIZE, 100]),
    });
    for (let id = 1; id < 20; id += 2) {
      peer.send(headers(id, pathed("/large"), { end: true }));
      while (peer.find(FrameType.DATA, id, Flag.END_STREAM) === undefined && !peer.ended) {
        peer.send(windowUpdate(id, 1000), windowUpdate(0, 1000));
        await peer.roundTrip();
      }
    }
    assert.equal(goawayOf(peer), undefined);
    server.destroy();
  });

  test("keepalive every 10 s for three hours", async () => {
    let time = 0;
    const clock = { now: () => time, wallTime: () => time, setTimeout: () => ({ cancel() {} }) };
    const { peer, server } = await rawClient(serve, { clock });
    peer.send(open(1, false));
    for (let n = 0; n < 1000; n++) {
      time += 10_000;
      await peer.roundTrip();
    }
    assert.equal(goawayOf(peer), undefined);
    server.destroy();
  });
});

describe("responses that nobody reads", () => {
  const ANSWER = 256 * 1024;

  /** `count` clients that ask for large answers on so many streams each, and give no window for them. */
  async function stall(memory: SendMemory, count: number, streams: number, limits: Partial<Limits>) {
    const clients = [];
    for (let i = 0; i < count; i++) {
      const client = await rawClient(serve, { settings: HUNGRY, memory, limits });
      for (let n = 0; n < streams; n++) client.peer.send(headers(2 * n + 1, pathed("/large"), { end: true }));
      await client.peer.roundTrip();
      clients.push(client);
    }
    await new Promise((resolve) => setImmediate(resolve));
    return clients;
  }

  const resetsOf = (peer: RawPeer): number[] =>
    peer.frames.filter((f) => f.type === FrameType.RST_STREAM).map((f) => f.payload.readUInt32BE(0));

  test("hold a connection to its bound: streams are reset, the rest continues", async () => {
    const memory = new SendMemory(1e9);
    const maxQueuedBytes = 4 * 1024 * 1024;
    const [client] = await stall(memory, 1, 100, { maxQueuedBytes });
    assert.ok(client !== undefined);
    const { peer, server } = client;
    await peer.roundTrip();
    assert.ok(server.queuedBytes <= maxQueuedBytes, `${server.queuedBytes}`);
    assert.ok(server.queuedBytes > maxQueuedBytes / 2, "no more are dropped than must be");
    assert.equal(memory.bytes, server.queuedBytes);
    assert.equal(resetsOf(peer).length, 100 - server.queuedBytes / ANSWER);
    assert.ok(resetsOf(peer).every((code) => code === ErrorCode.ENHANCE_YOUR_CALM));
    peer.send(headers(1001, REQUEST, { end: true }));
    await peer.frame(FrameType.HEADERS, 1001, Flag.END_STREAM);
    server.destroy();
    assert.equal(memory.bytes, 0, "what is counted goes with the connection");
  });

  test("hold the process to its bound: the connections that hold most lose streams, a small one none", async () => {
    const maxBytes = 8 * 1024 * 1024;
    const memory = new SendMemory(maxBytes);
    const small = await stall(memory, 1, 1, {});
    const clients = await stall(memory, 10, 20, {});
    for (const { peer } of clients) await peer.roundTrip();
    assert.ok(memory.bytes <= maxBytes, `${memory.bytes}`);
    assert.ok(memory.bytes > maxBytes / 2);
    assert.equal(small[0]?.server.queuedBytes, ANSWER);
    let sum = 0;
    for (const { server } of [...small, ...clients]) sum += server.queuedBytes;
    assert.equal(memory.bytes, sum);
    for (const { server } of [...small, ...clients]) server.destroy();
    assert.equal(memory.bytes, 0);
  });

  test("that are dripped away for ever go first, though one who reads holds more", async () => {
    const clock = new FakeClock(1000);
    const maxBytes = 8 * 1024 * 1024;
    const memory = new SendMemory(maxBytes);
    const READER_BYTES = 2 * 1024 * 1024;
    const LOOK_MS = 5000;
    const reader = await rawClient(
      (stream) => {
        respond(stream, [[":status", "200"]], false);
        stream.sendData(Buffer.alloc(2 * READER_BYTES), 0, 2 * READER_BYTES, true);
      },
      { settings: HUNGRY, memory, clock },
    );
    reader.peer.send(headers(1, REQUEST, { end: true }));
    await reader.peer.roundTrip();
    // More than a connection's first window, so that it is not for want of it that they are slow.
    const dripping = [];
    for (let i = 0; i < 15; i++) {
      const client = await rawClient(serve, { settings: HUNGRY, memory, clock });
      client.peer.send(windowUpdate(0, 1 << 20), headers(1, pathed("/large"), { end: true }));
      await client.peer.roundTrip();
      dripping.push(client);
    }
    for (let look = 0; look < 3; look++) {
      reader.peer.send(windowUpdate(0, READER_BYTES / 4), windowUpdate(1, READER_BYTES / 4));
      for (const { peer } of dripping) peer.send(windowUpdate(1, 64));
      for (const { peer } of [reader, ...dripping]) await peer.roundTrip();
      clock.advance(LOOK_MS);
    }
    assert.ok(memory.bytes <= maxBytes, `${memory.bytes}`);
    assert.ok(reader.server.queuedBytes > ANSWER, "the reader holds more than any other");
    const more = await stall(memory, 20, 1, { maxQueuedBytes: maxBytes });
    for (const { peer } of [reader, ...dripping]) await peer.roundTrip();
    assert.ok(memory.bytes <= maxBytes, `${memory.bytes}`);
    assert.deepEqual(resetsOf(reader.peer), [], "who reads is left alone");
    assert.ok(dripping.some(({ peer }) => resetsOf(peer).length > 0));
    for (const { server } of [reader, ...dripping, ...more]) server.destroy();
    assert.equal(memory.bytes, 0);
  });

  test("those without window go first, though others are larger", async () => {
    const memory = new SendMemory(1e9);
    const { peer, server, owner } = await rawClient(
      (stream) => {
        respond(stream, [[":status", "200"]], false);
        const bytes = stream.id === 1 ? 3_000_000 : 600_000;
        stream.sendData(Buffer.alloc(bytes), 0, bytes, true);
      },
      { settings: HUNGRY, memory, limits: { maxQueuedBytes: 4_000_000 } },
    );
    // Stream 1 has window of its own, and waits for the connection's.
    peer.send(headers(1, REQUEST, { end: true }), windowUpdate(1, 10_000_000));
    peer.send(headers(3, REQUEST, { end: true }), headers(5, REQUEST, { end: true }));
    await peer.roundTrip();
    await new Promise((resolve) => setImmediate(resolve));
    await peer.roundTrip();
    assert.equal(owner.requests[0]?.reset, undefined);
    assert.ok(owner.requests[1]?.reset !== undefined || owner.requests[2]?.reset !== undefined);
    server.destroy();
  });

  test("consumed bytes are no longer counted", async () => {
    const memory = new SendMemory(1e9);
    const { peer, server } = await rawClient(serve, { settings: HUNGRY, memory });
    peer.send(headers(1, pathed("/large"), { end: true }));
    await peer.roundTrip();
    assert.equal(memory.bytes, ANSWER);
    peer.send(windowUpdate(1, ANSWER), windowUpdate(0, ANSWER));
    await peer.frame(FrameType.DATA, 1, Flag.END_STREAM);
    assert.equal(memory.bytes, 0);
    assert.equal(server.active, 0);
    server.destroy();
  });
});

describe("a service that floods its client", () => {
  test("with interim responses loses that stream, and no other", async () => {
    const { peer, client } = await rawServer();
    const flooded = new Recorder();
    const other = new Recorder();
    request(client, flooded, { end: true });
    request(client, other, { end: true });
    for (let n = 0; n < 1000; n++) peer.send(headers(1, [[":status", "103"]]));
    peer.send(headers(3, [[":status", "200"]], { end: true }));
    await Promise.all([flooded.over, other.over]);
    assert.equal(flooded.reset?.code, ErrorCode.ENHANCE_YOUR_CALM);
    assert.equal(other.reset, undefined);
    client.destroy();
  });

  test("with resets is within its rights", async () => {
    const { peer, client } = await rawServer();
    for (let id = 1; id < 6000; id += 2) {
      const answer = new Recorder();
      request(client, answer, { end: true });
      peer.send(rst(id, ErrorCode.REFUSED_STREAM));
      await answer.over;
    }
    assert.equal(client.closed, false);
    client.destroy();
  });
});
