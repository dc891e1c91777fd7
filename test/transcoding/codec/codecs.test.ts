// What the codec says where the reference says something else, or where a service's bytes and a client's text are odd.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { before, describe, it } from "node:test";
import type { FileRegistry } from "@bufbuild/protobuf";
import {
  BudgetExceeded,
  type CodecOptions,
  Codecs,
  DecodeError,
  type MessageCodec,
} from "#src/transcoding/codec/codecs.js";
import { costsLess } from "../../support/cpu.js";
import { compileProtos } from "../support/schema.js";

const PROTO3 = `syntax = "proto3"; package test.v1;
  import "google/protobuf/any.proto"; import "google/protobuf/struct.proto"; import "google/protobuf/wrappers.proto";
  import "google/protobuf/field_mask.proto";
  enum Color { RED = 0; GREEN = 1; CRIMSON = -1; }
  message All {
    string text = 1; int64 long = 2; float ratio = 3; double number = 4; google.protobuf.Any any = 5;
    google.protobuf.Value value = 6; All inner = 7; repeated int32 list = 8; map<string, All> map = 9;
    oneof choice { string word = 10; int32 count = 11; google.protobuf.StringValue wrapped = 15; google.protobuf.FieldMask mask = 16; }
    Color color = 12; bytes data = 13; optional int32 maybe = 14;
  }`;
const PROTO2 = `syntax = "proto2"; package test.v2;
  enum Shut { NO = 0; YES = 1; }
  message Old {
    required string name = 1; optional string text = 2; optional Shut shut = 3; repeated Shut shuts = 4;
    optional group Part = 5 { optional int32 size = 1; }
    extensions 100 to 200;
  }
  extend Old { optional Shut extra = 100; }`;

/** A field of bytes: number below 16. */
function field(number: number, content: Uint8Array): Buffer {
  assert.ok(content.length < 2 ** 14);
  const { length } = content;
  const prefix = length < 128 ? [length] : [(length & 0x7f) | 0x80, length >> 7];
  return Buffer.concat([Buffer.from([number * 8 + 2, ...prefix]), content]);
}

const EMPTY = new Uint8Array(0);

describe("the codec", () => {
  let registry: FileRegistry;
  before(() => {
    registry = compileProtos({ "test/v1/all.proto": PROTO3, "test/v2/old.proto": PROTO2 });
  });
  const codec = (type = "test.v1.All", options?: CodecOptions): MessageCodec => {
    const desc = registry.getMessage(type);
    assert.ok(desc !== undefined);
    return new Codecs(registry, options).of(desc);
  };
  const bytes = (hex: string): Buffer => Buffer.from(hex.replace(/ /g, ""), "hex");

  describe("with a budget", () => {
    const budget = { textBytes: 1000, steps: 100_000 };

    it("stops at the text that defaults make of next to nothing, and prints the next message", () => {
      const emitting = codec("test.v1.All", { print: { emitDefaults: true } });
      // Nine bytes are some 1,800 of JSON.
      const nine = field(7, field(7, field(7, field(7, EMPTY))));
      assert.ok(emitting.decode(nine).length > 400);
      assert.throws(
        () => emitting.decode(Buffer.concat([nine, nine]), undefined, { textBytes: 400, steps: 1000 }),
        BudgetExceeded,
      );
      assert.throws(
        () => emitting.decode(field(1, Buffer.alloc(1000, "x")), undefined, budget),
        BudgetExceeded,
      );
      // Where the buffer grows, too: a text that would fill the memory is not written first.
      assert.throws(
        () => emitting.decode(field(1, Buffer.alloc(16_000, 1)), undefined, budget),
        BudgetExceeded,
      );
      assert.equal(String(codec().decode(field(1, Buffer.from("a")), undefined, budget)), '{"text":"a"}');
      assert.ok(codec().decode(field(1, Buffer.alloc(2000, "x"))).length > 2000, "no budget is left behind");
    });

    it("stops at work that prints nothing", () => {
      // Each list is looked for from its first record to its last.
      const mixed = Buffer.alloc(10_000, Buffer.from([0x40, 1, 0x3a, 0]));
      assert.throws(
        () => codec().decode(mixed, undefined, { textBytes: 1e6, steps: 15_000 }),
        BudgetExceeded,
      );
    });

    it("counts what costs more than its bytes", () => {
      const entry = (any: boolean): Buffer => field(9, any ? field(2, field(5, EMPTY)) : EMPTY);
      const mask = Buffer.concat([
        Buffer.from([0x82, 0x01]),
        field(1, Buffer.alloc(3000, field(1, EMPTY))).subarray(1),
      ]);
      const rows: [what: string, bytes: Buffer, steps: number][] = [
        ["empty entries of a map", Buffer.alloc(2000, entry(false)), 40_000],
        ["empty Any", entry(true), 90],
        ["paths of a mask", mask, 40_000],
      ];
      for (const [what, bytes, steps] of rows) {
        const budget = { textBytes: 1e6, steps };
        assert.throws(() => codec().decode(bytes, undefined, budget), BudgetExceeded, what);
        assert.ok(codec().decode(bytes, undefined, { ...budget, steps: 10 * steps }).length > 0, what);
      }
    });

    it("is enough for maps within each other in which keys come twice: the work does not double with each", () => {
      let bytes: Uint8Array = EMPTY;
      let json: unknown = {};
      for (let depth = 0; depth < 45; depth++) {
        const entry = (key: string, value: Uint8Array): Buffer =>
          field(9, Buffer.concat([field(1, Buffer.from(key)), field(2, value)]));
        bytes = Buffer.concat([entry("x", bytes), entry("a", EMPTY), entry("a", EMPTY)]);
        json = { map: { x: json, a: {} } };
      }
      const text = codec().decode(bytes, undefined, { textBytes: 10_000, steps: 1_000_000 });
      assert.deepEqual(JSON.parse(String(text)), json);
    });
  });

  const printed: [what: string, type: string, hex: string, json: string][] = [
    ["a float by its shortest decimal", "test.v1.All", "1d cdcccc3d", '{"ratio":0.1}'],
    ["the largest float", "test.v1.All", "1d ffff7f7f", '{"ratio":3.4028235e+38}'],
    ["the sign of zero", "test.v1.All", "1d 00000080", '{"ratio":-0}'],
    ["int64 beyond 2^53 exactly", "test.v1.All", "10 8180808080808010", '{"long":"9007199254740993"}'],
    ["a Value without a value as null", "test.v1.All", "3200", '{"value":null}'],
    ["the last of a scalar given twice", "test.v1.All", "0a0161 0a0162", '{"text":"b"}'],
    [
      "messages given twice as one",
      "test.v1.All",
      "3a030a0161 40 05 3a021007",
      '{"inner":{"text":"a","long":"7"},"list":[5]}',
    ],
    ["the last member of a oneof", "test.v1.All", "520161 5805 520162", '{"word":"b"}'],
    [
      "the last member of a oneof in an Any, though the one before it has no JSON",
      "test.v1.All",
      "2a21 0a0d782f746573742e76312e416c6c 1210 82010a0a086e6f7443616d656c 520162",
      '{"any":{"@type":"x/test.v1.All","word":"b"}}',
    ],
    [
      "a list in several records, packed and not",
      "test.v1.All",
      "4001 42020203 0a0161 4004",
      '{"text":"a","list":[1,2,3,4]}',
    ],
    [
      "the last entry of a map's key",
      "test.v1.All",
      "4a030a0161 4a090a0161 12040a0278 79",
      '{"map":{"a":{"text":"xy"}}}',
    ],
    [
      "a map's entry over a bad one of its key",
      "test.v1.All",
      "4a0b0a0161 1206 32 04 11 000000 4a030a0161",
      '{"map":{"a":{}}}',
    ],
    ["an enum's unknown number", "test.v1.All", "6063", '{"color":99}'],
    ["a negative enum", "test.v1.All", "60ffffffffffffffffff01", '{"color":"CRIMSON"}'],
    ["zero where presence is known", "test.v1.All", "7000", '{"maybe":0}'],
    ["nothing for a zero without presence", "test.v1.All", "1000 0a00 6000", "{}"],
    ["a field of another wire type as unknown", "test.v1.All", "0801 120161 0a0162", '{"text":"b"}'],
    ["escapes", "test.v1.All", "0a0722 5c 0a 01 7f c3a9", '{"text":"\\"\\\\\\n\\u0001\u007f\u00e9"}'],
    [
      "an Any of an unknown type as base64",
      "test.v1.All",
      "2a08 0a03 782f79 1201 ff",
      '{"any":{"@type":"x/y","value":"/w=="}}',
    ],
    ["an empty Any", "test.v1.All", "2a00", '{"any":{}}'],
    ["no value that a closed enum lacks", "test.v2.Old", "0a0161 1863 a00663", '{"name":"a"}'],
    ["a group", "test.v2.Old", "0a0161 2b 0807 2c", '{"name":"a","part":{"size":7}}'],
    ["invalid UTF-8 of proto2 mended", "test.v2.Old", "0a0161 1202 ff61", '{"name":"a","text":"\ufffda"}'],
    ["an extension", "test.v2.Old", "0a0161 a00601", '{"name":"a","[test.v2.extra]":"YES"}'],
    ["invalid UTF-8 of proto3", "test.v1.All", "0a02 ff61", "DecodeError"],
    ["a required field that is missing", "test.v2.Old", "", "DecodeError"],
    ["a length beyond the end", "test.v1.All", "0a0561", "DecodeError"],
    ["a group that does not end", "test.v2.Old", "0a0161 2b 0807", "DecodeError"],
    ["a group ended by another", "test.v2.Old", "0a0161 2b 34", "DecodeError"],
    ["field number 0", "test.v1.All", "0001", "DecodeError"],
    ["a varint of 11 bytes", "test.v1.All", "10 8080808080808080808001", "DecodeError"],
    ["a Value that is no number", "test.v1.All", "3209 11 000000000000f87f", "DecodeError"],
  ];
  for (const [what, type, hex, json] of printed) {
    it(`${json === "DecodeError" ? "refuses" : "prints"} ${what}`, () => {
      if (json === "DecodeError") assert.throws(() => codec(type).decode(bytes(hex)), DecodeError);
      else assert.equal(codec(type).decode(bytes(hex)).toString(), json);
    });
  }

  const refused: [text: string | Buffer, says: string][] = [
    ['{"text":"a","text":"b"}', '1:13 the name "text" occurs twice'],
    ['{"text":"\\ud800"}', "1:9 this string has half of a surrogate pair, which is not a character"],
    [Buffer.from('{"text":"\xff"}', "latin1"), "1:1 the text is not UTF-8"],
    ['{"inner":{"map":{"k":{"nmae":1}}}}', "inner.map.k.nmae: test.v1.All has no field 'nmae'"],
    ['{"list":[1,null]}', "list[1]: null is not allowed in a list"],
    [
      '{"list":[1,2147483648]}',
      "list[1]: expected an integer from -2147483648 to 2147483647 (int32), got 2147483648",
    ],
    [
      '{"ratio":3.4028235677973366e38}',
      "ratio: expected a number from -3.4028235677973362e+38 to 3.4028235677973362e+38 (float), got 3.4028235677973366e38",
    ],
    ['{"word":"a","count":1}', "count: 'word' is given too, and only one of 'choice' can be"],
    ['{"color":"BLUE"}', 'color: expected one of RED, GREEN, CRIMSON, or its number, got "BLUE"'],
    ['{"any":{"@type":"x/test.v9.None"}}', "any.@type: the type 'x/test.v9.None' is unknown"],
    ['{"value":1e999}', "value: expected a number that a double can hold, got 1e999"],
    ['{"text":"a"} x', '1:14 expected the end of the JSON text, got "x"'],
    [
      `${'{"inner":'.repeat(100)}{}${"}".repeat(100)}`,
      "1:901 arrays and objects are nested more than 100 deep",
    ],
  ];
  for (const [text, says] of refused) {
    it(`refuses ${text.toString().slice(0, 50)}`, () => {
      const result = codec().encodeText(Buffer.from(text));
      if (result instanceof Uint8Array) assert.fail("it was taken");
      const where = "path" in result ? `${result.path}:` : `${result.line}:${result.column}`;
      assert.equal(`${where} ${result.problem}`, says);
    });
  }

  it("says which required field is missing, and where", () => {
    const result = codec("test.v2.Old").encodeText(Buffer.from('{"text":"a"}'));
    assert.deepEqual(result, { path: "", problem: "the required field 'name' of test.v2.Old is missing" });
  });

  const taken: [text: string, hex: string][] = [
    ['{"long":9007199254740993}', "108180808080808010"],
    ['{"long":"1e2","list":[1.0,"2"]}', "1064 42020102"],
    ['{"word":null,"count":1}', "5801"],
    ['{"wrapped":null,"count":1}', "5801"],
    ['{"data":"-_-_"}', "6a03 fbffbf"],
    // The largest float, as it is printed, and what rounds to it.
    ['{"ratio":3.4028235e38}', "1d ffff7f7f"],
    ['{"ratio":"-3.4028235E+38"}', "1d ffff7fff"],
    ['{"ratio":3.4028235677973362e38}', "1d ffff7f7f"],
    ['{"text":"\\ud83d\\udcda"}', "0a04f09f939a"],
    [
      '{"value":{"a":[null,1.5]},"maybe":0}',
      "3216 2a14 0a12 0a0161 120d 320b 0a02 0800 0a09 11 000000000000f83f 7000".replace(
        "3216 2a14 0a12 0a0161 120d 320b",
        "321a 2a18 0a16 0a0161 1211 320f",
      ),
    ],
    [`${'{"inner":'.repeat(99)}{}${"}".repeat(99)}`, ""],
  ];
  for (const [text, hex] of taken) {
    it(`reads ${text.slice(0, 50)}`, () => {
      const result = codec().encodeText(Buffer.from(text));
      assert.ok(result instanceof Uint8Array, JSON.stringify(result));
      if (hex !== "") assert.equal(Buffer.from(result).toString("hex"), hex.replace(/ /g, ""));
    });
  }

  it("passes over unknown names and enum names where it is asked to", () => {
    const lax = codec("test.v1.All", { unknownFields: "ignore" });
    const result = lax.encodeText(Buffer.from('{"nothing":{"a":[1]},"color":"BLUE","text":"a"}'));
    assert.ok(result instanceof Uint8Array);
    assert.equal(Buffer.from(result).toString("hex"), "0a0161");
  });

  it("prints int64 as numbers where it is asked to, but for keys of maps", () => {
    const numbers = codec("test.v1.All", { print: { int64AsNumbers: true } });
    assert.equal(numbers.decode(bytes("10 8180808080808010")).toString(), '{"long":9007199254740993}');
  });

  it("writes and prints one field", () => {
    const all = codec();
    const field = (name: string) => all.desc.fields.find((f) => f.name === name) ?? assert.fail();
    const encoded = all.encodeField(field("list"), [1, 2]);
    assert.ok(encoded instanceof Uint8Array);
    assert.equal(all.decodeField(field("list"), encoded).toString(), "[1,2]");
    assert.deepEqual(all.encodeField(field("list"), [1, "x"]), {
      path: "[1]",
      problem: 'expected an integer from -2147483648 to 2147483647 (int32), got "x"',
    });
    for (const [name, json] of [
      ["list", "[]"],
      ["map", "{}"],
      ["long", '"0"'],
      ["color", '"RED"'],
      ["maybe", "null"],
      ["inner", "null"],
    ] as const) {
      assert.equal(all.decodeField(field(name), new Uint8Array()).toString(), json, name);
    }
  });

  it("works where code may not be made of strings", () => {
    const script = `const { Codecs } = await import("#src/transcoding/codec/codecs.js");
      const { createFileRegistry } = await import("@bufbuild/protobuf");
      const { TimestampSchema, file_google_protobuf_timestamp } = await import("@bufbuild/protobuf/wkt");
      const registry = createFileRegistry(file_google_protobuf_timestamp.proto, () => undefined);
      const codec = new Codecs(registry).of(TimestampSchema);
      console.log(codec.decode(codec.encodeText(Buffer.from('"2024-05-01T10:00:00Z"'))).toString());`;
    const flags = ["--disallow-code-generation-from-strings", "--input-type=module", "-e", script];
    assert.equal(execFileSync(process.execPath, flags).toString().trim(), '"2024-05-01T10:00:00Z"');
  });

  it("does not take exponentially long on messages that fail deep down", async () => {
    // Each level: a good entry, and one whose key comes again; the innermost one is broken.
    let inner = bytes("0a05");
    const field = (tag: number, content: Buffer): Buffer => {
      const length = content.length;
      return Buffer.concat([Buffer.from([tag, (length & 0x7f) | 0x80, length >> 7]), content]);
    };
    for (let i = 0; i < 40; i++) inner = field(0x4a, Buffer.concat([bytes("0a0161"), field(0x12, inner)]));
    await costsLess(1000, () => assert.throws(() => codec().decode(inner), DecodeError));
  });
});
