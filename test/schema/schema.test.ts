import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { Edition, MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { hasHttpRules, methodsOf, SchemaError, schemaFromFiles } from "#src/schema/types/schema.js";
import {
  echoFile,
  type FileInit,
  fileBytes,
  filesOf,
  httpGet,
  messageField,
  method,
  stringField,
} from "./support/files.js";

describe("a schema from file descriptors", () => {
  it("knows services, methods, kinds and idempotency", () => {
    const { NO_SIDE_EFFECTS, IDEMPOTENT } = MethodOptions_IdempotencyLevel;
    const text = ".a.v1.Text";
    const schema = schemaFromFiles(
      filesOf(
        echoFile("a.v1", {
          service: [
            {
              name: "Echo",
              method: [
                method("Get", text, { options: { idempotencyLevel: NO_SIDE_EFFECTS } }),
                method("Put", text, { options: { idempotencyLevel: IDEMPOTENT } }),
                method("Down", text, { serverStreaming: true }),
                method("Up", text, { clientStreaming: true }),
                method("Both", text, { clientStreaming: true, serverStreaming: true }),
              ],
            },
          ],
        }),
      ),
    );
    assert.deepEqual(
      methodsOf(schema).map(({ path, kind, idempotent }) => [path, kind, idempotent]),
      [
        ["/a.v1.Echo/Get", "unary", true],
        ["/a.v1.Echo/Put", "unary", true],
        ["/a.v1.Echo/Down", "server_streaming", false],
        ["/a.v1.Echo/Up", "client_streaming", false],
        ["/a.v1.Echo/Both", "bidi_streaming", false],
      ],
    );
    assert.deepEqual(schema.warnings, []);
  });

  it("keeps the bytes as they came", () => {
    const files = filesOf(echoFile("a.v1"));
    const schema = schemaFromFiles(files);
    assert.equal(schema.files.get("a/v1/echo.proto"), files.get("a/v1/echo.proto"));
  });

  it("leaves out the services that the hub answers itself", () => {
    const names = [
      "grpc.health.v1",
      "grpc.reflection.v1alpha",
      "grpc.channelz.v1",
      "linchpin.admin.v1",
      "grpc.healthy",
    ];
    const schema = schemaFromFiles(filesOf(...names.map((name) => echoFile(name))));
    assert.deepEqual(
      schema.services.map((service) => service.typeName),
      ["grpc.healthy.Echo"],
    );
  });

  it("offers only the services that the source lists, and says which it does not describe", () => {
    const files = filesOf(echoFile("a"), echoFile("b"));
    const schema = schemaFromFiles(files, ["b.Echo", "c.Echo"]);
    assert.deepEqual(
      schema.services.map((service) => service.typeName),
      ["b.Echo"],
    );
    assert.match(schema.warnings.join(), /c\.Echo is listed/);
  });

  it("has one hash for one content, whatever the order", () => {
    const [a, b] = [echoFile("a"), echoFile("b")];
    const { hash } = schemaFromFiles(filesOf(a, b));
    assert.equal(schemaFromFiles(filesOf(b, a)).hash, hash);
    assert.notEqual(schemaFromFiles(filesOf(a)).hash, hash);
    assert.notEqual(schemaFromFiles(filesOf(a, b), ["a.Echo"]).hash, hash);
    assert.notEqual(schemaFromFiles(filesOf(a, { ...b, options: { deprecated: true } })).hash, hash);
  });

  it("adds google/protobuf files that the source left out", () => {
    const schema = schemaFromFiles(
      filesOf(
        echoFile("a", {
          dependency: ["google/protobuf/type.proto"],
          messageType: [{ name: "Text", field: [messageField("t", 1, ".google.protobuf.Type")] }],
        }),
      ),
    );
    assert.ok(schema.registry.getMessage("google.protobuf.Any"));
    assert.ok(schema.files.has("google/protobuf/source_context.proto"));
  });

  it("makes up for imports that a reflection library dropped, and for relative type names", () => {
    const schema = schemaFromFiles(
      filesOf(
        echoFile("a.v1", {
          service: [{ name: "Echo", method: [method("Say", "Text")] }],
          messageType: [
            {
              name: "Text",
              field: [
                messageField("time", 1, "google.protobuf.Timestamp"),
                messageField("other", 2, ".b.Other"),
                messageField("inner", 3, "Inner"),
              ],
              nestedType: [{ name: "Inner" }],
            },
          ],
        }),
        { name: "z.proto", package: "b", messageType: [{ name: "Other" }] },
      ),
    );
    const text = schema.registry.getMessage("a.v1.Text");
    assert.deepEqual(
      text?.fields.map((field) => field.message?.typeName),
      ["google.protobuf.Timestamp", "b.Other", "a.v1.Text.Inner"],
    );
  });

  it("gives fields their JSON names where the server left them out", () => {
    const schema = schemaFromFiles(filesOf(echoFile("a")));
    assert.equal(schema.registry.getMessage("a.Text")?.fields[0]?.jsonName, "someText");
  });

  for (const [name, more] of Object.entries({
    proto2: { syntax: "proto2" },
    proto3: { syntax: "proto3" },
    "edition 2023": { syntax: "editions", edition: Edition.EDITION_2023 },
  })) {
    it(`reads ${name}`, () => {
      assert.equal(schemaFromFiles(filesOf(echoFile("a", more))).services.length, 1);
    });
  }

  it("sees whether there are HTTP rules at all", () => {
    assert.equal(hasHttpRules(schemaFromFiles(filesOf(echoFile("a")))), false);
    const service = [{ name: "Echo", method: [method("Say", ".a.Text", { options: httpGet("/x") })] }];
    assert.equal(hasHttpRules(schemaFromFiles(filesOf(echoFile("a", { service })))), true);
  });

  it("does without a weak import", () => {
    const file = echoFile("a", { dependency: ["gone.proto"], weakDependency: [0] });
    assert.equal(schemaFromFiles(filesOf(file)).services.length, 1);
  });

  it("follows chains of imports deeper than the call stack", () => {
    const length = 20_000;
    const files = Array.from({ length }, (_, i) => ({
      name: `f${i}.proto`,
      dependency: i + 1 < length ? [`f${i + 1}.proto`] : [],
    }));
    assert.equal([...schemaFromFiles(filesOf(...files)).registry.files].length, length);
  });
});

describe("descriptors that cannot be used", () => {
  const text = { name: "Text" };
  const table: readonly [string, readonly FileInit[], RegExp][] = [
    [
      "a missing import",
      [{ name: "a.proto", dependency: ["b.proto"] }],
      /^"a.proto" imports "b.proto", which is missing$/,
    ],
    [
      "a missing google/protobuf file that is none",
      [{ name: "a.proto", dependency: ["google/protobuf/nonsense.proto"] }],
      /"google\/protobuf\/nonsense.proto", which is missing/,
    ],
    [
      "imports in a circle",
      [
        { name: "a.proto", dependency: ["b.proto"] },
        { name: "b.proto", dependency: ["a.proto"] },
      ],
      /import each other: a.proto → b.proto → a.proto/,
    ],
    [
      "a symbol in two files",
      [
        { name: "a.proto", package: "p", messageType: [text] },
        { name: "b.proto", package: "p", messageType: [{ ...text, field: [stringField("f", 1)] }] },
      ],
      /^p.Text is declared in "a.proto" and in "b.proto", with different content$/,
    ],
    [
      "a symbol twice in a file",
      [{ name: "a.proto", messageType: [text, text] }],
      /Text is declared twice in "a.proto"/,
    ],
    [
      "an unknown type",
      [{ name: "a.proto", messageType: [{ name: "M", field: [messageField("f", 1, ".no.Such")] }] }],
      /field M.f in "a.proto" has the type "no.Such", which no file declares/,
    ],
    [
      "a method whose input is an enum",
      [
        {
          name: "a.proto",
          enumType: [{ name: "E", value: [{ name: "Z", number: 0 }] }],
          service: [{ name: "S", method: [method("M", ".E")] }],
        },
      ],
      /method S.M in "a.proto" has the type "E"/,
    ],
    [
      "a field without a type",
      [{ name: "a.proto", messageType: [{ name: "M", field: [{ name: "f", number: 1 }] }] }],
      /field M.f has no known type/,
    ],
    ["an unknown syntax", [{ name: "a.proto", syntax: "proto9" }], /unsupported syntax "proto9"/],
    [
      "a default that does not parse",
      [
        {
          name: "a.proto",
          syntax: "proto2",
          enumType: [{ name: "E", value: [{ name: "ONE", number: 1 }] }],
          messageType: [
            {
              name: "M",
              field: [{ ...stringField("f", 1), type: 14, typeName: ".E", defaultValue: "MANY" }],
            },
          ],
        },
      ],
      /are inconsistent/,
    ],
  ];
  for (const [name, inits, message] of table) {
    it(`says so: ${name}`, () => {
      assert.throws(
        () => schemaFromFiles(filesOf(...inits)),
        (error) => {
          assert.ok(error instanceof SchemaError);
          assert.match(error.message, message);
          return true;
        },
      );
    });
  }

  it("says so: bytes that are no descriptor, or one of another name", () => {
    const load = (bytes: Uint8Array) => () => schemaFromFiles(new Map([["a.proto", bytes]]));
    assert.throws(load(Uint8Array.of(0x0a, 0x7f)), /"a.proto" is not a file descriptor/);
    assert.throws(load(fileBytes({ name: "b.proto" })), /has the name "b.proto" in it/);
  });

  // @bufbuild/protobuf would read the bytes behind such a field as something else than others do.
  it("says so: a field of another wire type than its own, at any depth", () => {
    const field = (no: number, wire: number, ...bytes: number[]) => [
      ...new BinaryWriter().uint32(no * 8 + wire).finish(),
      ...bytes,
    ];
    const within = (no: number, bytes: number[]) => field(no, 2, bytes.length, ...bytes);
    const odd = {
      file: field(2, 0, 1),
      message: within(4, field(1, 0, 1)),
      "a field's label": within(4, within(2, field(4, 2, 0))),
      "a field's options": within(4, within(2, within(8, field(1, 2, 0)))),
      features: within(8, within(50, field(1, 5, 0, 0, 0, 0))),
      "a double": within(8, within(999, field(6, 0, 1))),
    };
    for (const [what, bytes] of Object.entries(odd)) {
      const whole = Buffer.concat([fileBytes({ name: "a.proto" }), Buffer.from(bytes)]);
      const load = () => schemaFromFiles(new Map([["a.proto", whole]]));
      assert.throws(
        load,
        /"a.proto" is not a file descriptor: it has a field with the wrong wire type/,
        what,
      );
    }
    for (const packed of [field(10, 0, 0), field(10, 2, 1, 0), field(900, 0, 1)])
      schemaFromFiles(
        new Map([
          ["a.proto", Buffer.concat([fileBytes(echoFile("a", { name: "a.proto" })), Buffer.from(packed)])],
        ]),
      );
  });
});
