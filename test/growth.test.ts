// Each place where the hub is extended takes an addition as one folder or file, and one entry in a list.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { afterEach, describe, it, test } from "node:test";
import type * as z from "zod";
import { startAdmin } from "#src/admin/admin.js";
import type { Page } from "#src/admin/pages/page.js";
import { PAGES } from "#src/admin/pages/pages.js";
import { errorsPage } from "#src/call/status/reasons-page.js";
import { formatError } from "#src/config/config-error.js";
import type { ConfigInput } from "#src/config/config-input.js";
import { PROTOCOLS } from "#src/downstream/accept/protocols.js";
import { startHub } from "#src/hub.js";
import { ORDER } from "#src/interceptors/order.js";
import { UserError } from "#src/kit/text/user-error.js";
import { configPage } from "#src/settings/config-page.js";
import { configType } from "#src/settings/config-type.js";
import { type Features, reasonsOf } from "#src/settings/features.js";
import { configJsonSchema } from "#src/settings/json-schema.js";
import { type ParseOptions, parseConfig } from "#src/settings/load.js";
import { sampleConfig } from "#src/settings/sample.js";
import type { schemasOf } from "#src/settings/schema.js";
import type { BalancerFactory } from "#src/upstream/balancers/balancer.js";
import { BALANCERS } from "#src/upstream/balancers/balancers.js";
import { Cluster, type ClusterOptions } from "#src/upstream/cluster.js";
import type { EndpointInfo } from "#src/upstream/discovery/endpoint-source.js";
import { openSource, SOURCES } from "#src/upstream/discovery/sources.js";
import { type Answer, ask1, ask2, Rig } from "./downstream/support/rig.js";
import { http } from "./e2e/support/http.js";
import { ROOT } from "./e2e/support/program.js";
import { adminHub } from "./support/admin-hub.js";
import { FakeClock } from "./support/fake-clock.js";
import { H2Service } from "./support/h2-service.js";
import { LeastReported } from "./support/toy-balancer.js";
import { maintenanceKind } from "./support/toy-interceptor.js";
import { TOY_TYPE, toy } from "./support/toy-protocol.js";
import { Memory } from "./support/toy-source.js";
import { until } from "./support/until.js";
import { Exchange } from "./upstream/support/exchange.js";

const ADMIN = { host: "127.0.0.1", port: 0 };

const MANY_FIELDS = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`x-${i}`, "1"]));

for (const [version, ask] of [
  ["1.1", ask1],
  ["2", ask2],
] as const)
  test(`a client protocol is a folder and an entry in the list: served over HTTP/${version}`, async (t) => {
    const rig = new Rig({ protocols: [toy, ...PROTOCOLS] });
    await rig.start();
    t.after(() => rig.listener.close());
    const ends: string[] = [];
    rig.steps.push({
      name: "seen",
      end: ({ peer, httpVersion }, { code }) => void ends.push(`${peer.protocol} ${httpVersion} ${code}`),
    });
    const told = ({ status, headers, body }: Answer): string => `${status} ${headers["x-toy-code"]} ${body}`;
    const call = (path: string, headers = {}): Promise<Answer> =>
      ask(rig, { path, headers: { "content-type": TOY_TYPE, ...headers }, body: "question" });

    // The service sees a gRPC message, the client its own form.
    rig.onRequest = (service) =>
      service
        .open()
        .message(`to ${service.request.body.slice(5)}`)
        .end();
    assert.equal(told(await call("/test.v1.Test/unary")), "200 0 to question");

    // What fails there.
    rig.onRequest = (service) => service.trailersOnly(5, ["grpc-message", "no such thing"]);
    assert.equal(told(await call("/test.v1.Test/unary")), "200 5 no such thing");

    // What a step refuses, and what is refused before it is read to its end, or before there is a call.
    const calls = ends.length;
    assert.match(
      told(await call("/test.v1.Test/unary", MANY_FIELDS)),
      /^200 8 the request has more than 128/,
    );
    assert.equal(ends.length - calls, version === "2" ? 0 : 1, "over HTTP/1.1 it was read, and is a call");

    // All others go on as before, on the same port.
    rig.onRequest = (service) => service.open().message("answer").end();
    const plain = await ask(rig, { method: "GET", path: "/unary" });
    assert.deepEqual([plain.status, plain.body], [200, '"answer"']);
    assert.deepEqual(
      ends.filter((_, i) => i !== 2 || version === "2"),
      [`toy ${version} 0`, `toy ${version} 5`, `rest ${version} 0`],
    );
  });

test("a protocol that is not in the list is not spoken", async (t) => {
  const rig = await new Rig().start();
  t.after(() => rig.listener.close());
  const { status, headers } = await ask1(rig, {
    path: "/nowhere",
    headers: { "content-type": TOY_TYPE },
    body: "question",
  });
  assert.deepEqual([status, headers["x-toy-code"]], [404, undefined]);
});

/** The hub with one more of each. */
const GROWN: Features = { interceptors: [...ORDER, maintenanceKind] };

const UPSTREAMS = "upstreams: { a: { endpoints: [127.0.0.1:1], schema: none, services: [a.B] } }";

function parse(text: string, options: Partial<ParseOptions> = {}) {
  return parseConfig(Buffer.from(text), {
    file: "c.yaml",
    directory: "/",
    env: {},
    checkPath: () => undefined,
    features: GROWN,
    ...options,
  });
}

/** What `linchpin check` prints. */
function told(text: string, options?: Partial<ParseOptions>): readonly string[] {
  const result = parse(text, options);
  return (result.ok ? result.warnings : result.errors).map(formatError);
}

describe("an interceptor with keys of its own, as one file and one entry", () => {
  const cases: readonly (readonly [what: string, text: string, told: readonly string[]])[] = [
    [
      "a wrong value, at its line and column",
      `${UPSTREAMS}\ninterceptors:\n  maintenance: { on: 1, retryAfter: 1ms }\n`,
      [
        "c.yaml:3:22: interceptors.maintenance.on: must be true or false, not 1",
        "c.yaml:3:37: interceptors.maintenance.retryAfter: must be from 1s to 576h, not 1ms",
      ],
    ],
    [
      "an unknown key, with the nearest",
      `${UPSTREAMS}\ninterceptors: { maintenance: { retryafter: 5s } }\nmethods: { a.B: { maintaned: true } }`,
      [
        "c.yaml:2:32: interceptors.maintenance.retryafter: unknown key (did you mean retryAfter?); allowed: on, pass, retryAfter",
        'c.yaml:3:19: methods["a.B"].maintaned: unknown key (did you mean maintained?); allowed: deadline, auth, roles, quota, maintained, idempotent, retries, forms, http',
      ],
    ],
    [
      "a secret that is wrong, without its value",
      `${UPSTREAMS}\ninterceptors: { maintenance: { on: true, pass: abc } }`,
      ["c.yaml:2:48: interceptors.maintenance.pass: must have 4 characters"],
    ],
    [
      "a key without effect",
      `${UPSTREAMS}\ninterceptors: { maintenance: { pass: abcd } }`,
      ["c.yaml:2:32: interceptors.maintenance.pass: has no effect: maintenance.on is false"],
    ],
  ];
  for (const [what, text, expected] of cases)
    it(`check reports ${what}`, () => assert.deepEqual(told(text), expected));

  it("without the entry there is no such key", () => {
    const [line = ""] = told(`${UPSTREAMS}\ninterceptors: { maintenance: { on: true } }`, {
      features: undefined,
    });
    assert.match(line, /^c\.yaml:2:17: interceptors\.maintenance: unknown key; allowed: metrics, tracing, /);
  });

  it("the JSON Schema has its keys, with type, default and documentation", () => {
    const at = (...path: string[]): unknown =>
      path.reduce<unknown>((node, key) => Reflect.get(Object(node), key), configJsonSchema(GROWN));
    const section = ["properties", "interceptors", "properties", "maintenance"];
    assert.equal(at(...section, "description"), "A time in which calls are refused.");
    assert.deepEqual(at(...section, "properties", "retryAfter"), {
      default: "1m",
      type: "string",
      description: "What refused callers are told.",
      examples: ["250ms", "15s", "2m"],
    });
    const method = ["properties", "methods", "additionalProperties", "properties", "maintained"];
    assert.equal(at(...method, "description"), "false: it may be called all the time.");
    assert.ok(!/maintenance|x-range/.test(JSON.stringify(configJsonSchema())));
  });

  it("init writes its keys, and its file loads", () => {
    const text = sampleConfig({ a: { endpoints: ["h:1"] } }, false, GROWN);
    const lines = [
      "#   maintenance:",
      "#     on: false",
      "#     pass: sesame   # an example; none by default",
    ];
    for (const line of [...lines, "#     retryAfter: 1m"])
      assert.equal(text.split("\n").filter((one) => one === line).length, 1, line);
    assert.deepEqual(told(text), []);
  });

  it("the page of the keys has it, with what is secret and what needs a restart", () => {
    const page = configPage(GROWN);
    assert.match(page, /\n## `interceptors\.maintenance`\n/);
    assert.match(
      page,
      /\n- `interceptors\.maintenance\.pass`: text, as in `sesame`; \*\*secret\*\*\. Who sends it in x-pass may call\.\n/,
    );
    const retryAfter =
      /\n- `interceptors\.maintenance\.retryAfter`: text, 1s to 576h, as in [^;]*; default `1m`; \*\*restart\*\*\. What /;
    assert.match(page, retryAfter);
    assert.match(
      page,
      /\n- `methods\.NAME\.maintained`: `true`, `false`\. false: it may be called all the time\.\n/,
    );
  });

  it("the page of the refusals has its reason", () => {
    assert.match(errorsPage(reasonsOf(GROWN)), /\n\| `UNDER_MAINTENANCE` \| UNAVAILABLE \| 503 \|/);
  });

  it("a hub runs it in its place, masks its secret, and says what needs a restart", async (t) => {
    const config = (retryAfter: string) => {
      const maintenance = `maintenance: { on: true, pass: sesame, retryAfter: ${retryAfter} }`;
      const text = `listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\n${UPSTREAMS}\ninterceptors: { ${maintenance} }`;
      const result = parse(text);
      return result.ok ? result.config : assert.fail(JSON.stringify(result.errors));
    };
    const log = { info() {}, warn() {}, error() {} };
    const hub = await startHub(config("5s"), log, {
      features: GROWN,
      readConfig: async () => config("6s"),
    });
    t.after(() => hub.close());
    assert.equal(hub.interceptors.at(-1), "maintenance");
    const address = hub.url.replace("http://", "");
    const refused = await http("1.1", address, "/healthz");
    assert.deepEqual([refused.status, /"UNDER_MAINTENANCE"/.test(refused.text)], [503, true], refused.text);
    const passed = await http("1.1", address, "/healthz", { headers: { "x-pass": "sesame" } });
    assert.equal(/UNDER_MAINTENANCE/.test(passed.text), false, passed.text);
    const shown = await http("1.1", (hub.adminUrl ?? "").replace("http://", ""), "/config");
    assert.match(shown.text, /"pass":\s*"\*\*\*"/);
    assert.doesNotMatch(shown.text, /sesame/);
    assert.deepEqual(await hub.reload(), [
      "interceptors.maintenance.retryAfter has changed: that takes effect when the hub is started again",
    ]);
  });
});

test("docs/config.md is made from the sections (node tools/write-config.mjs)", () => {
  assert.equal(readFileSync(join(ROOT, "docs/config.md"), "utf8"), configPage());
});

test("the config's type for programs is made from the sections (node tools/write-config.mjs)", () => {
  assert.equal(readFileSync(join(ROOT, "src/config/config-input.ts"), "utf8"), configType());
  // The compiler holds it to what is checked: it has the same keys, and takes nothing that is wrong by its type.
  type Checked = z.input<ReturnType<typeof schemasOf>["embedded"]>;
  const checked = (config: Writable<ConfigInput>): Checked => config;
  const keys = (key: keyof Checked): keyof ConfigInput => key;
  assert.deepEqual([checked({ zone: "a" }).zone, keys("zone")], ["a", "zone"]);
});

type Writable<T> = T extends string
  ? T
  : T extends readonly (infer U)[]
    ? Writable<U>[]
    : T extends object
      ? { -readonly [K in keyof T]: Writable<T[K]> }
      : T;

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

/** Reports its load in the trailers of each response. */
async function service(load: number): Promise<H2Service> {
  const started = await new H2Service((request) => {
    request.onEnd = () =>
      request
        .headers()
        .message("answer")
        .trailers({ "grpc-status": "0", "x-load": String(load) });
  }).start();
  cleanups.push(() => started.stop());
  return started;
}

function clusterOf(options: Partial<ClusterOptions>): Cluster {
  const cluster = new Cluster({ name: "toys", ...options });
  cleanups.push(() => cluster.close());
  return cluster;
}

async function allReady(cluster: Cluster, count: number): Promise<void> {
  const ready = (): boolean => cluster.endpoints.every(({ state }) => state === "ready");
  await until(() => cluster.endpoints.length === count && ready(), "all endpoints ready");
}

/** Addresses that calls went to, one after the other. */
async function callsOf(cluster: Cluster, count: number): Promise<(string | undefined)[]> {
  const went: (string | undefined)[] = [];
  for (let i = 0; i < count; i++) {
    const exchange = new Exchange(cluster).send("question", true);
    assert.equal(await exchange.status(), "0");
    went.push(exchange.call.attempt?.endpoint?.address);
  }
  return went;
}

const infoOf = ({ address }: H2Service, weight?: number): EndpointInfo => {
  const [host = "", port = ""] = address.split(":");
  return { host, port: Number(port), weight };
};

describe("a balancer is a file and a row", () => {
  const balancers = {
    ...BALANCERS,
    least_reported: () => new LeastReported(),
  } satisfies Readonly<Record<string, BalancerFactory>>;

  it("which sees outcomes and weights, and picks by them", async () => {
    const [busy, quiet] = await Promise.all([service(9), service(5)]);
    const endpoints = [busy, quiet].map(({ address, dial }) => ({ address, dial }));
    const cluster = clusterOf({ endpoints, balancer: balancers.least_reported });
    cluster.connect();
    await allReady(cluster, 2);
    assert.deepEqual(
      await callsOf(cluster, 4),
      [busy, quiet, quiet, quiet].map(({ address }) => address),
    );
    // The same endpoints, one with another weight: what was reported is still known.
    const [first, second] = endpoints;
    assert.ok(first && second);
    cluster.setEndpoints([{ ...first, weight: 2 }, second]);
    assert.deepEqual(await callsOf(cluster, 2), [busy.address, busy.address]);
  });

  it("beside the hub's own", async () => {
    const services = await Promise.all([service(1), service(1)]);
    const endpoints = services.map(({ address, dial }) => ({ address, dial }));
    const cluster = clusterOf({ endpoints, balancer: balancers.round_robin });
    cluster.connect();
    await allReady(cluster, 2);
    assert.equal(new Set(await callsOf(cluster, 2)).size, 2);
  });
});

describe("a source of endpoints is a file and a row", () => {
  const context = { clock: new FakeClock(0), random: () => 0.5 };
  const addressOf = (endpoint: EndpointInfo) => {
    assert.ok("host" in endpoint);
    const { host, port, ...traits } = endpoint;
    return {
      ...traits,
      address: `${host}:${port}`,
      dial: () => connect({ host, port, noDelay: true }),
    };
  };

  it("whose endpoints a cluster takes over, now and later, and whose problems its callers hear", async () => {
    const memory = new Memory();
    const sources = { ...SOURCES, memory: memory.source };
    const heard: (string | undefined)[] = [];
    const cluster = clusterOf({ onSource: (problem) => heard.push(problem) });
    cluster.follow(openSource("memory:toys", context, sources), addressOf);
    assert.deepEqual(memory.targets, ["toys"]);

    memory.watcher?.problem("nobody has written it yet");
    const early = new Exchange(cluster).send("question", true);
    assert.match(await early.status(), /^14 .*\(its endpoints: nobody has written it yet\)/);

    const [one, two] = await Promise.all([service(1), service(1)]);
    memory.watcher?.endpoints([infoOf(one, 3)]);
    await allReady(cluster, 1);
    assert.equal(cluster.endpoints[0]?.traits.weight, 3);
    assert.deepEqual(await callsOf(cluster, 2), [one.address, one.address]);

    memory.watcher?.endpoints([infoOf(one), infoOf(two)]);
    await allReady(cluster, 2);
    assert.equal(new Set(await callsOf(cluster, 2)).size, 2);
    assert.equal(one.accepted, 1, "an endpoint that stays keeps its connection");
    assert.deepEqual(heard, ["nobody has written it yet", undefined, undefined]);

    // Another source takes its place, as a reload has it.
    cluster.follow(openSource(`static:${two.address}`, context, sources), addressOf);
    assert.equal(memory.watcher, undefined);
    assert.deepEqual(await callsOf(cluster, 2), [two.address, two.address]);
    assert.equal(two.accepted, 1);
  });

  it("which a target names by its scheme, and an error names those there are", () => {
    const memory = new Memory();
    const sources = { ...SOURCES, memory: memory.source };
    const all = [...Object.keys(SOURCES), "memory"].map((name) => `${name}:`).join(", ");
    for (const [target, said] of [
      ["toString:x", `endpoints "toString:x": must begin with ${all}`],
      ["plain", `endpoints "plain": must begin with ${all}`],
      ["static:a:1,b", 'endpoint must be HOST:PORT, as in 127.0.0.1:50051, not "b"'],
      ["memory:", "memory: names nothing"],
    ] as const)
      assert.throws(
        () => openSource(target, context, sources),
        (error) => error instanceof UserError && error.message === said,
        target,
      );
  });
});

test("a page of the admin listener is a file and an entry in the list", async (t) => {
  const page: Page = {
    path: "/interceptors",
    about: "what calls pass, outermost first",
    remote: false,
    respond: ({ interceptors }) => ({ status: 200, body: { interceptors } }),
  };
  const hub = adminHub({ interceptors: ["metrics", "quota"] });
  const log = { info() {}, warn() {}, error() {} };
  const [own, without] = [
    await startAdmin(ADMIN, hub, log, [...PAGES, page]),
    await startAdmin(ADMIN, hub, log),
  ];
  t.after(() => Promise.all([own.close(), without.close()]));
  const shown = await fetch(`${own.address}/interceptors`);
  assert.deepEqual(await shown.json(), { interceptors: ["metrics", "quota"] });
  assert.match(
    await (await fetch(own.address)).text(),
    /"\/interceptors": "what calls pass, outermost first"/,
  );
  assert.equal((await fetch(`${own.address}/interceptors`, { method: "POST" })).status, 405);
  assert.equal((await fetch(`${without.address}/interceptors`)).status, 404);
});
