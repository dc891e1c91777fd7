import assert from "node:assert/strict";
import { createServer } from "node:net";
import { afterEach, describe, it } from "node:test";
import type { Call } from "#src/call/call.js";
import { frameMessage } from "#src/call/messages.js";
import type { Sink } from "#src/call/sink.js";
import { Code } from "#src/call/status/status.js";
import { parseTimeout } from "#src/call/wire/timeout.js";
import type { ConnectionOptions } from "#src/http2/connection.js";
import { ErrorCode } from "#src/http2/wire/protocol.js";
import { Headers } from "#src/kit/headers.js";
import { Cluster, type ClusterOptions } from "#src/upstream/cluster.js";
import { FakeClock } from "../support/fake-clock.js";
import { H2Service, type ServiceRequest } from "../support/h2-service.js";
import { abortOf, callOf, RecordingSink, RecordingSource } from "../support/sinks.js";
import { turns, until } from "../support/until.js";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

async function service(
  onRequest: (request: ServiceRequest) => void = (r) => r.ok(),
  options: Partial<ConnectionOptions> = {},
): Promise<H2Service> {
  const started = await new H2Service(onRequest, options).start();
  cleanups.push(() => started.stop());
  return started;
}

/** A service that is not there (any more, or yet). */
async function down(): Promise<H2Service> {
  const stopped = await service();
  await stopped.stop();
  return stopped;
}

function clusterOf(
  services: readonly H2Service[],
  clock = new FakeClock(1000),
  options: Partial<ClusterOptions> = {},
): { cluster: Cluster; clock: FakeClock } {
  const endpoints = services.map(({ address, dial }) => ({ address, dial }));
  const cluster = new Cluster({ name: "library", endpoints, clock, random: () => 0.5, ...options });
  cleanups.push(() => cluster.close());
  return { cluster, clock };
}

class Exchange {
  readonly response = new RecordingSink();
  readonly client = new RecordingSource();
  readonly request: Sink;
  readonly call: Call;

  constructor(cluster: Cluster, call = callOf()) {
    this.call = call;
    this.request = cluster.handler(call, this.response);
    this.request.open(this.client);
  }

  send(content: string | Uint8Array, last = false): this {
    const frame = frameMessage(Buffer.from(content));
    this.request.data(frame, 0, frame.length, last);
    return this;
  }

  async end(): Promise<RecordingSink> {
    await until(() => this.response.ended, `the end of the answer, after ${this.response.events.join()}`);
    return this.response;
  }
}

/** A whole unary call. */
async function unary(cluster: Cluster, content = "question"): Promise<RecordingSink> {
  return new Exchange(cluster).send(content, true).end();
}

async function connected(cluster: Cluster): Promise<void> {
  cluster.connect();
  await until(() => cluster.endpoints.every((e) => e.state === "ready"), "all endpoints ready");
}

describe("a call to a service", () => {
  it("carries path, authority, metadata and body unchanged, and the response back", async () => {
    const library = await service((r) => {
      r.onEnd = () =>
        r
          .headers({ ":status": "200", "content-type": "application/grpc", "x-served-by": "one" })
          .message("answer")
          .trailers({ "grpc-status": "0", "x-after": "word" });
    });
    const { cluster } = clusterOf([library]);
    const headers = Headers.of(
      ["content-type", "application/grpc+proto"],
      ["te", "trailers"],
      ["host", "elsewhere"],
      ["content-length", "13"],
      ["x-many", "1"],
      ["x-many", "2"],
      ["trace-bin", "AAEC/w"],
      ["grpc-encoding", "gzip"],
    );
    const exchange = new Exchange(cluster, callOf({ path: "/library.v1.LibraryService/GetBook", headers }));
    exchange.send("question", true);
    const response = await exchange.end();
    const [request] = library.requests;
    assert.ok(request);
    assert.equal(request.path, "/library.v1.LibraryService/GetBook");
    assert.equal(request.authority, "test");
    assert.deepEqual(request.fields, [
      ["te", "trailers"],
      ["content-type", "application/grpc+proto"],
      ["x-many", "1"],
      ["x-many", "2"],
      ["trace-bin", "AAEC/w"],
      ["grpc-encoding", "gzip"],
    ]);
    assert.deepEqual(request.body, frameMessage(Buffer.from("question")));
    assert.equal(response.received?.get("x-served-by"), "one");
    assert.equal(response.body, String(frameMessage(Buffer.from("answer"))));
    assert.equal(response.trailing?.get("x-after"), "word");
    assert.equal(exchange.client.credit, 13);
    assert.deepEqual(response.late, []);
  });

  it("has the time left at sending as its timeout, not that of its arrival", async () => {
    const library = await service();
    const { cluster, clock } = clusterOf([library]);
    const call = callOf({ headers: Headers.of(["grpc-timeout", "9S"]), startedAt: 1000 });
    call.deadline = 3000;
    const exchange = new Exchange(cluster, call).send("q", true);
    clock.advance(500); // while it connects
    await exchange.end();
    const timeouts = library.requests[0]?.fields.filter(([n]) => n === "grpc-timeout");
    assert.deepEqual(timeouts, [["grpc-timeout", "1500m"]]);
    assert.equal(parseTimeout("1500m"), 1500);
  });

  it("whose deadline passes while it waits is not sent", async () => {
    const library = await service();
    const { cluster, clock } = clusterOf([library]);
    const call = callOf({ startedAt: 1000 });
    call.deadline = 1010;
    const exchange = new Exchange(cluster, call).send("q", true);
    clock.advance(10);
    const response = await exchange.end();
    assert.equal(response.aborted?.status.code, Code.DEADLINE_EXCEEDED);
    assert.match(
      response.aborted.status.withHint().message,
      /waiting for a connection to upstream "library"/,
    );
    assert.equal(response.aborted.sent, "never");
    assert.equal(library.requests.length, 0);
  });

  it("is cancelled by RST_STREAM(CANCEL) when the client leaves", async () => {
    const library = await service(() => {});
    const { cluster } = clusterOf([library]);
    const exchange = new Exchange(cluster).send("q");
    await until(() => library.requests[0]?.chunks.length === 1, "the request");
    exchange.request.abort(abortOf(Code.CANCELLED));
    await until(() => library.requests[0]?.reset !== undefined, "the reset");
    assert.equal(library.requests[0]?.reset?.code, ErrorCode.CANCEL);
    await turns();
    assert.deepEqual(exchange.response.events, []);
  });

  it("with a complete response before its request has ended cancels the request", async () => {
    const library = await service((r) =>
      r.headers({ ":status": "200", "content-type": "application/grpc", "grpc-status": "8" }, true),
    );
    const { cluster } = clusterOf([library]);
    const exchange = new Exchange(cluster).send("part");
    const response = await exchange.end();
    assert.equal(response.received?.get("grpc-status"), "8");
    await until(() => library.requests[0]?.reset !== undefined, "the reset");
    assert.equal(library.requests[0]?.reset?.code, ErrorCode.CANCEL);
    const before = exchange.client.credit;
    exchange.send("more", true);
    assert.equal(exchange.client.credit, before + 9, "what still comes is dropped, and given back");
  });

  it("passes a slow reader's backpressure to the service, and a slow service's to the client", async () => {
    const chunk = Buffer.alloc(16 * 1024);
    const library = await service((r) => {
      r.reading = false;
      r.headers();
      for (let i = 0; i < 128; i++) r.data(chunk);
    });
    const { cluster } = clusterOf([library]);
    const exchange = new Exchange(cluster);
    for (let i = 0; i < 128; i++) exchange.request.data(chunk, 0, chunk.length, false);
    await until(() => exchange.response.body.length >= 65_535, "a window of the answer");
    await turns(50);
    const [request] = library.requests;
    assert.ok(request);
    assert.equal(exchange.response.body.length, 65_535, "no more than a window without credit");
    assert.equal(request.body.length, 65_535);
    assert.equal(exchange.client.credit, 65_535, "credit for what has left, no more");
    request.stream.consumed(65_535);
    request.reading = true;
    exchange.response.source?.consumed(65_535);
    exchange.response.onEvent = (event) => {
      if (event.startsWith("data"))
        exchange.response.source?.consumed(exchange.response.chunks.at(-1)?.length ?? 0);
    };
    const whole = 128 * chunk.length;
    await until(() => exchange.response.body.length === whole && request.body.length === whole, "both whole");
    assert.equal(exchange.client.credit, whole);
  });
});

describe("a service's failure", () => {
  const grpc = { ":status": "200", "content-type": "application/grpc" };
  const cases: [what: string, act: (r: ServiceRequest) => void, code: number, says: RegExp][] = [
    [
      "HTTP 404",
      (r) => r.headers({ ":status": "404" }, true),
      Code.UNIMPLEMENTED,
      /upstream "library".*HTTP status 404/,
    ],
    [
      "HTTP 502 with HTML",
      (r) => r.headers({ ":status": "502", "content-type": "text/html" }).data("<h1>", true),
      Code.UNAVAILABLE,
      /HTTP status 502/,
    ],
    ["HTTP 503 that never ends", (r) => r.headers({ ":status": "503" }), Code.UNAVAILABLE, /HTTP status 503/],
    ["HTTP 401", (r) => r.headers({ ":status": "401" }, true), Code.UNAUTHENTICATED, /401/],
    [
      "HTML with 200",
      (r) => r.headers({ ":status": "200", "content-type": "text/html" }).data("hi", true),
      Code.UNKNOWN,
      /content-type "text\/html"/,
    ],
    ["no content-type", (r) => r.headers({ ":status": "200" }), Code.UNKNOWN, /content-type missing/],
    ["no grpc-status in trailers-only", (r) => r.headers(grpc, true), Code.UNKNOWN, /without a grpc-status/],
    [
      "no grpc-status in the trailers",
      (r) => r.headers().message("x").trailers({ "x-y": "z" }),
      Code.UNKNOWN,
      /trailers have no grpc-status/,
    ],
    ["no trailers", (r) => r.headers().data("", true), Code.UNKNOWN, /without trailers/],
    [
      "no trailers behind a message",
      (r) => r.headers().data(frameMessage(Buffer.from("x")), true),
      Code.UNKNOWN,
      /without trailers/,
    ],
    ["a second HEADERS in the middle", (r) => r.headers().headers(grpc), Code.INTERNAL, /./],
    [
      "the end of the connection",
      (r) => r.connection.socket.destroy(),
      Code.UNAVAILABLE,
      /upstream "library" \(127\.0\.0\.1:\d+\)/,
    ],
    [
      "the end of the connection after headers",
      (r) => r.headers().connection.destroy(),
      Code.UNAVAILABLE,
      /library/,
    ],
  ];
  const resets: [name: keyof typeof ErrorCode, code: number][] = [
    ["NO_ERROR", Code.INTERNAL],
    ["PROTOCOL_ERROR", Code.INTERNAL],
    ["INTERNAL_ERROR", Code.INTERNAL],
    ["FLOW_CONTROL_ERROR", Code.INTERNAL],
    ["SETTINGS_TIMEOUT", Code.INTERNAL],
    ["FRAME_SIZE_ERROR", Code.INTERNAL],
    ["REFUSED_STREAM", Code.UNAVAILABLE],
    ["CANCEL", Code.CANCELLED],
    ["COMPRESSION_ERROR", Code.INTERNAL],
    ["CONNECT_ERROR", Code.INTERNAL],
    ["ENHANCE_YOUR_CALM", Code.RESOURCE_EXHAUSTED],
    ["INADEQUATE_SECURITY", Code.PERMISSION_DENIED],
  ];
  for (const [name, code] of resets) {
    cases.push([
      `RST_STREAM(${name})`,
      (r) => r.stream.reset(ErrorCode[name]),
      code,
      new RegExp(`library.*${name}`),
    ]);
    cases.push([
      `RST_STREAM(${name}) after headers`,
      (r) => r.headers().stream.reset(ErrorCode[name]),
      code,
      new RegExp(name),
    ]);
  }
  for (const [what, act, code, says] of cases) {
    it(`${what} becomes a status, and leaves no stream open`, async () => {
      const library = await service(act);
      const { cluster } = clusterOf([library]);
      const exchange = new Exchange(cluster).send("part of a request");
      const response = await exchange.end();
      assert.equal(response.aborted?.status.code, code);
      assert.match(response.aborted.status.withHint().message, says);
      assert.equal(response.aborted.by, "upstream");
      assert.deepEqual(response.late, []);
      await until(() => library.connections.every((c) => c.active === 0), "no stream is open at the service");
    });
  }

  it("RST_STREAM(CANCEL) as the deadline passes is DEADLINE_EXCEEDED: the service saw it first", async () => {
    for (const [advance, code] of [
      [10, Code.CANCELLED],
      [49.5, Code.DEADLINE_EXCEEDED],
      [51, Code.DEADLINE_EXCEEDED],
    ] as const) {
      const library = await service(() => {});
      const { cluster, clock } = clusterOf([library]);
      const call = callOf({ startedAt: 1000 });
      call.deadline = 1050;
      const exchange = new Exchange(cluster, call).send("q", true);
      await until(() => library.requests.length === 1, "the request");
      clock.advance(advance);
      library.requests[0]?.stream.reset(ErrorCode.CANCEL);
      assert.equal((await exchange.end()).aborted?.status.code, code, `after ${advance} ms`);
    }
  });

  it("a trailers-only error is forwarded unchanged, whatever its HTTP status", async () => {
    for (const fields of [
      { ...grpc },
      { ":status": "200" },
      { ":status": "503", "content-type": "text/plain" },
    ]) {
      const library = await service((r) =>
        r.headers({ ...fields, "grpc-status": "5", "grpc-message": "no%20book" }, true),
      );
      const { cluster } = clusterOf([library]);
      const response = await unary(cluster);
      assert.deepEqual(response.events, ["open", "headers!"]);
      assert.equal(response.received?.get("grpc-status"), "5");
      assert.equal(response.received.get("grpc-message"), "no%20book");
      assert.ok(response.received.get("content-type"));
    }
  });

  it("a response that is not HTTP/2 is UNAVAILABLE", async () => {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    cleanups.push(() => void server.close());
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    const { connect } = await import("node:net");
    const dial = (): ReturnType<typeof connect> => connect(address.port, "127.0.0.1");
    const cluster = new Cluster({
      name: "web",
      endpoints: [{ address: "web:80", dial }],
      clock: new FakeClock(),
    });
    cleanups.push(() => cluster.close());
    const response = await unary(cluster);
    assert.equal(response.aborted?.status.code, Code.UNAVAILABLE);
    assert.match(response.aborted.status.withHint().message, /upstream "web" cannot be reached \(web:80: /);
  });
});

describe("several endpoints", () => {
  it("take calls in turn", async () => {
    const services = [await service(), await service(), await service()];
    const { cluster } = clusterOf(services);
    await connected(cluster);
    for (let i = 0; i < 12; i++) await unary(cluster);
    assert.deepEqual(
      services.map((s) => s.requests.length),
      [4, 4, 4],
    );
    assert.deepEqual(
      services.map((s) => s.accepted),
      [1, 1, 1],
    );
  });

  it("of which one is down share its calls, and no call fails", async () => {
    const services = [await service(), await down(), await service()];
    const { cluster } = clusterOf(services);
    cluster.connect();
    const results = await Promise.all(Array.from({ length: 12 }, () => unary(cluster)));
    assert.ok(results.every((r) => r.trailing?.get("grpc-status") === "0"));
    assert.equal((services[0]?.requests.length ?? 0) + (services[2]?.requests.length ?? 0), 12);
  });

  it("of which one is full send calls to the others", async () => {
    const full = await service(() => {}, { limits: { maxConcurrentStreams: 1 } });
    const free = await service();
    const { cluster } = clusterOf([full, free]);
    await connected(cluster);
    const held = [new Exchange(cluster).send("q", true), new Exchange(cluster).send("q", true)];
    await until(() => full.requests.length === 1, "one call is held");
    for (let i = 0; i < 5; i++) await unary(cluster);
    assert.equal(full.requests.length, 1);
    assert.equal(free.requests.length, 6);
    for (const h of held) h.request.abort(abortOf(Code.CANCELLED));
  });

  it("that are all down fail a call at once, naming each and why", async () => {
    const services = [await down(), await down()];
    const { cluster, clock } = clusterOf(services);
    const first = await unary(cluster);
    for (const s of services) {
      const said = first.aborted?.status.withHint().message ?? "";
      assert.ok(said.includes('upstream "library" cannot be reached') && said.includes(s.address), said);
      assert.match(said, /ECONNREFUSED/);
    }
    assert.equal(first.aborted?.status.code, Code.UNAVAILABLE);
    assert.equal(first.aborted.sent, "never");
    // In backoff nothing waits at all.
    const second = new Exchange(cluster).send("q", true);
    assert.ok(second.response.ended);
    assert.equal(clock.pending, 2);
  });

  it("lose and gain one: calls go to those that are up", async () => {
    const [a, b] = [await service(), await service()];
    const { cluster, clock } = clusterOf([a, b]);
    await connected(cluster);
    clock.advance(5000);
    await a.stop();
    await until(() => cluster.endpoints[0]?.state === "backoff", "the loss is seen");
    for (let i = 0; i < 4; i++) await unary(cluster);
    assert.equal(b.requests.length, 4);
    await a.start();
    clock.advance(100);
    await until(() => cluster.endpoints[0]?.state === "ready", "it is back");
    for (let i = 0; i < 4; i++) await unary(cluster);
    assert.equal(a.requests.length, 2);
    assert.equal(b.requests.length, 6);
  });
});

describe("an endpoint", () => {
  it("that is down is tried again after 100 ms, doubling to 30 s", async () => {
    const library = await down();
    const { cluster, clock } = clusterOf([library]);
    cluster.connect();
    const delays: number[] = [];
    for (let i = 0; i < 11; i++) {
      await until(() => cluster.endpoints[0]?.state === "backoff", "backoff");
      const delay = (clock.nextAt ?? 0) - clock.now();
      delays.push(delay);
      clock.advance(delay);
    }
    assert.deepEqual(delays, [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
    await library.start();
    await until(() => cluster.endpoints[0]?.state === "backoff", "backoff");
    clock.advance(30_000);
    await until(() => cluster.endpoints[0]?.state === "ready", "ready");
    assert.equal((await unary(cluster)).trailing?.get("grpc-status"), "0");
    assert.equal(clock.pending, 1, "the watch of the connection, and nothing else");
  });

  it("jitters its backoff by a fifth", async () => {
    for (const [random, delay] of [
      [0, 80],
      [0.999_999, 120],
    ] as const) {
      const { address, dial } = await down();
      const clock = new FakeClock();
      const cluster = new Cluster({ name: "x", endpoints: [{ address, dial }], clock, random: () => random });
      cluster.connect();
      await until(() => cluster.endpoints[0]?.state === "backoff", "backoff");
      assert.ok(Math.abs((clock.nextAt ?? 0) - delay) < 0.01);
      cluster.close();
    }
  });

  it("that is lost after a while is reconnected at once", async () => {
    const library = await service();
    const { cluster, clock } = clusterOf([library]);
    await connected(cluster);
    clock.advance(1000);
    library.connections[0]?.socket.destroy();
    await until(() => library.accepted === 2, "a new connection");
    assert.equal(clock.pending, 2, "the limit on connecting, and when its services are unhealthy");
  });

  it("that accepts connections and drops them is not flooded with new ones", async () => {
    const server = createServer((socket) => {
      accepted++;
      // A server's SETTINGS, then the end.
      socket.on("error", () => {});
      socket.end(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
    });
    let accepted = 0;
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    cleanups.push(() => void server.close());
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    const { connect } = await import("node:net");
    const clock = new FakeClock();
    const dial = (): ReturnType<typeof connect> => connect(address.port, "127.0.0.1");
    const cluster = new Cluster({ name: "x", endpoints: [{ address: "x", dial }], clock, random: () => 0.5 });
    cleanups.push(() => cluster.close());
    cluster.connect();
    const delays: number[] = [];
    for (let i = 0; i < 4; i++) {
      await until(() => cluster.endpoints[0]?.state === "idle", "the loss");
      delays.push((clock.nextAt ?? 0) - clock.now());
      clock.advance(delays.at(-1) ?? 0);
    }
    await until(() => cluster.endpoints[0]?.state === "idle", "the loss");
    assert.deepEqual(delays, [100, 200, 400, 800]);
    assert.equal(accepted, 5);
    // A call does not wait for that.
    new Exchange(cluster);
    await until(() => accepted === 6, "a connection for the call");
  });

  it("that is silent is given up after 10 s, and its calls fail", async () => {
    const server = createServer((socket) => socket.on("error", () => {}));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    cleanups.push(() => void server.close());
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    const { connect } = await import("node:net");
    const clock = new FakeClock();
    const dial = (): ReturnType<typeof connect> => connect(address.port, "127.0.0.1");
    const cluster = new Cluster({ name: "mute", endpoints: [{ address: "mute:1", dial }], clock });
    cleanups.push(() => cluster.close());
    const exchange = new Exchange(cluster).send("q", true);
    await turns();
    clock.advance(9_999);
    await turns();
    assert.ok(!exchange.response.ended);
    clock.advance(1);
    assert.match(
      (await exchange.end()).aborted?.status.withHint().message ?? "",
      /mute:1: .*within 10000 ms/,
    );
  });

  it("gets calls that arrived while it was connecting, in order, their bytes buffered without credit", async () => {
    const library = await service();
    const { cluster } = clusterOf([library]);
    const exchanges = ["a", "b", "c"].map((text) => new Exchange(cluster).send(text, true));
    assert.equal(cluster.pending, 3);
    assert.ok(exchanges.every((e) => e.client.credit === 0));
    for (const e of exchanges) assert.equal((await e.end()).trailing?.get("grpc-status"), "0");
    assert.deepEqual(
      library.requests.map((r) => String(r.body.subarray(5))),
      ["a", "b", "c"],
    );
    assert.ok(exchanges.every((e) => e.client.credit === 6));
    assert.equal(library.accepted, 1);
  });

  it("forgets a call that is cancelled while it waits", async () => {
    const library = await service();
    const { cluster } = clusterOf([library]);
    const gone = new Exchange(cluster).send("gone", true);
    const stays = new Exchange(cluster).send("stays", true);
    gone.request.abort(abortOf(Code.CANCELLED));
    assert.equal(cluster.pending, 1);
    await stays.end();
    await turns();
    assert.deepEqual(
      library.requests.map((r) => String(r.body.subarray(5))),
      ["stays"],
    );
    assert.deepEqual(gone.response.events, []);
  });

  it("bounds how many calls wait", async () => {
    const server = createServer((socket) => socket.on("error", () => {}));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    cleanups.push(() => void server.close());
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    const { connect } = await import("node:net");
    const dial = (): ReturnType<typeof connect> => connect(address.port, "127.0.0.1");
    const cluster = new Cluster({
      name: "mute",
      endpoints: [{ address: "m", dial }],
      clock: new FakeClock(),
    });
    cleanups.push(() => cluster.close());
    const exchanges = Array.from({ length: 1025 }, () => new Exchange(cluster));
    assert.equal(cluster.pending, 1024);
    const refused = exchanges.at(-1)?.response.aborted;
    assert.equal(refused?.status.code, Code.UNAVAILABLE);
    assert.match(refused.status.withHint().message, /1024 calls waiting/);
  });

  it("with a limit of streams gets no more, opens further connections, and queues the rest", async () => {
    let open = 0;
    let most = 0;
    const library = await service(
      (r) => {
        open++;
        most = Math.max(most, r.connection.active);
        r.onEnd = () => {
          setImmediate(() => {
            open--;
            r.ok();
          });
        };
      },
      { limits: { maxConcurrentStreams: 2 } },
    );
    const { cluster } = clusterOf([library], undefined, { limits: { maxPerEndpoint: 8 } });
    await connected(cluster);
    const all = await Promise.all(Array.from({ length: 100 }, () => unary(cluster)));
    assert.ok(all.every((r) => r.trailing?.get("grpc-status") === "0"));
    assert.ok(most <= 2, `${most} streams on one connection`);
    assert.ok(library.accepted > 1 && library.accepted <= 8, `${library.accepted} connections`);
    assert.equal(open, 0);
    assert.ok(
      library.requests.every((r) => r.reset === undefined),
      "none was refused",
    );
  });

  it("leaves nothing open once closed, including running calls", async () => {
    const library = await service((r) => r.headers());
    const { cluster, clock } = clusterOf([library]);
    const running = new Exchange(cluster).send("q");
    await until(() => running.response.received !== undefined, "headers");
    clock.advance(1000);
    // A connection that the service is leaving still carries its calls.
    library.connections[0]?.drain();
    await until(() => library.accepted === 2, "another connection");
    cluster.close();
    assert.equal((await running.end()).aborted?.status.code, Code.UNAVAILABLE);
    await until(() => library.open === 0, "all connections closed");
    assert.equal(clock.pending, 0);
    const late = new Exchange(cluster).send("q", true);
    assert.match(late.response.aborted?.status.withHint().message ?? "", /shutting down/);
    await turns();
    assert.equal(library.accepted, 2, "nothing is connected to again");
  });

  it("being drained lets running calls finish, and then closes", async () => {
    const library = await service((r) => r.headers());
    const { cluster } = clusterOf([library]);
    const running = new Exchange(cluster).send("q", true);
    await until(() => running.response.received !== undefined, "headers");
    cluster.drain();
    await turns();
    assert.equal(library.open, 1);
    assert.match(new Exchange(cluster).response.aborted?.status.withHint().message ?? "", /shutting down/);
    library.requests[0]?.message("x").trailers();
    assert.equal((await running.end()).trailing?.get("grpc-status"), "0");
    await until(() => library.open === 0, "closed");
  });
});

describe("a call that was not processed", () => {
  it("is retried once with the same bytes when refused by REFUSED_STREAM; credit is given once", async () => {
    const library = await service((r) => {
      if (library.requests.length === 1) {
        // Refused in the midst of the request.
        const take = r.onData.bind(r);
        r.onData = (stream, chunk, start, end, last) => {
          take(stream, chunk, start, end, last);
          stream.reset(ErrorCode.REFUSED_STREAM);
        };
      } else r.onEnd = () => r.ok();
    });
    const { cluster } = clusterOf([library]);
    const exchange = new Exchange(cluster).send("one").send("two");
    await until(() => library.requests.length === 2, "the second attempt");
    exchange.send("three", true);
    assert.equal((await exchange.end()).trailing?.get("grpc-status"), "0");
    const expected = Buffer.concat(["one", "two", "three"].map((t) => frameMessage(Buffer.from(t))));
    assert.deepEqual(library.requests[1]?.body, expected);
    assert.equal(exchange.client.credit, expected.length);
    assert.equal(library.requests.length, 2);
  });

  it("fails when it is refused a second time", async () => {
    const library = await service((r) => r.stream.reset(ErrorCode.REFUSED_STREAM));
    const { cluster } = clusterOf([library]);
    const response = await unary(cluster);
    assert.equal(response.aborted?.status.code, Code.UNAVAILABLE);
    assert.equal(response.aborted.sent, "refused");
    assert.equal(library.requests.length, 2);
  });

  it("is retried with the remaining time as its timeout", async () => {
    const library = await service((r) => {
      if (library.requests.length > 1) {
        r.ok();
        return;
      }
      clock.advance(300);
      r.stream.reset(ErrorCode.REFUSED_STREAM);
    });
    const { cluster, clock } = clusterOf([library]);
    await connected(cluster);
    const call = callOf({ startedAt: 1000 });
    call.deadline = clock.now() + 2000;
    await new Exchange(cluster, call).send("q", true).end();
    assert.deepEqual(
      library.requests.map((r) => r.get("grpc-timeout")),
      ["2000m", "1700m"],
    );
  });

  it("is not retried once the response has begun", async () => {
    const library = await service((r) => r.headers().stream.reset(ErrorCode.REFUSED_STREAM));
    const { cluster } = clusterOf([library]);
    assert.equal((await unary(cluster)).aborted?.status.code, Code.UNAVAILABLE);
    assert.equal(library.requests.length, 1);
  });

  it("is not retried when more than 64 KiB of it were sent", async () => {
    for (const [bytes, attempts] of [
      [64 * 1024 - 5, 2],
      [64 * 1024 - 4, 1],
    ] as const) {
      const library = await service((r) => {
        r.onEnd = () => r.stream.reset(ErrorCode.REFUSED_STREAM);
      });
      const { cluster } = clusterOf([library]);
      await connected(cluster);
      const response = await new Exchange(cluster).send(Buffer.alloc(bytes), true).end();
      assert.equal(response.aborted?.status.code, Code.UNAVAILABLE);
      assert.equal(library.requests.length, attempts, `${bytes} bytes`);
    }
  });

  it("is not retried when the service may have seen it", async () => {
    const library = await service((r) => r.connection.socket.destroy());
    const other = await service();
    const { cluster } = clusterOf([library, other]);
    await connected(cluster);
    const response = await unary(cluster);
    assert.equal(response.aborted?.status.code, Code.UNAVAILABLE);
    assert.equal(response.aborted.sent, "maybe");
    assert.equal(other.requests.length, 0);
  });

  it("goes elsewhere when its connection breaks before it is sent", async () => {
    const lost = await service();
    const other = await service();
    const { cluster } = clusterOf([lost, other]);
    await connected(cluster);
    // In one turn: the call is written behind the back of a connection that is already lost.
    const exchange = new Exchange(cluster).send("q", true);
    const [endpoint] = cluster.endpoints;
    endpoint?.available()?.connection.socket.destroy();
    endpoint?.available()?.connection.socket.emit("close");
    assert.equal((await exchange.end()).trailing?.get("grpc-status"), "0");
    assert.equal(lost.requests.length, 0);
    assert.equal(other.requests.length, 1);
  });

  it("goes to another endpoint when its own is leaving (GOAWAY), and loses nothing", async () => {
    const leaving = await service((r) => {
      r.onEnd = () => r.ok("from the one that leaves");
    });
    const other = await service();
    const { cluster } = clusterOf([leaving, other]);
    await connected(cluster);
    // GOAWAY with last stream 0 crosses the call on its way.
    const exchange = new Exchange(cluster).send("q", true);
    leaving.connections[0]?.destroy();
    const response = await exchange.end();
    // Either it was answered before, or it was not processed, and went elsewhere.
    assert.equal(response.trailing?.get("grpc-status"), "0");
  });

  it("survives rolling restarts: calls in a row while the service leaves again and again", async () => {
    const library = await service((r) => {
      r.onEnd = () => {
        r.ok();
        if (library.requests.length % 5 === 0) r.connection.drain();
      };
    });
    const { cluster } = clusterOf([library]);
    for (let i = 0; i < 50; i++) {
      const response = await unary(cluster);
      assert.equal(
        response.trailing?.get("grpc-status"),
        "0",
        `call ${i}: ${response.aborted?.status.withHint().message}`,
      );
    }
    assert.ok(library.accepted > 5);
  });
});
