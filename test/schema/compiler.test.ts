// The hub's own compiler of .proto files: odd files have the right values and are what buf makes of them, and whatever
// is wrong is told with its place. test/tools/protoc.test.ts has protoc beside it.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { parseProtoFile } from "#src/schema/compiler/parse-file.js";
import { SourceError } from "#src/schema/compiler/source-error.js";
import { splitFileDescriptorSet } from "#src/schema/descriptors/descriptor-index.js";
import { SchemaError } from "#src/schema/descriptors/schema-error.js";
import { loadProtos } from "#src/schema/sources/protos.js";
import type { Schema } from "#src/schema/types/schema.js";
import { buf } from "../support/buf.js";
import { ODD_PROTOS } from "./support/odd-protos.js";

let root = "";
let schema: Schema;
before(async () => {
  root = await mkdtemp(join(tmpdir(), "compiler-"));
  await mkdir(join(root, "protos/odd"), { recursive: true });
  for (const { file, source } of ODD_PROTOS) await writeFile(join(root, "protos", file), source);
  schema = await loadProtos([join(root, "protos")]);
});
after(() => rm(root, { recursive: true }));

function fileOf(bytes: Uint8Array | undefined): FileDescriptorProto {
  assert.ok(bytes);
  return fromBinary(FileDescriptorProtoSchema, bytes);
}

describe("an odd .proto file", () => {
  it("loads without a warning", () => assert.deepEqual(schema.warnings, []));

  for (const { name, file, look, is } of ODD_PROTOS)
    it(`has the right values: ${name}`, () => assert.deepEqual(look(fileOf(schema.files.get(file))), is));

  it("is to the byte what buf makes of it", async () => {
    const image = join(root, "image.binpb");
    const plain = ODD_PROTOS.filter(({ notBuf }) => notBuf === undefined);
    const paths = plain.map(({ file }) => `--path=${join(root, "protos", file)}`);
    const flags = ["--exclude-source-info", "--as-file-descriptor-set"];
    buf(root, "build", join(root, "protos"), ...flags, ...paths, "-o", image);
    const theirs = splitFileDescriptorSet(await readFile(image));
    for (const { file } of plain) {
      const ours = fileOf(schema.files.get(file));
      delete ours.sourceCodeInfo;
      const bytes = toBinary(FileDescriptorProtoSchema, ours);
      // The difference is easier to read in the values.
      if (!Buffer.from(theirs.get(file) ?? []).equals(bytes))
        assert.deepEqual(fileOf(bytes), fileOf(new Uint8Array(theirs.get(file) ?? [])), file);
    }
  });
});

describe("an error in a .proto file", () => {
  const p2 = 'syntax = "proto2";\n';
  const p3 = 'syntax = "proto3";\n';
  const cases: readonly (readonly [source: string, message: string])[] = [
    [
      "message M {\n  string = 1;\n}",
      `2:3: expected "optional", "required" or "repeated", which each field of proto2 has, found "string"`,
    ],
    [`${p3}message M {\n  string = 1;\n}`, `3:10: expected a field's name, found "="`],
    [`${p3}message M {\n\tstring s 1;\n}`, `3:11: expected "=", found "1"`],
    [`${p3}message M {\n  string s = 1\n}`, `4:1: expected ";", found "}"`],
    [`${p3}message M {`, `2:12: the file ends: expected a type`],
    [
      `${p3}mesage M {}`,
      `2:1: expected "message", "enum", "service", "extend", "option", "import" or "package", found "mesage"`,
    ],
    [`syntax = "proto4";`, `1:10: unknown syntax "proto4": expected "proto2" or "proto3"`],
    [`edition = "2077";`, `1:11: unknown edition "2077": expected "2023", "2024"`],
    [`${p3}message M { string s = 0; }`, "2:24: the field number 0 is too small: expected 1 or more"],
    [
      `${p3}message M { string s = 19000; }`,
      "2:24: the field number 19000 is reserved by protobuf, as all from 19000 to 19999 are",
    ],
    [
      `${p3}message M { string s = 536870912; }`,
      `2:24: the number "536870912" is too large: expected at most 536870911`,
    ],
    [`${p3}message M { string a = 1; string b = 1; }`, "2:27: b has the number 1, which a has already"],
    [`${p3}message M { string a = 1;\n string a = 2; }`, "3:9: M.a is declared already, in line 2"],
    [`${p3}message M {}\nenum M { A = 0; }`, "3:6: M is declared already, in line 2"],
    [`${p3}enum E { A = 0; }\nenum F { A = 0; }`, "3:10: A is declared already, in line 2"],
    [`${p3}message M { reserved 2 to 4; string a = 3; }`, "2:30: the number 3 of a is reserved in M"],
    [`${p3}message M { reserved "a"; string a = 3; }`, "2:27: the name a is reserved in M"],
    [
      `${p2}message M { extensions 5 to 9; optional int32 a = 7; }`,
      "2:32: the number 7 of a is for extensions of M",
    ],
    [
      `${p3}message M { reserved 4 to 2; }`,
      "2:22: the range 4 to 2 is not valid: expected numbers from 1 to 2147483647, in order",
    ],
    [`${p3}message M { reserved foo; }`, `2:22: expected a name in quotes, or a number, found "foo"`],
    [`${p3}message M { required string a = 1; }`, "2:13: proto3 has no required fields"],
    [`${p3}message M { string a = 1 [default = "x"]; }`, "2:27: proto3 has no explicit defaults"],
    [`${p3}message M { optional group G = 1 {} }`, "2:22: proto3 has no groups"],
    [
      `edition = "2023";\nmessage M { optional string a = 1; }`,
      "2:13: editions have no optional fields: expected the option features.field_presence",
    ],
    [
      `${p3}message M { map<bytes, string> m = 1; }`,
      "2:17: a map's key cannot be bytes: expected an integer type, bool or string",
    ],
    [
      `${p3}message M { oneof o { repeated string a = 1; } }`,
      "2:23: a field of a oneof cannot be optional, required or repeated",
    ],
    [`${p3}message M { oneof o { } }`, "2:19: the oneof o has no fields: expected at least one"],
    [`${p3}enum E { }`, "2:6: the enum E has no values: expected at least one"],
    [`${p3}enum E { A = 1; }`, "2:10: the first value of an enum must be 0 in proto3, not 1"],
    [
      `${p3}enum E { A = 0; B = 0; }`,
      `2:17: B has the number 0, which A has already; "option allow_alias = true;" would allow it`,
    ],
    [
      `${p2}message M { optional int32 a = 1 [default = 2147483648]; }`,
      `2:45: the number "2147483648" is too large: expected at most 2147483647`,
    ],
    [
      `${p2}message M { optional uint32 a = 1 [default = -1]; }`,
      `2:46: expected a number that is not negative, found "-"`,
    ],
    [`${p2}message M { optional bool a = 1 [default = 1]; }`, `2:44: expected "true" or "false", found "1"`],
    [
      `${p2}message M { optional string a = 1 [default = "\\xff"]; }`,
      "2:46: the bytes of this string are not UTF-8",
    ],
    [
      `${p2}message M { optional string a = 1 [default = "\\q"]; }`,
      String.raw`2:47: "\q" is not a valid escape: expected one such as \n, \", \\, \x41, \101, \u00e9 or \U0001f600`,
    ],
    [
      `${p2}message M { optional string a = 1 [default = "x\n"]; }`,
      `2:46: this string does not end on its line: expected "`,
    ],
    [
      `${p2}message M { optional int32 a = 1 [default = 089]; }`,
      "2:45: the number 089 begins with 0 and is not octal: expected digits from 0 to 7",
    ],
    [
      `${p2}message M { optional int32 a = 1 [default = 1x]; }`,
      `2:45: "1x" is not a number: expected one such as 10, 0x1F, 017 or 1.5e3`,
    ],
    [`${p2}message M { optional M a = 1 [default = X]; }`, "2:31: a message has no default"],
    [
      `${p2}message M { optional E a = 1 [default = X]; } enum E { A = 0; }`,
      "2:31: the default X is not a value of the enum E",
    ],
    [
      `${p2}message M {} extend M { optional int32 a = 5; }`,
      "2:21: M does not have the number 5 for extensions",
    ],
    [`${p3}/* no end`, `2:1: this comment has no end: expected "*/"`],
    [`${p3}message Mé {}`, "2:10: the character U+00E9 is allowed only in strings and comments"],
    [`${p3}option x = ;`, `2:12: expected a value: a number, a string, a name or { … }, found ";"`],
    [`${p3}option (x) = { a b };`, `2:18: expected ":", found "b"`],
    [`${p3}service S { rpc A(M) (M); }`, `2:22: expected "returns", found "("`],
    [`${p3}message M { N n = 1; }`, `2:13: field M.n in "a.proto" has the type "N", which no file declares`],
    [
      `${p3}message M { map<string, N> n = 1; }`,
      `2:25: map M.n in "a.proto" has the type "N", which no file declares`,
    ],
    [
      `${p3}enum E { A = 0; } message M {} service S { rpc A(E) returns (M); }`,
      `2:50: method S.A in "a.proto" has the type "E", which is an enum: expected a message`,
    ],
    [`${p3}import "b.proto";`, `2:8: imports "b.proto", which is not in any of the folders DIR`],
    [`${p3}import "a.proto";`, `2:8: files import each other: a.proto → a.proto`],
    [`${p3}message M {} package late;`, "2:22: the package must come before all declarations"],
    [`${p3}${"message M {".repeat(65)}`, `2:705: messages may be nested at most 64 deep`],
    [`${p3}option (x) = ${"{ a ".repeat(66)}`, `2:274: values may be nested at most 64 deep`],
  ];
  for (const [source, message] of cases)
    it(`is reported with its position: ${message.slice(0, 90)}`, async () => {
      const dir = await mkdtemp(join(root, "bad-"));
      await writeFile(join(dir, "a.proto"), source);
      await assert.rejects(loadProtos([dir]), (error) => {
        assert.ok(error instanceof SchemaError, String(error));
        assert.equal(error.message.replaceAll(dir, "DIR"), `DIR/a.proto:${message}`);
        return true;
      });
    });

  it("is reported with its position if an option is lost, and the rest is accepted", async () => {
    const dir = await mkdtemp(join(root, "lost-"));
    const source = `syntax = "proto3"; import "google/protobuf/descriptor.proto";
extend google.protobuf.MessageOptions { int32 n = 50001; M m = 50002; }
message M { option deprecated = 3; option (n) = "x"; option (n) = 1; option (n) = 2; option (m).no = 1; option (m).a.b = 1; option (gone) = 1; option (m) = {}; int32 a = 1; }
service S { rpc A(M) returns (M); }`;
    await writeFile(join(dir, "a.proto"), source);
    const { warnings } = await loadProtos([dir]);
    assert.deepEqual(
      warnings.map((warning) => warning.replace(dir, "DIR")),
      [
        "DIR/a.proto:3:20: option deprecated of M is ignored: expected true or false, found 3",
        'DIR/a.proto:3:43: option (n) of M is ignored: expected an integer, found "x"',
        "DIR/a.proto:3:77: option (n) of M is ignored: n is set already",
        'DIR/a.proto:3:93: option (m).no of M is ignored: M has no field "no"',
        "DIR/a.proto:3:112: option (m).a.b of M is ignored: a is not a message and cannot have a field b",
        "DIR/a.proto:3:132: option (gone) of M is ignored: no file declares (gone) for MessageOptions",
        "DIR/a.proto:3:151: option (m) of M is ignored: m is set already",
      ],
    );
  });

  it("takes time in proportion to the file: many options, numbers, names and errors at the end", () => {
    const n = 20_000;
    const many = (one: (i: number) => string): string =>
      Array.from({ length: n }, (_, i) => one(i)).join("\n");
    const enums = `enum E { ${many((i) => `V${i} = ${i};`)} }`;
    const cpu = process.cpuUsage();
    for (const source of [
      `${p3}message M { ${many((i) => `string f${i} = ${i < 18_999 ? i + 1 : i + 2_000};`)} }`,
      `${p3}${enums}`,
      `${p3}${many((i) => `// ${i}\n`)}message M {}`,
      `${p3}option (x) = { ${many((i) => `f${i}: ${i}`)} };`,
      `${p3}option java_package = ${many(() => `"a"`)};`,
    ])
      parseProtoFile("a.proto", source);
    const { user } = process.cpuUsage(cpu);
    assert.ok(user < 20_000_000, `${user} µs`);
  });

  it("throws nothing but a SourceError, whatever the text", () => {
    const words = ODD_PROTOS.map(({ source }) => source.split(/(\s+|[{}();=<>"[\],.])/));
    const bent = fc
      .tuple(
        fc.nat(),
        fc.nat(),
        fc.constantFrom("", "{", "}", ";", "=", '"', "/*", "\\", "[", "<", "message", "0x", "1e", "."),
      )
      .map(([which, at, token]) => {
        const text = words[which % words.length] ?? [];
        return text.with(at % text.length, token).join("");
      });
    fc.assert(
      fc.property(fc.oneof(bent, fc.string()), (text) => {
        try {
          parseProtoFile("a.proto", text);
        } catch (error) {
          if (!(error instanceof SourceError)) throw error;
          assert.ok(error.position.line >= 1 && error.position.column >= 1);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
