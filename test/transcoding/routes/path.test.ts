import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { decodePercent } from "#src/kit/text/percent.js";
import { decodeKeepingEscapes, decodeQueryPart, splitPath } from "#src/transcoding/routes/path.js";

describe("decoding of paths and queries", () => {
  const cases: [
    raw: string,
    whole: string | undefined,
    keeping: string | undefined,
    query: string | undefined,
  ][] = [
    ["abc", "abc", "abc", "abc"],
    ["a%20b", "a b", "a b", "a b"],
    ["a+b", "a+b", "a+b", "a b"],
    ["a%2Bb", "a+b", "a+b", "a+b"],
    ["a%2Fb", "a/b", "a%2Fb", "a/b"],
    ["a%2fb", "a/b", "a%2fb", "a/b"],
    ["%252F", "%2F", "%2F", "%2F"],
    ["%C3%A9", "é", "é", "é"],
    ["\u00c3\u00a9", "é", "é", "é"],
    ["é€", "é€", "é€", "é€"],
    ["%F0%9F%93%9A", "📚", "📚", "📚"],
    ["%", undefined, undefined, undefined],
    ["%4", undefined, undefined, undefined],
    ["%zz", undefined, undefined, undefined],
    ["%ff", undefined, undefined, undefined],
    ["%C3", undefined, undefined, undefined],
    ["%C3%2F%A9", undefined, undefined, undefined],
    ["%C0%AF", undefined, undefined, undefined],
    ["%ED%A0%80", undefined, undefined, undefined],
    ["\u00ff", undefined, undefined, undefined],
    ["%00", "\0", "\0", "\0"],
  ];
  for (const [raw, whole, keeping, query] of cases) {
    it(JSON.stringify(raw), () => {
      assert.equal(decodePercent(raw), whole);
      assert.equal(decodeKeepingEscapes(raw, "slash"), keeping);
      assert.equal(decodeQueryPart(raw), query);
    });
  }

  it("keeps the configured escapes, as they were written", () => {
    for (const [raw, reserved, none] of [
      ["a%2Fb%20c", "a%2Fb c", "a/b c"],
      ["a%2fb%2Bc%40", "a%2fb%2Bc%40", "a/b+c@"],
      ["%21%23%24%26%27%28%29%2A%2B%2C%2F%3A%3B%3D%3F%40%5B%5D", undefined, "!#$&'()*+,/:;=?@[]"],
      ["%22%25%2D%2E%3C%3E%5C%5E%60%7B%7C%7D%7E", '"%-.<>\\^`{|}~', '"%-.<>\\^`{|}~'],
      ["%2523", "%23", "%23"],
    ] as const) {
      assert.equal(decodeKeepingEscapes(raw, "reserved"), reserved ?? raw);
      assert.equal(decodeKeepingEscapes(raw, "none"), none);
    }
    assert.equal(decodeKeepingEscapes("%2F%ff", "reserved"), undefined);
    assert.equal(decodeKeepingEscapes("%ff", "none"), undefined);
    assert.equal(decodeQueryPart("a+b%2B", false), "a+b+");
  });

  it("gives back whatever a client encoded", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        assert.equal(decodePercent(encodeURIComponent(text)), text);
        assert.equal(decodeQueryPart(new URLSearchParams([["", text]]).toString().slice(1)), text);
      }),
    );
  });

  it("splits before it decodes: an escaped slash makes no segment", () => {
    assert.deepEqual(splitPath("/a%2Fb/c")?.decoded, ["a/b", "c"]);
    assert.deepEqual(splitPath("/a//b/")?.decoded, ["a", "", "b", ""]);
  });

  it("takes the last colon of the last segment for a possible verb, an escaped one never", () => {
    assert.deepEqual(splitPath("/a:b/c:d:e")?.tail, { rawHead: "c:d", head: "c:d", verb: "e" });
    assert.deepEqual(splitPath("/a:b/%63:%65")?.tail, { rawHead: "%63", head: "c", verb: "e" });
    for (const path of ["/a:b/c", "/a%3Ab", "/a:"]) assert.equal(splitPath(path)?.tail, undefined);
  });

  it("never throws", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => void splitPath(`/${text}`)));
  });
});
