import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FieldOptions_JSType,
  FieldOptionsSchema,
  FileOptionsSchema,
  MessageOptionsSchema,
  SourceCodeInfo_LocationSchema,
} from "@bufbuild/protobuf/wkt";
import { sameFile } from "#src/schema/tables/same-declarations.js";
import { mergeSchemas, type UpstreamSchema } from "#src/schema/types/merge-schemas.js";
import { schemaFromFiles } from "#src/schema/types/schema.js";
import { echoFile, type FileInit, fileBytes, filesOf, messageField, stringField } from "./support/files.js";

const of = (upstream: string, ...inits: FileInit[]): UpstreamSchema => ({
  upstream,
  schema: schemaFromFiles(filesOf(...inits)),
});
const names = ({ upstream: _, schema }: UpstreamSchema) => schema.services.map((s) => s.typeName);
const merge = (...parts: UpstreamSchema[]) => {
  const schema = mergeSchemas(parts);
  return { services: names({ upstream: "", schema }), warnings: schema.warnings, schema };
};

describe("the schemas of several upstreams together", () => {
  it("have the services of all, and equal files once", () => {
    const common = { name: "common.proto", package: "common", messageType: [{ name: "Money" }] };
    const using = (pkg: string) =>
      echoFile(pkg, {
        dependency: ["common.proto"],
        messageType: [{ name: "Text", field: [messageField("m", 1, ".common.Money")] }],
      });
    const { services, warnings, schema } = merge(of("x", common, using("a")), of("y", common, using("b")));
    assert.deepEqual(services, ["a.Echo", "b.Echo"]);
    assert.deepEqual(warnings, []);
    assert.equal(schema.files.size, 3);
  });

  it("are empty for no upstream", () => {
    assert.deepEqual(merge().services, []);
  });

  it("say nothing where files differ only in what the server's language leaves out", () => {
    const full = echoFile("a", {
      messageType: [{ name: "Text", field: [{ ...stringField("some_text", 1), jsonName: "someText" }] }],
      sourceCodeInfo: { $typeName: "google.protobuf.SourceCodeInfo", location: [] },
    });
    assert.deepEqual(merge(of("x", full), of("y", echoFile("a"))).warnings, []);
  });

  it("keep the first of two files of one name, and name both upstreams and the file", () => {
    const other = echoFile("a", { messageType: [{ name: "Text" }] });
    const { services, warnings } = merge(of("x", echoFile("a")), of("y", other));
    assert.deepEqual(services, ["a.Echo"]);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? "", /"a\/echo.proto" of upstream "y" .*upstream "x" has a file of that name/);
  });

  it("keep the first of two files that declare one symbol", () => {
    const { warnings } = merge(of("x", echoFile("a")), of("y", echoFile("a", { name: "other.proto" })));
    assert.match(
      warnings.join(),
      /"other.proto" of upstream "y" .*"a\/echo.proto" of upstream "x" already declares a.Text/,
    );
  });

  it("leave out a file whose import lost, with the reason", () => {
    const common = (type: string) => ({
      name: "common.proto",
      package: "common",
      messageType: [{ name: type }],
    });
    const using = echoFile("b", {
      dependency: ["common.proto"],
      messageType: [{ name: "Text", field: [messageField("m", 1, ".common.New")] }],
    });
    const { services, warnings } = merge(
      of("x", common("Old"), echoFile("a")),
      of("y", common("New"), using),
    );
    assert.deepEqual(services, ["a.Echo"]);
    assert.equal(warnings.length, 2);
    assert.match(warnings[1] ?? "", /"b\/echo.proto" of upstream "y" .*"common.New", which no file declares/);
  });
});

// What two upstreams, or two files of one, may have in two forms. One file decides it: same-declarations.ts.
describe("two copies of a declaration", () => {
  const { INT32 } = FieldDescriptorProto_Type;
  const { REPEATED } = FieldDescriptorProto_Label;
  const text = stringField("some_text", 1);
  const field = (more: object) => ({ messageType: [{ name: "Text", field: [{ ...text, ...more }] }] });
  const message = (more: object) => ({ messageType: [{ name: "Text", field: [text], ...more }] });
  const custom = (no: number, value: number) => ({ no, wireType: 0, data: Uint8Array.of(value) });
  const alike: readonly (readonly [string, Partial<FileInit>])[] = [
    [
      "a comment",
      {
        sourceCodeInfo: {
          $typeName: "google.protobuf.SourceCodeInfo",
          location: [create(SourceCodeInfo_LocationSchema, { path: [4, 0], leadingComments: " Text." })],
        },
      },
    ],
    ["a JSON name that is filled in", field({ jsonName: "someText" })],
    ["java_package", { options: create(FileOptionsSchema, { javaPackage: "com.acme" }) }],
    [
      "go_package and deprecated",
      { options: create(FileOptionsSchema, { goPackage: "a/b", deprecated: true }) },
    ],
    ["an import that nothing needs", { dependency: ["google/protobuf/empty.proto"] }],
    ["jstype", field({ options: create(FieldOptionsSchema, { jstype: FieldOptions_JSType.JS_STRING }) })],
    ["reserved names", message({ reservedName: ["old"] })],
    [
      "a custom option",
      message({ options: { ...create(MessageOptionsSchema), $unknown: [custom(50001, 1)] } }),
    ],
  ];
  const different: readonly (readonly [string, Partial<FileInit>])[] = [
    ["the type of a field", field({ type: INT32 })],
    ["the number of a field", field({ number: 2 })],
    ["a repeated field", field({ label: REPEATED })],
    ["another extension number", { extension: [{ ...text, name: "e", number: 7, extendee: ".p.Text" }] }],
  ];
  /** Only of one's own packages: of Google's it is another version. */
  const versions: readonly (readonly [string, Partial<FileInit>])[] = [
    ["a field more", message({ field: [text, { ...text, name: "more", number: 2 }] })],
    ["the JSON name", field({ jsonName: "other" })],
    ["another name", field({ name: "other" })],
    ["packed", field({ options: create(FieldOptionsSchema, { packed: false }) })],
    ["a default", field({ defaultValue: "x" })],
    ["a oneof", message({ field: [{ ...text, oneofIndex: 0 }], oneofDecl: [{ name: "kind" }] })],
  ];
  const OWN = ["acme.v1", "google.apis", "googlex.api"];
  const COPIED = [
    "google.protobuf",
    "google.api",
    "google.rpc",
    "google.type",
    "google.longrunning",
    "google.api.expr",
  ];
  const cases = [
    ...[...OWN, ...COPIED].flatMap((pkg) => [
      ...alike.map(([what, more]) => [pkg, what, more, true] as const),
      ...different.map(([what, more]) => [pkg, what, more, false] as const),
    ]),
    ...OWN.flatMap((pkg) => versions.map(([what, more]) => [pkg, what, more, false] as const)),
    ...COPIED.flatMap((pkg) => versions.map(([what, more]) => [pkg, what, more, true] as const)),
  ];
  for (const [pkg, what, more, same] of cases) {
    it(`${same ? "are one" : "are not one"} where they differ in ${what}, in ${pkg}`, () => {
      const extended = { extensionRange: [{ start: 5, end: 10 }] };
      const init = (name: string, own: Partial<FileInit>): FileInit => {
        const file: FileInit = {
          name,
          package: pkg,
          extension: [{ ...text, name: "e", number: 5, extendee: `.${pkg}.Text` }],
          ...message(extended),
          ...own,
        };
        // The table knows no package.
        for (const one of file.extension ?? []) one.extendee = `.${pkg}.Text`;
        return file;
      };
      // As two upstreams' files of one name, as two upstreams' files of two names, and as two files of one upstream.
      const one = fileBytes(init("copy.proto", {}));
      const other = fileBytes(init("copy.proto", more));
      assert.equal(sameFile(one, other), same);
      assert.equal(sameFile(other, one), same);
      const names = merge(of("x", init("copy.proto", {})), of("y", init("other.proto", more)));
      assert.equal(names.warnings.length, same ? 0 : 1, names.warnings.join());
      const vendored = () => of("x", init("copy.proto", {}), init("vendor/copy.proto", more));
      if (same) vendored();
      else assert.throws(vendored, /with different content$/);
    });
  }

  it("are two where one's file declares more, but in Google's packages two versions of one", () => {
    for (const [pkg, same] of [
      ["acme.v1", false],
      ["google.api", true],
    ] as const) {
      const file = (...names: string[]) =>
        fileBytes({ name: "a.proto", package: pkg, messageType: names.map((name) => ({ name })) });
      assert.equal(sameFile(file("A"), file("A", "B")), same, pkg);
    }
  });

  it("count by what they declare: the one with more is shown, and what needs it is kept", () => {
    const details = (...names: string[]): FileInit => ({
      name: "google/rpc/error_details.proto",
      package: "google.rpc",
      messageType: names.map((name) => ({ name })),
    });
    const using = (pkg: string, type: string) =>
      echoFile(pkg, {
        dependency: ["google/rpc/error_details.proto"],
        messageType: [{ name: "Text", field: [messageField("m", 1, `.google.rpc.${type}`)] }],
      });
    const { services, warnings, schema } = merge(
      of("x", details("Help"), using("a", "Help")),
      of("y", details("Help", "ErrorInfo"), using("b", "ErrorInfo")),
    );
    assert.deepEqual(services, ["a.Echo", "b.Echo"]);
    assert.deepEqual(warnings, []);
    assert.ok(Buffer.from(schema.files.get("google/rpc/error_details.proto") ?? []).includes("ErrorInfo"));
  });

  it("of which a file imports one by its own name: it stays", () => {
    const rule = (name: string): FileInit => ({
      name,
      package: "google.api",
      messageType: [{ name: "HttpRule" }],
    });
    const using = (pkg: string, file: string) =>
      echoFile(pkg, {
        dependency: [file],
        messageType: [{ name: "Text", field: [messageField("m", 1, ".google.api.HttpRule")] }],
      });
    const { warnings, schema } = merge(
      of("x", rule("google/api/http.proto"), using("a", "google/api/http.proto")),
      of("y", rule("google_api.proto"), using("b", "google_api.proto")),
    );
    assert.deepEqual(warnings, []);
    assert.ok(schema.files.has("google_api.proto"));
  });
});
