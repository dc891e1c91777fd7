import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { mergeSchemas, type UpstreamSchema } from "#src/schema/merge-schemas.js";
import { schemaFromFiles } from "#src/schema/schema.js";
import { echoFile, type FileInit, filesOf, messageField, stringField } from "./support/files.js";

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
