// Requests that call no method, as who runs a hub sees them: they are in the log and in metrics, they cost quota, and
// nobody learns from them what he may not know. Over both versions of HTTP, of a hub in a process of its own.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { readPrometheus, sampleValue } from "../telemetry/support/prometheus.js";
import { type HttpInit, http, VERSIONS } from "./support/http.js";
import { type Hub, startHubWithConfig, temporaryFolder } from "./support/hub.js";
import { startService } from "./support/service.js";

const scope = { after };
const library = await startService(scope, "library");
const UPSTREAMS = `upstreams: { library: { endpoints: ["${library.address}"] } }`;

type Line = Readonly<Record<string, unknown>>;

/** The lines of a log file, once there are so many. */
async function linesOf(file: string, count: number): Promise<Line[]> {
  const limit = performance.now() + 30_000;
  for (;;) {
    const lines = (await readFile(file, "utf8")).split("\n").slice(0, -1);
    if (lines.length >= count || performance.now() > limit)
      return lines.map((line): Line => JSON.parse(line));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function scrape(hub: Hub): Promise<ReturnType<typeof readPrometheus>> {
  return readPrometheus(await (await fetch(`${hub.adminUrl}/metrics`)).text());
}

const KEY = { "x-api-key": "web-key" };
const PREFLIGHT = { origin: "https://app.example", "access-control-request-method": "GET" };

interface Row {
  readonly what: string;
  readonly path: string;
  readonly init?: HttpInit;
  /** Without a credential, and with one. */
  readonly statuses: readonly [unknown: number, known: number];
  /** What the second answer says. */
  readonly says?: RegExp;
  readonly allow?: string;
  /** Of what is there, though it is not shown. */
  readonly method?: string;
}

const ROWS: readonly Row[] = [
  {
    what: "a path that nobody has",
    path: "/v1/boks?secret=hunter2",
    statuses: [401, 404],
    says: /the nearest are: /,
  },
  {
    what: "a method that the path does not take",
    path: "/v1/books",
    init: { method: "DELETE" },
    statuses: [401, 405],
    allow: "GET, HEAD, POST",
  },
  { what: "a method that nobody knows", path: "/v1/books", init: { method: "PURGE" }, statuses: [401, 405] },
  { what: "a page by a wrong method", path: "/openapi.json", init: { method: "POST" }, statuses: [401, 405] },
  {
    what: "OPTIONS",
    path: "/v1/books",
    init: { method: "OPTIONS" },
    statuses: [401, 204],
    allow: "GET, HEAD, POST, OPTIONS",
  },
  {
    what: "a page that cannot be shown",
    path: "/openapi.json?service=none",
    statuses: [401, 404],
    says: /none/,
    method: "linchpin.Pages/OpenApi",
  },
  { what: "OPTIONS of nothing", path: "/nowhere", init: { method: "OPTIONS" }, statuses: [401, 404] },
  {
    what: "a preflight",
    path: "/v1/books",
    init: { method: "OPTIONS", headers: PREFLIGHT },
    statuses: [204, 204],
  },
  {
    what: "a preflight of nothing",
    path: "/nowhere",
    init: { method: "OPTIONS", headers: PREFLIGHT },
    statuses: [404, 404],
  },
];

for (const version of VERSIONS) {
  describe(`a request that calls no method, over HTTP/${version}`, () => {
    test("requires credentials before it reveals anything, is logged, and counted by status", async () => {
      const log = join(await temporaryFolder(scope), "access.log");
      const sha256 = createHash("sha256").update(KEY["x-api-key"]).digest("hex");
      const hub = await startHubWithConfig(
        scope,
        `${UPSTREAMS}
interceptors:
  accessLog: { destination: ${log} }
  auth: { required: true, apiKeys: { keys: [{ name: web, sha256: ${sha256} }] } }
http: { cors: { origins: ["https://app.example"] } }
`,
      );
      const expected: unknown[] = [];
      const byStatus = new Map<number, number>();
      for (const { what, path, init = {}, statuses, says, allow, method } of ROWS) {
        const [unknown, known] = statuses;
        const first = await http(version, hub.address, path, init);
        assert.equal(first.status, unknown, what);
        if (unknown === 401) {
          assert.deepEqual([first.headers.allow, /nearest/.test(first.text)], [undefined, false], what);
        }
        const headers = { ...init.headers, ...KEY };
        const second = await http(version, hub.address, path, { ...init, headers });
        assert.equal(second.status, known, what);
        assert.match(second.text, says ?? /^/);
        if (allow !== undefined) assert.equal(second.headers.allow, allow);
        for (const status of statuses) {
          byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
          expected.push([
            init.method ?? "GET",
            path.split("?")[0],
            method,
            status,
            status < 400 ? "info" : "warn",
          ]);
        }
      }
      const lines = await linesOf(log, expected.length);
      assert.deepEqual(
        lines.map((line) => [line.httpMethod, line.httpPath, line.method, line.httpStatus, line.level]),
        expected,
      );
      assert.ok(lines.every((line) => (line.httpRoute === undefined) === (line.method === undefined)));
      assert.ok(lines.every((line) => line.by === "hub" && line.peer === "127.0.0.1"));
      const metrics = await scrape(hub);
      for (const [status, count] of byStatus) {
        const labels = { http_response_status_code: String(status) };
        const counted = sampleValue(metrics, "http_server_request_duration_seconds_count", labels);
        assert.equal(counted, count, `requests answered ${status}`);
      }
      const methods = metrics
        .get("http_server_request_duration_seconds")
        ?.samples.map(({ labels }) => labels.http_request_method);
      assert.deepEqual([...new Set(methods)].sort(), ["DELETE", "GET", "OPTIONS", "POST", "_OTHER"]);
      // They are no calls: the rate of failed calls is not that of scanners.
      const other = { rpc_method: "_OTHER" };
      assert.equal(sampleValue(metrics, "rpc_server_call_duration_seconds_count", other), 0);
      const page = { rpc_method: "linchpin.Pages/OpenApi", rpc_response_status_code: "NOT_FOUND" };
      assert.equal(sampleValue(metrics, "rpc_server_call_duration_seconds_count", page), 1);
      assert.equal(sampleValue(metrics, "linchpin_calls_active"), 0);
    });

    test("costs quota, so unknown paths do not bypass one; preflights and pages cost none", async () => {
      const hub = await startHubWithConfig(
        scope,
        `${UPSTREAMS}
interceptors: { quota: [{ name: all, key: [ip], rate: 4/h, burst: 4 }] }
http: { cors: { origins: "*" } }
`,
      );
      const ask = async (path: string, init: HttpInit = {}): Promise<number> =>
        (await http(version, hub.address, path, init)).status;
      const preflight: HttpInit = { method: "OPTIONS", headers: PREFLIGHT };
      const answers = [
        await ask("/nowhere"),
        await ask("/elsewhere"),
        await ask("/docs"),
        await ask("/docs/start.css"),
        await ask("/openapi.json"),
        await ask("/v1/books", preflight),
        await ask("/v1/books", { method: "DELETE" }),
        await ask("/v1/books", { method: "OPTIONS" }),
        await ask("/v1/books"),
        await ask("/nowhere"),
        await ask("/v1/books", preflight),
      ];
      assert.deepEqual(answers, [404, 404, 200, 200, 200, 204, 405, 204, 429, 429, 204]);
    });

    test("takes from what one address may, a preflight as well", async () => {
      const hub = await startHubWithConfig(
        scope,
        `${UPSTREAMS}
interceptors: { addressLimit: { rate: 2/h } }
http: { cors: { origins: "*" } }
`,
      );
      const ask = async (path: string, init: HttpInit = {}): Promise<number> =>
        (await http(version, hub.address, path, init)).status;
      const preflight: HttpInit = { method: "OPTIONS", headers: PREFLIGHT };
      assert.deepEqual(
        [await ask("/nowhere"), await ask("/v1/books", preflight), await ask("/v1/books", preflight)],
        [404, 204, 429],
      );
    });
  });
}
