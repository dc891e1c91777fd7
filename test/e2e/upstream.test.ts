// Services that are down, come, go, and change: the hub goes on, learns without a restart, and says so once.
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { describe, test } from "node:test";
import { Client, status } from "@grpc/grpc-js";
import {
  LibraryServiceClient as LibraryV1,
  ListBooksRequest as ListV1,
} from "#generated/library/v1/library.js";
import {
  LibraryServiceClient as LibraryV2,
  ListBooksRequest as ListV2,
} from "#generated/library/v2/library.js";
import { BidiStreamRequest } from "#generated/test/v1/behavior.js";
import { freeAddress } from "../support/free-address.js";
import { H2Service, type ServiceRequest } from "../support/h2-service.js";
import { behaviorClient, callUnary, insecure, single, streamed } from "./support/grpc.js";
import { HealthClient } from "./support/health.js";
import { http, VERSIONS } from "./support/http.js";
import { type Hub, startHub, startHubWithConfig } from "./support/hub.js";
import { linchpin } from "./support/program.js";
import { startService } from "./support/service.js";

const SERVICE = "test.v1.BehaviorService";

describe("an upstream that is down at start", () => {
  test("the hub starts, says so once, refuses calls, and serves as soon as it comes", async (t) => {
    const address = await freeAddress();
    const hub = await startHub(t, [`late=${address}`]);
    const client = behaviorClient(t, hub.address);
    const health = new HealthClient(t, hub.address);

    const warnings = hub.program.stderr.matching(/warn/);
    assert.equal(warnings.length, 1, hub.program.stderr.text);
    assert.match(warnings[0]?.input ?? "", new RegExp(`upstream "late".*${address}.*ECONNREFUSED`));

    const before = await callUnary(client, {});
    assert.equal(before.code, status.UNAVAILABLE, before.details);
    assert.match(before.details, /"late"/);
    assert.equal(before.details.split(address).length, 2, `once: ${before.details}`);
    const json = await http("1.1", hub.address, "/test/v1/unary", { body: "{}" });
    assert.ok(json.status === 503 || json.status === 404, `${json.status}`);

    const learned = health.until(SERVICE, "SERVING");
    await startService(t, "behavior", { address });
    assert.deepEqual(await learned, ["SERVICE_UNKNOWN", "SERVING"]);
    assert.equal((await callUnary(client, {})).code, status.OK);
    assert.equal((await http("1.1", hub.address, "/test/v1/unary", { body: "{}" })).status, 200);
    assert.equal(hub.program.stderr.matching(/warn/).length, 1, hub.program.stderr.text);
  });

  test("however often the hub tries to connect", async (t) => {
    let attempts = 0;
    let enough = (): void => {};
    const tried = new Promise<void>((resolve) => {
      enough = resolve;
    });
    // It speaks HTTP/1.1 alone.
    const broken = createServer((socket: Socket) => {
      socket.on("error", () => {});
      socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
      if (++attempts === 5) enough();
    }).listen(0, "127.0.0.1");
    await once(broken, "listening");
    t.after(() => broken.close());
    const hub = await startHub(t, [`broken=127.0.0.1:${(broken.address() as AddressInfo).port}`]);
    await tried;
    assert.equal(hub.program.stderr.matching(/upstream "broken"/).length, 1, hub.program.stderr.text);
  });

  test("other upstreams are served meanwhile", async (t) => {
    const address = await freeAddress();
    const service = await startService(t, "behavior");
    const hub = await startHub(t, [`down=${address}`, `up=${service.address}`]);
    assert.equal((await callUnary(behaviorClient(t, hub.address), {})).code, status.OK);
  });
});

describe("until every upstream has been learned once", () => {
  const configOf = (down: string, up: string, readiness: string): string =>
    `upstreams: { down: { endpoints: ["${down}"] }, up: { endpoints: ["${up}"] } }\nreadiness: { wait: ${readiness} }`;
  /** What each way of asking says: ready, or not. */
  const states = async (hub: Hub, health: HealthClient): Promise<Record<string, unknown>> => ({
    readyz: (await fetch(`${hub.adminUrl}/readyz`)).status,
    healthz: (await http("1.1", hub.address, "/healthz")).status,
    grpc: await health.check(""),
  });
  const READY = { readyz: 200, healthz: 200, grpc: { serving: "SERVING" } };
  const NOT_READY = { readyz: 503, healthz: 503, grpc: { serving: "NOT_SERVING" } };

  test("the hub is not ready, and a path without a route is 503", async (t) => {
    const address = await freeAddress();
    const up = await startService(t, "library-v1");
    const hub = await startHubWithConfig(t, configOf(address, up.address, "none"));
    const health = new HealthClient(t, hub.address);
    assert.deepEqual(await states(hub, health), NOT_READY);
    const body = JSON.parse(await (await fetch(`${hub.adminUrl}/readyz`)).text());
    assert.deepEqual(body.notReady, ["learning the services of 1 upstream"]);
    assert.match(body.problems[0].problem, /cannot be reached/);

    for (const version of VERSIONS) {
      const refused = await http(version, hub.address, "/test/v1/unary", { body: "{}" });
      assert.equal(refused.status, 503, refused.text);
      assert.equal(refused.headers["retry-after"], "1");
      assert.match(refused.text, /"reason":"SERVICE_NOT_LEARNED"/);
      assert.match(refused.text, /no route for this POST path \(yet\): upstream \\"down\\": /);
      assert.equal((await http(version, hub.address, "/v1/books")).status, 200);
      const wrong = await http(version, hub.address, "/v1/books", { method: "DELETE" });
      assert.equal(wrong.status, 405, "what is known is said");
    }

    await startService(t, "behavior", { address });
    await hub.program.stderr.waitFor(/ready: every upstream has been learned/);
    assert.deepEqual(await states(hub, health), READY);
    assert.equal((await http("1.1", hub.address, "/test/v1/unary", { body: "{}" })).status, 200);
    assert.equal((await http("1.1", hub.address, "/test/v1/other", { body: "{}" })).status, 404);
  });

  test("or for as long as readiness.wait says", async (t) => {
    const up = await startService(t, "library-v1");
    const hub = await startHubWithConfig(t, configOf(await freeAddress(), up.address, "300ms"));
    await hub.program.stderr.waitFor(/ready after 0\.3 s, though not learned yet: down/);
    assert.deepEqual(await states(hub, new HealthClient(t, hub.address)), READY);
    assert.equal((await http("1.1", hub.address, "/test/v1/unary", { body: "{}" })).status, 503);
  });

  test("0s: it is ready at once", async (t) => {
    const up = await startService(t, "library-v1");
    const hub = await startHubWithConfig(t, configOf(await freeAddress(), up.address, "0s"));
    assert.deepEqual(await states(hub, new HealthClient(t, hub.address)), READY);
  });
});

describe("an upstream that goes and comes back", () => {
  test("running calls end with UNAVAILABLE, new ones are refused, and later served again", async (t) => {
    const first = await startService(t, "behavior", { address: await freeAddress(), instance: "first" });
    // How long calls wait for its return is for rolling-restart.test.ts.
    const hub = await startHubWithConfig(
      t,
      `upstreams: { behavior: { endpoints: ["${first.address}"], pending: { wait: 100ms } } }`,
    );
    const client = behaviorClient(t, hub.address);
    const call = client.bidiStream();
    call.write(BidiStreamRequest.fromPartial({}));
    const { code } = await streamed(call, () => first.program.kill("SIGKILL"));
    assert.equal(code, status.UNAVAILABLE);
    await first.program.exited;

    assert.equal((await callUnary(client, {})).code, status.UNAVAILABLE);
    const refused = await http("2", hub.address, "/test/v1/unary", { body: "{}" });
    assert.equal(refused.status, 503, refused.text);

    await startService(t, "behavior", { address: first.address, instance: "second" });
    // A call that waits for the connection is the event that it is back.
    const instance = await untilServed(() => callUnary(client, {}));
    assert.equal(instance, "second");
    assert.equal((await http("2", hub.address, "/test/v1/unary", { body: "{}" })).status, 200);
  });

  test("with other services: they are learned, listed, and routed, by gRPC and JSON", async (t) => {
    const first = await startService(t, "library-v1", { address: await freeAddress() });
    const hub = await startHub(t, [`library=${first.address}`]);
    const health = new HealthClient(t, hub.address);
    const v1 = new LibraryV1(hub.address, insecure);
    const v2 = new LibraryV2(hub.address, insecure);
    t.after(() => {
      v1.close();
      v2.close();
    });
    const listV1 = () => single<unknown>((done) => v1.listBooks(ListV1.create(), done));
    const listV2 = () => single<unknown>((done) => v2.listBooks(ListV2.create(), done));
    assert.equal((await listV1()).code, status.OK);
    assert.equal((await listV2()).code, status.UNIMPLEMENTED);
    assert.equal((await http("1.1", hub.address, "/v2/books")).status, 404);

    const learned = health.until("library.v2.LibraryService", "SERVING");
    await first.program.stop();
    await startService(t, "library", { address: first.address });
    assert.deepEqual(await learned, ["SERVICE_UNKNOWN", "SERVING"]);
    assert.equal((await listV1()).code, status.OK);
    assert.equal((await listV2()).code, status.OK);
    assert.equal((await http("1.1", hub.address, "/v2/books")).status, 200);
  });
});

test("health of a service is that of its instances, the hub's own is not", async (t) => {
  const [behavior, library] = await Promise.all([
    startService(t, "behavior"),
    startService(t, "library-v1", { address: await freeAddress() }),
  ]);
  const hub = await startHubWithConfig(
    t,
    `listen: 127.0.0.1:0
admin: 127.0.0.1:0
upstreams:
  behavior: { endpoints: ["${behavior.address}"] }
  library: { endpoints: ["${library.address}"], pending: { wait: 0s }, health: {} }
`,
  );
  const health = new HealthClient(t, hub.address);
  const LIBRARY = "library.v1.LibraryService";
  const healthz = async (service: string): Promise<string> => {
    const { status: code, text } = await http("1.1", hub.address, `/healthz?service=${service}`);
    return `${code} ${text}`;
  };
  await health.until(LIBRARY, "SERVING");
  assert.match(await healthz(LIBRARY), /^200 /);
  await library.program.stop();
  await health.until(LIBRARY, "NOT_SERVING");
  assert.match(
    await healthz(LIBRARY),
    /^503 .*no healthy endpoint of service 'library\.v1\.LibraryService'/s,
  );
  assert.deepEqual(await health.check(SERVICE), { serving: "SERVING" });
  assert.deepEqual(await health.check(""), { serving: "SERVING" });
  assert.equal((await fetch(`${hub.adminUrl}/readyz`)).status, 200);
  await startService(t, "library-v1", { address: library.address });
  assert.deepEqual(await health.until(LIBRARY, "SERVING"), ["NOT_SERVING", "SERVING"]);
});

test("linchpin upstreams says of a running hub who gets no calls, why, and until when", async (t) => {
  const status = (code: number) => (request: ServiceRequest) =>
    request.headers({ ":status": "200", "content-type": "application/grpc", "grpc-status": `${code}` }, true);
  const answers = [
    (request: ServiceRequest) =>
      request.path.startsWith("/grpc.health") ? status(12)(request) : request.ok(""),
    (request: ServiceRequest) => status(request.path.startsWith("/grpc.health") ? 12 : 14)(request),
    (request: ServiceRequest) => request.headers().message(Buffer.from([8, 2])),
  ];
  const services = await Promise.all(answers.map((answer) => new H2Service((r) => void answer(r)).start()));
  t.after(() => Promise.all(services.map((service) => service.stop())));
  const [good, bad, unwell] = services.map(({ address }) => address);
  const hub = await startHubWithConfig(
    t,
    `listen: 127.0.0.1:0
admin: 127.0.0.1:0
upstreams:
  a:
    endpoints: ["${good}", { address: "${bad}", weight: 2, zone: b }, "${unwell}"]
    schema: none
    services: [a.B]
    balancer: round_robin
    health: {}
    outliers: { consecutive: 2 }
    panic: 0
    breakers: { calls: 9 }
`,
  );
  const client = new Client(hub.address, insecure);
  t.after(() => client.close());
  const same = (bytes: Buffer): Buffer => bytes;
  const call = (): Promise<unknown> =>
    new Promise((resolve) => {
      client.makeUnaryRequest("/a.B/C", same, same, Buffer.alloc(0), (error) => resolve(error?.code));
    });
  const rows = async () => {
    const { stdout } = await linchpin(t, ["upstreams", hub.adminUrl, "--json"]);
    return JSON.parse(stdout).upstreams[0];
  };
  const stateOf = async (): Promise<string> => {
    const { upstreams } = JSON.parse(await (await fetch(`${hub.adminUrl}/upstreams`)).text());
    return upstreams[0].endpoints.map(({ state }: { state: string }) => state).join();
  };
  for (let i = 0; i < 1000 && (await stateOf()) !== "ready,ejected,unhealthy"; i++) await call();
  for (let i = 0; i < 6; i++) assert.equal(await call(), undefined, "all to the one that is well");
  const { endpoints, panic, breakers } = await rows();
  assert.deepEqual([panic, breakers], [false, [{ name: "calls", active: 0, max: 9 }]]);
  const [first, second, third] = endpoints;
  assert.deepEqual([first.state, first.why, first.calls], ["ready", undefined, 0]);
  assert.match(second.why, /^2 failures in a row, the last UNAVAILABLE$/);
  const leftMs = Date.parse(second.until) - Date.now();
  assert.ok(leftMs > 0 && leftMs <= 30_000, second.until);
  assert.deepEqual([second.weight, second.zone], [2, "b"]);
  assert.deepEqual([third.why, third.until], ["it says NOT_SERVING", undefined]);
  // A reload keeps what is known.
  assert.equal((await fetch(`${hub.adminUrl}/reload`, { method: "POST" })).status, 200);
  assert.equal(await stateOf(), "ready,ejected,unhealthy");
  const text = await linchpin(t, ["upstreams", hub.adminUrl]);
  assert.match(text.stdout, / ejected +1 open +0 calls +weight 2, zone b; 2 failures in a row, .*; until 20/);
  const metrics = await (await fetch(`${hub.adminUrl}/metrics`)).text();
  for (const [name, labels, value] of [
    ["endpoints", 'linchpin_endpoint_state="ejected"', 1],
    ["endpoints", 'linchpin_endpoint_state="unhealthy"', 1],
    ["ejections_total", 'linchpin_reason="consecutive"', 1],
    ["health_changes_total", 'linchpin_health="unhealthy"', 1],
    ["breaker_max", 'linchpin_breaker="calls"', 9],
    ["breaker_active", 'linchpin_breaker="calls"', 0],
  ] as const) {
    const line = metrics
      .split("\n")
      .find((one) => one.startsWith(`linchpin_upstream_${name}{`) && one.includes(labels));
    assert.ok(line?.endsWith(` ${value}`), `${name} ${labels}: ${line}`);
  }
});

describe("two instances", () => {
  test("calls go to both in turn, and to the other when one has gone", async (t) => {
    const one = await startService(t, "behavior", { instance: "one" });
    const two = await startService(t, "behavior", { address: await freeAddress(), instance: "two" });
    const hub = await startHubWithConfig(
      t,
      `listen: 127.0.0.1:0\nupstreams: { behavior: { endpoints: ["${one.address}", "${two.address}"], balancer: round_robin } }\n`,
    );
    const client = behaviorClient(t, hub.address);
    const served = async (calls: number): Promise<Record<string, number>> => {
      const counts: Record<string, number> = {};
      for (let i = 0; i < calls; i++) {
        const { code, details, headers } = await callUnary(client, {});
        assert.equal(code, status.OK, details);
        const [by = ""] = headers?.get("x-served-by") ?? [];
        counts[String(by)] = (counts[String(by)] ?? 0) + 1;
      }
      return counts;
    };
    // Until the second connection stands, the first instance takes all.
    while (Object.keys(await served(2)).length < 2);
    assertInTurn(await served(20), ["one", "two"]);

    // Calls one after the other, the hub in no way told: none may fail that never left.
    two.program.kill("SIGKILL");
    await two.program.exited;
    assert.deepEqual(await served(50), { one: 50 });

    await startService(t, "behavior", { address: two.address, instance: "two again" });
    while ((await served(2))["two again"] === undefined);
    assertInTurn(await served(20), ["one", "two again"]);
  });
});

/** Half of the calls each, but for the turns that the hub itself takes to learn an instance that has come. */
function assertInTurn(counts: Readonly<Record<string, number>>, instances: readonly string[]): void {
  assert.deepEqual(Object.keys(counts).sort(), [...instances].sort());
  const [a = 0, b = 0] = Object.values(counts);
  assert.ok(Math.abs(a - b) <= 4, JSON.stringify(counts));
}

/** Calls again as long as the service is UNAVAILABLE; the instance that answered. */
async function untilServed(call: () => ReturnType<typeof callUnary>): Promise<string | undefined> {
  const end = Date.now() + 20_000;
  for (;;) {
    const { code, details, messages } = await call();
    if (code === status.OK) return messages[0]?.seen?.instance;
    assert.equal(code, status.UNAVAILABLE, details);
    assert.ok(Date.now() < end, details);
  }
}

test("an instance that is frozen, one of two, costs two calls; woken, it serves again", async (t) => {
  const services = [
    await startService(t, "behavior", { instance: "frozen" }),
    await startService(t, "behavior", { instance: "sound" }),
  ] as const;
  const [frozen] = services;
  const hub = await startHubWithConfig(
    t,
    `upstreams: { behavior: { endpoints: [${services.map(({ address }) => `"${address}"`).join(", ")}] } }`,
  );
  const client = behaviorClient(t, hub.address);
  const call = () => callUnary(client, {}, { options: { deadline: Date.now() + 1500 } });
  for (let i = 0; i < 4; i++) assert.equal((await call()).code, status.OK);
  frozen.program.kill("SIGSTOP");
  const codes: number[] = [];
  for (let i = 0; i < 16; i++) codes.push((await call()).code);
  const late = codes.filter((code) => code !== status.OK);
  // Otherwise every second one: eight. Besides the two, a busy machine may make one late.
  assert.ok(late.length <= 4, `${codes}`);
  frozen.program.kill("SIGCONT");
  for (let i = 0; ; i++) {
    const [answer] = (await call()).messages;
    if (answer?.seen?.instance === "frozen") break;
    assert.ok(i < 3000, "it is not called again");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
});
