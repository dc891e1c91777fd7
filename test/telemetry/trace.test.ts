// One trace through three processes: an instrumented grpc-js client, the hub, an instrumented grpc-js service. What
// each of them says of it is read back from the collector that all three send to.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { http } from "../e2e/support/http.js";
import { startHubWithConfig } from "../e2e/support/hub.js";
import { startNode } from "../e2e/support/program.js";
import { startService } from "../e2e/support/service.js";
import { type ReceivedSpan, startGrpcCollector, startHttpCollector } from "./support/otlp-receiver.js";

const scope = { after };
const PROGRAM = fileURLToPath(new URL("./support/instrumented.js", import.meta.url));
// The hub and the programs send soon, and not after five seconds.
process.env.OTEL_BSP_SCHEDULE_DELAY = "100";
const { NODE_TEST_CONTEXT: _, ...ENV } = process.env;

const { url, collector } = await startGrpcCollector(scope);
const instrumented = (name: string, ...args: string[]) =>
  startNode(scope, PROGRAM, args, {
    env: {
      ...ENV,
      OTEL_EXPORTER_OTLP_ENDPOINT: url,
      OTEL_SERVICE_NAME: name,
      OTEL_BSP_SCHEDULE_DELAY: "100",
    },
  });

/** The only span of that service and kind. */
function one(spans: readonly ReceivedSpan[], service: string, kind: string): ReceivedSpan {
  const found = spans.filter((span) => span.service === service && span.kind === kind);
  assert.equal(found.length, 1, `${service} ${kind}: ${JSON.stringify(spans, undefined, 1)}`);
  return found[0] as ReceivedSpan;
}

const [service, plain] = await Promise.all([
  (async () => {
    const program = instrumented("the-service", "service");
    const [, address = ""] = await program.stdout.waitFor(/^listening on (\S+)$/);
    return { address };
  })(),
  startService(scope, "library"),
]);
const hub = await startHubWithConfig(
  scope,
  `upstreams:
  behavior: { endpoints: ["${service.address}"] }
  library: { endpoints: ["${plain.address}"] }
interceptors:
  tracing: { exporter: otlp, endpoint: "${url}", sample: 0 }
`,
);

describe("a trace that an instrumented client began", () => {
  let spans: readonly ReceivedSpan[] = [];

  test("reaches the collector from all three", async () => {
    const client = instrumented("the-client", "client", hub.address);
    assert.deepEqual((await client.stdout.waitFor(/^answered (.*)$/))[1], "0 0 3");
    spans = await collector.waitFor(8, ({ name }) => /BehaviorService|test\.v1/.test(name));
  });

  for (const method of ["Unary", "ServerStream"]) {
    test(`${method}: client → hub's server span → hub's client span → service`, () => {
      const ofMethod = spans.filter(({ name }) => name.endsWith(method));
      const client = one(ofMethod, "the-client", "client");
      const server = one(ofMethod, "linchpin", "server");
      const attempt = one(ofMethod, "linchpin", "client");
      const end = one(ofMethod, "the-service", "server");
      const chain = [client, server, attempt, end];
      assert.deepEqual(
        chain.map(({ parentSpanId }) => parentSpanId),
        ["", client.spanId, server.spanId, attempt.spanId],
      );
      assert.equal(new Set(chain.map(({ traceId }) => traceId)).size, 1);
      // The hub's two are of one clock, to the fraction of a millisecond.
      assert.ok(server.startMs <= attempt.startMs && attempt.endMs <= server.endMs, "one inside the other");
      assert.ok(Math.abs(server.startMs - client.startMs) < 1000, "the clocks agree");
    });
  }

  test("says what was called, where, and how it ended, in the words of the conventions", () => {
    const ofMethod = spans.filter(({ name }) => name.endsWith("/Unary"));
    const server = one(ofMethod, "linchpin", "server");
    const attempt = one(ofMethod, "linchpin", "client");
    assert.equal(server.name, "test.v1.BehaviorService/Unary");
    assert.equal(attempt.name, "test.v1.BehaviorService/Unary");
    const [hubHost, hubPort] = hub.address.split(":");
    const [host, port] = service.address.split(":");
    const {
      "client.port": clientPort,
      "network.peer.port": peerPort,
      "user_agent.original": userAgent,
      ...rest
    } = server.attributes;
    assert.ok(Number(clientPort) > 0);
    assert.equal(peerPort, clientPort);
    assert.match(String(userAgent), /^grpc-node-js/);
    assert.deepEqual(rest, {
      "rpc.system.name": "grpc",
      "rpc.method": "test.v1.BehaviorService/Unary",
      "rpc.response.status_code": "OK",
      "client.address": "127.0.0.1",
      "network.peer.address": "127.0.0.1",
      "network.protocol.name": "http",
      "network.protocol.version": "2",
      "server.address": hubHost,
      "server.port": Number(hubPort),
    });
    assert.deepEqual(attempt.attributes, {
      "rpc.system.name": "grpc",
      "rpc.method": "test.v1.BehaviorService/Unary",
      "rpc.response.status_code": "OK",
      "linchpin.upstream": "behavior",
      "server.address": host,
      "server.port": Number(port),
    });
    assert.deepEqual([server.status, attempt.status], [0, 0]);
  });
});

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = "00f067aa0ba902b7";

describe("a JSON request", () => {
  test("gets spans with its route and status", async () => {
    const { status } = await http("1.1", hub.address, "/v1/books/none-such", {
      headers: { traceparent: `00-${TRACE}-${PARENT}-01`, tracestate: "vendor=1" },
    });
    assert.equal(status, 404);
    const spans = await collector.waitFor(2, ({ traceId }) => traceId === TRACE);
    const server = one(spans, "linchpin", "server");
    const attempt = one(spans, "linchpin", "client");
    assert.equal(server.name, "GET /v1/{name=books/*}");
    assert.equal(server.parentSpanId, PARENT);
    assert.equal(server.traceState, "vendor=1");
    assert.equal(server.attributes["http.request.method"], "GET");
    assert.equal(server.attributes["http.route"], "/v1/{name=books/*}");
    assert.equal(server.attributes["url.path"], "/v1/books/none-such");
    assert.equal(server.attributes["http.response.status_code"], 404);
    assert.equal(server.attributes["rpc.response.status_code"], "NOT_FOUND");
    // Not found is the caller's, so no error of the server; for the client side of a call every failure is one.
    assert.equal(server.status, 0);
    assert.equal(attempt.status, 2);
    assert.equal(attempt.attributes["error.type"], "NOT_FOUND");
  });

  test("that has no route gets a span as well, and calls nothing", async () => {
    const trace = "4".repeat(32);
    const headers = { traceparent: `00-${trace}-${PARENT}-01` };
    assert.equal((await http("2", hub.address, "/no/such/path", { headers })).status, 404);
    const [server] = await collector.waitFor(1, ({ traceId }) => traceId === trace);
    assert.deepEqual([server?.name, server?.kind, server?.status], ["GET", "server", 0]);
    const { attributes = {} } = server ?? {};
    assert.equal(attributes["http.response.status_code"], 404);
    assert.equal(attributes["network.protocol.version"], "2");
    assert.deepEqual([attributes["http.route"], attributes["rpc.method"]], [undefined, undefined]);
  });

  test("leaves its query out of the span", async () => {
    const trace = "3".repeat(32);
    const { status } = await http("1.1", hub.address, "/v1/books?page_token=hunter2", {
      headers: { traceparent: `00-${trace}-${PARENT}-01` },
    });
    assert.equal(status, 400);
    const spans = await collector.waitFor(2, ({ traceId }) => traceId === trace);
    assert.equal(one(spans, "linchpin", "server").attributes["http.response.status_code"], 400);
    assert.ok(!JSON.stringify(spans).includes("hunter2"));
  });

  test("that is not sampled leaves nothing", async () => {
    const trace = "1".repeat(32);
    await http("2", hub.address, "/v1/books?page_size=1", {
      headers: { traceparent: `00-${trace}-${PARENT}-00` },
    });
    await http("1.1", hub.address, "/v1/books?page_size=1");
    // One that is sampled, and later: by its arrival the others would have come.
    const last = "2".repeat(32);
    await http("1.1", hub.address, "/v1/books?page_size=1", {
      headers: { traceparent: `00-${last}-${PARENT}-01` },
    });
    await collector.waitFor(2, ({ traceId }) => traceId === last);
    assert.deepEqual(
      collector.spans.filter(({ traceId }) => traceId === trace),
      [],
    );
    assert.equal(
      collector.spans.filter(({ name, status }) => name === "GET /v1/books" && status === 0).length,
      2,
    );
  });
});

test("spans that still wait when the hub drains are sent before it ends, over HTTP as well", async (t) => {
  const own = await startHttpCollector({ after: (ending) => t.after(ending) });
  process.env.OTEL_SERVICE_NAME = "renamed";
  t.after(() => delete process.env.OTEL_SERVICE_NAME);
  const short = await startHubWithConfig(
    scope,
    `upstreams: { library: { endpoints: ["${plain.address}"] } }
interceptors:
  tracing: { exporter: otlp, endpoint: "${own.url}", protocol: http/protobuf, sample: 1 }
  metrics: { exporter: otlp, endpoint: "${own.url}", protocol: http/protobuf }
`,
  );
  assert.equal((await http("1.1", short.address, "/v1/books?page_size=1")).status, 200);
  // At once: the SDK has not been loaded yet.
  short.program.kill("SIGTERM");
  assert.deepEqual(await short.program.exited, { code: 0, signal: null });
  const names = own.collector.spans.map(
    ({ kind, parentSpanId }) => `${kind} ${parentSpanId === "" ? "root" : "child"}`,
  );
  assert.deepEqual(names.sort(), ["client child", "server root"]);
  const calls = own.collector.metrics.find(({ name }) => name === "rpc.server.call.duration");
  assert.equal(calls?.service, "renamed");
  assert.equal(own.collector.spans[0]?.service, "renamed");
  assert.equal(calls?.type, "histogram");
  assert.deepEqual(
    calls?.points.map(({ attributes, count }) => [attributes["rpc.method"], count]),
    [["library.v1.LibraryService/ListBooks", 1]],
  );
});

test("a collector that is down is logged once, and blocks nothing", async () => {
  const short = await startHubWithConfig(
    scope,
    `upstreams: { library: { endpoints: ["${plain.address}"] } }
interceptors: { tracing: { exporter: otlp, endpoint: "http://127.0.0.1:1", sample: 1 } }
`,
  );
  assert.equal((await http("1.1", short.address, "/v1/books?page_size=1")).status, 200);
  const began = performance.now();
  short.program.kill("SIGTERM");
  assert.equal((await short.program.exited).code, 0);
  assert.ok(performance.now() - began < 10_000);
  assert.match(
    short.program.stderr.text,
    /traces do not reach http:\/\/127\.0\.0\.1:1: |not all traces were sent/,
  );
});
