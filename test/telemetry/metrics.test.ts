// What /metrics says of calls, over gRPC and JSON, refused ones included, and that a reload takes nothing back.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { Client, credentials, Metadata, status } from "@grpc/grpc-js";
import { UnaryRequest } from "#generated/test/v1/behavior.js";
import { behaviorClient, callServerStream, callUnary, single } from "../e2e/support/grpc.js";
import { http } from "../e2e/support/http.js";
import { startHub, temporaryFolder } from "../e2e/support/hub.js";
import { ROOT } from "../e2e/support/program.js";
import { startService } from "../e2e/support/service.js";
import { until } from "../support/until.js";
import { startGrpcCollector } from "./support/otlp-receiver.js";
import { type ReadFamily, readPrometheus, sampleValue } from "./support/prometheus.js";

const scope = { after };
const [behavior, library, { url, collector }, folder] = await Promise.all([
  startService(scope, "behavior"),
  startService(scope, "library"),
  startGrpcCollector(scope),
  temporaryFolder(scope),
]);
const file = join(folder, "linchpin.yaml");
const config = (more: string): string => `upstreams:
  behavior: { endpoints: ["${behavior.address}"] }
  library: { endpoints: ["${library.address}"] }
interceptors:
  metrics: { exporter: otlp, endpoint: "${url}", interval: 1s }
  deadline: { max: ${more} }
  quota: [{ name: one-an-hour, key: [], rate: 1/h, burst: 1, methods: [test.v1.BehaviorService/ClientStream] }]
`;
await writeFile(file, config("30s"));
const hub = await startHub(scope, ["--config", file]);
const client = behaviorClient(scope, hub.address);

async function scrape(): Promise<ReadonlyMap<string, ReadFamily>> {
  const { status, headers, text } = await http("1.1", hub.adminUrl.replace("http://", ""), "/metrics");
  assert.equal(status, 200);
  assert.equal(headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
  return readPrometheus(text);
}

const SERVER = "rpc_server_call_duration_seconds_count";
const CLIENT = "rpc_client_call_duration_seconds_count";
const HTTP = "http_server_request_duration_seconds_count";
const method = (name: string, code: string) => ({
  rpc_system_name: "grpc",
  rpc_method: `test.v1.BehaviorService/${name}`,
  rpc_response_status_code: code,
});

function callPath(path: string, metadata = new Metadata()): Promise<number> {
  const raw = new Client(hub.address, credentials.createInsecure());
  const bytes = (value: Buffer): Buffer => value;
  return new Promise((resolve) => {
    raw.makeUnaryRequest(path, bytes, bytes, Buffer.alloc(0), metadata, (error) => {
      raw.close();
      resolve(error?.code ?? 0);
    });
  });
}

describe("/metrics", () => {
  test("counts calls and attempts by method and code", async () => {
    for (let i = 0; i < 3; i++) await callUnary(client, {});
    await callUnary(client, { behavior: { refuse: { code: 5, message: "no" } } });
    await callServerStream(client, { behavior: { responseCount: 2 } });
    const metrics = await scrape();
    assert.equal(sampleValue(metrics, SERVER, method("Unary", "OK")), 3);
    assert.equal(sampleValue(metrics, SERVER, method("Unary", "NOT_FOUND")), 1);
    assert.equal(sampleValue(metrics, SERVER, method("ServerStream", "OK")), 1);
    const attempts = { ...method("Unary", "OK"), linchpin_upstream: "behavior" };
    assert.equal(sampleValue(metrics, CLIENT, attempts), 3);
    // What failed is no error of the hub as a server, but it is one of the attempt.
    const failed = { error_type: "NOT_FOUND" };
    assert.deepEqual([sampleValue(metrics, SERVER, failed), sampleValue(metrics, CLIENT, failed)], [0, 1]);
    assert.equal(sampleValue(metrics, "linchpin_retries_total", { linchpin_upstream: "behavior" }), 0);
  });

  test("counts a call that the hub itself refused, which no service saw", async () => {
    const metadata = new Metadata();
    metadata.set("grpc-timeout", "junk");
    const before = await scrape();
    assert.equal(await callPath("/test.v1.BehaviorService/Unary", metadata), 3);
    const metrics = await scrape();
    assert.equal(sampleValue(metrics, SERVER, method("Unary", "INVALID_ARGUMENT")), 1);
    assert.equal(sampleValue(metrics, CLIENT), sampleValue(before, CLIENT));
  });

  test("counts what quotas refuse", async () => {
    const path = "/test.v1.BehaviorService/ClientStream";
    await callPath(path);
    assert.deepEqual([await callPath(path), await callPath(path)], [8, 8]);
    const metrics = await scrape();
    const refused = { linchpin_quota: "one-an-hour", linchpin_outcome: "refused" };
    assert.equal(sampleValue(metrics, "linchpin_quota_calls_total", refused), 2);
    assert.equal(sampleValue(metrics, SERVER, method("ClientStream", "RESOURCE_EXHAUSTED")), 2);
  });

  test("counts unknown methods as one", async () => {
    for (let i = 0; i < 20; i++) assert.equal(await callPath(`/made.up.Service${i}/Method`), 12);
    assert.equal(await callPath("/test.v1.BehaviorService/NoSuchMethod"), 12);
    const metrics = await scrape();
    const other = { rpc_method: "_OTHER", rpc_response_status_code: "UNIMPLEMENTED" };
    assert.equal(sampleValue(metrics, SERVER, other), 21);
  });

  test("counts JSON requests by route and HTTP status, and by method as every call", async () => {
    const before = await scrape();
    assert.equal((await http("1.1", hub.address, "/v1/books?page_size=1")).status, 200);
    assert.equal((await http("2", hub.address, "/v1/books/none-such")).status, 404);
    assert.equal((await http("1.1", hub.address, "/v1/books?page_size=many")).status, 400);
    const metrics = await scrape();
    const of = (route: string, status: string) =>
      sampleValue(metrics, HTTP, {
        http_request_method: "GET",
        http_route: route,
        http_response_status_code: status,
      });
    assert.equal(of("/v1/books", "200"), 1);
    assert.equal(of("/v1/books", "400"), 1);
    assert.equal(of("/v1/{name=books/*}", "404"), 1);
    const labels = metrics
      .get("http_server_request_duration_seconds")
      ?.samples.find(({ labels: { http_route } }) => http_route === "/v1/{name=books/*}")?.labels;
    assert.deepEqual([labels?.network_protocol_version, labels?.url_scheme], ["2", "http"]);
    assert.equal(sampleValue(metrics, SERVER) - sampleValue(before, SERVER), 3);
    assert.ok(sampleValue(metrics, "http_server_request_duration_seconds_sum") > 0);
  });

  test("counts calls that run", async () => {
    let cancel = (): void => {};
    const running = single((callback) => {
      const behavior = { delay: { seconds: 60n, nanos: 0 } };
      const call = client.unary(UnaryRequest.fromPartial({ behavior }), callback);
      cancel = () => call.cancel();
      return call;
    });
    const active = async (): Promise<number> =>
      sampleValue(await scrape(), "linchpin_calls_active", { rpc_method: "test.v1.BehaviorService/Unary" });
    const becomes = async (wanted: number): Promise<void> => {
      const limit = performance.now() + 20_000;
      let seen = await active();
      while (seen !== wanted && performance.now() < limit) seen = await active();
      assert.equal(seen, wanted);
    };
    await becomes(1);
    cancel();
    assert.equal((await running).code, status.CANCELLED);
    await becomes(0);
  });

  test("has upstreams, connections and the process", async () => {
    const metrics = await scrape();
    const endpoints = (state: string) =>
      sampleValue(metrics, "linchpin_upstream_endpoints", {
        linchpin_upstream: "library",
        linchpin_endpoint_state: state,
      });
    assert.deepEqual(["ready", "backoff"].map(endpoints), [1, 0]);
    assert.ok(sampleValue(metrics, "linchpin_connections", { network_protocol_name: "http2" }) >= 1);
    assert.ok(sampleValue(metrics, "process_memory_usage_bytes") > 0);
    assert.ok(metrics.has("nodejs_eventloop_delay_p99_seconds"));
    for (const name of [
      "process_cpu_seconds_total",
      "process_resident_memory_bytes",
      "process_start_time_seconds",
    ])
      assert.ok(sampleValue(metrics, name) > 0, name);
    if (process.platform === "linux") {
      assert.ok(sampleValue(metrics, "process_open_fds") > 5);
      assert.ok(sampleValue(metrics, "process_max_fds") > sampleValue(metrics, "process_open_fds"));
    }
    const build = { process_runtime_version: process.versions.node };
    assert.equal(sampleValue(metrics, "linchpin_build_info", build), 1);
  });

  test("has all that docs/operations.md alerts on", async () => {
    const [, section = ""] = readFileSync(join(ROOT, "docs/operations.md"), "utf8").split("## Alerts");
    const [table = ""] = section.split("\n## ");
    const names = [...table.matchAll(/\b(?:linchpin|process|rpc)_[a-z_]+/g)].map(([name]) => name);
    assert.ok(names.length >= 10, names.join(", "));
    const { text } = await http("1.1", hub.adminUrl.replace("http://", ""), "/metrics");
    const missing = names.filter((name) => !new RegExp(`^(?:# TYPE )?${name}\\b`, "m").test(text));
    assert.deepEqual(missing, []);
  });

  test("takes nothing back after a reload", async () => {
    const before = await scrape();
    await writeFile(file, config("20s"));
    hub.program.kill("SIGHUP");
    await hub.program.stderr.waitFor(/reload/i);
    await callUnary(client, {});
    const metrics = await scrape();
    assert.equal(
      sampleValue(metrics, SERVER, method("Unary", "OK")) -
        sampleValue(before, SERVER, method("Unary", "OK")),
      1,
    );
    for (const [name, { type, samples }] of before) {
      if (type === "gauge") continue;
      for (const sample of samples) {
        assert.ok(sampleValue(metrics, sample.name, sample.labels) >= sample.value, `${name} went down`);
      }
    }
  });
});

test("the same numbers reach the collector", async () => {
  const metrics = await scrape();
  const seen = collector.metricExports;
  await until(() => collector.metricExports > seen + 1, "another export");
  const calls = collector.metrics.find(({ name }) => name === "rpc.server.call.duration");
  assert.equal(calls?.unit, "s");
  const ok = calls?.points.filter(
    ({ attributes }) =>
      attributes["rpc.method"] === "test.v1.BehaviorService/Unary" &&
      attributes["rpc.response.status_code"] === "OK",
  );
  assert.deepEqual(
    ok?.map(({ count }) => count),
    [sampleValue(metrics, SERVER, method("Unary", "OK"))],
  );
  assert.equal(ok?.[0]?.buckets.length, (ok?.[0]?.bounds.length ?? 0) + 1);
  const cpu = collector.metrics.find(({ name }) => name === "process.cpu.time");
  assert.deepEqual([cpu?.type, cpu?.monotonic], ["sum", true]);
  assert.equal(collector.metrics.find(({ name }) => name === "linchpin.connections")?.type, "gauge");
});
