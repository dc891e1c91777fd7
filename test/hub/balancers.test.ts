// Balancers through a whole hub: by the request's bytes whatever carried it, by reports of real services, and over reloads.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { FieldDescriptorProtoSchema, FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Metadata, status } from "@grpc/grpc-js";
import fc from "fast-check";
import type { BehaviorServiceServer } from "#generated/test/v1/behavior.js";
import { startHub } from "#src/hub.js";
import { behavior } from "#src/samples/echo/behavior.js";
import { configOf } from "#src/settings/load.js";
import type { Config } from "#src/settings/sections.js";
import { LOAD_REPORT } from "#src/upstream/balancers/parts/load-report.js";
import { fieldIn, fieldPathOf } from "#src/upstream/balancers/parts/message-field.js";
import { behaviorClient, callBidiStream, callUnary } from "../e2e/support/grpc.js";
import { http } from "../e2e/support/http.js";
import type { Scope } from "../e2e/support/program.js";
import { serveBehavior } from "../e2e/support/service.js";
import { FakeClock } from "../support/fake-clock.js";

/** A service whose every unary call brings a load report. */
function reporting(name: string, report: () => Buffer): BehaviorServiceServer {
  const inner = behavior(name);
  return {
    ...inner,
    unary: (call, callback) =>
      inner.unary(call, (error, value, trailer = new Metadata()) => {
        trailer.set(LOAD_REPORT, report());
        callback(error, value, trailer);
      }),
  };
}

function reportOf(utilization: number): Buffer {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.Bit64).double(utilization).tag(6, WireType.Bit64).double(100);
  return Buffer.from(writer.finish());
}

async function setup(scope: Scope, implementations: readonly BehaviorServiceServer[], balancer: unknown) {
  const services = await Promise.all(
    implementations.map((one, i) => serveBehavior(scope, one, { instance: NAMES[i] ?? "?" })),
  );
  const configWith = (balancer: unknown): Config =>
    configOf({
      listen: "127.0.0.1:0",
      admin: false,
      upstreams: { behavior: { endpoints: services.map(({ address }) => address), balancer } },
    });
  let current = configWith(balancer);
  const warnings: string[] = [];
  const clock = new FakeClock(1000);
  const hub = await startHub(
    current,
    { info() {}, error() {}, warn: (line) => warnings.push(line) },
    { readConfig: async () => current, runtime: { clock, random: Math.random, env: {} } },
  );
  scope.after(() => hub.close());
  const address = new URL(hub.url).host;
  const client = behaviorClient(scope, address);
  const servedBy = async (content: string, metadata?: Metadata): Promise<string> => {
    const payload = Buffer.from(content);
    const { code, details, headers } = await callUnary(client, { payload }, metadata && { metadata });
    assert.equal(code, status.OK, details);
    return String(headers?.get("x-served-by")[0]);
  };
  const counted = async (calls: number): Promise<Record<string, number>> => {
    const counts: Record<string, number> = {};
    for (let i = 0; i < calls; i++) {
      const by = await servedBy(`${i}`);
      counts[by] = (counts[by] ?? 0) + 1;
    }
    return counts;
  };
  const allConnected = async (): Promise<void> => {
    const seen = new Set<string>();
    while (seen.size < implementations.length) seen.add(await servedBy(`${Math.random()}`));
  };
  return {
    address,
    client,
    clock,
    warnings,
    servedBy,
    counted,
    allConnected,
    reload: async (next: unknown) => {
      current = configWith(next);
      await hub.reload();
    },
  };
}

const NAMES = ["one", "two", "three"];

test("a field of the request decides, in gRPC, in JSON and in a stream's first message; a reload takes a header", async (t) => {
  const hub = await setup(t, NAMES.map(behavior), { ring_hash: { field: "payload" } });
  await hub.allConnected();
  const places = new Map<string, string>();
  for (let i = 0; i < 30; i++) places.set(`key ${i}`, await hub.servedBy(`key ${i}`));
  assert.deepEqual([...new Set(places.values())].sort(), [...NAMES].sort());
  for (const [key, place] of places) {
    const payload = Buffer.from(key);
    assert.equal(await hub.servedBy(key), place);
    const base64 = payload.toString("base64");
    const body = JSON.stringify({ payload: base64 });
    const json = { method: "POST", headers: { "content-type": "application/json" }, body };
    const posted = await http("1.1", hub.address, "/test/v1/unary", json);
    assert.equal(posted.status, 200, posted.body.toString());
    assert.equal(posted.headers["x-served-by"], place);
    const query = `/test/v1/unary?payload=${encodeURIComponent(base64)}`;
    assert.equal((await http("2", hub.address, query)).headers["x-served-by"], place);
    const streamed = await callBidiStream(hub.client, [{ payload }, { payload: Buffer.from("another") }]);
    assert.equal(streamed.code, status.OK, streamed.details);
    assert.equal(streamed.headers?.get("x-served-by")[0], place);
  }
  // Without a value they go anywhere.
  const anywhere = new Set<string>();
  for (let i = 0; i < 60; i++) anywhere.add(await hub.servedBy(""));
  assert.ok(anywhere.size > 1);

  await hub.reload({ maglev: { header: "X-User" } });
  const user = (name: string): Metadata => {
    const metadata = new Metadata();
    metadata.set("x-user", name);
    return metadata;
  };
  for (const name of ["ann", "bob", "cy"]) {
    const place = await hub.servedBy("1", user(name));
    for (let i = 0; i < 10; i++) assert.equal(await hub.servedBy(`${i}`, user(name)), place);
  }
  assert.deepEqual(hub.warnings, []);
  await hub.reload({ maglev: { field: "payload.id" } });
  assert.match(hub.warnings.join(), /upstream "behavior": no request has one value at payload\.id/);
});

test("what services report decides, and what lies is logged once", async (t) => {
  let utilization = 0.1;
  const implementations = [
    reporting("one", () => reportOf(utilization)),
    reporting("two", () => reportOf(0.9)),
  ];
  const balancer = { weighted_round_robin: { blackout: "0s", update: "100ms" } };
  const hub = await setup(t, implementations, "round_robin");
  await hub.allConnected();
  const even = await hub.counted(20);
  assert.deepEqual(even, { one: 10, two: 10 });
  await hub.reload(balancer);
  await hub.counted(20);
  hub.clock.advance(100);
  const { one = 0, two = 0 } = await hub.counted(100);
  assert.ok(Math.abs(one - 90) <= 3 && one + two === 100, `${one} and ${two}, not 90 and 10`);
  utilization = Number.NaN;
  await hub.counted(50);
  const told = hub.warnings.filter((line) => line.includes("load report"));
  assert.equal(told.length, 1, hub.warnings.join("\n"));
  assert.match(
    told[0] ?? "",
    /^upstream "behavior": a load report \(endpoint-load-metrics-bin\) of 127\.0\.0\.1:\d+ is ignored: cpu_utilization is NaN/,
  );
});

test("a field is read from the bytes as protobuf reads it, and bytes that are no message are none", () => {
  const path = fieldPathOf(FileDescriptorProtoSchema, "options.java_package");
  assert.ok(path);
  assert.deepEqual(fieldPathOf(FileDescriptorProtoSchema, "options.javaPackage"), path);
  for (const none of ["nothing", "options", "options.nothing", "name.x", "dependency", "message_type.name"])
    assert.equal(fieldPathOf(FileDescriptorProtoSchema, none), undefined, none);
  fc.assert(
    fc.property(
      fc.string(),
      fc.option(fc.string()),
      fc.uint8Array({ maxLength: 40 }),
      (name, javaPackage, noise) => {
        const options = javaPackage === null ? {} : { options: { javaPackage } };
        const message = create(FileDescriptorProtoSchema, { name, dependency: [name], ...options });
        const expected = javaPackage ? Buffer.from(javaPackage).toString("latin1") : undefined;
        const bytes = toBinary(FileDescriptorProtoSchema, message);
        assert.equal(fieldIn(bytes, path), expected);
        // A later one counts, as in a merge.
        const later = create(FileDescriptorProtoSchema, { options: { javaPackage: "later" } });
        assert.equal(
          fieldIn(Buffer.concat([bytes, toBinary(FileDescriptorProtoSchema, later)]), path),
          "later",
        );
        fieldIn(noise, path);
        if (expected !== undefined)
          assert.notEqual(fieldIn(bytes.subarray(0, bytes.length - 1), path), expected);
      },
    ),
  );
  const label = fieldPathOf(FieldDescriptorProtoSchema, "label");
  assert.ok(label);
  const field = create(FieldDescriptorProtoSchema, { label: 3, number: 2 ** 31 - 1 });
  assert.equal(fieldIn(toBinary(FieldDescriptorProtoSchema, field), label), "3");
});
