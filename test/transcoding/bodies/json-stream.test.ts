import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type JsonStreamForm, JsonStreamSplitter } from "#src/transcoding/bodies/json-stream.js";

interface Cut {
  readonly texts: string[];
  /** `1: why` */
  readonly problem: string | undefined;
}

/** Cuts a body that comes in pieces of `size` bytes. */
function cut(form: JsonStreamForm, body: Buffer, size: number, maxBytes = 1000): Cut {
  const texts: string[] = [];
  const splitter = new JsonStreamSplitter(form, maxBytes, (text) => texts.push(text.toString()));
  for (let at = 0; at < body.length; at += size) {
    const found = splitter.push(body, at, Math.min(body.length, at + size));
    if (found !== undefined) return { texts, problem: `${found.index}: ${found.problem}` };
  }
  const found = splitter.end();
  return { texts, problem: found === undefined ? undefined : `${found.index}: ${found.problem}` };
}

test("white space between messages is bounded, a sign of life now and then is not", () => {
  const blank = 64 * 1024;
  const rows: [form: JsonStreamForm, space: string, unit: number][] = [
    ["lines", "\n", 1],
    ["lines", " \r\n", 3],
    ["values", "\n", 1],
    ["values", " ", 1],
  ];
  for (const [form, space, unit] of rows) {
    const fits = space.repeat(Math.floor((blank - 1) / unit));
    const twice = `${fits}1\n${fits.slice(0, -unit)}2`;
    for (const size of [1000, 65_536]) {
      assert.deepEqual(cut(form, Buffer.from(twice), size), { texts: ["1", "2"], problem: undefined });
      const { texts, problem } = cut(form, Buffer.from(`1\n${fits}${space.repeat(3)}2`), size);
      assert.deepEqual(texts, ["1"]);
      assert.match(
        String(problem),
        /^1: there are more than 65536 bytes of white space before the next message$/,
      );
    }
  }
});

const CASES: readonly [form: JsonStreamForm, body: string, texts: readonly string[], problem?: RegExp][] = [
  ["lines", "", []],
  ["lines", '{"a":1}', ['{"a":1}']],
  ["lines", '{"a":1}\n', ['{"a":1}']],
  ["lines", '{"a":1}\r\n\n  \n{"b":"\\n"}\n', ['{"a":1}\r', '{"b":"\\n"}']],
  ["lines", "1\n2\n", ["1", "2"]],
  ["values", "", []],
  ["values", "  \n", []],
  ["values", "[]", []],
  ["values", " [ ] \n", []],
  ["values", '[{"a":1},{"b":[1,2]}]', ['{"a":1}', '{"b":[1,2]}']],
  ["values", '[ {"a":"]},\\"[{"} ,\n3 , null,"x,y", [] ]', ['{"a":"]},\\"[{"}', "3", "null", '"x,y"', "[]"]],
  ["values", '{"a":1}', ['{"a":1}']],
  ["values", '{"a":1}{"b":2}\n{"c":3} 4 5', ['{"a":1}', '{"b":2}', '{"c":3}', "4", "5"]],
  ["values", '[{"a":1}', ['{"a":1}'], /^1: the body ends before the array does$/],
  ["values", '[{"a":1},', ['{"a":1}'], /^1: the body ends before the array does$/],
  ["values", '[{"a":', [], /^0: the body ends within a message$/],
  ["values", '["a', [], /^0: the body ends within a message$/],
  ["values", "[1,,2]", ["1"], /^1: expected a message after the comma$/],
  ["values", "[1,]", ["1"], /^1: expected a message after the comma$/],
  ["values", "[,1]", [], /^0: expected a message or the end of the array/],
  ["values", "[{}{}]", ["{}"], /^1: expected a comma or the end of the array after the message$/],
  ["values", "[1] 2", ["1"], /^1: expected nothing after the end of the array$/],
  ["values", "{},{}", ["{}"], /^1: expected a message: outside of an array/],
  ["values", "}", [], /^0: expected a message$/],
  ["values", "[}]", [], /^0: expected a message or the end/],
  ["values", "1}", ["1"], /^1: expected a message/],
];

describe("a body of many messages is cut into their texts", () => {
  for (const [form, body, texts, problem] of CASES) {
    test(`${form}: ${JSON.stringify(body)}`, () => {
      const bytes = Buffer.from(body);
      for (let size = 1; size <= Math.max(1, bytes.length); size++) {
        const result = cut(form, bytes, size);
        assert.deepEqual(result.texts, texts, `in pieces of ${size}`);
        if (problem === undefined) assert.equal(result.problem, undefined);
        else assert.match(result.problem ?? "", problem);
      }
    });
  }

  test("a text over the limit is refused, however it comes, and the ones before it are kept", () => {
    for (const form of ["lines", "values"] as const)
      for (const size of [1, 7, 1000]) {
        const fits = `"${"x".repeat(98)}"`;
        const body = Buffer.from(`${fits}\n${fits}\n"${"x".repeat(99)}"\n`);
        const { texts, problem } = cut(form, body, size, 100);
        assert.deepEqual(texts, [fits, fits]);
        assert.equal(problem, "2: it is larger than the limit of 100 bytes");
      }
  });

  test("whatever JSON values are sent, in whatever form and pieces, the same come out", () => {
    const value = fc.jsonValue().map((v) => JSON.stringify(v));
    const spaced = fc.array(fc.tuple(value, fc.constantFrom("", " ", "\n", "\t\r\n")), { maxLength: 6 });
    fc.assert(
      fc.property(spaced, fc.integer({ min: 1, max: 40 }), (values, size) => {
        const texts = values.map(([text]) => text);
        const array = `[${values.map(([text, space]) => space + text + space).join(",")}]`;
        assert.deepEqual(cut("values", Buffer.from(array), size, 1e6), { texts, problem: undefined });
        const lines = texts.map((text) => `${text}\n`).join("");
        assert.deepEqual(cut("lines", Buffer.from(lines), size, 1e6), { texts, problem: undefined });
        if (!texts[0]?.startsWith("["))
          assert.deepEqual(cut("values", Buffer.from(lines), size, 1e6), { texts, problem: undefined });
      }),
    );
  });

  test("any bytes end in texts or a problem", () => {
    const byte = fc.constantFrom(...Buffer.from('[]{},:"\\ \n1a'));
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 60 }), fc.integer({ min: 1, max: 9 }), (bytes, size) => {
        const body = Buffer.from(bytes);
        assert.deepEqual(cut("values", body, size), cut("values", body, body.length + 1));
      }),
    );
  });
});
