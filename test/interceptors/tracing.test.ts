// What tracing does to a call's headers, and whose word it takes for sampling.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Call, type HttpRequestInfo, type HttpVersion, type Method, type Peer } from "#src/call/call.js";
import type { Outcome } from "#src/call/interceptor.js";
import { tracing } from "#src/interceptors/tracing/tracing.js";
import { field, Headers } from "#src/kit/headers.js";
import { LOOPBACK } from "#src/kit/net/ip.js";
import { CALL_SPAN } from "#src/telemetry/tracing/call-span.js";
import type { SpanRecord } from "#src/telemetry/tracing/span-record.js";
import { FakeClock } from "../support/fake-clock.js";
import { attemptOf } from "../support/sinks.js";

const METHOD: Method = {
  service: "a.S",
  name: "M",
  path: "/a.S/M",
  kind: "unary",
  idempotent: false,
  descriptor: undefined,
};
const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = "00f067aa0ba902b7";
const SAMPLED = `00-${TRACE}-${PARENT}-01`;
const UNSAMPLED = `00-${TRACE}-${PARENT}-00`;
const NEAR = "127.0.0.1:5";
const FAR = "192.0.2.7:5";

interface Setup {
  readonly ratio?: number;
  readonly random?: number;
  readonly exporting?: boolean;
  readonly method?: Method;
  readonly http?: HttpRequestInfo;
  /** Default: 1.1 of a plain HTTP request, 2 of gRPC. */
  readonly version?: HttpVersion;
  readonly peer?: Partial<Peer>;
}

const ENDED = { by: "upstream", sent: "maybe", headersMs: undefined, trailers: undefined } as const;

function start(setup: Setup, peer: string, headers: readonly (readonly [string, string])[]) {
  const spans: SpanRecord[] = [];
  const clock = new FakeClock(1000);
  const interceptor = tracing({
    ratio: setup.ratio ?? 0,
    trustedPeers: [...LOOPBACK, { address: "10.0.0.0", prefix: 8 }],
    spans: setup.exporting === false ? undefined : { take: (span) => spans.push(span) },
    clock,
    random: () => setup.random ?? 0.5,
    wallClock: () => 1_700_000_000_000 + clock.now(),
  });
  const method = setup.method ?? METHOD;
  const step = interceptor.plan(method);
  const from: Peer = { address: peer, protocol: "grpc", ...setup.peer };
  const received = headers.map(([name, value]) => field(name, value));
  const call = new Call(method, "/a.S/M", "hub:80", from, new Headers(received), clock.now());
  call.http = setup.http;
  call.httpVersion = setup.version ?? (setup.http === undefined ? "2" : "1.1");
  step?.start?.(call);
  const end = (code: number): void => {
    const outcome: Outcome = {
      code,
      by: "upstream",
      trailers: undefined,
      cause: undefined,
      durationMs: clock.now() - call.startedAt,
      requestBytes: 0,
      responseBytes: 0,
    };
    step?.end?.(call, outcome);
  };
  return { call, spans, clock, end, observer: step?.attempts, passed: call.headers.getAll("traceparent") };
}

describe("who decides whether a call is sampled", () => {
  const half = { ratio: 0.5 };
  for (const [what, setup, peer, header, sampled] of [
    ["a trusted caller that samples", { ratio: 0 }, NEAR, SAMPLED, true],
    ["a trusted caller that does not", { ratio: 1 }, NEAR, UNSAMPLED, false],
    ["a trusted caller of another block", { ratio: 0 }, "10.9.9.9:1", SAMPLED, true],
    ["a trusted caller over IPv6", { ratio: 0 }, "[::1]:1", SAMPLED, true],
    ["a trusted caller, IPv4 in IPv6", { ratio: 0 }, "[::ffff:10.1.1.1]:1", SAMPLED, true],
    ["the hub, whatever a stranger says: no", { ...half, random: 0.5 }, FAR, SAMPLED, false],
    ["the hub, whatever a stranger says: yes", { ...half, random: 0.49 }, FAR, UNSAMPLED, true],
    ["the hub, where nobody says anything: yes", { ...half, random: 0.49 }, NEAR, undefined, true],
    ["the hub, where nobody says anything: no", { ...half, random: 0.5 }, NEAR, undefined, false],
    ["the hub, where the header makes no sense", { ratio: 1 }, NEAR, "00-junk", true],
    ["nobody, where nothing is exported", { ratio: 1, exporting: false }, NEAR, SAMPLED, false],
  ] as const) {
    test(what, () => {
      const { call } = start(setup, peer, header === undefined ? [] : [["traceparent", header]]);
      assert.equal(CALL_SPAN.get(call) !== undefined, sampled);
    });
  }
});

describe("a call that is not sampled", () => {
  test("passes its headers on as they came, baggage too", () => {
    const headers = [
      ["traceparent", UNSAMPLED],
      ["tracestate", "a=1"],
      ["baggage", "user=%20x;p=1"],
    ] as const;
    const { call } = start({}, NEAR, headers);
    assert.deepEqual(
      call.headers.fields.map(({ name, value }) => [name, value]),
      headers.map((pair) => [...pair]),
    );
    assert.equal(CALL_SPAN.get(call), undefined);
  });

  test("gets no header of its own", () => assert.deepEqual(start({}, NEAR, []).passed, []));

  test("passes a trusted caller's flag on where the hub exports nothing", () =>
    assert.deepEqual(start({ exporting: false }, NEAR, [["traceparent", SAMPLED]]).passed, [SAMPLED]));

  for (const exporting of [true, false]) {
    test(`does not make services record on a untrusted caller's flag (exporting: ${exporting})`, () =>
      assert.deepEqual(start({ exporting }, FAR, [["traceparent", SAMPLED]]).passed, [UNSAMPLED]));
  }

  test("loses a header that makes no sense, and the tracestate with it", () => {
    const { call } = start({}, NEAR, [
      ["traceparent", "00-junk"],
      ["tracestate", "a=1"],
      ["baggage", "b=2"],
    ]);
    assert.deepEqual(
      call.headers.fields.map(({ name }) => name),
      ["baggage"],
    );
  });

  test("loses two traceparents", () =>
    assert.deepEqual(
      start({}, NEAR, [
        ["traceparent", UNSAMPLED],
        ["traceparent", SAMPLED],
      ]).passed,
      [],
    ));
});

describe("a call that is sampled", () => {
  test("has a span for each attempt, and passes it to the service", () => {
    const { call, spans, clock, end, observer } = start({}, NEAR, [
      ["traceparent", SAMPLED],
      ["tracestate", "a=1"],
    ]);
    const sent: string[] = [];
    for (const [i, code] of [14, 0].entries()) {
      const attempt = attemptOf(call, i + 1, `h:${i + 1}`, clock.now());
      observer?.begin?.(attempt);
      sent.push(attempt.headers.get("traceparent") ?? "");
      clock.advance(10);
      observer?.end?.(attempt, { ...ENDED, code, durationMs: 10 });
    }
    assert.equal(call.headers.get("traceparent"), SAMPLED, "an attempt has headers of its own");
    end(0);
    clock.advance(1);
    assert.equal(spans.length, 3);
    const [first, second, server] = spans;
    assert.deepEqual(
      sent,
      [first, second].map((span) => `00-${TRACE}-${span?.spanId}-01`),
    );
    assert.deepEqual([first?.parentSpanId, second?.parentSpanId], [server?.spanId, server?.spanId]);
    assert.equal(server?.parentSpanId, PARENT);
    assert.equal(server?.spanId, CALL_SPAN.get(call)?.spanId);
    assert.deepEqual([first?.error, second?.error, server?.error], ["UNAVAILABLE", undefined, undefined]);
    assert.deepEqual(
      spans.map(({ startMs, endMs }) => [startMs - 1_700_000_001_000, endMs - 1_700_000_001_000]),
      [
        [0, 10],
        [10, 20],
        [0, 20],
      ],
    );
    assert.equal(second?.attributes["linchpin.attempt"], 2);
    assert.deepEqual(
      spans.map(({ attributes }) => attributes["linchpin.attempt.kind"]),
      [undefined, "transparent", undefined],
    );
    assert.equal(call.headers.get("tracestate"), "a=1");
    assert.equal(server?.traceState, "a=1");
  });

  test("that was refused has its span too", () => {
    const { spans, end } = start({ ratio: 1 }, FAR, []);
    end(16);
    assert.equal(spans.length, 1);
    assert.equal(spans[0]?.attributes["rpc.response.status_code"], "UNAUTHENTICATED");
    assert.equal(spans[0]?.parentSpanId, undefined);
  });

  for (const [code, error] of [
    [0, undefined],
    [1, undefined],
    [2, "UNKNOWN"],
    [3, undefined],
    [4, "DEADLINE_EXCEEDED"],
    [5, undefined],
    [7, undefined],
    [8, undefined],
    [12, "UNIMPLEMENTED"],
    [13, "INTERNAL"],
    [14, "UNAVAILABLE"],
    [15, "DATA_LOSS"],
    [16, undefined],
  ] as const) {
    test(`with code ${code} ${error === undefined ? "is no error of the server" : "is an error"}`, () => {
      const { spans, end } = start({ ratio: 1 }, FAR, []);
      end(code);
      assert.equal(spans[0]?.error, error);
    });
  }

  test("to a method that no schema knows is named _OTHER", () => {
    const { spans, end } = start(
      { ratio: 1, method: { ...METHOD, name: "_OTHER", path: "/a.S/_OTHER" } },
      FAR,
      [],
    );
    end(0);
    assert.equal(spans[0]?.name, "_OTHER");
    assert.equal(spans[0]?.attributes["rpc.method_original"], "a.S/M");
  });
});

describe("the server span of an HTTP request", () => {
  const http = { method: "GET", route: "/v1/{id}", path: "/v1/7", query: "", status: 200 } as const;
  const common = {
    "network.peer.address": "192.0.2.7",
    "network.peer.port": 5,
    "client.address": "192.0.2.7",
    "client.port": 5,
    "server.address": "hub",
    "server.port": 80,
    "network.protocol.name": "http",
    "network.protocol.version": "1.1",
    "http.request.method": "GET",
    "http.route": "/v1/{id}",
    "url.path": "/v1/7",
    "url.scheme": "http",
    "http.response.status_code": 200,
  };
  const rpc = { "rpc.system.name": "grpc", "rpc.method": "a.S/M", "rpc.response.status_code": "OK" };
  const { "http.route": _, ...unrouted } = common;
  const { "client.port": __, ...forwarded } = common;
  const other: Method = { ...METHOD, service: "", name: "_OTHER", path: "//_OTHER" };
  const cases: readonly (readonly [
    what: string,
    setup: Setup,
    headers: readonly (readonly [string, string])[],
    name: string,
    attributes: Readonly<Record<string, unknown>>,
    error?: string,
  ])[] = [
    ["that calls a method", { http }, [], "GET /v1/{id}", { ...common, ...rpc }],
    [
      "over TLS, by HTTP/2, by a client that names itself",
      { http, version: "2", peer: { scheme: "https" } },
      [["user-agent", "x".repeat(1000)]],
      "GET /v1/{id}",
      {
        ...common,
        ...rpc,
        "network.protocol.version": "2",
        "url.scheme": "https",
        "user_agent.original": "x".repeat(256),
      },
    ],
    [
      "through a trusted proxy",
      { http, peer: { ip: "198.51.100.9", trusted: true, scheme: "https" } },
      [["x-forwarded-host", "api.example, hub"]],
      "GET /v1/{id}",
      (({ "server.port": _port, ...rest }) => ({
        ...rest,
        ...rpc,
        "client.address": "198.51.100.9",
        "server.address": "api.example",
        "url.scheme": "https",
      }))(forwarded),
    ],
    [
      "through a proxy that nobody knows",
      { http, peer: { ip: "192.0.2.7" } },
      [["x-forwarded-host", "evil.example"]],
      "GET /v1/{id}",
      { ...common, ...rpc },
    ],
    [
      "without a route",
      { http: { ...http, route: undefined, status: 404 }, method: other },
      [],
      "GET",
      { ...unrouted, "http.response.status_code": 404 },
    ],
    [
      "by a method that nobody knows",
      { http: { ...http, method: "PURGE", route: undefined, status: 405 }, method: other },
      [],
      "HTTP",
      {
        ...unrouted,
        "http.request.method": "_OTHER",
        "http.request.method_original": "PURGE",
        "http.response.status_code": 405,
      },
    ],
    [
      "that the hub could not serve",
      { http: { ...http, status: 503 } },
      [],
      "GET /v1/{id}",
      { ...common, ...rpc, "http.response.status_code": 503, "error.type": "503" },
      "503",
    ],
  ];
  for (const [what, setup, headers, name, attributes, error] of cases) {
    test(`${what} says what OpenTelemetry's conventions ask for`, () => {
      const { spans, end } = start({ ratio: 1, ...setup }, FAR, headers);
      end(0);
      assert.equal(spans.length, 1);
      assert.equal(spans[0]?.name, name);
      assert.equal(spans[0]?.error, error);
      assert.deepEqual(spans[0]?.attributes, attributes);
    });
  }
});
