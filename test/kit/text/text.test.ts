// Text that strangers sent: cut without tearing a character, and shown without moving a cursor.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { cut, printable, printableLine, wellFormed } from "#src/kit/text/text.js";

const TEXT = fc.string({
  unit: fc.constantFrom("a", "é", "€", "😀", "👩‍👩‍👧", "\u{10ffff}", "\n", "\u009b", "\u202e"),
});

test("a cut text is the beginning of the text, and as long as it may be without half a character", () => {
  fc.assert(
    fc.property(TEXT, fc.nat(40), fc.constantFrom("", "…"), (text, max, mark) => {
      const short = cut(text, max, mark);
      if (text.length <= max) {
        assert.equal(short, text);
        return;
      }
      assert.ok(short.endsWith(mark));
      const kept = short.slice(0, short.length - mark.length);
      assert.ok(text.startsWith(kept) && kept.isWellFormed());
      assert.ok(kept.length === max || kept.length === max - 1);
    }),
  );
  assert.equal(cut(`${"a".repeat(99)}😀`, 100), "a".repeat(99));
  assert.equal(cut(`${"a".repeat(98)}😀b`, 100), `${"a".repeat(98)}😀`);
});

test("half a character becomes U+FFFD, and all else stays", () => {
  assert.equal(wellFormed("a\ud83db😀"), "a\ufffdb😀");
  fc.assert(fc.property(TEXT, (text) => wellFormed(text) === text));
});

test("what controls a terminal or turns the order of text is shown by its number", () => {
  const all = Array.from({ length: 0x3000 }, (_, code) => String.fromCharCode(code)).join("");
  const forbidden = /\p{Cc}|\p{Bidi_Control}|[\u2028\u2029]/u;
  assert.doesNotMatch(printableLine(all), forbidden);
  assert.doesNotMatch(printable(all).replace(/[\t\n]/g, ""), forbidden);
  assert.equal(printable("a\tb\n\u009b31mc"), "a\tb\n\\u009b31mc");
  assert.equal(printableLine("a\nb\u202ec"), "a\\u000ab\\u202ec");
  // JSON stays the same JSON.
  const json = JSON.stringify({ text: all });
  assert.deepEqual(JSON.parse(printableLine(json)), { text: all });
  const plain = "plain text – 日本語 😀";
  assert.equal(printableLine(plain), plain);
});
