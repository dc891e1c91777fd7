import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  ExactNumber,
  integerOf,
  isNumberText,
  type Json,
  parseJson,
} from "#src/transcoding/messages/json.js";

function value(text: string): Json {
  const result = parseJson(text);
  if (!("value" in result)) assert.fail(`${text}: ${result.problem}`);
  return result.value;
}

function problem(text: string): string {
  const result = parseJson(text);
  if ("value" in result) assert.fail(`${text} was taken`);
  return `${result.line}:${result.column} ${result.problem}`;
}

/** JSON with its ExactNumbers read as JSON.parse would. */
function rounded(json: Json): unknown {
  if (json instanceof ExactNumber) return Number(json.text);
  if (Array.isArray(json)) return json.map(rounded);
  if (typeof json !== "object" || json === null) return json;
  return Object.fromEntries(Object.entries(json).map(([name, item]) => [name, rounded(item)]));
}

describe("JSON texts", () => {
  const bad: [text: string, says: string][] = [
    ["", "1:1 expected a JSON value, the text ends"],
    ["  ", "1:3 expected a JSON value, the text ends"],
    ["{", "1:2 expected a name in double quotes, the text ends"],
    ['{"a"', "1:5 expected ':', the text ends"],
    ['{"a":1,}', '1:8 expected a name in double quotes, got "}"'],
    ['{\n  "a": 1\n  "b": 2\n}', `3:3 expected ',' or '}', got "\\""`],
    ["[1,]", '1:4 expected a JSON value, got "]"'],
    ["[1 2]", `1:4 expected ',' or ']', got "2"`],
    ["{a:1}", '1:2 expected a name in double quotes, got "a"'],
    ["{'a':1}", `1:2 expected a name in double quotes, got "'"`],
    ["tru", '1:1 expected a JSON value, got "t"'],
    ["NaN", '1:1 expected a JSON value, got "N"'],
    ["01", '1:2 expected the end of the JSON text, got "1"'],
    ["+1", '1:1 expected a JSON value, got "+"'],
    [".5", '1:1 expected a JSON value, got "."'],
    ["1.", '1:2 expected the end of the JSON text, got "."'],
    ["1 2", '1:3 expected the end of the JSON text, got "2"'],
    ["// x\n1", '1:1 expected a JSON value, got "/"'],
    ["\ufeff1", '1:1 expected a JSON value, got "\ufeff"'],
    ['"abc', "1:1 this string does not end"],
    ['"a\nb"', '1:3 expected an escape (control characters are not allowed in strings), got "\\n"'],
    ['"\\x"', "1:2 this escape is unknown"],
    ['"\\u12"', "1:2 this escape is unknown"],
    ['{"a":1,"a":1}', '1:8 the name "a" occurs twice'],
    ['{"a":1,"\\u0061":1}', '1:8 the name "a" occurs twice'],
    ['{"b":{"__proto__":1,"__proto__":2}}', '1:21 the name "__proto__" occurs twice'],
    ['"\\ud800"', "1:1 this string has half of a surrogate pair, which is not a character"],
    ['{"\\udc00":1}', "1:2 this string has half of a surrogate pair, which is not a character"],
    ["[".repeat(101), "1:101 arrays and objects are nested more than 100 deep"],
    [`[${"1,".repeat(8_000_000)}1]`, "1:15999999 the text has more than 8000000 values"],
    [`${'{"a":'.repeat(100000)}1`, "1:501 arrays and objects are nested more than 100 deep"],
  ];
  for (const [text, says] of bad) {
    it(`refuses ${JSON.stringify(text.slice(0, 40))}`, () => assert.equal(problem(text), says));
  }

  it("keeps what a double would round", () => {
    for (const text of ["9007199254740993", "-12345678901234567", "0.1234567890123456", "1e3", "1E-3"]) {
      assert.deepEqual(value(`[${text}]`), [new ExactNumber(text)]);
    }
  });

  it("takes whatever else JSON.parse takes, 100 levels deep too", () => {
    for (const text of [
      '"\\ud83d\\udcda"',
      '{"a\\"b:{":[]}',
      '{"__proto__":{"x":1}}',
      '["\\\\"]',
      " \t\r\n[ ] ",
    ]) {
      assert.deepEqual(value(text), JSON.parse(text));
    }
    assert.doesNotThrow(() => value("[".repeat(100) + "]".repeat(100)));
  });

  it("agrees with JSON.parse but for what that loses", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), (text) => {
        assert.deepEqual(rounded(value(text)), JSON.parse(text));
      }),
    );
    // Texts that are nearly JSON: the two must refuse the same ones.
    const piece = fc.constantFrom(
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      '"a"',
      '"b"',
      "1",
      "-",
      "2e5",
      "null",
      " ",
      "\\",
      '"',
      "tru",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 9 }), (pieces) => {
        const text = pieces.join("");
        let parsed: unknown;
        try {
          parsed = JSON.parse(text);
        } catch {
          parsed = undefined;
        }
        const result = parseJson(text);
        if ("value" in result) assert.deepEqual(rounded(result.value), parsed);
        else
          assert.ok(parsed === undefined || result.problem.includes("twice"), `${text}: ${result.problem}`);
      }),
      { numRuns: 20000 },
    );
  });

  it("keeps every integer, whatever its size and place", () => {
    fc.assert(
      fc.property(fc.array(fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }), { minLength: 1 }), (numbers) => {
        const read = value(`{"n":[${numbers.join(",")}]}`);
        const list = typeof read === "object" && read !== null && "n" in read ? read.n : undefined;
        assert.ok(Array.isArray(list));
        const back = list.map((n) => (n instanceof ExactNumber ? integerOf(n.text) : BigInt(Number(n))));
        assert.deepEqual(back, numbers);
      }),
    );
  });
});

describe("the integer that a number means", () => {
  const cases: [text: string, integer: bigint | undefined][] = [
    ["0", 0n],
    ["-0", 0n],
    ["1.0", 1n],
    ["1e2", 100n],
    ["1.5e1", 15n],
    ["120e-1", 12n],
    ["12e-1", undefined],
    ["1.5", undefined],
    ["0.1", undefined],
    ["0e99999", 0n],
    ["0.000", 0n],
    ["-12.50e1", -125n],
    ["18446744073709551615", 18446744073709551615n],
    ["1844674407370955161.5e1", 18446744073709551615n],
    ["1e1000000000", undefined],
    ["1e-1000000000", undefined],
    ["01", undefined],
    ["0x10", undefined],
    ["", undefined],
    [" 1", undefined],
    ["1_0", undefined],
    ["1n", undefined],
    [`1${"0".repeat(100000)}`, undefined],
  ];
  for (const [text, integer] of cases) {
    it(JSON.stringify(text.slice(0, 30)), () => assert.equal(integerOf(text), integer));
  }

  it("knows a number by JSON's grammar", () => {
    for (const text of ["1", "-1.5e+3", "0.0"]) assert.ok(isNumberText(text));
    for (const text of ["", "+1", ".5", "1.", "0x1", "Infinity", "1 ", "--1"]) assert.ok(!isNumberText(text));
  });
});
