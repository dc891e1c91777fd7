// Where endpoints come from: the forms of `endpoints`, what a source may say, and what becomes of calls meanwhile.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, it } from "node:test";
import fc from "fast-check";
import { formatAddress } from "#src/config/address.js";
import { formatError } from "#src/config/config-error.js";
import { systemClock } from "#src/kit/clock.js";
import { UserError } from "#src/kit/text/user-error.js";
import { parseConfig } from "#src/settings/load.js";
import { Cluster } from "#src/upstream/cluster.js";
import { endpointsOf, sliceOf } from "#src/upstream/discovery/endpoint-slices.js";
import { type EndpointInfo, MAX_ENDPOINTS } from "#src/upstream/discovery/endpoint-source.js";
import { distinct, parseEntry } from "#src/upstream/discovery/entries.js";
import { openSource } from "#src/upstream/discovery/sources.js";
import { listedEndpoints } from "#src/upstream/discovery/static-endpoints.js";
import { FakeClock } from "../support/fake-clock.js";
import { H2Service, type ServiceRequest } from "../support/h2-service.js";
import { Memory } from "../support/toy-source.js";
import { turns, until } from "../support/until.js";
import { Exchange } from "./support/exchange.js";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

function configOf(endpoints: string) {
  const text = `upstreams:\n  a:\n    schema: none\n    endpoints: ${endpoints}\n`;
  return parseConfig(Buffer.from(text), {
    file: "c.yaml",
    directory: "/etc",
    env: { SECRET: "hidden" },
    checkPath: () => undefined,
  });
}

describe("the key endpoints", () => {
  for (const [text, endpoints] of [
    [
      "[h:1, '[::1]:2']",
      [
        { host: "h", port: 1 },
        { host: "::1", port: 2 },
      ],
    ],
    ["[unix:/run/a.sock, unix:///run/b.sock]", [{ path: "/run/a.sock" }, { path: "/run/b.sock" }]],
    [
      "[{ address: h:1, weight: 0, zone: z, priority: 3 }, { address: unix:/s, weight: 7 }]",
      [
        { host: "h", port: 1, weight: 0, zone: "z", priority: 3 },
        { path: "/s", weight: 7 },
      ],
    ],
  ] as const)
    it(`takes ${text}`, () => {
      const result = configOf(text);
      assert.ok(result.ok, JSON.stringify(result));
      assert.deepEqual(result.config.upstreams[0]?.endpoints, endpoints);
      assert.equal(result.config.upstreams[0]?.source, undefined);
    });

  it("takes a source in place of a list", () => {
    const result = configOf("static:h:1,unix:/s");
    assert.ok(result.ok, JSON.stringify(result));
    const [{ endpoints, source } = assert.fail()] = result.config.upstreams;
    assert.deepEqual([endpoints, source], [[], { target: "static:h:1,unix:/s" }]);
  });

  for (const [text, said] of [
    ["[]", /4:16: upstreams\.a\.endpoints: must have at least one endpoint/],
    ["''", /4:16: upstreams\.a\.endpoints: must have at least one endpoint/],
    [
      "h:1",
      /4:16: upstreams\.a\.endpoints: must be a list, as in \[127\.0\.0\.1:50051\], or a source, as in dns:/,
    ],
    ["nowhere://h:1", /4:16: upstreams\.a\.endpoints: .*"nowhere:\/\/h:1": must begin with static:/],
    ["nowhere://joe:hidden@h:1", /"nowhere:\/\/\*\*\*@h:1": must begin with static:/],
    ["static:h", /4:16: upstreams\.a\.endpoints: endpoint must be HOST:PORT.*, not "h"/],
    ["{ address: h:1 }", /4:16: upstreams\.a\.endpoints: must be a list.*, not a mapping/],
    ["[[h:1]]", /4:17: upstreams\.a\.endpoints\[0\]: must be HOST:PORT, unix:\/PATH or \{/],
    ["[h]", /4:17: upstreams\.a\.endpoints\[0\]: must be HOST:PORT, as in 127\.0\.0\.1:50051, not h/],
    ["[unix:run]", /4:17: upstreams\.a\.endpoints\[0\]: must name a socket by its full path/],
    ["[{ weight: 1 }]", /endpoints\[0\]\.address: is missing: must be HOST:PORT or unix:\/PATH/],
    [
      "[{ address: h:1, weight: -1 }]",
      /4:41: upstreams\.a\.endpoints\[0\]\.weight: must be a whole number from 0/,
    ],
    [
      "[{ address: h:1, weight: .nan }]",
      /4:41: upstreams\.a\.endpoints\[0\]\.weight: must be a whole number from 0/,
    ],
    [
      '[{ address: h:1, zone: "a\\e[31m" }]',
      /4:39: upstreams\.a\.endpoints\[0\]\.zone: must be the name of a zone/,
    ],
    ["[{ address: h:1, zone: '' }]", /4:39: upstreams\.a\.endpoints\[0\]\.zone: must be the name of a zone/],
    [
      "[{ address: h:1, color: red }]",
      /4:33: upstreams\.a\.endpoints\[0\]\.color: unknown key.*; allowed: address, weight/,
    ],
    ["[{ address: h:1, weight: 0 }, { address: h:2, weight: 0 }]", /every endpoint has the weight 0/],
    [
      `[${Array.from({ length: MAX_ENDPOINTS + 1 }, (_, i) => `h${i}:1`)}]`,
      /must have at most 10000 endpoints/,
    ],
  ] as const)
    it(`refuses ${text.slice(0, 60)}`, () => {
      const result = configOf(text);
      assert.ok(!result.ok);
      assert.match(result.errors.map(formatError).join("\n"), said);
      assert.doesNotMatch(JSON.stringify(result), /hidden/);
    });
});

describe("an endpoint entry of a file or a store", () => {
  for (const [value, reason] of [
    [7, /^ must be HOST:PORT, unix/],
    [null, /^ must be HOST:PORT, unix/],
    [["h:1"], /^ must be HOST:PORT, unix/],
    ["h", /^ must be HOST:PORT/],
    ["dns:///h:1", /^ must be HOST:PORT, without a scheme/],
    [{}, /^address must be HOST:PORT or unix/],
    [{ address: "h" }, /^address must be HOST:PORT/],
    [{ address: "h:1", weight: "2" }, /^weight must be a whole number/],
    [{ address: "h:1", weight: Number.NaN }, /^weight must be a whole number/],
    [{ address: "h:1", weight: 1e300 }, /^weight must be a whole number/],
    [{ address: "h:1", priority: 0.5 }, /^priority must be a whole number/],
    [{ address: "h:1", zone: 7 }, /^zone must be the name of a zone/],
    [{ address: "h:1", zone: "a\u001b[31m" }, /^zone must be the name of a zone/],
    [{ address: "h:1", wieght: 7 }, /^wieght unknown key/],
  ] as const)
    it(`is refused where it is ${JSON.stringify(value)}`, () => {
      const result = parseEntry(value);
      assert.ok(!result.ok);
      assert.match(`${"path" in result ? result.path.join(".") : ""} ${result.reason}`, reason);
    });

  it("counts once, however often it is listed", () => {
    const list = (count: number) => distinct(Array.from({ length: count }, () => ({ host: "H", port: 1 })));
    assert.deepEqual(list(1), { endpoints: [{ host: "H", port: 1 }], twice: undefined });
    assert.equal(list(2).twice, "h:1 is listed more than once: it counts once");
    assert.equal(list(4).endpoints.length, 1);
  });
});

interface Rig {
  readonly cluster: Cluster;
  readonly clock: FakeClock;
  readonly memory: Memory;
}

/** A cluster that follows a source in the test's hand. */
function rig(): Rig {
  const clock = new FakeClock(1000);
  const cluster = new Cluster({ name: "library", clock, random: () => 0.5 });
  cleanups.push(() => cluster.close());
  const memory = new Memory();
  cluster.follow(memory.source("x", { clock, random: () => 0.5 }), addressOf);
  return { cluster, clock, memory };
}

const addressOf = (endpoint: EndpointInfo) => ({
  ...endpoint,
  address: formatAddress(endpoint),
  dial: () => connect("path" in endpoint ? { path: endpoint.path } : endpoint),
});

async function service(onRequest?: (request: ServiceRequest) => void): Promise<EndpointInfo> {
  const started = await new H2Service(onRequest ?? ((request) => request.ok())).start();
  cleanups.push(() => started.stop());
  const [host = "", port = ""] = started.address.split(":");
  return { host, port: Number(port) };
}

describe("before the first report of a source", () => {
  it("calls wait for it, and continue with its first list", async () => {
    const { cluster, memory } = rig();
    const exchange = new Exchange(cluster).send("question", true);
    assert.equal(cluster.pending, 1);
    memory.watcher?.endpoints([await service()]);
    assert.equal(await exchange.status(), "0");
  });

  it("calls wait as long as for a lost upstream, and their error says what is missing", async () => {
    const { cluster, clock } = rig();
    const early = new Exchange(cluster).send("question", true);
    clock.advance(4_999);
    assert.equal(cluster.pending, 1);
    clock.advance(1);
    assert.match(await early.status(), /^14 .*cannot be reached \(its endpoints are not known yet\)/);
    assert.match(await new Exchange(cluster).send("q", true).status(), /^14 .*are not known yet/);
  });

  it("calls fail with its problem at once", async () => {
    const { cluster, memory } = rig();
    const early = new Exchange(cluster).send("question", true);
    memory.watcher?.problem("etcd://joe:secret@h:1 refuses\nus");
    assert.match(await early.status(), /^14 .*\(its endpoints: etcd:\/\/\*\*\*@h:1 refuses\\u000aus\)/);
  });
});

describe("the list of a source", () => {
  it("is applied to the other endpoints if one cannot be connected to", async () => {
    const clock = new FakeClock(1000);
    const cluster = new Cluster({ name: "library", clock, random: () => 0.5 });
    cleanups.push(() => cluster.close());
    const memory = new Memory();
    cluster.follow(memory.source("x", { clock, random: () => 0.5 }), (endpoint) => ({
      ...addressOf(endpoint),
      ...("host" in endpoint && endpoint.host === "broken"
        ? {
            dial: () => {
              throw new RangeError("no such port");
            },
          }
        : {}),
    }));
    memory.watcher?.endpoints([{ host: "broken", port: 1 }, await service()]);
    await until(() => cluster.endpoints[1]?.state === "ready", "the endpoint behind the broken one");
  });

  it("is used, and the problem with the rest of it is reported", async () => {
    const { cluster, memory } = rig();
    memory.watcher?.endpoints([await service()], "one of them is garbage");
    await until(() => cluster.endpoints[0]?.state === "ready", "the endpoint");
    assert.equal(cluster.source.problem?.text, "one of them is garbage");
    assert.equal(await new Exchange(cluster).send("question", true).status(), "0");
  });

  for (const [what, list, said] of [
    [
      "too many",
      Array.from({ length: MAX_ENDPOINTS + 1 }, (_, port) => ({ host: "h", port })),
      /10001 endpoints, more than the 10000/,
    ],
    ["weights that sum to 0", [{ host: "h", port: 1, weight: 0 }], /every endpoint has the weight 0/],
  ] as const)
    it(`is rejected if it is ${what}, and the last list stays`, async () => {
      const { cluster, memory, clock } = rig();
      const good = await service();
      memory.watcher?.endpoints([good]);
      await until(() => cluster.endpoints[0]?.state === "ready", "the endpoint");
      clock.advance(60_000);
      const since = clock.wallTime();
      memory.watcher?.endpoints(list);
      clock.advance(60_000);
      memory.watcher?.problem("again");
      assert.deepEqual(cluster.source.problem, { text: "again", since });
      memory.watcher?.endpoints(list);
      assert.match(cluster.source.problem?.text ?? "", said);
      assert.deepEqual(
        cluster.endpoints.map(({ address }) => address),
        [formatAddress(good)],
      );
      assert.equal(await new Exchange(cluster).send("question", true).status(), "0");
      memory.watcher?.endpoints([good]);
      assert.equal(cluster.source.problem, undefined);
    });

  it("is ignored once another source is followed, and endpoints stay until that one reports some", async () => {
    const { cluster, memory } = rig();
    const good = await service();
    const first = memory.watcher;
    first?.endpoints([good]);
    await until(() => cluster.endpoints[0]?.state === "ready", "the endpoint");
    const kept = cluster.endpoints[0];
    cluster.follow(memory.source("y", { clock: new FakeClock(), random: () => 0 }), addressOf);
    first?.endpoints([]);
    first?.problem("the old one");
    assert.equal(cluster.source.problem, undefined);
    assert.equal(await new Exchange(cluster).send("question", true).status(), "0");
    memory.watcher?.problem("the new one is away");
    assert.equal(await new Exchange(cluster).send("question", true).status(), "0");
    memory.watcher?.endpoints([good]);
    assert.equal(cluster.endpoints[0], kept);
    cluster.close();
    assert.equal(memory.watcher, undefined, "a cluster that is closed lets go of its source");
  });

  it("is requested again when an endpoint is unreachable", async () => {
    const { cluster, memory } = rig();
    memory.watcher?.endpoints([{ path: join(tmpdir(), "linchpin-nothing-is-there.sock") }]);
    await until(() => memory.refreshes > 0, "the look for a newer list");
    assert.equal(cluster.endpoints[0]?.state, "backoff");
  });
});

it("a source throws only errors for users, whatever its target", () => {
  const context = { clock: new FakeClock(), random: () => 0.5 };
  const schemes = fc.constantFrom("file:", "dns:", "dns+srv:", "etcd:", "kubernetes:", "static:");
  const pieces = fc.constantFrom(
    "/",
    "//",
    "///",
    ":",
    "@",
    ",",
    "[",
    "]",
    "%",
    "%41",
    "h",
    "10.0.0.1",
    "2379",
    "_g._tcp.x",
    "é",
    "\0",
  );
  const rest = fc.oneof(
    fc.array(pieces, { maxLength: 12 }).map((parts) => parts.join("")),
    fc.string(),
  );
  fc.assert(
    fc.property(schemes, rest, (scheme, text) => {
      try {
        openSource(`${scheme}${text}`, context);
      } catch (error) {
        assert.ok(error instanceof UserError, String(error));
      }
    }),
  );
});

for (const [target, said] of [
  ["etcd://h:2379", /^etcd: must be as in etcd:\/\//],
  ["etcd://h/x", /^etcd: must be as in .*; a host must be HOST:PORT/],
  ["etcd://joe:hidden@h/x", /^etcd: must be as in .*"\/\/\*\*\*@h\/x"/],
  ["etcd:///x", /^etcd: must be as in/],
  ["kubernetes:///library:50051", /^kubernetes: must be as in kubernetes:\/\/\/library\.default:50051/],
  ["kubernetes:///library.default:99999", /^kubernetes: must have a port from 1 to 65535/],
  ["kubernetes://cluster/library.default:1", /^kubernetes: must be as in/],
] as const)
  it(`the target ${target} is refused`, () =>
    assert.throws(
      () => openSource(target, { clock: new FakeClock(), random: () => 0.5 }),
      (error) => error instanceof UserError && said.test(error.message) && !error.message.includes("hidden"),
    ));

describe("endpoint slices", () => {
  const port = { service: "s", namespace: "n", port: "grpc" };
  const of = (...slices: readonly unknown[]): string => {
    const { endpoints, problem } = endpointsOf(
      slices.flatMap((slice) => sliceOf(slice) ?? []),
      port,
    );
    return endpoints.map(formatAddress).join(" ") + (problem === undefined ? "" : ` [${problem}]`);
  };
  it("that are malformed are rejected as a whole", () => {
    fc.assert(fc.property(fc.anything(), (value) => void sliceOf(value)));
    const metadata = { name: "a" };
    const odd = { toString: 1, valueOf: 1 };
    assert.equal(
      of({
        metadata,
        ports: [
          { name: odd, port: 1 },
          { name: "grpc", port: 70_000 },
        ],
      }),
      " [the service s has no port grpc; it has 1, grpc]",
    );
    assert.equal(
      of(undefined, 7, {}, { metadata: { name: 7 } }),
      " [the service s has no port grpc; it has none]",
    );
    assert.equal(
      of({ metadata, ports: 7, endpoints: "x" }),
      " [the service s has no port grpc; it has none]",
    );
    const ports = [{ name: "grpc", port: 1 }];
    assert.equal(
      of({
        metadata,
        ports,
        endpoints: [null, {}, { addresses: [] }, { addresses: ["a b"] }, { addresses: ["10.0.0.1"] }],
      }),
      "10.0.0.1:1",
    );
  });
});

it("an endpoint may be a Unix domain socket", async () => {
  const folder = mkdtempSync(join(tmpdir(), "linchpin-"));
  cleanups.push(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "library.sock");
  const { host, port } = (await service()) as Extract<EndpointInfo, { readonly port: number }>;
  const server: Server = createServer((socket) => {
    socket.pipe(connect({ host, port })).pipe(socket);
  }).listen(path);
  cleanups.push(() => void server.close());
  const { cluster } = rig();
  cluster.follow(listedEndpoints([{ path }], { clock: systemClock, random: Math.random }), addressOf);
  assert.equal(await new Exchange(cluster).send("question", true).status(), "0");
  assert.equal(cluster.endpoints[0]?.address, `unix:${path}`);
  await turns();
});
