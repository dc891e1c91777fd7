// The decoder's rules: what a block may say, what ends the connection, and what stays within its bounds.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HpackDecoder, type HpackDecoderOptions, HpackError } from "#src/http2/hpack/decoder.js";
import { hex } from "./hex.js";

function decode(decoder: HpackDecoder, bytes: string) {
  const buf = hex(bytes);
  return decoder.decode(buf, 0, buf.length);
}

/** A literal with indexing whose name and value are raw. */
function indexed(name: string, value: string): string {
  return `40${string(name)}${string(value)}`;
}

function string(text: string): string {
  return integer(0x7f, text.length) + Buffer.from(text, "latin1").toString("hex");
}

function integer(mask: number, value: number): string {
  if (value < mask) return Buffer.of(value).toString("hex");
  const bytes = [mask];
  let rest = value - mask;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push(0x80 | (rest % 128));
  bytes.push(rest);
  return Buffer.from(bytes).toString("hex");
}

const pairs = (fields: readonly { name: string; value: string }[]) => fields.map((f) => [f.name, f.value]);

describe("HpackDecoder", () => {
  describe("a block that RFC 7541 forbids ends the connection", () => {
    const blocks: readonly (readonly [why: string, bytes: string, options?: HpackDecoderOptions])[] = [
      ["index 0", "80"],
      ["an index behind the static table, the dynamic one being empty", "be"],
      ["an index behind the newest entries", `${indexed("a", "b")} bf`],
      ["a name's index behind the tables", "7e 0161"],
      ["a name's index behind the tables, without indexing", "0f2f 0161"],
      ["an index cut off", "ff"],
      ["an index cut off within its bytes", "ff80"],
      ["an index of 2^28", "ff81ffff7f"],
      ["an index of 2^35", "ffffffffffff7f"],
      ["an index with six continuation bytes", "ff808080808000"],
      ["a size within the limit in six continuation bytes", "3fe19f80808000"],
      ["an endless index", `ff${"80".repeat(1000)}`],
      ["a literal without a name", "40"],
      ["a literal without a value", "40 0161"],
      ["a name cut off", "40 0361"],
      ["a value cut off", "40 0161 0362"],
      ["a value's length cut off", "40 0161 7f"],
      ["a value of 2^28 bytes", "40 0161 7f81ffff7f"],
      ["a Huffman-coded value with 8 bits of padding", "40 0161 82 1fff"],
      ["a Huffman-coded value with padding not of ones", "40 0161 81 1e"],
      ["a Huffman-coded value with EOS", "40 0161 84 ffffffff"],
      ["a Huffman-coded name with EOS", "40 84 ffffffff 0161"],
      ["a size update behind a field", "82 20"],
      ["a size update above the limit", "3fe21f"],
      ["a size update above a lower limit", "3f01", { maxTableBytes: 31 }],
      ["a size update cut off", "3f"],
      ["an endless size update", "3fffffffffffffffff7f"],
    ];
    for (const [why, bytes, options] of blocks) {
      it(why, () => assert.throws(() => decode(new HpackDecoder(options), bytes), HpackError));
    }
  });

  describe("integers", () => {
    const sizes: readonly (readonly [bytes: string, size: number])[] = [
      ["20", 0],
      ["3e", 30],
      ["3f00", 31],
      ["3f9a0a", 1337], // RFC 7541 C.1.2
      ["3fe11f", 4096],
      ["3fe19f00", 4096], // padded with zeros
      ["3fe19f808000", 4096],
    ];
    for (const [bytes, size] of sizes) {
      it(`reads ${bytes} as ${size}`, () => {
        const decoder = new HpackDecoder({ maxTableBytes: size });
        assert.equal(decode(decoder, bytes).fields.length, 0);
        if (size > 0) {
          const tooSmall = new HpackDecoder({ maxTableBytes: size - 1 });
          assert.throws(() => decode(tooSmall, bytes), HpackError);
        }
      });
    }
  });

  it("reads only its own part of the buffer", () => {
    const buf = hex("ffff 82 86 ffff");
    const block = new HpackDecoder().decode(buf, 2, 4);
    assert.deepEqual(pairs(block.fields), [
      [":method", "GET"],
      [":scheme", "http"],
    ]);
    assert.throws(() => new HpackDecoder().decode(hex("00016105 6262626262"), 0, 6), HpackError);
  });

  it("decodes an empty block to no fields", () => {
    assert.deepEqual(decode(new HpackDecoder(), "").fields, []);
  });

  it("keeps bytes above 127 as one character each, raw or Huffman-coded", () => {
    assert.equal(decode(new HpackDecoder(), "00 0161 03 e9ff80").fields[0]?.value, "\xe9\xff\x80");
  });

  it("reads strings of any length", () => {
    for (const length of [0, 1, 2, 11, 12, 13, 126, 127, 128, 255, 20_000]) {
      const value = "v".repeat(length);
      assert.equal(decode(new HpackDecoder(), `00 0161 ${string(value)}`).fields[0]?.value, value);
    }
  });

  it("marks never-indexed literals, and only those, as sensitive", () => {
    const block = decode(new HpackDecoder(), "10 0161 0162 1f08 0163 00 0161 0162 0f08 0163 40 0161 0162 82");
    assert.deepEqual(
      block.fields.map((f) => f.sensitive),
      [true, true, false, false, false, false],
    );
  });

  it("gives the table's own Field for an index", () => {
    const decoder = new HpackDecoder();
    const first = decode(decoder, `82 ${indexed("a", "b")}`).fields;
    const second = decode(decoder, "be 82").fields;
    assert.equal(second[0], first[1]);
    assert.equal(second[1], first[0]);
  });

  describe("the table", () => {
    it("drops the oldest entries when it is full", () => {
      const decoder = new HpackDecoder();
      decode(decoder, "3f11"); // 48 bytes: room for one entry
      decode(decoder, indexed("a", "1"));
      decode(decoder, indexed("b", "2"));
      assert.equal(decoder.tableBytes, 34);
      assert.deepEqual(pairs(decode(decoder, "be").fields), [["b", "2"]]);
      assert.throws(() => decode(decoder, "bf"), HpackError);
    });

    it("is emptied by an entry that is larger than all of it", () => {
      const decoder = new HpackDecoder();
      decode(decoder, indexed("a", "1"));
      const block = decode(decoder, indexed("a", "x".repeat(5000)));
      assert.equal(block.fields[0]?.value.length, 5000);
      assert.equal(decoder.tableBytes, 0);
      assert.throws(() => decode(decoder, "be"), HpackError);
    });

    it("lets an entry take its name from the one it pushes out", () => {
      const decoder = new HpackDecoder();
      decode(decoder, "3f11");
      decode(decoder, indexed("name", "1"));
      assert.deepEqual(pairs(decode(decoder, "7e 0132").fields), [["name", "2"]]);
      assert.deepEqual(pairs(decode(decoder, "be").fields), [["name", "2"]]);
    });

    it("is emptied by a size update of 0, and grows again", () => {
      const decoder = new HpackDecoder();
      decode(decoder, indexed("a", "1"));
      assert.equal(decoder.tableBytes, 34);
      decode(decoder, "20 3fe11f");
      assert.equal(decoder.tableBytes, 0);
      decode(decoder, indexed("a", "1"));
      assert.deepEqual(pairs(decode(decoder, "be").fields), [["a", "1"]]);
    });

    it("keeps every entry in order while it grows and turns round", () => {
      const decoder = new HpackDecoder();
      const sent: [string, string][] = [];
      for (let i = 0; i < 1000; i++) {
        sent.unshift(["n", String(i)]);
        decode(decoder, indexed("n", String(i)));
        const kept = Math.floor(decoder.tableBytes / 36);
        if (i % 97 !== 0) continue;
        for (let age = 0; age < Math.min(kept, 60); age++) {
          assert.deepEqual(
            pairs(
              decode(
                decoder,
                integer(0x7f, 62 + age).replace(/^../, (b) => (Number.parseInt(b, 16) | 0x80).toString(16)),
              ).fields,
            ),
            [sent[age]],
          );
        }
      }
      assert.ok(decoder.tableBytes <= 4096);
    });

    it("must be shrunk first, once the peer has acknowledged a smaller size", () => {
      const decoder = new HpackDecoder({ maxTableBytes: 100 });
      decode(decoder, "82"); // sent before our SETTINGS arrived
      decoder.settingsAcknowledged();
      assert.throws(() => decode(decoder, "82"), HpackError);
      const other = new HpackDecoder({ maxTableBytes: 100 });
      for (let i = 0; i < 3; i++) decode(other, "82");
      other.settingsAcknowledged();
      decode(other, "3f45 82");
      decode(other, "82");
    });
  });

  describe("limits", () => {
    it("flags a list above maxListBytes, and leaves out what is above", () => {
      const at = decode(new HpackDecoder({ maxListBytes: 84 }), "82 86");
      assert.deepEqual([at.listBytes, at.tooLarge, at.fields.length], [85, true, 1]);
      const below = decode(new HpackDecoder({ maxListBytes: 85 }), "82 86");
      assert.deepEqual([below.listBytes, below.tooLarge, below.fields.length], [85, false, 2]);
    });

    it("flags more than maxFields fields", () => {
      const decoder = new HpackDecoder({ maxFields: 3 });
      assert.equal(decode(decoder, "82 82 82").tooLarge, false);
      const block = decode(decoder, "82 82 82 82");
      assert.equal(block.tooLarge, true);
      assert.equal(block.fields.length, 3);
      // And again: a refused block is not remembered as a good one.
      for (let i = 0; i < 3; i++) assert.equal(decode(decoder, "82 82 82 82").tooLarge, true);
    });

    it("keeps the table right behind a block that is too large", () => {
      const decoder = new HpackDecoder({ maxFields: 1 });
      assert.equal(decode(decoder, `82 ${indexed("a", "1")} ${indexed("b", "2")}`).tooLarge, true);
      assert.deepEqual(pairs(decode(decoder, "be").fields), [["b", "2"]]);
      assert.deepEqual(pairs(decode(decoder, "bf").fields), [["a", "1"]]);
    });

    it("still refuses nonsense behind the limit", () => {
      assert.throws(() => decode(new HpackDecoder({ maxFields: 1 }), "82 82 80"), HpackError);
    });

    it("holds a bomb of indexed fields to a count", () => {
      const decoder = new HpackDecoder();
      const block = decode(decoder, `${indexed("a", "x".repeat(4000))} ${"be".repeat(16_000)}`);
      assert.equal(block.tooLarge, true);
      assert.equal(block.listBytes, 16_001 * 4033);
      assert.ok(block.fields.length <= 16);
    });
  });

  describe("the memory of blocks", () => {
    const LITERALS = "82 86 00 0161 0162";

    it("gives the very same block from the third sighting on, with what the connection hung on it", () => {
      const decoder = new HpackDecoder();
      const first = decode(decoder, LITERALS);
      const second = decode(decoder, LITERALS);
      assert.notEqual(second, first, "one-off blocks are not kept");
      second.memo = "parsed";
      const third = decode(decoder, LITERALS);
      assert.equal(third, second);
      assert.equal(third.memo, "parsed");
    });

    it("forgets when the table changes, for the bytes may mean something else", () => {
      const decoder = new HpackDecoder();
      decode(decoder, indexed("a", "1"));
      for (let i = 0; i < 4; i++) assert.deepEqual(pairs(decode(decoder, "be").fields), [["a", "1"]]);
      decode(decoder, indexed("b", "2"));
      for (let i = 0; i < 4; i++) assert.deepEqual(pairs(decode(decoder, "be").fields), [["b", "2"]]);
      decode(decoder, "20");
      assert.throws(() => decode(decoder, "be"), HpackError);
    });

    it("does not take a block that changes the table", () => {
      const decoder = new HpackDecoder();
      for (let i = 1; i <= 5; i++) {
        decode(decoder, indexed("a", "1"));
        assert.equal(decoder.tableBytes, i * 34);
      }
    });

    it("does not depend on the buffer staying as it is", () => {
      const decoder = new HpackDecoder();
      const buf = hex(LITERALS);
      for (let i = 0; i < 3; i++) decoder.decode(buf, 0, buf.length);
      buf[buf.length - 1] = 0x63;
      assert.equal(decoder.decode(buf, 0, buf.length).fields[2]?.value, "c");
      assert.equal(decode(decoder, LITERALS).fields[2]?.value, "b");
    });

    it("tells blocks apart that share a slot", () => {
      const decoder = new HpackDecoder();
      for (let round = 0; round < 4; round++) {
        for (let i = 0; i < 500; i++) {
          const value = String(i);
          assert.equal(decode(decoder, `00 0161 ${string(value)}`).fields[0]?.value, value);
        }
      }
    });

    it("leaves large blocks alone", () => {
      const decoder = new HpackDecoder();
      const large = `00 0161 ${string("x".repeat(1030))}`;
      decode(decoder, large);
      decode(decoder, large);
      assert.notEqual(decode(decoder, large), decode(decoder, large));
    });
  });
});
