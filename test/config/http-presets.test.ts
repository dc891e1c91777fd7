// What a preset sets, what a key sets over it, and that the table of the documentation says so.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { Code, httpStatusOf } from "#src/call/status/status.js";
import { type HttpPreset, PRESETS, presetOf } from "#src/config/http-presets.js";
import { parseConfig } from "#src/settings/load.js";
import type { HttpConfig } from "#src/settings/sections/http.js";

function httpOf(http: object): HttpConfig {
  const text = JSON.stringify({ upstreams: { a: { endpoints: ["h:1"] } }, http });
  const result = parseConfig(Buffer.from(text), {
    file: "c",
    directory: "/",
    env: {},
    checkPath: () => undefined,
  });
  return result.ok ? result.config.http : assert.fail(JSON.stringify(result.errors));
}

/** The rows of the table, as the file writes the keys. */
const ROWS: readonly [key: string, of: (preset: HttpPreset) => unknown][] = [
  ["unknownQuery", (p) => p.unknownQuery],
  ["unknownFields", (p) => p.unknownFields],
  ["read.anyContentType", (p) => p.read.anyContentType],
  ["read.anyAccept", (p) => p.read.anyAccept],
  ["read.extraBody", (p) => p.read.extraBody],
  ["read.looseValues", (p) => p.read.looseValues],
  ["read.anyEnumCase", (p) => p.read.anyEnumCase],
  ["read.plusAsSpace", (p) => p.read.plusAsSpace],
  ["read.keptEscapes", (p) => p.read.keptEscapes],
  ["read.fillUpdateMask", (p) => p.read.fillUpdateMask],
  ["methodOverride", (p) => p.methodOverride],
  ["print.emitDefaults", (p) => p.emitDefaults],
  ["print.emitNulls", (p) => p.emitNulls],
  ["compression", (p) => p.compression],
  ["etag", (p) => p.etag],
  ["allowActiveContent", (p) => p.allowActiveContent],
  ["metadata.requestPrefix", (p) => p.metadata.requestPrefix],
  ["metadata.standardPrefix", (p) => p.metadata.standardPrefix],
  ["metadata.responsePrefix", (p) => p.metadata.responsePrefix],
  ["metadata.trailerPrefix", (p) => p.metadata.trailerPrefix],
  ["metadata.prefixTrailers", (p) => p.metadata.prefixTrailers],
  ["statusHeaders", (p) => p.statusHeaders],
  ["errorForm", (p) => p.errorForm],
  ["streamFormat", (p) => p.streamFormat],
  ["wrongMethodStatus", (p) => p.wrongMethodStatus],
];

describe("a preset", () => {
  it("is what the documentation says", () => {
    const page = readFileSync("docs/coming-from.md", "utf8");
    const table = page
      .split("\n")
      .filter((line) => line.startsWith("| `"))
      .map((line) => line.split("|").map((cell) => cell.trim().replaceAll("`", "")));
    for (const [key, of] of ROWS) {
      const row = table.find((cells) => cells[1] === key);
      assert.deepEqual(
        row?.slice(2, 5),
        PRESETS.map((name) => String(of(presetOf(name)) === "" ? "none" : of(presetOf(name)))),
        key,
      );
    }
  });

  it("has no key that the documentation leaves out", () => {
    const { read, metadata, ...others } = presetOf("strict");
    const keys = [
      ...Object.keys(others),
      ...Object.keys(read).map((key) => `read.${key}`),
      ...Object.keys(metadata).map((key) => `metadata.${key}`),
    ];
    const told = ROWS.map(([key]) => key.replace("print.", ""));
    assert.deepEqual(
      keys.filter((key) => !told.includes(key)),
      [],
    );
  });

  it("gives way to each key that the file has", () => {
    const gateway = httpOf({ preset: "grpc-gateway" });
    assert.equal(gateway.unknownFields, "ignore");
    assert.equal(gateway.print.emitDefaults, true);
    assert.equal(gateway.print.emitNulls, true);
    assert.deepEqual(gateway.read, presetOf("grpc-gateway").read);
    assert.equal(gateway.methodOverride, true);
    assert.equal(gateway.metadata.responsePrefix, "grpc-metadata-");
    assert.equal(gateway.compression, undefined);
    const own = httpOf({
      preset: "grpc-gateway",
      unknownFields: "reject",
      print: { emitDefaults: false, emitNulls: false },
      read: { extraBody: "reject", keptEscapes: "slash" },
      methodOverride: false,
      metadata: { responsePrefix: "", prefixTrailers: false },
      compression: true,
      etag: true,
      streamFormat: "array",
    });
    assert.equal(own.unknownFields, "reject");
    assert.equal(own.unknownQuery, "ignore");
    assert.equal(own.print.emitDefaults, false);
    assert.equal(own.print.emitNulls, false);
    assert.deepEqual(own.read, {
      ...presetOf("grpc-gateway").read,
      extraBody: "reject",
      keptEscapes: "slash",
    });
    assert.equal(own.methodOverride, false);
    assert.equal(own.metadata.prefixTrailers, false);
    assert.equal(own.metadata.responsePrefix, "");
    assert.equal(own.metadata.requestPrefix, "grpc-metadata-");
    assert.deepEqual(own.compression, { minBytes: 1024 });
    assert.equal(own.etag, true);
    assert.equal(own.streamFormat, "array");
    assert.equal(own.wrongMethodStatus, 501);
  });
});

describe("the page", () => {
  it("has the HTTP status of every gRPC code", () => {
    const page = readFileSync("docs/rest.md", "utf8");
    for (const [name, code] of Object.entries(Code)) {
      if (code !== Code.OK)
        assert.match(page, new RegExp(`\\| ${name} +\\| ${httpStatusOf(code)} +\\|`), name);
    }
  });
});
