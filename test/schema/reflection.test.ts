import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { RpcError } from "#src/call/status/rpc-error.js";
import { learnByReflection, type ReflectionOptions } from "#src/schema/sources/reflection.js";
import { SchemaError, schemaFromFiles } from "#src/schema/types/schema.js";
import {
  echoFile,
  type FileInit,
  fileBytes,
  filesOf,
  httpGet,
  messageField,
  method,
} from "./support/files.js";
import { type Log, reflectionServer, type ServerHabits } from "./support/reflection-server.js";

const names = (schema: { services: readonly { typeName: string }[] }) =>
  schema.services.map((s) => s.typeName);

/** `a.Echo` with rules, whose message has a field of the type `.b.Other` out of b.proto. */
const ruled = { service: [{ name: "Echo", method: [method("Say", ".a.Text", { options: httpGet("/x") })] }] };
const two = filesOf(
  echoFile("a", {
    ...ruled,
    dependency: ["b.proto"],
    messageType: [{ name: "Text", field: [messageField("other", 1, ".b.Other")] }],
  }),
  { name: "b.proto", package: "b", messageType: [{ name: "Other" }] },
);

describe("learning by reflection", () => {
  for (const transitive of [true, false]) {
    it(`takes files ${transitive ? "with all they need" : "one by one"}, bytes untouched, on one stream`, async () => {
      const log: Log = [];
      const schema = await learnByReflection(reflectionServer(two, { transitive }, log));
      assert.deepEqual(new Map(schema.files), two);
      assert.deepEqual(names(schema), ["a.Echo"]);
      assert.deepEqual(schema.warnings, []);
      assert.deepEqual(log, [
        "open v1",
        "list *",
        "symbol a.Echo",
        ...(transitive ? [] : ["file b.proto"]),
        "end",
      ]);
    });
  }

  it("falls back to v1alpha where v1 is not offered", async () => {
    const log: Log = [];
    const schema = await learnByReflection(reflectionServer(two, { versions: ["v1alpha"] }, log));
    assert.deepEqual(names(schema), ["a.Echo"]);
    assert.deepEqual(log.slice(0, 2), ["open v1", "open v1alpha"]);
  });

  it("completes google/protobuf files that the server does not know", async () => {
    const file = echoFile("a", {
      ...ruled,
      dependency: ["google/protobuf/timestamp.proto"],
      messageType: [{ name: "Text", field: [messageField("at", 1, ".google.protobuf.Timestamp")] }],
    });
    const schema = await learnByReflection(reflectionServer(filesOf(file)));
    assert.ok(schema.registry.getMessage("google.protobuf.Timestamp"));
    assert.deepEqual(schema.warnings, []);
  });

  it("asks for the types whose imports the server dropped", async () => {
    const lossy = filesOf(
      echoFile("a", { messageType: [{ name: "Text", field: [messageField("other", 1, ".b.Other")] }] }),
      {
        name: "b.proto",
        package: "b",
        messageType: [{ name: "Other", field: [messageField("o", 1, ".c.More")] }],
      },
      { name: "c.proto", package: "c", messageType: [{ name: "More" }] },
    );
    const schema = await learnByReflection(reflectionServer(lossy));
    assert.deepEqual([...schema.files.keys()].sort(), ["a/echo.proto", "b.proto", "c.proto"]);
  });

  it("warns where the descriptors are of a library that loses HTTP rules, and only there", async () => {
    const warningsOf = async (...files: Parameters<typeof filesOf>): Promise<readonly string[]> =>
      (await learnByReflection(reflectionServer(filesOf(...files)))).warnings;
    assert.deepEqual(await warningsOf(echoFile("a"), echoFile("b")), []);
    // As proto-loader has them: a file of each package, named after it.
    const lossy = await warningsOf(echoFile("shop.v1", { name: "shop_v1.proto" }));
    assert.equal(lossy.length, 1);
    assert.match(lossy[0] ?? "", /@grpc\/proto-loader.*--proto DIR.*protoset/);
  });

  it("does not ask for the services that the hub answers itself", async () => {
    const log: Log = [];
    const services = ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "a.Echo"];
    await learnByReflection(reflectionServer(two, { services }, log));
    assert.doesNotMatch(log.join(), /symbol grpc/);
  });

  it("keeps services that cannot be described for gRPC alone, says why, and drops none for an import", async () => {
    const files = new Map([
      ...two,
      ...filesOf(
        echoFile("c", { dependency: ["middle.proto"] }),
        { name: "middle.proto", dependency: ["gone.proto"] },
        echoFile("d", { messageType: [{ name: "Text", field: [messageField("x", 1, ".gone.Type")] }] }),
      ),
    ]);
    const services = ["a.Echo", "c.Echo", "d.Echo", "e.Echo"];
    const schema = await learnByReflection(reflectionServer(files, { services }));
    // Of gone.proto nothing is used.
    assert.deepEqual(names(schema), ["a.Echo", "c.Echo"]);
    assert.deepEqual(schema.undescribed, ["d.Echo", "e.Echo"]);
    assert.match(
      schema.warnings.join("\n"),
      /service d.Echo is for gRPC clients only: .*"gone.Type".*\(NOT_FOUND: no such thing\).*schema/,
    );
    assert.match(schema.warnings.join("\n"), /service e.Echo is for gRPC clients only: NOT_FOUND/);
    assert.equal(schema.warnings.length, 2);
  });

  it("keeps a window of queries on their way", async () => {
    const many = Array.from({ length: 100 }, (_, i) => echoFile(`p${i}`));
    const schema = await learnByReflection(reflectionServer(filesOf(...many)));
    assert.equal(schema.services.length, 100);
  });

  const bad: readonly [string, ServerHabits, ReflectionOptions, RegExp][] = [
    ["reflection is off", { versions: [] }, {}, /does not offer reflection.*protoset/],
    [
      "the server is down",
      { endsAfter: 0, error: new RpcError(14, "connection refused") },
      {},
      /UNAVAILABLE: connection refused/,
    ],
    ["the call fails midway", { endsAfter: 1, error: new RpcError(12, "gone") }, {}, /UNIMPLEMENTED: gone/],
    ["the server ends the call early", { endsAfter: 1 }, {}, /ended the reflection call without a response/],
    [
      "an answer that cannot be read",
      { instead: () => Uint8Array.of(0xff) },
      {},
      /malformed reflection response/,
    ],
    [
      "an answer to something else",
      { instead: (n) => (n === 1 ? Uint8Array.of(50, 0) : undefined) },
      {},
      /"a.Echo" is a list of services/,
    ],
    ["too many files", {}, { maxFiles: 1 }, /more files than the limit of 1/],
    ["too many bytes", {}, { maxBytes: 10 }, /more bytes than the limit of 10/],
    ["too many services", { services: ["a.Echo", "b.Echo"] }, { maxServices: 1 }, /lists 2 services/],
    ["it was given up", {}, { signal: AbortSignal.abort() }, /was cancelled/],
  ];
  for (const [name, habits, options, message] of bad) {
    it(`fails with one sentence: ${name}`, async () => {
      await assert.rejects(learnByReflection(reflectionServer(two, habits), options), (error) => {
        assert.ok(error instanceof SchemaError, String(error));
        assert.match(error.message, message);
        return true;
      });
    });
  }

  it("stores little of a server's errors about thousands of missing services", async () => {
    const services = ["a.Echo", ...Array.from({ length: 5000 }, (_, i) => `gone.Service${i}`)];
    const errorText = "😀 no, ".repeat(500);
    const schema = await learnByReflection(reflectionServer(two, { services, errorText }));
    assert.deepEqual(names(schema), ["a.Echo"]);
    assert.ok(schema.warnings.length <= 101, `${schema.warnings.length} warnings`);
    assert.ok(schema.warnings.join("").length < 50_000);
    assert.match(schema.warnings.at(-1) ?? "", /^and 49\d\d more/);
  });

  it("refuses names that are too long, and more imports than any schema has", async () => {
    const long = echoFile("a", { dependency: [`${"x".repeat(5000)}.proto`] });
    await assert.rejects(learnByReflection(reflectionServer(filesOf(long))), /more than 1000 characters/);
    const many = echoFile("a", { dependency: Array.from({ length: 100 }, (_, i) => `x${i}.proto`) });
    const limits = { maxFiles: 5, maxServices: 5 };
    await assert.rejects(learnByReflection(reflectionServer(filesOf(many)), limits), /more than 40 files/);
  });

  it("stops waiting for a server that hangs when the signal fires", async () => {
    const abort = new AbortController();
    let cancelled = false;
    const learning = learnByReflection(
      () => ({
        send: () => setImmediate(() => abort.abort()),
        end: () => {},
        cancel: () => {
          cancelled = true;
        },
        messages: { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) },
      }),
      { signal: abort.signal },
    );
    await assert.rejects(learning, /was cancelled/);
    assert.equal(cancelled, true);
  });

  it("learns any set of files just as they are", async () => {
    const graph = fc.array(fc.array(fc.nat(30), { maxLength: 4 }), { minLength: 1, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(graph, fc.boolean(), async (edges, transitive) => {
        // File i imports files before it, and uses their messages. All have a service, so all are learned.
        const inits: FileInit[] = edges.map((targets, i) => {
          const imports = [...new Set(targets.filter((target) => target < i))];
          const field = imports.map((target, n) => messageField(`f${n}`, n + 1, `.p${target}.Text`));
          return echoFile(`p${i}`, {
            dependency: imports.map((target) => `p${target}/echo.proto`),
            messageType: [{ name: "Text", field }],
          });
        });
        const files = filesOf(...inits);
        const schema = await learnByReflection(reflectionServer(files, { transitive }));
        assert.equal(schema.hash, schemaFromFiles(files).hash);
      }),
      { numRuns: 60 },
    );
  });

  it("never fails with anything but a SchemaError, whatever the server sends", async () => {
    const whole = fileBytes(echoFile("a"));
    const bent = fc.tuple(fc.nat(whole.length - 1), fc.nat(255)).map(([at, value]) => {
      const bytes = whole.slice();
      bytes[at] = value;
      return Uint8Array.from([34, bytes.length + 2, 10, bytes.length, ...bytes]);
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.uint8Array({ maxLength: 60 }), bent), { maxLength: 4 }),
        async (answers) => {
          const instead = (n: number) => answers[n - 1];
          await learnByReflection(reflectionServer(two, { instead })).catch((error: unknown) =>
            assert.ok(error instanceof SchemaError, String(error)),
          );
        },
      ),
      { numRuns: 300 },
    );
  });
});
