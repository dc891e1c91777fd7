import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Status } from "#src/call/status/status.js";
import { chooseFraming, type Framing } from "#src/transcoding/bodies/framing.js";

const JSON_TYPE = "application/json";
const NDJSON = "application/x-ndjson";
const SSE = "text/event-stream";
const PROTO = "application/x-protobuf";

describe("the form of an answer, by Accept", () => {
  const cases: [accept: string | undefined, unary: string | 406, stream: string | 406][] = [
    [undefined, JSON_TYPE, JSON_TYPE],
    ["", JSON_TYPE, JSON_TYPE],
    [" , ", JSON_TYPE, JSON_TYPE],
    ["*/*", JSON_TYPE, JSON_TYPE],
    ["application/*", JSON_TYPE, JSON_TYPE],
    ["application/json", JSON_TYPE, JSON_TYPE],
    ["application/json; charset=utf-8", JSON_TYPE, JSON_TYPE],
    ["Application/JSON", JSON_TYPE, JSON_TYPE],
    ["text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", JSON_TYPE, JSON_TYPE],
    ["application/x-ndjson", 406, NDJSON],
    ["application/ndjson", 406, NDJSON],
    ["application/jsonl", 406, NDJSON],
    ["text/event-stream", 406, SSE],
    ["text/*", 406, SSE],
    ["application/json;q=0.5, application/x-ndjson", JSON_TYPE, NDJSON],
    ["application/json, application/x-ndjson;q=0.5", JSON_TYPE, JSON_TYPE],
    ["text/event-stream;q=0.9, */*;q=0.1", JSON_TYPE, SSE],
    ["*/*, application/json;q=0.1", JSON_TYPE, NDJSON],
    ["application/json;q=0", 406, 406],
    ["application/json;q=0, */*", 406, NDJSON],
    ["application/json; q=0.000", 406, 406],
    ["application/json;q=nonsense", JSON_TYPE, JSON_TYPE],
    ["text/html", 406, 406],
    // What failures are to look like says nothing of answers.
    ["application/problem+json", JSON_TYPE, JSON_TYPE],
    ["application/problem+json, text/event-stream", 406, SSE],
    ["application/problem+json, text/html", 406, 406],
    ["image/*", 406, 406],
  ];
  for (const [accept, unary, stream] of cases) {
    it(`${JSON.stringify(accept)}`, () => {
      for (const [streaming, expected] of [
        [undefined, unary],
        ["array", stream],
      ] as const) {
        const chosen = chooseFraming(accept, streaming);
        assert.equal(chosen instanceof Status ? chosen.http : chosen.contentType, expected);
      }
    });
  }

  it("says what there is when nothing fits", () => {
    const refused = chooseFraming("text/html", "array");
    assert.ok(refused instanceof Status);
    assert.match(refused.message, /application\/json, application\/x-ndjson, text\/event-stream/);
  });

  it("is found for any text", () => {
    fc.assert(
      fc.property(fc.string(), fc.constantFrom(undefined, "array" as const), (accept, streaming) =>
        Boolean(chooseFraming(accept, streaming)),
      ),
    );
  });
});

describe("a stream of messages", () => {
  function written(accept: string, messages: string[], error?: string): string {
    const framing = chooseFraming(accept, "array");
    assert.ok(!(framing instanceof Status));
    const f: Framing = framing;
    const body = messages.map((m, i) => f.before(i === 0, m.length) + m + f.after).join("");
    return f.head + body + f.tail(error, messages.length === 0);
  }

  const error = '{"code":5}';
  const cases: [accept: string, messages: string[], error: string | undefined, body: string][] = [
    [JSON_TYPE, [], undefined, "[]"],
    [JSON_TYPE, ["1"], undefined, "[1]"],
    [JSON_TYPE, ["1", "2"], undefined, "[1,2]"],
    [JSON_TYPE, ["1", "2"], error, '[1,2,{"error":{"code":5}}]'],
    [JSON_TYPE, [], error, '[{"error":{"code":5}}]'],
    [NDJSON, [], undefined, ""],
    [NDJSON, ["1", "2"], undefined, "1\n2\n"],
    [NDJSON, ["1"], error, '1\n{"error":{"code":5}}\n'],
    [SSE, ["1", "2"], undefined, "data: 1\n\ndata: 2\n\nevent: end\ndata: {}\n\n"],
    [SSE, [], undefined, "event: end\ndata: {}\n\n"],
    [SSE, ["1"], error, 'data: 1\n\nevent: failed\ndata: {"code":5}\n\n'],
    [PROTO, [], undefined, ""],
    [PROTO, ["\b\x01", ""], undefined, "\n\x02\b\x01\n\0"],
    [PROTO, ["x".repeat(300)], "\b\x05", `\n\xac\x02${"x".repeat(300)}\x12\x02\b\x05`],
  ];
  for (const [accept, messages, failure, body] of cases) {
    it(`${messages.length} as ${accept}${failure === undefined ? "" : ", then a failure"}`, () => {
      assert.equal(written(accept, messages, failure), body);
    });
  }
});
