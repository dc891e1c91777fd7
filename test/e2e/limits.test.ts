// Quotas, limits per address, reasons and hints, as clients of a hub in a process of its own meet them: by gRPC and JSON.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Metadata, status } from "@grpc/grpc-js";
import { ErrorInfo, QuotaFailure, RetryInfo } from "#generated/google/rpc/error_details.js";
import { Status } from "#generated/google/rpc/status.js";
import { freeAddress } from "../support/free-address.js";
import { behaviorClient, callUnary, metadataOf, single } from "./support/grpc.js";
import { http, VERSIONS } from "./support/http.js";
import { type Hub, startHubWithConfig } from "./support/hub.js";
import type { Scope } from "./support/program.js";
import { startService } from "./support/service.js";

const PATH = "/test/v1/unary";

/** A hub before the sample service; `config` is what stands beside the upstreams. */
async function hubWith(scope: Scope, config: string): Promise<Hub> {
  const service = await startService(scope, "behavior");
  return startHubWithConfig(scope, `upstreams: { behavior: { endpoints: [${service.address}] } }\n${config}`);
}

function text(metadata: Metadata | undefined, name: string): string | undefined {
  return metadata?.get(name)[0]?.toString();
}

/** The reason of an error's ErrorInfo, by either protocol. */
function grpcReason(trailers: Metadata): string | undefined {
  const [bin] = trailers.get("grpc-status-details-bin");
  if (!(bin instanceof Buffer)) return undefined;
  const [info] = Status.decode(bin).details;
  return info && ErrorInfo.decode(info.value).reason;
}

interface JsonError {
  code: number;
  message: string;
  details: {
    "@type": string;
    reason?: string;
    domain?: string;
    retryDelay?: string;
    violations?: unknown[];
  }[];
}

function errorOf(value: unknown): JsonError {
  assert.ok(typeof value === "object" && value !== null && "details" in value);
  return value as JsonError;
}

describe("a quota", () => {
  const QUOTA = (key: string): string =>
    `interceptors: { quota: [{ name: few, key: [${key}], rate: 1/h, burst: 2 }, { name: watched, key: [], rate: 1/h, shadow: true }] }\n`;

  test("admits its burst, and refuses what is beyond it, by gRPC", async (t) => {
    const hub = await hubWith(t, QUOTA("ip"));
    const client = behaviorClient(t, hub.address);
    const first = await callUnary(client, {});
    assert.equal(first.code, status.OK);
    assert.equal(text(first.headers, "ratelimit"), '"few";r=1;t=3600');
    assert.equal(text(first.headers, "ratelimit-policy"), '"few";q=2;w=7200');
    assert.equal((await callUnary(client, {})).code, status.OK);
    const refused = await callUnary(client, {});
    assert.equal(refused.code, status.RESOURCE_EXHAUSTED);
    assert.equal(refused.messages.length, 0);
    assert.match(refused.details, /quota "few" is used up .* try again in (3600|35\d\d) s/);
    assert.match(text(refused.trailers, "retry-after") ?? "", /^(3600|35\d\d)$/);
    assert.match(text(refused.trailers, "ratelimit") ?? "", /^"few";r=0;t=(3600|35\d\d)$/);
    const [bin] = refused.trailers.get("grpc-status-details-bin");
    assert.ok(bin instanceof Buffer);
    const [info, failure, retry] = Status.decode(bin).details;
    assert.ok(info && failure && retry);
    assert.equal(ErrorInfo.decode(info.value).reason, "QUOTA_EXCEEDED");
    assert.equal(QuotaFailure.decode(failure.value).violations[0]?.subject, "ip:127.0.0.1");
    assert.ok(Number(RetryInfo.decode(retry.value).retryDelay?.seconds) > 3500);
    assert.equal(hub.program.stderr.matching(/"watched" \(shadow\)/).length, 1);
  });

  for (const version of VERSIONS) {
    test(`admits its burst, and refuses what is beyond it, by JSON over HTTP/${version}`, async (t) => {
      const hub = await hubWith(t, QUOTA('"header:x-tenant"'));
      const ask = (tenant: string) =>
        http(version, hub.address, PATH, { body: "{}", headers: { "x-tenant": tenant } });
      const first = await ask("a");
      assert.equal(first.status, 200);
      assert.equal(first.headers.ratelimit, '"few";r=1;t=3600');
      assert.equal(first.headers["ratelimit-policy"], '"few";q=2;w=7200');
      assert.equal((await ask("a")).status, 200);
      const refused = await ask("a");
      assert.equal(refused.status, 429);
      assert.match(String(refused.headers["retry-after"]), /^(3600|35\d\d)$/);
      assert.match(String(refused.headers.ratelimit), /^"few";r=0;t=(3600|35\d\d)$/);
      const { code, message, details } = errorOf(refused.json());
      assert.equal(code, status.RESOURCE_EXHAUSTED);
      assert.match(message, /quota "few" is used up/);
      assert.deepEqual(
        details.map((detail) => detail["@type"].split(".").pop()),
        ["ErrorInfo", "QuotaFailure", "RetryInfo"],
      );
      assert.equal((await ask("b")).status, 200);
    });
  }

  test("is shared by both protocols, and does not apply to exempt methods", async (t) => {
    const free = "methods: { test.v1.BehaviorService/ServerStream: { quota: none } }\n";
    const hub = await hubWith(t, `${QUOTA("ip")}${free}`);
    const client = behaviorClient(t, hub.address);
    assert.equal((await http("1.1", hub.address, PATH, { body: "{}" })).status, 200);
    assert.equal((await callUnary(client, {})).code, status.OK);
    assert.equal((await callUnary(client, {})).code, status.RESOURCE_EXHAUSTED);
    assert.equal((await http("2", hub.address, PATH, { body: "{}" })).status, 429);
    for (let i = 0; i < 3; i++) {
      const answer = await http("1.1", hub.address, "/test/v1/server-stream", { body: "{}" });
      assert.notEqual(answer.status, 429);
    }
  });

  test("counts a trusted proxy's clients individually, and trusts no other proxy", async (t) => {
    const hub = await hubWith(t, `${QUOTA("ip")}trustedProxies: [127.0.0.1]\n`);
    const client = behaviorClient(t, hub.address);
    const as = (ip: string) => ({ metadata: metadataOf([["x-forwarded-for", ip]]) });
    for (let i = 0; i < 2; i++) assert.equal((await callUnary(client, {}, as("1.2.3.4"))).code, status.OK);
    assert.equal((await callUnary(client, {}, as("1.2.3.4"))).code, status.RESOURCE_EXHAUSTED);
    assert.equal((await callUnary(client, {}, as("6.6.6.6, 1.2.3.4"))).code, status.RESOURCE_EXHAUSTED);
    const other = { body: "{}", headers: { "x-forwarded-for": "1.2.3.5" } };
    assert.equal((await http("1.1", hub.address, PATH, other)).status, 200);
    const stranger = await hubWith(t, QUOTA("ip"));
    const direct = behaviorClient(t, stranger.address);
    for (const [i, ip] of ["1.1.1.1", "2.2.2.2", "3.3.3.3"].entries()) {
      const expected = i < 2 ? status.OK : status.RESOURCE_EXHAUSTED;
      assert.equal((await callUnary(direct, {}, as(ip))).code, expected);
    }
  });
});

describe("a limit of an address", () => {
  test("refuses by gRPC and by JSON", async (t) => {
    const hub = await hubWith(t, "interceptors: { addressLimit: { rate: 2/h } }\n");
    const client = behaviorClient(t, hub.address);
    assert.equal((await callUnary(client, {})).code, status.OK);
    assert.equal((await http("1.1", hub.address, PATH, { body: "{}" })).status, 200);
    const refused = await callUnary(client, {});
    assert.equal(refused.code, status.RESOURCE_EXHAUSTED);
    assert.equal(grpcReason(refused.trailers), "ADDRESS_LIMIT_EXCEEDED");
    const json = await http("2", hub.address, PATH, { body: "{}" });
    assert.equal(json.status, 429);
    assert.equal(errorOf(json.json()).details[0]?.reason, "ADDRESS_LIMIT_EXCEEDED");
    assert.match(String(json.headers["retry-after"]), /^\d+$/);
  });
});

describe("reasons and hints", () => {
  for (const [hints, told] of [
    ["auto", true],
    ["never", false],
  ] as const) {
    test(`of a service that is down, hints: ${hints}`, async (t) => {
      const service = await startService(t, "behavior", { address: await freeAddress() });
      const config = `upstreams: { behavior: { endpoints: [${service.address}], pending: { wait: 1s } } }\nerrors: { hints: ${hints} }\n`;
      const hub = await startHubWithConfig(t, config);
      await service.program.stop();
      const client = behaviorClient(t, hub.address);
      const said = await callUnary(client, {});
      assert.equal(said.code, status.UNAVAILABLE);
      assert.match(said.details, /upstream "behavior"/);
      assert.equal(/127\.0\.0\.1:\d+/.test(said.details), told, said.details);
      assert.match(grpcReason(said.trailers) ?? "", /^UPSTREAM_/);
      const json = await http("1.1", hub.address, PATH, { body: "{}" });
      assert.equal(json.status, 503);
      const { message, details } = errorOf(json.json());
      assert.equal(/127\.0\.0\.1:\d+/.test(message), told, message);
      assert.equal(details[0]?.domain, "linchpin");
      if (details[0]?.reason === "UPSTREAM_UNAVAILABLE")
        assert.match(String(json.headers["retry-after"]), /^\d+$/);
    });
  }

  test("of an unknown service, by gRPC and JSON", async (t) => {
    const hub = await hubWith(t, "");
    const miss = await http("2", hub.address, "/test/v1/unarry", { body: "{}" });
    assert.equal(miss.status, 404);
    assert.equal(errorOf(miss.json()).details[0]?.reason, "NO_ROUTE");
    const client = behaviorClient(t, hub.address);
    const late = await callUnary(
      client,
      { behavior: { delay: { seconds: 5n, nanos: 0 } } },
      { metadata: metadataOf([["x", "1"]]), options: { deadline: Date.now() + 1000 } },
    );
    assert.equal(late.code, status.DEADLINE_EXCEEDED);
    const unknown = await single((callback) =>
      client.makeUnaryRequest(
        "/nobody.v1.Nothing/Get",
        () => Buffer.alloc(0),
        () => undefined,
        null,
        callback,
      ),
    );
    assert.equal(unknown.code, status.UNIMPLEMENTED);
    assert.equal(grpcReason(unknown.trailers), "UNKNOWN_SERVICE");
    const bad = await http("1.1", hub.address, PATH, {
      body: "{}",
      headers: { "x-request-timeout": "soon" },
    });
    assert.equal(bad.status, 400);
    assert.equal(errorOf(bad.json()).details[0]?.reason, "INVALID_TIMEOUT");
  });
});
