// Services that nothing describes: gRPC passes through with every policy that needs no message, JSON has nothing of them.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { after, describe, test } from "node:test";
import { Client, Metadata, type ServiceDefinition, status } from "@grpc/grpc-js";
import { BidiStreamRequest } from "#generated/test/v1/behavior.js";
import { serve } from "#src/samples/common/serve.js";
import { freeAddress } from "../support/free-address.js";
import {
  behaviorClient,
  callBidiStream,
  callClientStream,
  callServerStream,
  callUnary,
  insecure,
  metadataOf,
  streamed,
} from "./support/grpc.js";
import { HealthClient } from "./support/health.js";
import { http, VERSIONS } from "./support/http.js";
import { fileOf, type Hub, startHub, startHubWithConfig } from "./support/hub.js";
import { linchpin, type Scope } from "./support/program.js";
import { serveBehavior, startService } from "./support/service.js";

const scope = { after };
const SERVICE = "test.v1.BehaviorService";
const bytes = (value: Buffer): Buffer => value;

/** A service on @grpc/grpc-js without reflection: each method answers with its own path. */
async function startPlain(owner: Scope, ...paths: readonly string[]): Promise<string> {
  const names = new Set(paths.map((path) => path.split("/")[1] ?? ""));
  const services = [...names].map((name) => {
    const own = paths.filter((path) => path.startsWith(`/${name}/`));
    const definition: ServiceDefinition = Object.fromEntries(
      own.map((path) => [
        path,
        {
          path,
          requestStream: false,
          responseStream: false,
          requestSerialize: bytes,
          requestDeserialize: bytes,
          responseSerialize: bytes,
          responseDeserialize: bytes,
        },
      ]),
    );
    const implementation = Object.fromEntries(
      own.map((path) => [
        path,
        (_: unknown, callback: (error: null, value: Buffer) => void) => callback(null, Buffer.from(path)),
      ]),
    );
    return { name, definition, implementation };
  });
  const running = await serve(services, { reflection: false });
  owner.after(() => running.close());
  return running.address;
}

interface Answer {
  readonly code: number;
  readonly text: string;
}

/** Calls a method of which nothing is known but its path. */
function caller(owner: Scope, address: string, metadata = new Metadata()) {
  const client = new Client(address, insecure, { "grpc.use_local_subchannel_pool": 1 });
  owner.after(async () => client.close());
  return (path: string): Promise<Answer> =>
    new Promise((resolve) => {
      client.makeUnaryRequest(path, bytes, bytes, Buffer.alloc(0), metadata, (error, value) =>
        resolve(
          error === null
            ? { code: status.OK, text: value?.toString() ?? "" }
            : { code: error.code, text: error.details },
        ),
      );
    });
}

async function page(hub: Hub, path: string) {
  return JSON.parse(await (await fetch(`${hub.adminUrl}${path}`)).text());
}

describe("an upstream with schema: none and services", () => {
  test("serves gRPC of every kind, and has no JSON", async (t) => {
    const service = await serveBehavior(t, undefined, { reflection: false });
    const hub = await startHubWithConfig(
      t,
      `
upstreams:
  legacy: { endpoints: ["${service.address}"], schema: none, services: [${SERVICE}] }
interceptors: { deadline: { default: 5s } }
methods:
  ${SERVICE}/Unary: { deadline: 60s }
`,
    );
    const client = behaviorClient(t, hub.address);
    const payload = Buffer.from("hi");
    const metadata = metadataOf([
      ["x-echo-a", "1"],
      ["x-trail-b", "2"],
    ]);

    const unary = await callUnary(client, { payload }, { metadata });
    assert.equal(unary.code, status.OK, unary.details);
    assert.deepEqual(unary.messages[0]?.payload, payload);
    assert.deepEqual(unary.headers?.get("x-echo-a"), ["1"]);
    assert.deepEqual(unary.trailers.get("x-trail-b"), ["2"]);
    const left = Number(unary.messages[0]?.seen?.timeLeft?.seconds ?? 0n);
    assert.ok(left > 5 && left <= 60, `the method has a deadline of its own, ${left} s are left`);
    const server = await callServerStream(client, { payload, behavior: { responseCount: 3 } });
    assert.deepEqual([server.code, server.messages.length], [status.OK, 3]);
    assert.equal(server.messages[0]?.seen?.timeLeft, undefined, "how a method streams is not known");
    const up = await callClientStream(client, [{ payload }, { payload }]);
    assert.deepEqual([up.code, up.messages[0]?.requestCount], [status.OK, 2n]);
    const both = await callBidiStream(client, [{ payload }, { payload }]);
    assert.deepEqual([both.code, both.messages.length], [status.OK, 2]);

    const refuse = { code: status.FAILED_PRECONDITION, message: "not so", details: [] };
    const refused = await callUnary(client, { behavior: { refuse } });
    assert.deepEqual([refused.code, refused.details], [status.FAILED_PRECONDITION, "not so"]);
    const late = await callServerStream(
      client,
      { behavior: { delay: { seconds: 3600n, nanos: 0 } } },
      { options: { deadline: Date.now() + 300 } },
    );
    assert.equal(late.code, status.DEADLINE_EXCEEDED);

    // Health and readiness count it as learned; reflection has no descriptor to show, and does not list it.
    assert.deepEqual(await new HealthClient(t, hub.address).check(SERVICE), { serving: "SERVING" });
    assert.equal((await fetch(`${hub.adminUrl}/readyz`)).status, 200);
    assert.equal((await http("1.1", hub.address, `/healthz?service=${SERVICE}`)).status, 200);
    for (const version of VERSIONS)
      for (const path of ["/test/v1/unary", `/${SERVICE}/Unary`]) {
        const answer = await http(version, hub.address, path, { method: "POST", body: "{}" });
        assert.equal(answer.status, 404, answer.text);
      }
    const document = JSON.stringify((await http("1.1", hub.address, "/openapi.json")).json());
    assert.ok(!document.includes("BehaviorService"));

    const { routes } = await page(hub, "/routes");
    assert.deepEqual(routes, [
      { verb: "gRPC", path: `/${SERVICE}/Unary`, method: `${SERVICE}/Unary`, upstream: "legacy" },
      { verb: "gRPC", path: `/${SERVICE}/*`, method: `${SERVICE}/*`, upstream: "legacy" },
    ]);
    const { upstreams } = await page(hub, "/upstreams");
    const [{ schema, services, takesOthers, problem }] = upstreams;
    assert.deepEqual([schema, services, takesOthers, problem], ["none", [SERVICE], false, undefined]);
    assert.match(hub.program.stdout.text, /^legacy \(127\.0\.0\.1:\d+\): 1 service, for gRPC alone$/m);
    assert.equal(hub.program.stderr.matching(/warn/).length, 0, hub.program.stderr.text);

    // A method that is named has its own series; the others share one.
    const metrics = await (await fetch(`${hub.adminUrl}/metrics`)).text();
    assert.match(
      metrics,
      /^rpc_server_call_duration_seconds_count\{.*rpc_method="test\.v1\.BehaviorService\/Unary".*"OK"\} 1$/m,
    );
    assert.match(
      metrics,
      /^rpc_client_call_duration_seconds_count\{.*rpc_method="_OTHER".*linchpin_upstream="legacy".*\} 3$/m,
    );
  });

  test("a service that is down is UNAVAILABLE, and the hub is ready all the same", async (t) => {
    const hub = await startHubWithConfig(
      t,
      `
upstreams: { legacy: { endpoints: ["${await freeAddress()}"], schema: none, services: [${SERVICE}] } }
readiness: { wait: none }
`,
    );
    assert.equal((await fetch(`${hub.adminUrl}/readyz`)).status, 200);
    const { code, details } = await callUnary(behaviorClient(t, hub.address), {});
    assert.equal(code, status.UNAVAILABLE);
    assert.match(details, /upstream "legacy" cannot be reached/);
  });

  test("a service that another upstream has too is the first one's, and a warning says so", async (t) => {
    const [first, second] = await Promise.all([
      startService(t, "behavior", { instance: "learned" }),
      startService(t, "behavior", { instance: "named", reflection: false }),
    ]);
    const learned = `learned: { endpoints: ["${first.address}"] }`;
    const named = `named: { endpoints: ["${second.address}"], schema: none, services: [${SERVICE}] }`;
    for (const [order, winner, loser] of [
      [[learned, named], "learned", "named"],
      [[named, learned], "named", "learned"],
    ] as const) {
      const hub = await startHubWithConfig(t, `upstreams: { ${order.join(", ")} }`);
      const hidden = `service ${SERVICE} of upstream "${loser}" is hidden: upstream "${winner}" has it too`;
      assert.equal(hub.program.stderr.matching(new RegExp(hidden)).length, 1, hub.program.stderr.text);
      const { messages } = await callUnary(behaviorClient(t, hub.address), {});
      assert.equal(messages[0]?.seen?.instance, winner);
    }
  });
});

describe("policies of services that nothing describes", () => {
  const sha256 = (key: string): string => createHash("sha256").update(key).digest("hex");
  const PATHS = ["Open", "Closed", "Some", "Counted"].map((name) => `/legacy.v1.Orders/${name}`);

  for (const [name, services] of [
    ["named", "services: [legacy.v1.Orders, legacy.v1.Audit, legacy.v2.Orders],"],
    ["all that no other has", ""],
  ] as const)
    test(`${name}: those of methods, services and packages hold`, async (t) => {
      const address = await startPlain(
        t,
        ...PATHS,
        "/legacy.v1.Audit/Read",
        "/legacy.v2.Orders/Get",
        "/LEGACY.V1.ORDERS/CLOSED",
        "/legacy.V1.Audit/Read",
      );
      const hub = await startHubWithConfig(
        t,
        `
upstreams: { legacy: { endpoints: ["${address}"], schema: none, ${services} } }
interceptors:
  auth: { required: true, apiKeys: { keys: [{ name: web, sha256: ${sha256("web-key")}, roles: [reader] }] } }
  quota: [{ name: few, key: [], rate: 2/h, burst: 2, methods: [legacy.v1.Orders/Counted] }]
methods:
  legacy.v1.Orders/Open: { auth: none }
  legacy.v1.Orders/Closed: { roles: [writer] }
  legacy.v1.Audit: { roles: [auditor] }
  legacy.v2.*: { auth: none }
`,
      );
      const anybody = caller(t, hub.address);
      const known = caller(t, hub.address, metadataOf([["x-api-key", "web-key"]]));
      const { OK, UNAUTHENTICATED, PERMISSION_DENIED, RESOURCE_EXHAUSTED, UNIMPLEMENTED } = status;
      for (const [path, without, withKey] of [
        ["/legacy.v1.Orders/Open", OK, OK],
        ["/legacy.v1.Orders/Closed", UNAUTHENTICATED, PERMISSION_DENIED],
        // As some servers read it.
        ["/legacy.v1.Orders/closed", UNAUTHENTICATED, PERMISSION_DENIED],
        ["/LEGACY.V1.ORDERS/CLOSED", UNIMPLEMENTED, UNIMPLEMENTED],
        ["/legacy.v1.Orders/Some", UNAUTHENTICATED, OK],
        ["/legacy.v1.Audit/Read", UNAUTHENTICATED, PERMISSION_DENIED],
        ["/legacy.V1.Audit/Read", UNIMPLEMENTED, UNIMPLEMENTED],
        ["/legacy.v2.Orders/Get", OK, OK],
        ["/legacy.v1.Orders//Open", UNIMPLEMENTED, UNIMPLEMENTED],
      ] as const) {
        // What no route has is refused behind the policies of all calls: a credential is asked for first.
        const first = without === UNIMPLEMENTED ? UNAUTHENTICATED : without;
        assert.equal((await anybody(path)).code, first, `${path}, without a key`);
        assert.equal((await known(path)).code, withKey, `${path}, with a key`);
      }
      const counted = [1, 2, 3].map(() => known("/legacy.v1.Orders/Counted"));
      assert.deepEqual((await Promise.all(counted)).map(({ code }) => code).sort(), [
        OK,
        OK,
        RESOURCE_EXHAUSTED,
      ]);
      assert.equal(hub.program.stderr.matching(/warn/).length, 0, hub.program.stderr.text);
    });
});

describe("an upstream with schema: none alone", () => {
  test("gets services that no other upstream has, and never the hub's own", async (t) => {
    const [behavior, rest] = await Promise.all([
      startService(t, "behavior"),
      startPlain(
        t,
        "/a.b.C/D",
        `/${SERVICE}/Unary`,
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.channelz.v1.Channelz/GetServers",
        "/linchpin.Pages/Docs",
      ),
    ]);
    const hub = await startHubWithConfig(
      t,
      `
reflection: false
upstreams:
  rest: { endpoints: ["${rest}"], schema: none }
  behavior: { endpoints: ["${behavior.address}"] }
`,
    );
    const call = caller(t, hub.address);
    assert.deepEqual(await call("/a.b.C/D"), { code: status.OK, text: "/a.b.C/D" });
    assert.deepEqual(await call("/a.b.C/Other"), {
      code: status.UNIMPLEMENTED,
      text: "The server does not implement the method /a.b.C/Other",
    });
    assert.equal((await callUnary(behaviorClient(t, hub.address), {})).code, status.OK, "its own upstream's");
    for (const path of [
      "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
      "/grpc.channelz.v1.Channelz/GetServers",
      "/linchpin.Pages/Docs",
      "/test.v1.behaviorservice/Unary",
    ]) {
      const { code, text } = await call(path);
      assert.equal(code, status.UNIMPLEMENTED, path);
      assert.match(text, /is not known here/, path);
    }
    assert.match(
      hub.program.stdout.text,
      /^rest \(.*\): all services that no other upstream has, for gRPC alone$/m,
    );
    const { routes } = await page(hub, "/routes");
    assert.deepEqual(routes.at(-1), { verb: "gRPC", path: "/*", method: "*", upstream: "rest" });
  });

  test("gets nothing while an upstream that was never learned may have it", async (t) => {
    const address = await freeAddress();
    const rest = await startPlain(t, `/${SERVICE}/Unary`, "/a.b.C/D");
    const hub = await startHubWithConfig(
      t,
      `
upstreams: { late: { endpoints: ["${address}"] }, rest: { endpoints: ["${rest}"], schema: none } }
methods: { ${SERVICE}: { deadline: 60s }, ${SERVICE}/Unary: { deadline: 60s } }
`,
    );
    const call = caller(t, hub.address);
    for (const path of [`/${SERVICE}/Unary`, "/a.b.C/D"]) {
      const { code, text } = await call(path);
      assert.equal(code, status.UNAVAILABLE, path);
      assert.match(text, /is not known \(yet\): upstream "late"/);
    }
    const health = new HealthClient(t, hub.address);
    const learned = health.until(SERVICE, "SERVING");
    await startService(t, "behavior", { address });
    await learned;
    assert.equal((await call("/a.b.C/D")).text, "/a.b.C/D");
    assert.equal((await callUnary(behaviorClient(t, hub.address), {})).code, status.OK);
  });
});

describe("a reload", () => {
  test("adds and removes services; running calls continue", async (t) => {
    const service = await startService(t, "behavior", { reflection: false });
    const other = await startPlain(t, "/a.b.C/D");
    const text = (services: string): string => `
upstreams:
  plain: { endpoints: ["${other}"], schema: none, services: [a.b.C] }
  legacy: { endpoints: ["${service.address}"], schema: none, services: [${services}] }
`;
    const file = await fileOf(t, "linchpin.yaml", text("not.this.One"));
    const hub = await startHub(t, ["--config", file]);
    const client = behaviorClient(t, hub.address);
    const reload = async (services: string): Promise<void> => {
      await writeFile(file, text(services));
      assert.equal((await fetch(`${hub.adminUrl}/reload`, { method: "POST" })).status, 200);
    };
    assert.equal((await callUnary(client, {})).code, status.UNIMPLEMENTED);
    await reload(SERVICE);
    assert.equal((await callUnary(client, {})).code, status.OK);
    const stream = client.bidiStream();
    const first = new Promise((resolve) => stream.once("data", resolve));
    const outcome = streamed(stream);
    stream.write(BidiStreamRequest.fromPartial({}));
    await first;
    await reload("not.this.One");
    assert.equal((await callUnary(client, {})).code, status.UNIMPLEMENTED);
    assert.deepEqual(await new HealthClient(t, hub.address).check(SERVICE), { code: status.NOT_FOUND });
    stream.write(BidiStreamRequest.fromPartial({}));
    stream.end();
    const { code, messages } = await outcome;
    assert.deepEqual([code, messages.length], [status.OK, 2]);
    assert.equal((await caller(t, hub.address)("/a.b.C/D")).code, status.OK);
  });
});

test("routes and check know of it", async () => {
  const file = await fileOf(
    scope,
    "linchpin.yaml",
    `upstreams: { legacy: { endpoints: ["127.0.0.1:1"], schema: none, services: [${SERVICE}] } }`,
  );
  for (const args of [
    ["check", file],
    ["check", file, "--live"],
  ])
    assert.equal((await linchpin(scope, args)).code, 0);
  const table = await linchpin(scope, ["routes", file]);
  assert.match(table.stdout, new RegExp(`^gRPC +/${SERVICE}/\\* +${SERVICE}/\\* +legacy$`, "m"));
  const answer = await linchpin(scope, ["routes", file, "POST", `/${SERVICE}/Unary`]);
  assert.equal(answer.code, 1);
  assert.match(answer.stdout, /service test\.v1\.BehaviorService is for gRPC clients alone.*"legacy"/);
});
