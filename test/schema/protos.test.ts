import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { after, before, describe, it } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import {
  FieldDescriptorProto_Type,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { GOOGLE_API } from "#src/schema/descriptors/google-api.js";
import { loadProtos } from "#src/schema/sources/protos.js";
import { loadProtoset } from "#src/schema/sources/protoset.js";
import { hasHttpRules, methodsOf, type Schema, SchemaError } from "#src/schema/types/schema.js";

let root = "";
let count = 0;
before(async () => {
  root = await mkdtemp(join(tmpdir(), "protos-"));
});
after(() => rm(root, { recursive: true }));

async function folder(files: Record<string, string>): Promise<string> {
  const dir = join(root, String(count++));
  await mkdir(dir);
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(dir, name)), { recursive: true });
    await writeFile(join(dir, name), text);
  }
  return dir;
}

function fileOf(schema: Schema, name: string): FileDescriptorProto {
  const bytes = schema.files.get(name);
  assert.ok(bytes, `no file ${name}`);
  return fromBinary(FileDescriptorProtoSchema, bytes);
}

const SHELF = `
syntax = "proto3";
// About shelves.
package shelf.v1;
import "google/api/annotations.proto";
import "google/protobuf/timestamp.proto";
import "shelf/v1/book.proto";
option java_package = "x.y";

// Keeps shelves.
service Shelves {
  // Gets one.
  rpc Get(GetRequest) returns (Shelf) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (google.api.http) = {
      get: "/v1/{name=shelves/*}"
      additional_bindings { get: "/v1/by-name/{name}" }
    };
  }
  rpc Put(stream Shelf) returns (Shelf) {
    option (google.api.http).put = "/v1/shelves";
    option (google.api.http).body = "*";
    option deprecated = true;
  }
  rpc Watch(GetRequest) returns (stream Shelf) {
    option (google.api.http) = {
      custom: { kind: "WATCH" path: "/v1/watch" }
      response_body: "name"
      additional_bindings { post: "/a" body: "*" }
      additional_bindings { delete: "/b" }
    };
  }
}
message GetRequest { string name = 1; }
message Shelf {
  string name = 1;
  optional int32 size_max = 2;
  google.protobuf.Timestamp made = 3;
  map<string, Book> books_by_name = 4;
  oneof kind { string wood = 5; Color color = 6; }
  repeated Book books = 7 [deprecated = true];
  enum Color { COLOR_UNSPECIFIED = 0; COLOR_RED = 1; }
  reserved 10, 12 to 14;
  reserved "old";
  string alias = 8 [json_name = "nick"];
}
`;
const BOOK = `syntax = "proto3"; package shelf.v1; message Book { string title = 1; }`;

describe("a folder of .proto files", () => {
  let schema: Schema;
  before(async () => {
    schema = await loadProtos([await folder({ "shelf/v1/shelf.proto": SHELF, "shelf/v1/book.proto": BOOK })]);
  });

  it("gives services, methods, kinds and idempotency, and no warnings", () => {
    assert.deepEqual(
      methodsOf(schema).map(({ path, kind, idempotent }) => [path, kind, idempotent]),
      [
        ["/shelf.v1.Shelves/Get", "unary", true],
        ["/shelf.v1.Shelves/Put", "client_streaming", false],
        ["/shelf.v1.Shelves/Watch", "server_streaming", false],
      ],
    );
    assert.deepEqual(schema.warnings, []);
    assert.equal(hasHttpRules(schema), true);
  });

  it("keeps HTTP rules as extension bytes, as protoc writes them", () => {
    const [get, put, watch] = fileOf(schema, "shelf/v1/shelf.proto").service[0]?.method ?? [];
    const rule = (options: typeof get) => {
      const field = options?.options?.$unknown?.find(({ no }) => no === 72295728);
      return dump(new BinaryReader(field?.data ?? new Uint8Array()).bytes());
    };
    assert.deepEqual(rule(get), ["2:/v1/{name=shelves/*}", ["11", "2:/v1/by-name/{name}"]]);
    assert.deepEqual(rule(put), ["3:/v1/shelves", "7:*"]);
    assert.deepEqual(rule(watch), [
      ["8", "1:WATCH", "2:/v1/watch"],
      ["11", "4:/a", "7:*"],
      ["11", "5:/b"],
      "12:name",
    ]);
  });

  it("keeps them as well without the npm package google-proto-files", async () => {
    const files = {
      "shelf/v1/shelf.proto": SHELF,
      "shelf/v1/book.proto": BOOK,
      ...Object.fromEntries(GOOGLE_API),
    };
    const alone = await loadProtos([await folder(files)]);
    assert.deepEqual(alone.files.get("shelf/v1/shelf.proto"), schema.files.get("shelf/v1/shelf.proto"));
    assert.deepEqual(alone.warnings, []);
  });

  it("keeps imports, comments, presence, JSON names, reserved names and numbers", () => {
    const file = fileOf(schema, "shelf/v1/shelf.proto");
    assert.deepEqual(file.dependency, [
      "google/api/annotations.proto",
      "google/protobuf/timestamp.proto",
      "shelf/v1/book.proto",
    ]);
    assert.equal(file.options?.javaPackage, "x.y");
    const comments = file.sourceCodeInfo?.location.map(({ path, leadingComments }) => [
      path.join(),
      leadingComments,
    ]);
    assert.deepEqual(comments, [
      ["6,0", " Keeps shelves.\n"],
      ["6,0,2,0", " Gets one.\n"],
    ]);
    const shelf = file.messageType[1];
    assert.deepEqual(
      shelf?.field.map(({ name, jsonName, typeName, proto3Optional }) => [
        name,
        jsonName,
        typeName,
        proto3Optional,
      ]),
      [
        ["name", "name", "", false],
        ["size_max", "sizeMax", "", true],
        ["made", "made", ".google.protobuf.Timestamp", false],
        ["books_by_name", "booksByName", ".shelf.v1.Shelf.BooksByNameEntry", false],
        ["wood", "wood", "", false],
        ["color", "color", ".shelf.v1.Shelf.Color", false],
        ["books", "books", ".shelf.v1.Book", false],
        ["alias", "nick", "", false],
      ],
    );
    assert.equal(shelf?.field[5]?.type, FieldDescriptorProto_Type.ENUM);
    assert.deepEqual(
      shelf?.oneofDecl.map(({ name }) => name),
      ["kind", "_size_max"],
    );
    assert.deepEqual(shelf?.reservedName, ["old"]);
    assert.deepEqual(
      shelf?.reservedRange.map(({ start, end }) => [start, end]),
      [
        [10, 11],
        [12, 15],
      ],
    );
  });

  it("gives the descriptors that buf gives", async () => {
    const image = await loadProtoset(resolve("generated/image.binpb"));
    const loaded = await loadProtos([resolve("proto")]);
    let compared = 0;
    for (const name of loaded.files.keys()) {
      if (!image.files.has(name) || name.startsWith("google/")) continue;
      compared++;
      const [ours, theirs] = [fileOf(loaded, name), fileOf(image, name)];
      delete ours.sourceCodeInfo;
      delete theirs.sourceCodeInfo;
      // The bytes of an extension message may stand in another order of fields.
      assert.deepEqual(comparable(ours), comparable(theirs));
    }
    assert.ok(compared > 0);
  });

  it("reads proto2 with groups, defaults, extensions and custom options, and edition 2023", async () => {
    const dir = await folder({
      "old.proto": `syntax = "proto2"; package old;
        import "google/protobuf/descriptor.proto";
        extend google.protobuf.MessageOptions { optional Note note = 50001; repeated int64 ids = 50002; }
        message Note { optional string text = 1; optional bool on = 2; repeated double weights = 3; }
        message M {
          option (note) = { text: "hi" on: true weights: [1, 2.5] };
          option (ids) = 7;
          option (ids) = 8;
          required int32 a = 1 [default = -5];
          optional E e = 2 [default = TWO];
          optional group Sub = 3 { optional string s = 1; }
          optional double d = 4 [default = inf];
          extensions 100 to max;
          enum E { ONE = 1; TWO = 2; }
        }
        extend M { optional string more = 100; }
        service S { rpc Do(M) returns (M); }`,
      "new.proto": `edition = "2023"; package fresh;
        option features.field_presence = IMPLICIT;
        message N { string s = 1; repeated int32 r = 2 [features.repeated_field_encoding = EXPANDED]; }
        service T { rpc Do(N) returns (N); }`,
    });
    const schema = await loadProtos([dir]);
    assert.deepEqual(schema.warnings, []);
    const m = schema.registry.getMessage("old.M");
    assert.equal(m?.proto.options?.$unknown?.length, 3);
    assert.deepEqual(
      m?.fields.map((field) => ("getDefaultValue" in field ? field.getDefaultValue?.() : undefined)),
      [-5, 2, undefined, Number.POSITIVE_INFINITY],
    );
    assert.equal(m?.fields[2]?.proto.type, FieldDescriptorProto_Type.GROUP);
    assert.equal(schema.registry.getExtension("old.more")?.extendee, m);
    const n = schema.registry.getMessage("fresh.N");
    assert.deepEqual(
      n?.fields.map((field) => [field.presence, field.fieldKind === "list" ? field.packed : undefined]),
      [
        [2, undefined],
        [2, false],
      ],
    );
  });

  it("counts equal declarations in two files as one", async () => {
    const vendored = await folder({
      "shelf/v1/book.proto": BOOK,
      "third_party/shelf/v1/book.proto": `// A copy.\n${BOOK}`,
      "use.proto": `syntax = "proto3"; package use; import "shelf/v1/book.proto";
        service S { rpc Do(shelf.v1.Book) returns (shelf.v1.Book); }`,
    });
    const schema = await loadProtos([vendored]);
    assert.equal(schema.services[0]?.methods[0]?.input.fields.length, 1);
    assert.deepEqual(schema.warnings, []);
  });

  it("takes a type of a file that is not imported, and warns with the place", async () => {
    const dir = await folder({
      "shelf/v1/book.proto": BOOK,
      "use.proto": `syntax = "proto3"; package use;
        service S { rpc Do(shelf.v1.Book) returns (shelf.v1.Book); }`,
    });
    const schema = await loadProtos([dir]);
    assert.equal(schema.services.length, 1);
    assert.match(
      schema.warnings[0] ?? "",
      /use.proto:2:28: method use.S.Do has the type "shelf.v1.Book" of "shelf\/v1\/book.proto", which is not imported$/,
    );
  });

  it("sees types through public imports, and keeps those public", async () => {
    const dir = await folder({
      "shelf/v1/book.proto": BOOK,
      "all.proto": 'syntax = "proto3"; \n import public "shelf/v1/book.proto";',
      "use.proto": `syntax = "proto3"; package use; import "all.proto";
        service S { rpc Do(shelf.v1.Book) returns (shelf.v1.Book); }`,
    });
    const schema = await loadProtos([dir]);
    assert.deepEqual(fileOf(schema, "all.proto").publicDependency, [0]);
    assert.equal(schema.services[0]?.methods[0]?.input.typeName, "shelf.v1.Book");
  });

  it("warns of an option that cannot be kept, and continues", async () => {
    const dir = await folder({
      "a.proto": `syntax = "proto3"; message M { option (no.such) = 1; } service S { rpc Do(M) returns (M); }`,
    });
    const schema = await loadProtos([dir]);
    assert.match(schema.warnings.join(), /option \(no.such\) of M is ignored/);
  });

  it("finds imports in its other folders, and does not offer what only Google's files declare", async () => {
    const one = await folder({ "shelf/v1/shelf.proto": SHELF });
    const two = await folder({ "shelf/v1/book.proto": BOOK });
    const schema = await loadProtos([one, two]);
    assert.equal(schema.services.length, 1);
  });

  const bad: readonly [string, Record<string, string>, RegExp][] = [
    ["no .proto files", { "readme.txt": "" }, /^no .proto files in \S+$/],
    ["no services", { "book.proto": BOOK }, /have no services$/],
    [
      "a syntax error",
      { "a/b.proto": 'syntax = "proto3";\n\nmessage M {\n  string = 1;\n}\n' },
      /a\/b\.proto:4:10: expected a field's name, found "="$/,
    ],
    ["an unfinished file", { "a.proto": "message M {" }, /a\.proto/],
    [
      "a missing import",
      { "a.proto": 'import "b.proto";' },
      /a\.proto:1:8: imports "b.proto", which is not in any of the folders/,
    ],
    [
      "an unknown type",
      { "a.proto": "message M { optional No n = 1; }" },
      /field M.n in "a.proto" has the type "No"/,
    ],
    [
      "a message in two files",
      { "a.proto": "message M {}", "b.proto": "message M { reserved 1; optional int32 a = 2; }" },
      /b\.proto:1:9: M is declared in "a.proto" and in "b.proto", with different content$/,
    ],
  ];
  for (const [name, files, message] of bad) {
    it(`is refused with one sentence: ${name}`, async () => {
      await assert.rejects(loadProtos([await folder(files)]), (error) => {
        assert.ok(error instanceof SchemaError, String(error));
        assert.match(error.message, message);
        return true;
      });
    });
  }

  it("is refused with one sentence: not there", async () => {
    await assert.rejects(
      loadProtos([join(root, "gone")]),
      /^SchemaError: the folder .*gone cannot be read: ENOENT/,
    );
  });

  it("never fails with anything but a SchemaError, whatever the text", async () => {
    const dir = await folder({ "shelf/v1/book.proto": BOOK });
    const path = join(dir, "shelf/v1/shelf.proto");
    const tokens = SHELF.split(/(\s+|[{}();=<>"])/);
    const bent = fc
      .tuple(
        fc.nat(tokens.length - 1),
        fc.constantFrom("", "{", "}", ";", "=", '"', "message", "0", "toString", "[a=b]"),
      )
      .map(([at, token]) => tokens.with(at, token).join(""));
    await fc.assert(
      fc.asyncProperty(bent, async (text) => {
        await writeFile(path, text);
        await loadProtos([dir]).catch((error: unknown) =>
          assert.ok(error instanceof SchemaError, String(error)),
        );
      }),
      { numRuns: 150 },
    );
  });
});

type Dump = (string | Dump)[];

/** Strings and messages of an HttpRule, as `NUMBER:TEXT` and lists. */
function dump(bytes: Uint8Array): Dump {
  const out: Dump = [];
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [no] = reader.tag();
    const value = reader.bytes();
    out.push(no === 8 || no === 11 ? [String(no), ...dump(value)] : `${no}:${Buffer.from(value)}`);
  }
  return out;
}

/** The descriptor as plain data, the fields of unknown (extension) bytes in one order. */
function comparable(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value].sort((a, b) => a - b);
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, comparable(item)]));
}
