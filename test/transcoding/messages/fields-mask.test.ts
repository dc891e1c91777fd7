// Partial responses: what $fields may say, and what is left of a message.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  create,
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonValue,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import fc from "fast-check";
import { Status } from "#src/call/status/status.js";
import { Codecs } from "#src/transcoding/codec/codecs.js";
import { type FieldsMask, maskMessage, parseFieldsMask } from "#src/transcoding/messages/fields-mask.js";
import { compileProtos } from "../support/schema.js";
import { shapes } from "../support/shapes.js";

const desc: DescMessage = shapes.getMessage("shapes.v1.Bodies") ?? assert.fail();
const codecs = new Codecs(shapes);

function parsedMask(of: DescMessage, mask: string): FieldsMask {
  const parsed = parseFieldsMask(of, mask);
  return "error" in parsed ? assert.fail(`${parsed.column}: ${parsed.error}`) : parsed;
}

/** What is left in protobuf's binary format, as the reference reads it; what the codec prints is the same. */
function masked(json: JsonValue, mask: string, of = desc): JsonValue {
  const parsed = parsedMask(of, mask);
  const bytes = toBinary(of, fromJson(of, json, { registry: shapes }));
  const left = toJson(of, fromBinary(of, maskMessage(bytes, parsed)), { registry: shapes });
  const printed = codecs.of(of).decode(bytes, parsed);
  assert.deepEqual(JSON.parse(printed.toString()), left);
  return left;
}

const full = {
  id: "1",
  text: "t",
  number: "2",
  thing: { name: "n", displayName: "d", part: { partName: "p", size: 1, inner: { size: 2, tags: ["a"] } } },
  things: [{ name: "a", tags: ["x"], parts: [{ size: 1, partName: "q" }] }, { name: "b" }],
  texts: ["x", "y"],
  counts: { a: 1, b: 2 },
  byName: { a: { name: "z" } },
  colours: ["RED"],
  struct: { a: 1 },
};

describe("a mask leaves", () => {
  const cases: [mask: string, left: JsonValue][] = [
    ["id", { id: "1" }],
    ["id,text", { id: "1", text: "t" }],
    ["id,id", { id: "1" }],
    ["thing/name", { thing: { name: "n" } }],
    ["thing.name", { thing: { name: "n" } }],
    ["thing(name)", { thing: { name: "n" } }],
    ["thing(name,part/size)", { thing: { name: "n", part: { size: 1 } } }],
    ["thing/part(size,inner(tags))", { thing: { part: { size: 1, inner: { tags: ["a"] } } } }],
    ["thing.part.inner", { thing: { part: { inner: { size: 2, tags: ["a"] } } } }],
    ["thing/display_name,thing/displayName", { thing: { displayName: "d" } }],
    ["thing/name,thing/part/size", { thing: { name: "n", part: { size: 1 } } }],
    ["thing,thing/name", { thing: full.thing }],
    ["thing/name,thing", { thing: full.thing }],
    ["things/name", { things: [{ name: "a" }, { name: "b" }] }],
    ["things(name,parts/size)", { things: [{ name: "a", parts: [{ size: 1 }] }, { name: "b" }] }],
    ["texts,colours", { texts: ["x", "y"], colours: ["RED"] }],
    ["counts,by_name", { counts: { a: 1, b: 2 }, byName: { a: { name: "z" } } }],
    ["struct", { struct: { a: 1 } }],
    ["*", full],
    ["thing/*", { thing: full.thing }],
    ["*/name", { thing: { name: "n" }, things: [{ name: "a" }, { name: "b" }] }],
    ["flag", {}],
  ];
  for (const [mask, left] of cases) {
    it(mask, () => assert.deepEqual(masked(full, mask), left));
  }

  it("behind a * the messages that have the field, and of the others nothing", () => {
    const mixed = compileProtos({
      "mixed.proto": `syntax = "proto3"; package mixed; message Mixed { A a = 1; repeated B b = 2; None none = 3; string text = 4; }
        message A { string name = 1; int32 size = 2; } message B { int32 size = 1; A inner = 2; } message None {}`,
    });
    const of = mixed.getMessage("mixed.Mixed") ?? assert.fail();
    const json = {
      a: { name: "x", size: 1 },
      b: [{ size: 2, inner: { name: "y", size: 3 } }],
      none: {},
      text: "t",
    };
    assert.deepEqual(masked(json, "*/name", of), { a: { name: "x" } });
    assert.deepEqual(masked(json, "*/size", of), { a: { size: 1 }, b: [{ size: 2 }] });
    assert.deepEqual(masked(json, "*/*/name", of), { b: [{ inner: { name: "y" } }] });
    assert.deepEqual(masked(json, "*(name,inner/size),none", of), {
      a: { name: "x" },
      b: [{ inner: { size: 3 } }],
      none: {},
    });
    assert.deepEqual(masked({}, "*", mixed.getMessage("mixed.None") ?? assert.fail()), {});
    const nowhere = parseFieldsMask(of, "*/nmae");
    assert.ok("error" in nowhere);
    assert.equal(nowhere.error, "none of these messages has a field 'nmae'; did you mean 'name'?");
  });

  it("groups cut like messages", () => {
    const old = compileProtos({
      "old.proto": `syntax = "proto2"; package old; message Old { optional group Inner = 1 { optional string a = 1; optional int32 b = 2;
        optional group Deep = 3 { optional string c = 1; } } repeated fixed32 f = 2 [packed = true]; optional fixed64 g = 3; }`,
    });
    const of = old.getMessage("old.Old") ?? assert.fail();
    const json = { inner: { a: "x", b: 1, deep: { c: "y" } }, f: [1, 2], g: "3" };
    assert.deepEqual(masked(json, "inner/a,g", of), { inner: { a: "x" }, g: "3" });
    assert.deepEqual(masked(json, "inner/deep", of), { inner: { deep: { c: "y" } } });
    assert.deepEqual(masked(json, "f", of), { f: [1, 2] });
  });

  it("nothing of what the schema does not know", () => {
    const bytes = Buffer.concat([toBinary(desc, create(desc)), Buffer.from([0xa2, 0x06, 1, 65])]);
    const mask = parseFieldsMask(desc, "*");
    assert.ok(!("error" in mask));
    assert.equal(maskMessage(bytes, mask).length, 0);
  });
});

describe("where defaults are printed, a mask leaves", () => {
  const file = compileProtos({
    "d.proto": `syntax = "proto3"; package d;
      message Root { string name = 1; int32 size = 2; Sub sub = 3; repeated Sub subs = 4; map<string, Sub> by_key = 5;
        optional int32 maybe = 6; oneof choice { string left = 7; int32 right = 8; } int64 far = 300; }
      message Sub { string a = 1; int32 b = 2; Sub deep = 3; repeated string tags = 4; }`,
  });
  const of = file.getMessage("d.Root") ?? assert.fail();
  const set = {
    name: "secret",
    size: 5,
    sub: { a: "x", b: 3, deep: { a: "y", b: 4 } },
    subs: [{ a: "p", b: 1 }, {}],
    byKey: { k: { a: "z" } },
    maybe: 7,
    right: 8,
    far: "9",
  };
  const cases: [mask: string, of: JsonValue, left: string][] = [
    ["size,sub.b", set, '{"size":5,"sub":{"b":3}}'],
    ["size,sub.b", {}, '{"size":0}'],
    ["sub.b", { sub: { a: "x" } }, '{"sub":{"b":0}}'],
    ["sub(tags,deep/b)", set, '{"sub":{"deep":{"b":4},"tags":[]}}'],
    ["subs.b", set, '{"subs":[{"b":1},{"b":0}]}'],
    ["subs.b", {}, '{"subs":[]}'],
    ["by_key", set, '{"byKey":{"k":{"a":"z","b":0,"tags":[]}}}'],
    ["maybe,right,left", set, '{"maybe":7,"right":8}'],
    ["maybe,right,far", {}, '{"far":"0"}'],
    ["far,name", set, '{"name":"secret","far":"9"}'],
    ["*/b", set, '{"sub":{"b":3},"subs":[{"b":1},{"b":0}]}'],
  ];
  const all = new Codecs(file, { print: { emitDefaults: true } }).of(of);
  for (const [mask, json, left] of cases) {
    it(`${mask} of ${json === set ? "what is set" : JSON.stringify(json)}`, () => {
      const bytes = toBinary(of, fromJson(of, json));
      const parsed = parsedMask(of, mask);
      assert.equal(all.decode(bytes, parsed).toString(), left);
      // The long way, which a group takes that nobody knows.
      const group = Buffer.from([0x93, 0x03, 0x94, 0x03]);
      assert.equal(all.decode(Buffer.concat([bytes, group]), parsed).toString(), left);
    });
  }

  it("of one field what is chosen in it", () => {
    const bytes = toBinary(of, fromJson(of, set));
    const sub = of.field.sub ?? assert.fail();
    assert.equal(all.decodeField(sub, bytes, parsedMask(of, "sub.b")).toString(), '{"b":3}');
  });

  it("null for what is chosen and not set, where that is asked for", () => {
    const nulls = new Codecs(file, { print: { emitDefaults: true, emitNulls: true } }).of(of);
    assert.equal(
      nulls.decode(Buffer.alloc(0), parsedMask(of, "size,sub.b")).toString(),
      '{"size":0,"sub":null}',
    );
  });
});

describe("a required field", () => {
  const file = compileProtos({
    "r.proto": `syntax = "proto2"; package r; message R { required string must = 1; optional group Grp = 2 { required int32 in = 1;
      optional int64 g = 2; } }`,
  });
  const of = file.getMessage("r.R") ?? assert.fail();
  const codec = new Codecs(file).of(of);
  const bytes = toBinary(of, fromJson(of, { must: "x", grp: { in: 1, g: "3" } }));

  it("need not be chosen", () => {
    assert.equal(codec.decode(bytes, parsedMask(of, "grp.g")).toString(), '{"grp":{"g":"3"}}');
  });

  it("that is chosen must be there", () => {
    assert.equal(codec.decode(bytes, parsedMask(of, "must")).toString(), '{"must":"x"}');
    assert.throws(
      () => codec.decode(Buffer.alloc(0), parsedMask(of, "must")),
      /the required field must is missing/,
    );
  });
});

describe("an invalid mask is reported with its column", () => {
  const cases: [mask: string, column: number, says: RegExp][] = [
    ["", 1, /expected a field's name or '\*', the text ends/],
    ["nope", 1, /shapes.v1.Bodies has no field 'nope'/],
    ["id,txet", 4, /did you mean 'text'/],
    ["id,", 4, /expected a field's name/],
    ["id text", 3, /expected ',' or the end, got " "/],
    ["id/x", 1, /'id' has no fields to choose from/],
    ["counts/a", 1, /'counts' has no fields/],
    ["struct/a", 1, /'struct' has no fields/],
    ["at/seconds", 1, /'at' has no fields/],
    ["any/value", 1, /'any' has no fields/],
    ["thing(name", 11, /expected ',' or '\)', the text ends/],
    ["thing()", 7, /expected a field's name/],
    ["thing/", 7, /expected a field's name/],
    ["thing)", 6, /expected ',' or the end/],
    ["thing/nmae", 7, /did you mean 'name'/],
    [`thing/part/${"inner/".repeat(40)}size`, 0, /more than 32 levels/],
    ["id,".repeat(1001), 0, /more than 1000 fields/],
    [`${"*,".repeat(200)}id`, 0, /more than 1000 fields/],
  ];
  for (const [mask, column, says] of cases) {
    it(mask.slice(0, 60), () => {
      const parsed = parseFieldsMask(desc, mask);
      assert.ok("error" in parsed);
      assert.match(parsed.error, says);
      if (column > 0) assert.equal(parsed.column, column);
    });
  }

  it("and never more than requested", () => {
    const token = fc.constantFrom(
      "id",
      "thing",
      "things",
      "part",
      "inner",
      "*",
      ",",
      "/",
      ".",
      "(",
      ")",
      " ",
      "nope",
    );
    fc.assert(
      fc.property(fc.array(token, { maxLength: 30 }), (tokens) => {
        const parsed = parseFieldsMask(desc, tokens.join(""));
        if ("error" in parsed) assert.ok(parsed.column >= 1);
        else fromBinary(desc, maskMessage(toBinary(desc, fromJson(desc, full)), parsed));
      }),
      { numRuns: 1000 },
    );
  });

  it("bytes that are no protobuf end in an error, not in a hang", () => {
    const mask = parseFieldsMask(desc, "thing/part/size,things/name,id");
    assert.ok(!("error" in mask) && !(mask instanceof Status));
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        try {
          maskMessage(bytes, mask);
        } catch (e) {
          assert.ok(e instanceof Error);
        }
      }),
    );
  });
});
