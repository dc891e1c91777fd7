// The index over descriptors that stay bytes: true to them, and safe against whatever comes in.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import {
  DescriptorError,
  DescriptorIndex,
  splitFileDescriptorSet,
} from "#src/schema/descriptors/descriptor-index.js";
import { layered } from "#src/schema/types/schema-index.js";

const SET = readFileSync(new URL("../../../generated/image.binpb", import.meta.url));

/** A set of files, each with what it says. */
function setOf(...file: MessageInitShape<typeof FileDescriptorProtoSchema>[]): Uint8Array {
  return toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file }));
}

describe("splitFileDescriptorSet", () => {
  test("gives each file's bytes as they stand in the set", () => {
    const files = splitFileDescriptorSet(SET);
    const names = fromBinary(FileDescriptorSetSchema, SET).file.map(({ name }) => name);
    assert.deepEqual([...files.keys()], names);
    for (const [name, bytes] of files) assert.ok(SET.includes(Buffer.from(bytes)), name);
    const total = [...files.values()].reduce((sum, bytes) => sum + bytes.length, 0);
    assert.ok(total > SET.length * 0.99 && total < SET.length);
  });

  test("keeps fields that it does not know, in the file and in the set", () => {
    const file = new BinaryWriter();
    file.tag(1, WireType.LengthDelimited).string("a.proto");
    file.tag(9999, WireType.LengthDelimited).string("kept");
    const bytes = file.finish();
    const set = new BinaryWriter();
    set.tag(7, WireType.Varint).uint32(1);
    set.tag(1, WireType.LengthDelimited).bytes(bytes);
    assert.deepEqual(splitFileDescriptorSet(set.finish()), new Map([["a.proto", bytes]]));
  });

  test("takes the first of two files of one name", () => {
    const files = splitFileDescriptorSet(setOf({ name: "a", package: "one" }, { name: "a", package: "two" }));
    const first = files.get("a");
    assert.ok(first !== undefined);
    assert.equal(fromBinary(FileDescriptorProtoSchema, first).package, "one");
  });

  test("accepts an empty set, and rejects bytes that are not a set", () => {
    assert.deepEqual(splitFileDescriptorSet(new Uint8Array()), new Map());
    for (const bytes of [
      Buffer.from("not a set"),
      SET.subarray(0, SET.length - 1),
      Buffer.from([0x0a, 0xff]),
    ]) {
      assert.throws(() => splitFileDescriptorSet(bytes), DescriptorError);
    }
  });

  test("throws nothing but DescriptorError, whatever comes in", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          DescriptorIndex.fromSet(bytes);
        } catch (error) {
          assert.ok(error instanceof DescriptorError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test("throws nothing but DescriptorError for a set with a byte changed", () => {
    const small = setOf({
      name: "a.proto",
      package: "p",
      messageType: fromBinary(FileDescriptorSetSchema, SET)
        .file.flatMap(({ messageType }) => messageType)
        .slice(0, 3),
    });
    fc.assert(
      fc.property(fc.nat(small.length - 1), fc.nat(255), (at, value) => {
        const bytes = Uint8Array.from(small);
        bytes[at] = value;
        try {
          DescriptorIndex.fromSet(bytes);
        } catch (error) {
          assert.ok(error instanceof DescriptorError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe("DescriptorIndex", () => {
  const index = DescriptorIndex.fromSet(SET);

  test("knows the services, in the order of the files", () => {
    assert.deepEqual(index.serviceNames, [
      "bench.v1.EchoService",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
      "grpc.health.v1.Health",
      "library.v1.LibraryService",
      "library.v2.LibraryService",
      "test.v1.BehaviorService",
      "test.v1.FileService",
      "test.v1.KindsService",
    ]);
  });

  test("finds every message, field and method of the set where it stands", () => {
    for (const file of fromBinary(FileDescriptorSetSchema, SET).file) {
      for (const message of file.messageType) {
        assert.equal(index.fileContaining(`${file.package}.${message.name}`), file.name);
        for (const field of message.field) {
          assert.equal(index.fileContaining(`${file.package}.${message.name}.${field.name}`), file.name);
        }
      }
      for (const service of file.service) {
        for (const method of service.method) {
          assert.equal(index.fileContaining(`${file.package}.${service.name}.${method.name}`), file.name);
        }
      }
    }
  });

  test("walks imports once each, round a circle and past missing ones", () => {
    const circle = DescriptorIndex.fromSet(
      setOf(
        { name: "a", dependency: ["b", "c", "missing"] },
        { name: "b", dependency: ["c", "a"] },
        { name: "c", dependency: ["a", "c"] },
      ),
    );
    assert.deepEqual(circle.withDependencies("a"), ["a", "b", "c"]);
    assert.deepEqual(circle.withDependencies("c"), ["c", "a", "b"]);
    assert.deepEqual(circle.withDependencies("missing"), []);
  });

  test("takes files without a package, and extensions inside of messages", () => {
    const bare = DescriptorIndex.fromSet(
      setOf({
        name: "a",
        messageType: [{ name: "Outer", extension: [{ name: "inner", number: 100, extendee: ".Outer" }] }],
        extension: [
          { name: "outer", number: 7, extendee: ".Outer" },
          { name: "again", number: 7, extendee: ".Outer" },
        ],
      }),
    );
    assert.equal(bare.fileContaining("Outer"), "a");
    assert.equal(bare.fileContaining("Outer.inner"), "a");
    assert.equal(bare.fileContaining("outer"), "a");
    assert.equal(bare.fileExtending("Outer", 100), "a");
    assert.deepEqual(bare.extensions("Outer"), [7, 100]);
  });

  test("names the file whose bytes are no descriptor", () => {
    assert.throws(() => new DescriptorIndex(new Map([["bad.proto", Buffer.from([0x0a])]])), {
      name: "DescriptorError",
      message: /^bad\.proto: /,
    });
  });

  test("never throws for a name, whatever it is", () => {
    const names = fc.oneof(
      fc.string(),
      fc.string({ unit: "grapheme" }),
      fc.constantFrom(
        "",
        ".",
        "__proto__",
        "constructor",
        "library.v1",
        "library.v1.Book",
        "google/api/http.proto",
      ),
    );
    fc.assert(
      fc.property(names, fc.integer(), (name, number) => {
        const file = index.file(name);
        assert.equal(index.withDependencies(name).length > 0, file !== undefined);
        const declaring = index.fileContaining(name);
        assert.ok(declaring === undefined || index.file(declaring) !== undefined);
        index.extensions(name);
        index.fileExtending(name, number);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("an upstream's descriptors before the hub's own", () => {
  const message = (...names: string[]) => ({
    name: "google/rpc/error_details.proto",
    package: "google.rpc",
    messageType: names.map((name) => ({ name })),
  });
  const own = DescriptorIndex.fromSet(setOf(message("ErrorInfo", "Help")));
  const cases: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ["the upstream's file has all", ["Help", "ErrorInfo"], ["Help", "ErrorInfo"]],
    ["the upstream's file has more", ["ErrorInfo", "Help", "New"], ["ErrorInfo", "Help", "New"]],
    ["the upstream's file is older", ["Help"], ["ErrorInfo", "Help"]],
  ];
  for (const [name, upstream, expected] of cases)
    test(name, () => {
      const both = layered(DescriptorIndex.fromSet(setOf(message(...upstream))), own);
      const bytes = both.file("google/rpc/error_details.proto");
      assert.ok(bytes);
      const file = fromBinary(FileDescriptorProtoSchema, bytes);
      assert.deepEqual(
        file.messageType.map((type) => type.name),
        expected,
      );
      // Whatever is known is in the file that is named for it.
      for (const type of [...upstream, "ErrorInfo"])
        assert.equal(both.fileContaining(`google.rpc.${type}`), file.name);
    });
});
