// The Huffman code against single codes of RFC 7541 appendix B, and every way a string may not end.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { huffmanDecode, huffmanDecodedRoom, huffmanEncode, huffmanLength } from "#src/http2/hpack/huffman.js";
import { hex } from "./hex.js";

function decode(bytes: Buffer): string | undefined {
  const out = Buffer.alloc(huffmanDecodedRoom(bytes.length));
  const length = huffmanDecode(bytes, 0, bytes.length, out);
  return length < 0 ? undefined : out.toString("latin1", 0, length);
}

function encode(text: string): Buffer {
  const out = Buffer.alloc(text.length * 4 + 1);
  return out.subarray(0, huffmanEncode(text, out, 0));
}

describe("Huffman", () => {
  // Codes as appendix B prints them, filled up with ones.
  const codes: readonly (readonly [char: string, bytes: string])[] = [
    ["0", "07"], // 00000
    ["a", "1f"], // 00011
    [" ", "53"], // 010100
    ["&", "f8"], // 11111000
    ["!", "fe3f"], // 1111111000
    ["#", "ffaf"], // 111111111010
    ["\x00", "ffc7"], // 1111111111000
    ["^", "fff3"], // 11111111111100
    ["<", "fff9"], // 111111111111100
    ["\\", "fffe1f"], // 1111111111111110000
    ["\x80", "fffe6f"], // 11111111111111100110
    ["\x01", "ffffb1"], // 11111111111111111011000
    ["\t", "ffffea"], // 111111111111111111101010
    ["\xf9", "ffffffef"], // 1111111111111111111111111110
    ["\n", "fffffff3"], // 111111111111111111111111111100
    ["\x16", "fffffffb"], // 111111111111111111111111111110
  ];
  for (const [char, bytes] of codes) {
    it(`codes ${JSON.stringify(char)} as ${bytes}`, () => {
      assert.equal(encode(char).toString("hex"), bytes);
      assert.equal(decode(hex(bytes)), char);
    });
  }

  it("gives back every text of ISO-8859-1, at the length foretold", () => {
    const chars = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));
    fc.assert(
      fc.property(fc.string({ unit: chars, maxLength: 200 }), (text) => {
        const bytes = encode(text);
        assert.equal(bytes.length, huffmanLength(text));
        assert.equal(decode(bytes), text);
      }),
    );
  });

  const wrong: readonly (readonly [why: string, bytes: string])[] = [
    ["8 bits of padding", "ff"],
    ["8 bits of padding behind a character", "1fff"],
    ["29 bits of padding", "ff9fffffff"],
    ["padding of zeros", "00"], // "0", then 000
    ["padding not all ones", "1e"], // "a", then 110
    ["the end within a long code", "52bc30ffffffff"],
    ["EOS", "ffffffff"],
    ["EOS and a character", "fffffffffc"],
  ];
  for (const [why, bytes] of wrong) {
    it(`refuses ${why}`, () => assert.equal(decode(hex(bytes)), undefined));
  }

  it("takes up to 7 bits of padding, and the empty string", () => {
    assert.equal(decode(hex("")), "");
    for (let n = 1; n <= 16; n++) assert.equal(decode(encode("0".repeat(n))), "0".repeat(n));
    // "&" is 8 bits, "-" 6, "a" 5, "A" 6: all the paddings 0..7.
    for (const text of ["&", "b", "A-", "aa", "aaA", "aaa", "s&-", "0A:"])
      assert.equal(decode(encode(text)), text);
  });
});
