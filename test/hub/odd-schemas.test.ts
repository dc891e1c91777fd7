// Every odd schema through all that is done with schemas: learned by reflection and from a descriptor set, called with
// JSON here and in a thread, shown by reflection and as an OpenAPI document.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Status } from "#src/call/status/status.js";
import { assemble } from "#src/hub/plans/assembly.js";
import { openApiDocument } from "#src/openapi/document.js";
import { learnByReflection } from "#src/schema/sources/reflection.js";
import { methodsOf, type Schema, SchemaError, schemaFromFiles } from "#src/schema/types/schema.js";
import { SchemaIndex } from "#src/schema/types/schema-index.js";
import { defaultConfig } from "#src/settings/from-args.js";
import { Codecs } from "#src/transcoding/codec/codecs.js";
import { createRestRouter } from "#src/transcoding/rest-router.js";
import { printLarge } from "#src/transcoding/threads/large.js";
import { ThreadPool } from "#src/transcoding/threads/pool.js";
import { PLAIN } from "#src/transcoding/translate/response.js";
import { filesOf } from "../schema/support/files.js";
import { ODD_SCHEMAS, type OddSchema } from "../schema/support/odd-schemas.js";
import { reflectionServer } from "../schema/support/reflection-server.js";
import { openBody } from "../transcoding/support/translate.js";

/** Past what is translated here, of blanks that mean nothing. */
const BLANKS = " ".repeat(256 * 1024);

const threads = new ThreadPool();

type Router = ReturnType<typeof createRestRouter>;

/** The message of a JSON body, here or in a thread. */
async function read({ router }: Router, path: string, body: string): Promise<Uint8Array | Status> {
  const transcoding = openBody(router.match("POST", path), { contentType: "application/json" });
  if (transcoding instanceof Status) return transcoding;
  return new Promise((resolve, reject) => {
    const reader = transcoding.reader({ message: resolve, end: () => {}, refuse: resolve, fault: reject });
    const bytes = Buffer.from(body);
    reader.push(bytes, 0, bytes.length, true);
  });
}

async function print(built: Router, schema: Schema, path: string, message: Uint8Array): Promise<object[]> {
  const plan = built.plans.find((one) => one.method.path === path) ?? assert.fail();
  const codecs = new Codecs(schema.registry);
  const here = codecs.of(plan.descriptor.output).decode(message).toString();
  const there = await new Promise<string>((resolve, reject) => {
    printLarge(
      threads,
      plan,
      message,
      codecs,
      PLAIN,
      (printed) =>
        printed instanceof Status ? reject(new Error(printed.message)) : resolve(printed.body.toString()),
      reject,
    );
  });
  return [JSON.parse(here), JSON.parse(there)];
}

async function hold(schema: Schema, { json, reads = [], refuses, path = "/odd.Echo/Say" }: OddSchema) {
  const built = createRestRouter({
    methods: methodsOf(schema),
    registry: schema.registry,
    rules: [],
    prefix: "",
  });
  assert.deepEqual(built.problems, []);
  for (const [given, wanted] of [[json, json] as const, ...reads]) {
    const messages = [
      await read(built, path, JSON.stringify(given)),
      await read(built, path, JSON.stringify(given) + BLANKS),
    ];
    for (const message of messages) {
      if (message instanceof Status) assert.fail(message.message);
      assert.deepEqual(message, messages[0]);
      for (const printed of await print(built, schema, path, message)) assert.deepEqual(printed, wanted);
    }
  }
  if (refuses !== undefined) {
    const refusals = [
      await read(built, path, JSON.stringify(refuses)),
      await read(built, path, JSON.stringify(refuses) + BLANKS),
    ].map((refusal) => (refusal instanceof Status ? refusal.message : assert.fail("it was taken")));
    assert.equal(refusals[0], refusals[1]);
  }
  const index = new SchemaIndex(schema);
  for (const [name, bytes] of schema.files) {
    assert.ok(index.withDependencies(name).includes(name));
    const file = fromBinary(FileDescriptorProtoSchema, bytes);
    const scope = file.package === "" ? "" : `${file.package}.`;
    for (const message of file.messageType) {
      assert.ok(index.fileContaining(scope + message.name) !== undefined, message.name);
      for (const field of message.field)
        assert.ok(index.fileContaining(`${scope}${message.name}.${field.name}`) !== undefined, field.name);
    }
  }
  const shop = {
    config: { name: "odd" },
    cluster: { handler: () => assert.fail() },
    schema,
    problem: undefined,
  };
  const { openApi } = assemble(defaultConfig(), [shop], [], []);
  assert.ok(JSON.stringify(openApiDocument(openApi)).includes(path));
}

describe("odd schemas", () => {
  for (const odd of ODD_SCHEMAS) {
    it(`by reflection: ${odd.name}`, async () => {
      const schema = await learnByReflection(reflectionServer(filesOf(...odd.files), odd.habits));
      const warnings = schema.warnings.join("\n");
      if (odd.warns !== undefined) assert.match(warnings, odd.warns);
      if (odd.grpcOnly === undefined) {
        assert.deepEqual(schema.undescribed, []);
        await hold(schema, odd);
        return;
      }
      assert.match(warnings, odd.grpcOnly);
      assert.deepEqual(schema.undescribed, ["odd.Echo"]);
      const shop = {
        config: { name: "odd" },
        cluster: { handler: () => assert.fail() },
        schema,
        problem: undefined,
      };
      const plan = assemble(defaultConfig(), [shop], [], []).snapshot.planFor("/odd.Echo/Say");
      assert.equal(plan.method.service, "odd.Echo", "gRPC reaches it");
    });

    if (odd.habits !== undefined) continue;
    it(`as a descriptor set: ${odd.name}`, async () => {
      const files = filesOf(...odd.files);
      if (odd.refusedAsSet === undefined) return hold(schemaFromFiles(files), odd);
      assert.throws(
        () => schemaFromFiles(files),
        (error) => error instanceof SchemaError && (odd.refusedAsSet?.test(error.message) ?? false),
      );
    });
  }
});
