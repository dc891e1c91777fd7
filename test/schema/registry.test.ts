// The registry that makes types when they are asked for, beside the one of @bufbuild/protobuf, which makes all at once.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import {
  type AnyDesc,
  createFileRegistry,
  type DescEnum,
  type DescExtension,
  type DescField,
  type DescMessage,
  type DescService,
  fromBinary,
} from "@bufbuild/protobuf";
import { Edition, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { splitFileDescriptorSet } from "#src/schema/descriptors/descriptor-index.js";
import { schemaFromFiles } from "#src/schema/types/schema.js";
import { type FileInit, messageField, protosetOf, stringField } from "./support/files.js";

type Type = DescMessage | DescEnum | DescExtension | DescService;

/** What tells a descriptor of another, without following it. */
function nameOf(desc: AnyDesc | undefined): string | undefined {
  return desc === undefined ? undefined : String(desc);
}

function fieldFacts(field: DescField | DescExtension) {
  const { kind, name, number, jsonName, deprecated, presence, utf8Validation, fieldKind, proto } = field;
  const { message, scalar } = field;
  return {
    ...{ kind, name, number, jsonName, deprecated, presence, utf8Validation, fieldKind, scalar, proto },
    message: nameOf(message),
    enum: nameOf(field.enum),
    oneof: nameOf(field.oneof),
    parent: nameOf(field.parent),
    text: String(field),
    listKind: field.fieldKind === "list" ? field.listKind : undefined,
    packed: field.fieldKind === "list" ? field.packed : undefined,
    mapKind: field.fieldKind === "map" ? field.mapKind : undefined,
    mapKey: field.fieldKind === "map" ? field.mapKey : undefined,
    delimited: "delimitedEncoding" in field ? field.delimitedEncoding : undefined,
    longAsString: "longAsString" in field ? field.longAsString || undefined : undefined,
    default: field.fieldKind === "list" || field.fieldKind === "map" ? undefined : field.getDefaultValue(),
    localName: field.kind === "field" ? field.localName : undefined,
    extendee: field.kind === "extension" ? nameOf(field.extendee) : undefined,
    typeName: field.kind === "extension" ? field.typeName : undefined,
  };
}

function facts(desc: Type): unknown {
  const file = `${desc.kind === "extension" ? "" : desc.file.name} ${desc.file.edition} ${desc.file.deprecated}`;
  switch (desc.kind) {
    case "extension":
      return { ...fieldFacts(desc), file };
    case "enum": {
      const { typeName, name, open, sharedPrefix, deprecated, proto, parent } = desc;
      const values = desc.values.map(({ parent: _, ...value }) => ({
        name: value.name,
        localName: value.localName,
        jsonName: value.jsonName,
        number: value.number,
      }));
      const byNumber = Object.fromEntries(Object.entries(desc.value).map(([no, value]) => [no, value.name]));
      return {
        typeName,
        name,
        open,
        sharedPrefix,
        deprecated,
        proto,
        parent: nameOf(parent),
        values,
        byNumber,
        file,
      };
    }
    case "message": {
      const { typeName, name, deprecated, proto, parent } = desc;
      return {
        ...{ typeName, name, deprecated, proto, file, parent: nameOf(parent) },
        fields: desc.fields.map(fieldFacts),
        byName: Object.fromEntries(Object.entries(desc.field).map(([key, field]) => [key, field.number])),
        oneofs: desc.oneofs.map((oneof) => [
          oneof.name,
          oneof.localName,
          oneof.fields.map(nameOf),
          oneof.proto,
        ]),
        members: desc.members.map(nameOf),
        nested: [desc.nestedEnums, desc.nestedMessages, desc.nestedExtensions].map((list) =>
          list.map(nameOf),
        ),
      };
    }
    case "service": {
      const { typeName, name, deprecated, proto } = desc;
      const methods = desc.methods.map((method) => ({
        ...{ name: method.name, localName: method.localName, kind: method.methodKind, proto: method.proto },
        input: nameOf(method.input),
        output: nameOf(method.output),
        idempotency: method.idempotency,
      }));
      return { typeName, name, deprecated, proto, file, methods, byName: Object.keys(desc.method) };
    }
  }
}

function compare(set: Uint8Array): void {
  const theirs = createFileRegistry(fromBinary(FileDescriptorSetSchema, set));
  const ours = schemaFromFiles(splitFileDescriptorSet(set)).registry;
  const names = new Set([...theirs].map((type) => type.typeName));
  assert.deepEqual(new Set([...ours].map((type) => type.typeName)), names);
  for (const name of names) {
    const [their, our] = [theirs.get(name), ours.get(name)];
    assert.ok(their !== undefined && our !== undefined, name);
    assert.deepEqual(facts(our), facts(their), name);
    if (their.kind === "extension" && our.kind === "extension") {
      assert.equal(ours.getExtensionFor(our.extendee, our.number), our);
      // As getExtension and setExtension do.
      const copies = [{ ...our }, { ...their }].map((copy) => [nameOf(copy.message), nameOf(copy.enum)]);
      assert.deepEqual(copies[0], copies[1]);
    }
  }
  for (const file of theirs.files) {
    const own = ours.getFile(file.proto.name);
    assert.ok(own !== undefined, file.name);
    assert.deepEqual(own.proto, file.proto);
    assert.deepEqual(own.dependencies.map(nameOf), file.dependencies.map(nameOf));
    for (const list of ["messages", "enums", "extensions", "services"] as const)
      assert.deepEqual(own[list].map(nameOf), file[list].map(nameOf));
  }
}

/** Bytes of a file descriptor have what a compiler writes: JSON names, full names, types. */
const full = (name: string, number: number) => ({ ...stringField(name, number), jsonName: name });

/** One of everything, in each edition. */
function everything(pkg: string, more: Partial<FileInit>): FileInit {
  const type = (name: string) => `.${pkg}.${name}`;
  const of = (name: string, number: number, fieldType: number, rest = {}) => ({
    ...full(name, number),
    type: fieldType,
    ...rest,
  });
  return {
    name: `${pkg}.proto`,
    package: pkg,
    enumType: [
      {
        name: "Color",
        value: [
          { name: "COLOR_NONE", number: 0 },
          { name: "COLOR_RED", number: 1 },
          { name: "COLOR_ROT", number: 1 },
        ],
        options: { allowAlias: true, deprecated: true },
      },
    ],
    messageType: [
      {
        name: "All",
        field: [
          ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 15, 16, 17, 18].map((t) => of(`s${t}`, t, t)),
          ...[1, 5, 8, 9, 12].map((t) => of(`r${t}`, 20 + t, t, { label: 3 })),
          of("unpacked", 40, 5, { label: 3, options: { packed: false } }),
          of("packed", 41, 5, { label: 3, options: { packed: true } }),
          of("color", 42, 14, { typeName: type("Color") }),
          of("colors", 43, 14, { typeName: type("Color"), label: 3 }),
          of("self", 44, 11, { typeName: type("All") }),
          of("selves", 45, 11, { typeName: type("All"), label: 3 }),
          of("one", 46, 9, { oneofIndex: 0 }),
          of("other", 47, 11, { typeName: type("All.Inner"), oneofIndex: 0 }),
          of("long", 48, 3, { options: { jstype: 1, deprecated: true } }),
          of("map", 49, 11, { typeName: type("All.MapEntry"), label: 3 }),
          of("enum_map", 50, 11, { typeName: type("All.EnumMapEntry"), label: 3 }),
          of("to_string", 51, 9),
          of("toString", 52, 9),
          of("constructor", 53, 9),
        ],
        oneofDecl: [{ name: "choice" }, { name: "nobody" }],
        nestedType: [
          { name: "Inner", field: [full("x", 1)], options: { deprecated: true } },
          {
            name: "MapEntry",
            field: [of("key", 1, 9), of("value", 2, 11, { typeName: type("All") })],
            options: { mapEntry: true },
          },
          {
            name: "EnumMapEntry",
            field: [of("key", 1, 5), of("value", 2, 14, { typeName: type("Color") })],
            options: { mapEntry: true },
          },
        ],
        enumType: [{ name: "Nested", value: [{ name: "A", number: 0 }] }],
      },
    ],
    service: [
      {
        name: "S",
        method: [
          {
            name: "Get",
            inputType: type("All"),
            outputType: type("All.Inner"),
            options: { idempotencyLevel: 1 },
          },
          {
            name: "Both",
            inputType: type("All"),
            outputType: type("All"),
            clientStreaming: true,
            serverStreaming: true,
          },
        ],
      },
    ],
    ...more,
  };
}

describe("the types of a schema, beside those of @bufbuild/protobuf", () => {
  it("are the same for the hub's own services", () => {
    compare(readFileSync("generated/image.binpb"));
  });

  for (const [name, more] of Object.entries<Partial<FileInit>>({
    proto2: { syntax: "proto2" },
    proto3: { syntax: "proto3", options: { deprecated: true } },
    "edition 2023": { syntax: "editions", edition: Edition.EDITION_2023 },
    "edition 2024": { syntax: "editions", edition: Edition.EDITION_2024 },
    "features of the file": {
      syntax: "editions",
      edition: Edition.EDITION_2023,
      options: {
        features: {
          fieldPresence: 2,
          enumType: 2,
          repeatedFieldEncoding: 2,
          utf8Validation: 3,
          messageEncoding: 2,
        },
      },
    },
  })) {
    it(`are the same: ${name}`, () => compare(protosetOf(everything("p", more))));
  }

  it("are the same: defaults, required fields, groups, extensions, proto3's optional", () => {
    const text = { ...full("t", 1), defaultValue: "a\\nb" };
    const color = { ...full("c", 2), type: 14, typeName: ".q.E", defaultValue: "TWO" };
    const set = protosetOf(
      {
        name: "q.proto",
        package: "q",
        syntax: "proto2",
        enumType: [
          {
            name: "E",
            value: [
              { name: "ONE", number: 1 },
              { name: "TWO", number: 2 },
            ],
          },
        ],
        messageType: [
          {
            name: "M",
            field: [
              text,
              color,
              { ...full("n", 3), type: 3, label: 2, defaultValue: "-9223372036854775808" },
              { ...full("grp", 4), type: 10, typeName: ".q.M.Grp" },
              { ...full("f", 5), type: 2, defaultValue: "inf" },
            ],
            nestedType: [{ name: "Grp", field: [full("g", 1)] }],
            extensionRange: [{ start: 100, end: 200 }],
            extension: [{ ...full("inner", 101), extendee: ".q.M", jsonName: "" }],
          },
        ],
        extension: [
          { ...full("ext", 100), extendee: ".q.M", jsonName: "" },
          { ...messageField("many", 102, ".q.M"), label: 3, extendee: ".q.M" },
        ],
      },
      {
        name: "o.proto",
        messageType: [
          {
            name: "Top",
            field: [{ ...full("maybe", 1), proto3Optional: true, oneofIndex: 0 }],
            oneofDecl: [{ name: "_maybe" }],
          },
        ],
      },
    );
    compare(set);
  });
});
