// HTML forms as bodies, where a method is configured to take them.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Status } from "#src/call/status/status.js";
import { routerFor, send } from "../support/schema.js";
import { shapes } from "../support/shapes.js";

const built = routerFor(shapes, {}, { forms: (method) => method.name !== "UpdateTwo" });
const lax = routerFor(shapes, { unknownFields: "ignore" }, { forms: () => true });
const URLENCODED = "application/x-www-form-urlencoded";
const MULTIPART = "multipart/form-data; boundary=XX";

type Row = [request: string, body: string, outcome: unknown];

function table(contentType: string, rows: readonly Row[]): void {
  for (const [request, body, outcome] of rows) {
    it(`${request} ${JSON.stringify(body)}`.slice(0, 140), () => {
      const result = send(built, shapes, request, body, contentType);
      if (outcome instanceof RegExp) {
        if (!(result instanceof Status)) assert.fail(JSON.stringify(result.message));
        assert.match(result.message, outcome);
        assert.ok(result.http === 400 || result.http === 415, String(result.http));
      } else {
        if (result instanceof Status) assert.fail(result.message);
        assert.deepEqual(result.message, outcome);
      }
    });
  }
}

describe("a form in the style of a URL", () => {
  table(URLENCODED, [
    [
      "POST /v1/b/1/all",
      "text=a+b%2Bc&number=2&texts=x&texts=y",
      { id: "1", text: "a b+c", number: "2", texts: ["x", "y"] },
    ],
    [
      "POST /v1/b/1/all",
      "thing.display_name=x&counts[a]=1&counts%5Bb%5D=2",
      { id: "1", thing: { displayName: "x" }, counts: { a: 1, b: 2 } },
    ],
    ["POST /v1/b/1/all", "id=1", { id: "1" }],
    ["POST /v1/b/1/all", "id=2", /path parameter 'id': the path has a different value than the body/],
    ["POST /v1/b/1/all", "left=", { id: "1", left: "" }],
    [
      "POST /v1/b/1/thing",
      "displayName=x&part.size=3",
      { id: "1", thing: { displayName: "x", part: { size: 3 } } },
    ],
    ["POST /v1/b/1/thing?text=q", "name=x", { id: "1", text: "q", thing: { name: "x" } }],
    [
      "PATCH /v1/things/1",
      "displayName=x",
      { thing: { name: "things/1", displayName: "x" }, updateMask: "displayName" },
    ],
    ["POST /v1/b/1/all", "texte=x", /form field 'texte': .*did you mean 'texts?'/],
    ["POST /v1/b/1/all", "text=a&text=b", /form field 'text': given twice/],
    ["POST /v1/b/1/all", "left=a&right.name=b", /form field 'right.name': 'left' is given too/],
    ["POST /v1/b/1/all", "number=x", /^\$\.number: expected an integer/],
    ["POST /v1/b/1/all", "text=%", /form field 'text': malformed percent-encoding/],
    ["POST /v1/b/1/all", "text=\u00c3", { id: "1", text: "\u00c3" }],
    ["POST /v1/b/1/all", "$alt=json", /form field '\$alt'/],
    ["POST /v1/b/1/all", "things=x", /repeated message/],
    ["POST /v1/b/1/texts", "texts=a", /takes Content-Type/],
    ["POST /v1/b/1/value", "a=b", /Value has no fields/],
    ["POST /v1/b/1/none", "text=a", /takes no body/],
    ["POST /v1/w", "value=x", /takes Content-Type/],
    [
      "PATCH /v1/two",
      "name=x",
      /takes Content-Type application\/json, application\/xml, text\/xml, application\/x-protobuf \(charset utf-8\), got/,
    ],
    ["POST /shapes.v1.Shapes/Put", "text=a", /takes Content-Type application\/json \(charset utf-8\), got/],
  ]);

  it("says what else it takes where it takes forms", () => {
    const status = send(built, shapes, "POST /v1/b/1/all", "x", "text/plain");
    assert.ok(status instanceof Status);
    assert.match(
      status.message,
      /application\/json, application\/xml, text\/xml, application\/x-www-form-urlencoded, multipart\/form-data/,
    );
  });

  it("passes unknown fields over where bodies may have them", () => {
    const result = send(lax, shapes, "POST /v1/b/1/all", "nope=1&text=a", URLENCODED);
    if (result instanceof Status) assert.fail(result.message);
    assert.deepEqual(result.message, { id: "1", text: "a" });
  });
});

const part = (head: string, content: string) =>
  `--XX\r\nContent-Disposition: form-data; ${head}\r\n\r\n${content}\r\n`;
const END = "--XX--\r\n";

describe("a form of many parts", () => {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  const file = (name: string, type: string, content: string) =>
    `--XX\r\nContent-Disposition: form-data; name="${name}"; filename="f.png"\r\nContent-Type: ${type}\r\n\r\n${content}\r\n`;
  table(MULTIPART, [
    [
      "POST /v1/b/1/all",
      part('name="text"', "a b") + part('name="texts"', "x") + part('name="texts"', "y") + END,
      { id: "1", text: "a b", texts: ["x", "y"] },
    ],
    [
      "POST /v1/b/1/thing",
      part('name="display_name"', "é") + file("icon", "image/png", "\u0000\r\n--X") + END,
      { id: "1", thing: { displayName: "é", icon: base64("\u0000\r\n--X") } },
    ],
    [
      "POST /v1/b/1/thing",
      file("photo", "image/png", "raw") + END,
      { id: "1", thing: { photo: { contentType: "image/png", data: base64("raw") } } },
    ],
    [
      "POST /v1/b/1/thing",
      file("scans", "image/png", "a") + file("scans", "image/png", "b") + END,
      { id: "1", thing: { scans: [base64("a"), base64("b")] } },
    ],
    [
      "POST /v1/b/1/thing",
      file("pages", "a/b", "a") + file("pages", "c/d", "b") + END,
      {
        id: "1",
        thing: {
          pages: [
            { contentType: "a/b", data: base64("a") },
            { contentType: "c/d", data: base64("b") },
          ],
        },
      },
    ],
    ["POST /v1/b/1/thing", file("icon", "image/png", "") + END, { id: "1", thing: {} }],
    [
      "POST /v1/b/1/all",
      part('name="counts[a%22b%0D%0Ac%25]"', "1") + END,
      { id: "1", counts: { 'a"b\r\nc%25': 1 } },
    ],
    // UTF-8, as browsers send it: characters of Latin-1, beyond it, of four bytes, and bytes that are no UTF-8.
    ["POST /v1/b/1/all", part('name="counts[é]"', "1") + END, { id: "1", counts: { é: 1 } }],
    ["POST /v1/b/1/all", part('name="counts[Ā]"', "1") + END, { id: "1", counts: { Ā: 1 } }],
    [
      "POST /v1/b/1/all",
      `ü\r\n${part('name="counts[日本]"', "1")}${part('name="counts[😀]"', "2")}${part('name="text"', "ü")}${END}`,
      { id: "1", counts: { 日本: 1, "😀": 2 }, text: "ü" },
    ],
    [
      "POST /v1/b/1/thing",
      part('name="icon"; filename="日本.png"\r\nContent-Type: a/b', "Ā") + END,
      { id: "1", thing: { icon: base64("Ā") } },
    ],
    ["POST /v1/b/1/thing", part('name="日本"', "a") + END, /form field '日本': .*has no field/],
    [
      "POST /v1/b/1/all",
      part('name="text"\r\nContent-Transfer-Encoding: 8BIT', "a") + END,
      { id: "1", text: "a" },
    ],
    [
      "POST /v1/b/1/all",
      part('name="text"\r\nContent-Transfer-Encoding: base64', "aGk=") + END,
      /form field 'text': Content-Transfer-Encoding 'base64' is not supported/,
    ],
    [
      "POST /v1/b/1/thing",
      part('name="icon"; filename="a"\r\nContent-Transfer-Encoding: base64', "aGk=") + END,
      /form field 'icon': Content-Transfer-Encoding 'base64' is not supported/,
    ],
    [
      "POST /v1/b/1/all",
      `--XX\r\nContent-Type: text/plain\r\n\r\na\r\n${END}`,
      /^the form: a part has no name/,
    ],
    // What the refusal lists is what the route takes.
    [
      "POST /v1/b/1/text",
      part('name="text"', "a") + END,
      /^this route takes Content-Type (?!.*multipart.*got)/,
    ],
    ["POST /v1/b/1/thing", part('name="icon"', "-_8") + END, { id: "1", thing: { icon: "+/8=" } }],
    [
      "POST /v1/b/1/file",
      "--XX raw",
      { id: "1", file: { contentType: MULTIPART, data: base64("--XX raw") } },
    ],
    [
      "POST /v1/b/1/thing",
      file("icon", "a/b", "a") + file("icon", "a/b", "b") + END,
      /form field 'icon': given twice/,
    ],
    [
      "POST /v1/b/1/thing",
      file("display_name", "a/b", "a") + END,
      /form field 'display_name': a file can only be put into a bytes field or a google.api.HttpBody/,
    ],
    ["POST /v1/b/1/thing", file("nope", "a/b", "a") + END, /form field 'nope': .*has no field/],
    ["POST /v1/b/1/thing", part('name="nope"', "a") + END, /form field 'nope': .*has no field/],
    [
      "POST /v1/b/1/thing",
      `--XX\r\nContent-Disposition: form-data\r\n\r\na\r\n${END}`,
      /no name in its Content-Disposition/,
    ],
    ["POST /v1/b/1/thing", part('name="name"', "a"), /does not end with its boundary/],
    ["POST /v1/b/1/thing", "nothing of that kind", /does not end with its boundary/],
    ["POST /v1/b/1/thing", part('name="name"', "a").repeat(1001) + END, /form field 'name': given twice/],
    ["POST /v1/b/1/thing", part('name="tags"', "a").repeat(1001) + END, /more than 1000 parts/],
  ]);
  table("multipart/form-data", [["POST /v1/b/1/thing", END, /has no boundary parameter/]]);

  it("is a message or a refusal, whatever it holds", () => {
    const piece = fc.constantFrom(
      "--XX",
      "\r\n",
      "--",
      "Content-Disposition: form-data; name=",
      '"icon"',
      '"tags"',
      "; filename*=UTF-8''%zz",
      "; filename=",
      "\r\n\r\n",
      ":",
      "Content-Type: a/b",
      "\u0000",
      "x",
    );
    const type = fc.oneof(
      fc.constantFrom(MULTIPART, URLENCODED, "multipart/form-data; boundary="),
      fc.string().map((s) => `multipart/form-data;${s}`),
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, fc.string({ unit: "binary" }))), type, (pieces, contentType) => {
        const result = send(built, shapes, "POST /v1/b/1/thing", pieces.join(""), contentType);
        if (result instanceof Status) assert.ok(result.http === 400 || result.http === 415);
      }),
      { numRuns: 1000 },
    );
  });
});
