// The admin listener over real sockets: what probes, people and hostile web pages get.
import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import { type TestContext, test } from "node:test";
import { startAdmin } from "#src/admin/admin.js";
import type { AdminHub } from "#src/admin/pages/page.js";
import { masked } from "#src/config/mask.js";
import { UserError } from "#src/kit/text/user-error.js";
import { textTable } from "#src/kit/text-table.js";
import { adminHub, upstreamRow } from "../support/admin-hub.js";

const LOG = { info() {}, warn() {}, error() {} };

const HUB = adminHub({
  metrics: () => ({ contentType: "text/plain; version=0.0.4; charset=utf-8", pieces: ["a 1\n"] }),
  ready: true,
  written: {
    listen: { host: "127.0.0.1", port: 8080 },
    keys: [{ name: "web", sha256: "ab12" }],
    adminToken: "s3cret",
  },
  reload: () => Promise.resolve(["listen has changed"]),
  routes: () => [
    { verb: "GET", path: "/v1/books", method: "library.v1.LibraryService/ListBooks", upstream: "library" },
    {
      verb: "gRPC",
      path: "/library.v1.LibraryService/ListBooks",
      method: "library.v1.LibraryService/ListBooks",
      upstream: "library",
    },
  ],
  upstreams: () => [
    upstreamRow({
      name: "library",
      endpoints: [
        { address: "127.0.0.1:50051", state: "ready", connections: 2, connecting: 1, draining: 1, calls: 7 },
      ],
      pending: 3,
      services: ["library.v1.LibraryService"],
    }),
    upstreamRow({
      name: "down",
      endpoints: [
        { address: "127.0.0.1:1", state: "backoff", connections: 0, connecting: 0, draining: 0, calls: 0 },
      ],
      problem: "it refused",
    }),
  ],
});

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

interface Ask {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

async function start(t: TestContext, hub: AdminHub = HUB, host = "127.0.0.1"): Promise<string> {
  const admin = await startAdmin({ host, port: 0 }, hub, LOG);
  t.after(() => admin.close());
  return admin.address;
}

function get(base: string, path: string, ask: Ask = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const url = new URL(base);
    const outgoing = request(
      { host: url.hostname.replace(/[[\]]/g, ""), port: url.port, path, method: "GET", agent: false, ...ask },
      (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          body += chunk;
        });
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
        );
      },
    );
    outgoing.on("error", reject);
    outgoing.end();
  });
}

test("is alive for a liveness probe, ready or not", async (t) => {
  const base = await start(t, { ...HUB, ready: false });
  const reply = await get(base, "/livez");
  assert.equal(reply.status, 200);
  assert.deepEqual(JSON.parse(reply.body), { live: true });
});

test("is ready with an upstream down, and names it", async (t) => {
  const reply = await get(await start(t), "/readyz");
  assert.equal(reply.status, 200);
  assert.deepEqual(JSON.parse(reply.body), {
    ready: true,
    problems: [{ upstream: "down", problem: "it refused" }],
  });
});

test("is not ready before the start and while draining, and says so", async (t) => {
  const hub = { ...HUB, ready: true, notReady: ["draining"] };
  const base = await start(t, hub);
  assert.equal((await get(base, "/readyz")).status, 200);
  hub.ready = false;
  const reply = await get(base, "/readyz");
  assert.equal(reply.status, 503);
  assert.deepEqual(JSON.parse(reply.body).notReady, ["draining"]);
  const text = await get(base, "/readyz", { headers: { accept: "text/plain" } });
  assert.equal(text.status, 503);
  assert.equal(text.body, "not ready: draining\ndown: it refused\n");
});

test("shows routes and upstreams as JSON, and as text if Accept asks for it", async (t) => {
  const base = await start(t);
  assert.deepEqual(JSON.parse((await get(base, "/routes")).body), { routes: HUB.routes() });
  assert.deepEqual(JSON.parse((await get(base, "/routes?x=1", { headers: { accept: "*/*" } })).body), {
    routes: HUB.routes(),
  });
  assert.equal(
    (await get(base, "/routes", { headers: { accept: "text/plain;q=0.9" } })).body,
    "GET   /v1/books                             library.v1.LibraryService/ListBooks  library\n" +
      "gRPC  /library.v1.LibraryService/ListBooks  library.v1.LibraryService/ListBooks  library\n",
  );
  const upstreams = await get(base, "/upstreams", { headers: { accept: "text/plain" } });
  assert.equal(
    upstreams.body,
    "library\n  127.0.0.1:50051  ready  2 open, 1 connecting, 1 draining  7 calls\n  3 calls wait for a connection\n" +
      "  library.v1.LibraryService\ndown: it refused\n  127.0.0.1:1  backoff  0 open  0 calls\n",
  );
  assert.equal(JSON.parse((await get(base, "/upstreams")).body).upstreams.length, 2);
});

test("the text of /upstreams says why an endpoint gets no calls, until when, and what the balancer knows", async (t) => {
  const counts = { connections: 1, connecting: 0, draining: 0, calls: 0 };
  const until = "2026-01-01T00:00:30.000Z";
  const row = upstreamRow({
    name: "a",
    panic: true,
    breakers: [{ name: "calls", active: 3, max: 5 }],
    source: { target: "dns:///a:1", problem: "no such name", since: until },
    endpoints: [
      { ...counts, address: "a:1", state: "ready", balancer: { weight: 1, ewmaMs: 2.5 } },
      {
        ...counts,
        address: "b:1",
        state: "ejected",
        why: "5 failures in a row",
        until,
        zone: "z",
        weight: 2,
      },
      { ...counts, address: "c:1", state: "ready", weight: 4, priority: 1, balancer: { weight: 0.5 } },
      { ...counts, address: "d:1", state: "backoff", connections: 0, why: "ECONNREFUSED", until },
      { ...counts, address: "e:1", state: "unhealthy", why: "it says NOT_SERVING" },
    ],
  });
  const base = await start(t, adminHub({ upstreams: () => [row] }));
  const { body } = await get(base, "/upstreams", { headers: { accept: "text/plain" } });
  assert.deepEqual(body.split("\n"), [
    "a",
    `  endpoints from dns:///a:1, since ${until}: no such name`,
    "  panic: too few endpoints are healthy, all that are connected get calls",
    "  3 of 5 calls running",
    "  a:1  ready      1 open  0 calls  ewmaMs 2.5",
    `  b:1  ejected    1 open  0 calls  weight 2, zone z; 5 failures in a row; until ${until}`,
    "  c:1  ready      1 open  0 calls  weight 0.5, priority 1",
    `  d:1  backoff    0 open  0 calls  ECONNREFUSED; tried again at ${until}`,
    "  e:1  unhealthy  1 open  0 calls  it says NOT_SERVING",
    "",
  ]);
});

test("lists its pages at /, and for a page that is not there", async (t) => {
  const base = await start(t);
  const pages = [
    "/",
    "/livez",
    "/readyz",
    "/routes",
    "/upstreams",
    "/metrics",
    "/certificates",
    "/config",
    "/reload",
  ];
  assert.deepEqual(Object.keys(JSON.parse((await get(base, "/")).body).pages), pages);
  for (const path of ["/nope", "/livez/", "/__proto__", "//livez", "/%6civez"]) {
    const reply = await get(base, path);
    assert.equal(reply.status, 404, path);
    assert.deepEqual(Object.keys(JSON.parse(reply.body).pages), pages);
  }
});

test("takes GET and HEAD alone", async (t) => {
  const base = await start(t);
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"]) {
    const reply = await get(base, "/routes", { method });
    assert.equal(reply.status, 405, method);
    assert.equal(reply.headers.allow, "GET, HEAD");
  }
  const head = await get(base, "/routes", { method: "HEAD" });
  assert.equal(head.status, 200);
  assert.equal(head.body, "");
  assert.equal(head.headers["content-length"], (await get(base, "/routes")).headers["content-length"]);
});

test("lets no browser keep, guess or share an answer", async (t) => {
  const { headers } = await get(await start(t), "/routes", { headers: { origin: "http://localhost" } });
  const plain = (await get(await start(t), "/routes")).headers;
  assert.equal(plain["cache-control"], "no-store");
  assert.equal(plain["x-content-type-options"], "nosniff");
  for (const name of Object.keys({ ...headers, ...plain }))
    assert.ok(!name.startsWith("access-control"), name);
});

for (const [host, status] of [
  ["localhost:9901", 200],
  ["LOCALHOST", 200],
  ["127.0.0.1:1", 200],
  ["10.1.2.3:9901", 200],
  ["[::1]:9901", 200],
  ["evil.example", 421],
  ["evil.example:9901", 421],
  ["127.0.0.1.evil.example", 421],
  ["localhost.evil.example", 421],
  ["localhost:9901@evil.example", 421],
  ["localhost,evil.example", 421],
  ["[::1]evil", 421],
  ["127.0.0.1:99999999", 421],
] as const) {
  test(`answers ${status} to Host: ${host}`, async (t) => {
    const reply = await get(await start(t), "/routes", { headers: { host } });
    assert.equal(reply.status, status, reply.body);
    if (status === 421)
      assert.match(reply.body, /not served here; allowed: an IP address, localhost, 127\.0\.0\.1/);
  });
}

for (const [origin, status] of [
  ["http://localhost:9901", 200],
  ["http://LOCALHOST:9901", 200],
  ["https://localhost:9901", 403],
  ["http://localhost:8080", 403],
  ["http://evil.example", 403],
  ["null", 403],
  ["", 403],
] as const) {
  test(`answers ${status} to Origin: ${origin}`, async (t) => {
    const reply = await get(await start(t), "/livez", { headers: { host: "localhost:9901", origin } });
    assert.equal(reply.status, status, reply.body);
  });
}

/** Writes raw bytes, and returns all that comes back until the connection closes. */
async function raw(base: string, bytes: string): Promise<string> {
  const url = new URL(base);
  const socket = connect(Number(url.port), url.hostname);
  let text = "";
  socket.setEncoding("latin1");
  socket.on("data", (chunk: string) => {
    text += chunk;
  });
  socket.on("error", () => undefined);
  socket.end(bytes);
  await once(socket, "close");
  return text;
}

test("takes no full URL as request target, where Host could say another name", async (t) => {
  const base = await start(t);
  assert.match(
    await raw(base, "GET http://evil.example/routes HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    /^HTTP\/1\.1 400 /,
  );
});

test("takes no empty Host", async (t) => {
  assert.match(await raw(await start(t), "GET /livez HTTP/1.1\r\nHost:\r\n\r\n"), /^HTTP\/1\.1 421 /);
});

test("answers probes of HTTP/1.0, which send no Host", async (t) => {
  assert.match(await raw(await start(t), "GET /livez HTTP/1.0\r\n\r\n"), /^HTTP\/1\.1 200 /);
});

test("survives bytes that are not HTTP, and headers that are too large", async (t) => {
  const base = await start(t);
  assert.match(await raw(base, "\x16\x03\x01\x02\x00\x01\x00"), /^HTTP\/1\.1 400 /);
  assert.match(
    await raw(base, `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(20_000)}\r\n\r\n`),
    /^HTTP\/1\.1 431 /,
  );
  assert.equal((await get(base, "/livez")).status, 200);
});

test("says in one sentence that the port is in use", async (t) => {
  const base = await start(t);
  await assert.rejects(
    startAdmin({ host: "127.0.0.1", port: Number(new URL(base).port) }, HUB, LOG),
    (error) =>
      error instanceof UserError &&
      /^the admin listener cannot listen on 127\.0\.0\.1:\d+: the port is in use by another program$/.test(
        error.message,
      ),
  );
  await assert.rejects(
    startAdmin({ host: "192.0.2.1", port: 0 }, HUB, LOG),
    /this machine does not have this address/,
  );
});

test("closes with connections open", async () => {
  const admin = await startAdmin({ host: "127.0.0.1", port: 0 }, HUB, LOG);
  const socket = connect(Number(new URL(admin.address).port), "127.0.0.1");
  await once(socket, "connect");
  socket.on("error", () => undefined);
  const closed = once(socket, "close");
  await admin.close();
  await closed;
});

const foreign = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find((address) => !address.internal && address.family === "IPv4")?.address;

// A machine with loopback alone has no other machines to hide from.
if (foreign !== undefined) {
  test("shows other machines health alone", async (t) => {
    const bound = new URL(await start(t, HUB, "0.0.0.0"));
    const base = `http://${foreign}:${bound.port}`;
    assert.equal((await get(base, "/livez")).status, 200);
    assert.deepEqual(JSON.parse((await get(base, "/readyz")).body), { ready: true });
    for (const path of ["/", "/routes", "/upstreams"])
      assert.equal((await get(base, path)).status, 403, path);
    assert.equal((await get(`http://127.0.0.1:${bound.port}`, "/routes")).status, 200);
  });
}

test("shows the config with its secrets masked", async (t) => {
  const reply = await get(await start(t), "/config");
  assert.equal(reply.status, 200);
  assert.deepEqual(JSON.parse(reply.body), {
    listen: { host: "127.0.0.1", port: 8080 },
    keys: [{ name: "web", sha256: "***" }],
    adminToken: "***",
  });
});

test("reloads on POST only, and returns the reload's notes", async (t) => {
  assert.equal((await get(await start(t), "/reload")).status, 405);
  const reply = await get(await start(t), "/reload", { method: "POST" });
  assert.equal(reply.status, 200);
  assert.deepEqual(JSON.parse(reply.body), { reloaded: true, notes: ["listen has changed"] });
});

test("a reload that fails is 409 with the sentence that says why, and no web page can ask for one", async (t) => {
  const failing: AdminHub = {
    ...HUB,
    reload: () => Promise.reject(new UserError("linchpin.yaml:3:1: no such key")),
  };
  const reply = await get(await start(t, failing), "/reload", { method: "POST" });
  assert.equal(reply.status, 409);
  assert.match(reply.body, /linchpin\.yaml:3:1: no such key/);
  const foreign = await get(await start(t), "/reload", {
    method: "POST",
    headers: { origin: "http://evil.example" },
  });
  assert.equal(foreign.status, 403);
});

test("large pages are complete, as JSON and as text", async (t) => {
  const routes = Array.from({ length: 3000 }, (_, i) => ({
    verb: i % 2 === 0 ? "GET" : "gRPC",
    path: `/v1/things/${i}`,
    method: `pkg.v1.Things/Get${i}`,
    upstream: "things",
  }));
  const endpoints = Array.from({ length: 500 }, (_, i) => ({
    address: `10.0.0.${i}:1`,
    state: "idle" as const,
    connections: 0,
    connecting: 0,
    draining: 0,
    calls: i,
  }));
  const upstreams = [
    upstreamRow({ name: "things", endpoints, services: ["pkg.v1.Things", "pkg.v1.Others"] }),
    upstreamRow({ name: "none", services: ["pkg.v1.None"] }),
  ];
  const written = {
    methods: Object.fromEntries(routes.map(({ method }) => [method, { token: "t", timeout: "1s" }])),
  };
  const base = await start(t, adminHub({ routes: () => routes, upstreams: () => upstreams, written }));
  const json = async (path: string) => (await get(base, path)).body;
  assert.equal(await json("/routes"), `${JSON.stringify({ routes }, null, 2)}\n`);
  assert.equal(await json("/upstreams"), `${JSON.stringify({ upstreams }, null, 2)}\n`);
  assert.equal(await json("/config"), `${JSON.stringify(masked(written), null, 2)}\n`);
  const text = async (path: string) => (await get(base, path, { headers: { accept: "text/plain" } })).body;
  const cells = routes.map(({ verb, path, method, upstream }) => [verb, path, method, upstream]);
  assert.equal(await text("/routes"), `${textTable(cells).join("\n")}\n`);
  const lines = (await text("/upstreams")).split("\n");
  assert.deepEqual(
    [lines[0], ...lines.slice(501)],
    ["things", "  pkg.v1.Things", "  pkg.v1.Others", "none", "  pkg.v1.None", ""],
  );
});
