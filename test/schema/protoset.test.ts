import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { loadProtoset } from "#src/schema/sources/protoset.js";
import { SchemaError, schemaFromFiles } from "#src/schema/types/schema.js";
import { echoFile, fileBytes, protosetOf } from "./support/files.js";

describe("a descriptor set file", () => {
  let dir = "";
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "protoset-"));
  });
  after(() => rm(dir, { recursive: true }));

  const load = async (bytes: Uint8Array) => {
    const path = join(dir, "image.binpb");
    await writeFile(path, bytes);
    return loadProtoset(path);
  };

  it("becomes a schema with its bytes untouched", async () => {
    const schema = await load(protosetOf(echoFile("a"), echoFile("b")));
    assert.deepEqual(
      schema.services.map((service) => service.typeName),
      ["a.Echo", "b.Echo"],
    );
    assert.deepEqual(schema.files.get("a/echo.proto"), fileBytes(echoFile("a")));
  });

  const table: readonly [string, Uint8Array, RegExp][] = [
    ["an empty file", new Uint8Array(), /image.binpb: it is empty$/],
    ["a text", Buffer.from('syntax = "proto3";\n'), /image.binpb: it is not a FileDescriptorSet/],
    ["one FileDescriptorProto", fileBytes(echoFile("a")), /not a FileDescriptorSet/],
    ["no services", protosetOf({ name: "a.proto" }), /image.binpb has no services$/],
    [
      "a missing import",
      protosetOf(echoFile("a", { dependency: ["b.proto"] })),
      /image.binpb: "a\/echo.proto" imports "b.proto"/,
    ],
  ];
  for (const [name, bytes, message] of table) {
    it(`is refused with one sentence: ${name}`, async () => {
      await assert.rejects(load(bytes), (error) => {
        assert.ok(error instanceof SchemaError);
        assert.match(error.message, message);
        return true;
      });
    });
  }

  it("is refused with one sentence: not there, or a folder", async () => {
    await assert.rejects(
      loadProtoset(join(dir, "gone.binpb")),
      /^SchemaError: descriptor set .*gone.binpb cannot be read: ENOENT/,
    );
    await assert.rejects(loadProtoset(dir), SchemaError);
  });

  it("never fails with anything but a SchemaError, whatever the bytes", async () => {
    const whole = protosetOf(echoFile("a.v1"), echoFile("b", { dependency: ["a/v1/echo.proto"] }));
    const bent = fc
      .array(fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 })), {
        minLength: 1,
        maxLength: 4,
      })
      .map((edits) => {
        const bytes = whole.slice();
        for (const [at, value] of edits) bytes[at] = value;
        return bytes;
      });
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 200 }), bent), async (bytes) => {
        await load(bytes).catch((error: unknown) => assert.ok(error instanceof SchemaError, String(error)));
        try {
          schemaFromFiles(new Map([["a.proto", bytes]]));
        } catch (error) {
          assert.ok(error instanceof SchemaError, String(error));
        }
      }),
      { numRuns: 500 },
    );
  });
});
