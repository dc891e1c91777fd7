// Where each part of a request message may come from, shape by shape: body, path, query, and all of them at once.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { Status } from "#src/call/status/status.js";
import { flatFields } from "#src/openapi/parameters.js";
import { Schemas } from "#src/openapi/schemas/schemas.js";
import { maskTarget, printMaskPath, readMask } from "#src/transcoding/codec/field-mask.js";
import { Refusal } from "#src/transcoding/codec/invalid-value.js";
import { routerFor, send } from "../support/schema.js";
import { shapes } from "../support/shapes.js";
import { encodeBody, writeAnswer } from "../support/translate.js";

const strict = routerFor(shapes);

/** `outcome`: the message in ProtoJSON, or what the refusal says. */
type Row = [request: string, body: unknown, outcome: unknown];

function table(rows: readonly Row[], built = strict, type = "application/json"): void {
  for (const [request, body, outcome] of rows) {
    const text = body === undefined ? "" : typeof body === "string" ? body : JSON.stringify(body);
    it(`${request} ${text}`.slice(0, 120), () => {
      const result = send(built, shapes, request, body, body === undefined ? undefined : type);
      if (outcome instanceof RegExp) {
        if (!(result instanceof Status)) assert.fail(JSON.stringify(result.message));
        assert.match(result.message, outcome);
        assert.ok(result.http >= 400 && result.http < 500, String(result.http));
      } else {
        if (result instanceof Status) assert.fail(result.message);
        assert.deepEqual(result.message, outcome);
      }
    });
  }
}

it("all rules of the schema hold", () => assert.deepEqual(strict.problems, []));

const PART = { "@type": "type.googleapis.com/shapes.v1.Part", size: 1 };

describe("a body can be a field of any kind", () => {
  table([
    ["POST /v1/b/1/thing", { display_name: "x" }, { id: "1", thing: { displayName: "x" } }],
    ["POST /v1/b/1/thing", {}, { id: "1", thing: {} }],
    ["POST /v1/b/1/thing", "null", { id: "1" }],
    [
      "POST /v1/b/1/thing",
      { nmae: 1 },
      /^\$\.nmae: shapes.v1.Thing has no field 'nmae'; did you mean 'name'/,
    ],
    ["POST /v1/b/1/text", '"x"', { id: "1", text: "x" }],
    ["POST /v1/b/1/text", "null", { id: "1" }],
    ["POST /v1/b/1/text", "1", /^\$: expected a string, got 1/],
    ["POST /v1/b/1/text", "x", /not valid JSON: line 1, column 1/],
    ["POST /v1/b/1/number", "9223372036854775807", { id: "1", number: "9223372036854775807" }],
    ["POST /v1/b/1/number", '"12"', { id: "1", number: "12" }],
    ["POST /v1/b/1/number", "1.5", /^\$: expected an integer/],
    ["POST /v1/b/1/flag", "true", { id: "1", flag: true }],
    ["POST /v1/b/1/data", '"-_8"', { id: "1", data: "+/8=" }],
    ["POST /v1/b/1/colour", '"RED"', { id: "1", colour: "RED" }],
    ["POST /v1/b/1/colour", "1", { id: "1", colour: "RED" }],
    ["POST /v1/b/1/colours", '["RED",1]', { id: "1", colours: ["RED", "RED"] }],
    ["POST /v1/b/1/things", [{ name: "a" }, {}], { id: "1", things: [{ name: "a" }, {}] }],
    ["POST /v1/b/1/things", [{ nam: "a" }], /^\$\[0\]\.nam: .*did you mean 'name'/],
    ["POST /v1/b/1/things", {}, /^\$: expected a list/],
    ["POST /v1/b/1/texts", ["a"], { id: "1", texts: ["a"] }],
    ["POST /v1/b/1/counts", { a: 1 }, { id: "1", counts: { a: 1 } }],
    ["POST /v1/b/1/counts", { a: "x" }, /^\$\.a: expected an integer/],
    ["POST /v1/b/1/by_name", { a: { name: "b" } }, { id: "1", byName: { a: { name: "b" } } }],
    ["POST /v1/b/1/at", '"2024-01-01T00:00:00Z"', { id: "1", at: "2024-01-01T00:00:00Z" }],
    ["POST /v1/b/1/value", "null", { id: "1", value: null }],
    ["POST /v1/b/1/value", "[1]", { id: "1", value: [1] }],
    ["POST /v1/b/1/struct", { a: null }, { id: "1", struct: { a: null } }],
    ["POST /v1/b/1/wrapped", '""', { id: "1", wrapped: "" }],
    ["POST /v1/b/1/any", PART, { id: "1", any: PART }],
    ["POST /v1/b/1/none", {}, /takes no body/],
    ["POST /v1/b/1/none?text=x", undefined, { id: "1", text: "x" }],
  ]);
  const kinds =
    "thing text number flag data colour colours things texts counts by_name at value struct wrapped any left all";
  table(kinds.split(" ").map((kind) => [`POST /v1/b/1/${kind}`, "", { id: "1" }]));
});

describe("a body beside path and query", () => {
  table([
    [
      "POST /v1/b/1/thing?text=a&number=2",
      { name: "x" },
      { id: "1", thing: { name: "x" }, text: "a", number: "2" },
    ],
    ["POST /v1/b/1/thing?text=a", "", { id: "1", text: "a" }],
    ["POST /v1/b/1/thing?thing.name=x", {}, /query parameter 'thing.name': the body carries 'thing'/],
    ["POST /v1/b/1/by_name?byName[a]=x", {}, /the body carries 'by_name': the query cannot set it/],
    ["POST /v1/b/1/texts?texts=x", "", /the body carries 'texts'/],
    ["POST /v1/b/1/thing?id=1", {}, { id: "1", thing: {} }],
    ["POST /v1/b/1/thing?id=2", {}, /query parameter 'id': the path has a different value than the query/],
    ["POST /v1/b/1/left?right.name=x", '"l"', /^\$: 'right' is given too, and only one of 'choice' can be/],
    ["POST /v1/b/1/left?right.name=x", "", { id: "1", right: { name: "x" } }],
    ["POST /v1/b/1/right?left=x", {}, /^\$: 'left' is given too/],
    ["POST /v1/b/1/all?text=x", {}, /the body carries all fields/],
    ["POST /v1/b/1/all?id=1", {}, /the body carries all fields/],
    ["POST /v1/b/1/all", { id: "1", text: "x" }, { id: "1", text: "x" }],
    ["POST /v1/b/1/all", { id: "2" }, /path parameter 'id': the path has a different value than the body/],
    ["POST /v1/b/1/all", { id: "" }, { id: "1" }],
    ["POST /v1/b/1/all", { id: null }, { id: "1" }],
    ["POST /v1/b/1/all", { id: 1 }, /^\$\.id: expected a string, got 1/],
    ["POST /v1/b/1/all", "null", /^\$: expected an object/],
    ["POST /v1/b/1/all", "[]", /^\$: expected an object/],
    ["POST /v1/b/1/all", '{"id":"1","id":"1"}', /the name "id" occurs twice/],
    ["POST /v1/b/1/in/p", { name: "x" }, { id: "1", thing: { name: "x", part: { partName: "p" } } }],
    ["POST /v1/b/1/in/p", { part: { size: 2 } }, { id: "1", thing: { part: { partName: "p", size: 2 } } }],
    ["POST /v1/b/1/in/p", { part: { part_name: "p" } }, { id: "1", thing: { part: { partName: "p" } } }],
    [
      "POST /v1/b/1/in/p",
      { part: { partName: "q" } },
      /path parameter 'thing.part.part_name': the path has a different/,
    ],
    [
      "POST /v1/b/1/in/p",
      { part: { part_name: "q" } },
      /path parameter 'thing.part.part_name': the path has a different/,
    ],
    ["POST /v1/b/1/in/p", { part: { part_name: "p", partName: "p" } }, /given twice/],
    ["POST /v1/b/1/in/p", { part: null }, { id: "1", thing: { part: { partName: "p" } } }],
    ["POST /v1/b/1/in/p", { part: 5 }, /^\$\.part: expected an object/],
    ["POST /v1/b/1/in/p", "5", /^\$: expected an object/],
    ["POST /v1/b/1/in/p", "", { id: "1", thing: { part: { partName: "p" } } }],
    [
      "POST /v1/b/1/deep/p",
      { thing: { display_name: "x" } },
      { id: "1", thing: { displayName: "x", part: { partName: "p" } } },
    ],
    [
      "POST /v1/b/1/deep/p",
      { thing: { part: { part_name: "q" } } },
      /the path has a different value than the body/,
    ],
    ["POST /v1/b/1/deep/p", { thing: [] }, /^\$\.thing: expected an object/],
  ]);
});

describe("the same value twice, in whatever form", () => {
  table([
    ["POST /v1/keys/i64/9007199254740993", '{"i64":9007199254740993}', { i64: "9007199254740993" }],
    ["POST /v1/keys/i64/9007199254740993", { i64: "9007199254740993" }, { i64: "9007199254740993" }],
    ["POST /v1/keys/i64/9007199254740993", '{"i64":9007199254740992}', /a different value than the body/],
    ["POST /v1/keys/i64/100", '{"i64":1e2}', { i64: "100" }],
    ["POST /v1/keys/i64/1.0", { i64: 1 }, { i64: "1" }],
    ["POST /v1/keys/data/-_8", { data: "+/8=" }, { data: "+/8=" }],
    ["POST /v1/keys/data/-_8", { data: "AAA=" }, /a different value than the body/],
    ["POST /v1/keys/colour/RED", { colour: 1 }, { colour: "RED" }],
    ["POST /v1/keys/colour/1", { colour: "RED" }, { colour: "RED" }],
    ["POST /v1/keys/colour/2", { colour: "RED" }, /a different value than the body/],
    [
      "POST /v1/keys/at/2024-01-01T00:00:00Z",
      { at: "2024-01-01T01:00:00+01:00" },
      { at: "2024-01-01T00:00:00Z" },
    ],
    [
      "POST /v1/keys/at/2024-01-01T00:00:00Z",
      { at: "2024-01-01T01:00:00Z" },
      /a different value than the body/,
    ],
    ["POST /v1/keys/d/NaN", { d: "NaN" }, { d: "NaN" }],
    ["POST /v1/keys/d/1.50", { d: 1.5 }, { d: 1.5 }],
    ["POST /v1/keys/s/x", { s: "x" }, { s: "x" }],
    ["POST /v1/keys/s/x", { s: "" }, /a different value than the body/],
    ["POST /v1/keys/name/x", { name: "x", part: { size: "y" } }, /^\$\.part\.size: expected an integer/],
    ["POST /v1/keys/i64/x", { i64: 1 }, /path parameter 'i64': expected an integer/],
    ["POST /v1/keys/i64/x", {}, /path parameter 'i64': expected an integer/],
  ]);
});

describe("a variable can be any single value", () => {
  table([
    ["GET /v1/keys/i64/-5", undefined, { i64: "-5" }],
    ["GET /v1/keys/data/%2B%2F8%3D", undefined, { data: "+/8=" }],
    ["GET /v1/keys/data/-_8", undefined, { data: "+/8=" }],
    ["GET /v1/keys/colour/RED", undefined, { colour: "RED" }],
    ["GET /v1/keys/colour/1", undefined, { colour: "RED" }],
    [
      "GET /v1/keys/colour/BLUE",
      undefined,
      /path parameter 'colour': expected one of COLOUR_UNSPECIFIED, RED/,
    ],
    ["GET /v1/keys/flag/true", undefined, { flag: true }],
    ["GET /v1/keys/flag/1", undefined, /path parameter 'flag': expected true or false/],
    ["GET /v1/keys/at/2024-01-01T00:00:00Z", undefined, { at: "2024-01-01T00:00:00Z" }],
    ["GET /v1/keys/s/a%20b", undefined, { s: "a b" }],
    ["GET /v1/keys/b/false", undefined, { b: false }],
    ["GET /v1/keys/d/-Infinity", undefined, { d: "-Infinity" }],
    ["GET /v1/keys/mask/name,part.partName", undefined, { mask: "name,part.partName" }],
    ["GET /v1/keys/i64/5?i64=5.0", undefined, { i64: "5" }],
    [
      "GET /v1/keys/at/2024-01-01T00:00:00Z?at=2024-01-01T00:00:00.000Z",
      undefined,
      { at: "2024-01-01T00:00:00Z" },
    ],
    ["GET /v1/keys/data/-_8?data=%2B/8", undefined, { data: "+/8=" }],
    ["GET /v1/keys/i64/5?part.size=x", undefined, /query parameter 'part.size': expected an integer/],
  ]);
});

describe("maps in a query have keys of every kind", () => {
  const keys: [map: string, good: string, bad: string][] = [
    ["mi32", "-1", "2147483648"],
    ["mi64", "-9007199254740993", "9223372036854775808"],
    ["mu32", "4294967295", "-1"],
    ["mu64", "18446744073709551615", "x"],
    ["msi32", "-1", "1.0"],
    ["msi64", "-9007199254740993", ""],
    ["mf32", "4294967295", "-1"],
    ["mf64", "18446744073709551615", "1e2"],
    ["msf32", "-1", "01"],
    ["msf64", "-9007199254740993", "+1"],
    ["mb", "true", "1"],
    ["ms", "any [key].", ""],
  ];
  for (const [map, good, bad] of keys) {
    const query = (key: string, write: (key: string) => string) => `GET /v1/keys?${write(key)}=v`;
    table([
      [query(good, (key) => `${map}[${encodeURIComponent(key)}]`), undefined, { [map]: { [good]: "v" } }],
      [query(good, (key) => encodeURIComponent(`${map}[${key}]`)), undefined, { [map]: { [good]: "v" } }],
    ]);
    if (map === "ms") table([[query(bad, (key) => `${map}[${key}]`), undefined, { ms: { "": "v" } }]]);
    else
      table([
        [
          query(bad, (key) => `${map}[${encodeURIComponent(key)}]`),
          undefined,
          /query parameter 'm.*: expected/,
        ],
      ]);
  }
});

describe("requests that are well-known types themselves", () => {
  table([
    ["GET /v1/w/x", undefined, "x"],
    ["GET /v1/w/", undefined, /no route/],
    ["GET /v1/w", undefined, ""],
    ["GET /v1/w?value=x", undefined, "x"],
    ["GET /v1/w?valeu=x", undefined, /did you mean 'value'/],
    ["GET /v1/w/x?value=y", undefined, /a different value than the query/],
    ["POST /v1/w", '"x"', "x"],
    ["POST /v1/w", "null", ""],
    ["POST /v1/w", "", ""],
    ["POST /v1/w", {}, /expected a string, got an object/],
    ["PUT /v1/w", '"x"', "x"],
    ["POST /v1/w/x", '"x"', "x"],
    ["POST /v1/w/x", "", "x"],
    ["POST /v1/w/x", '"y"', /path parameter 'value': the path has a different value than the body/],
    ["GET /v1/free", undefined, {}],
    ["GET /v1/free?fields[a]=1", undefined, /google.protobuf.Struct has no fields that can be set here/],
    ["POST /v1/free", { a: [1] }, { a: [1] }],
    ["POST /v1/free", {}, {}],
    ["POST /v1/free", "1", /expected an object/],
    ["POST /v1/value", "[1]", [1]],
    ["POST /v1/value", "null", null],
    ["GET /v1/when", undefined, "1970-01-01T00:00:00Z"],
    ["GET /v1/when?seconds=5", undefined, /no fields that can be set here/],
    ["POST /v1/when", '"2024-01-01T00:00:00Z"', "2024-01-01T00:00:00Z"],
    ["GET /v1/nothing", undefined, {}],
    ["POST /v1/nothing", {}, {}],
    ["POST /v1/nothing", { a: 1 }, /has no field 'a'/],
  ]);
});

describe("a raw body", () => {
  const data = Buffer.from("\u0000raw").toString("base64");
  table(
    [
      ["POST /v1/raw", "\u0000raw", { contentType: "image/png", data }],
      ["POST /v1/raw", "", { contentType: "image/png" }],
      ["POST /v1/raw?content_type=x", "", /the body carries all fields/],
      ["POST /v1/b/1/file", "\u0000raw", { id: "1", file: { contentType: "image/png", data } }],
      [
        "POST /v1/b/1/file?text=a",
        "\u0000raw",
        { id: "1", text: "a", file: { contentType: "image/png", data } },
      ],
      ["POST /v1/b/1/file?file.data=AA", "x", /the body carries 'file'/],
      ["POST /v1/b/1/file?left=a", "x", /'left' is given too, and only one of 'choice' can be/],
      ["POST /v1/b/1/thing", "\u0000raw", /takes Content-Type application\/json.*got 'image\/png'/],
    ],
    strict,
    "image/png",
  );
  table([
    [
      "POST /v1/raw",
      '{"a":1}',
      { contentType: "application/json", data: Buffer.from('{"a":1}').toString("base64") },
    ],
  ]);

  it("refuses variables that would bind inside it", () => {
    const rule = { post: "/x/{content_type}", body: "*" };
    const { problems } = routerFor(shapes, {}, { rules: [{ selector: "shapes.v1.Shapes.Raw", rule }] });
    assert.match(
      problems.join(),
      /column 5 of '\/x\/\{content_type\}': .*HttpBody that receives the raw body/,
    );
  });
});

describe("a query sets fields whose JSON names are no usual ones", () => {
  const ask = (...parameters: [name: string, value: string][]): string =>
    `GET /v1/names?${parameters.map((pair) => pair.map(encodeURIComponent).join("=")).join("&")}`;
  table([
    [ask(["a.b", "1"]), undefined, { "a.b": "1" }],
    [ask(["dotted", "1"]), undefined, { "a.b": "1" }],
    [ask(["a.a.b", "1"]), undefined, { a: { "a.b": "1" } }],
    [ask(["in.ner.a.b", "1"]), undefined, { "in.ner": { "a.b": "1" } }],
    [ask(["in.ner.in.ner.b", "1"], ["b", "2"]), undefined, { "in.ner": { "in.ner": { b: "1" } }, b: "2" }],
    [ask(["x[]", "1"]), undefined, { "x[]": "1" }],
    [ask(["in.ner.x[]", "1"]), undefined, { "in.ner": { "x[]": "1" } }],
    [ask(["$top", "1"]), undefined, { $top: "1" }],
    [ask(["a.$top", "1"]), undefined, { a: { $top: "1" } }],
    [ask(["a.$alt", "1"], ["system", "2"]), undefined, { a: { $alt: "1" }, $alt: "2" }],
    [ask(["t[a]g[k.e[y]]", "1"]), undefined, { "t[a]g": { "k.e[y]": "1" } }],
    [
      ask(["plain[k[1]]", "1"], ["a.plain[]", "2"]),
      undefined,
      { plain: { "k[1]": "1" }, a: { plain: { "": "2" } } },
    ],
    [ask(["m&n=o %", "1"], ["m&n=o %", "2"]), undefined, { "m&n=o %": [1, 2] }],
    [ask(["x[y]", "1"]), undefined, /OddNames has no field 'x'/],
    [ask(["$tob", "1"]), undefined, /unknown system parameter/],
    [ask(["dotted[1]", "1"]), undefined, /'dotted' is not a map/],
  ]);

  it("and those that OpenAPI lists are those", () => {
    const odd = shapes.getMessage("shapes.v1.OddNames") ?? assert.fail();
    const names = flatFields(odd, new Schemas({}, new Set()), new Set()).map(({ name }) => name);
    assert.deepEqual(
      names.filter((name) => !name.includes("in.ner.")),
      ["a.b", "x[]", "$top", "t[a]g", "system", "b", "m&n=o %", "plain"],
    );
  });
});

describe("PATCH fills the field mask of the request", () => {
  const patch = (body: unknown, mask: string | undefined, thing: unknown, query = ""): Row => [
    `PATCH /v1/things/1${query}`,
    body,
    {
      thing: { name: "things/1", ...(thing as object) },
      ...(mask === undefined ? {} : { updateMask: mask }),
    },
  ];
  table([
    patch({ displayName: "x" }, "displayName", { displayName: "x" }),
    patch({ display_name: "x" }, "displayName", { displayName: "x" }),
    patch({ tags: ["a"], display_name: "x" }, "displayName,tags", { displayName: "x", tags: ["a"] }),
    patch({ part: { size: 1, inner: { part_name: "p" } } }, "part.inner.partName,part.size", {
      part: { size: 1, inner: { partName: "p" } },
    }),
    patch({ part: {} }, "part", { part: {} }),
    patch({ part: null }, "part", {}),
    patch({ display_name: null }, "displayName", {}),
    patch({ parts: [{ size: 1 }] }, "parts", { parts: [{ size: 1 }] }),
    patch({ parts: [] }, "parts", {}),
    patch({ by_key: { a: { size: 1 } } }, "byKey", { byKey: { a: { size: 1 } } }),
    patch({ labels: { a: "b" } }, "labels", { labels: { a: "b" } }),
    patch({ person: "p" }, "person", { person: "p" }),
    patch({ team: { size: 1 } }, "team.size", { team: { size: 1 } }),
    patch({ made: "2024-01-01T00:00:00Z", note: "n" }, "made,note", {
      made: "2024-01-01T00:00:00Z",
      note: "n",
    }),
    patch({ any: PART }, "any", { any: PART }),
    patch({ info: { a: { b: 1, c: [1] }, d: null } }, "info.a.b,info.a.c,info.d", {
      info: { a: { b: 1, c: [1] }, d: null },
    }),
    patch({ info: {} }, "info", { info: {} }),
    patch({ info: { "a.b": 1 } }, "info", { info: { "a.b": 1 } }),
    patch({ any_json: { a: 1 } }, "anyJson.a", { anyJson: { a: 1 } }),
    patch({ any_json: [1] }, "anyJson", { anyJson: [1] }),
    patch({ name: "things/1" }, "name", {}),
    patch({}, undefined, {}),
    patch("", undefined, {}),
    patch({ tags: ["a"] }, "displayName", { tags: ["a"] }, "?updateMask=displayName"),
    patch({ tags: ["a"] }, "", { tags: ["a"] }, "?update_mask="),
    ["PATCH /v1/things/1?why=w", { tags: [] }, { thing: { name: "things/1" }, why: "w", updateMask: "tags" }],
    ["PATCH /v1/things/1", { nmae: 1 }, /^\$\.nmae: /],
    ["PUT /v1/things/1", { display_name: "x" }, { thing: { name: "things/1", displayName: "x" } }],
    ["PATCH /v1/whole", { thing: { display_name: "x" } }, { thing: { displayName: "x" } }],
    ["PATCH /v1/two", { display_name: "x" }, { thing: { displayName: "x" } }],
    ["PATCH /v1/masked/tags", { display_name: "x" }, { thing: { displayName: "x" }, updateMask: "tags" }],
  ]);

  it("of a length that does not grow as the square of the body's", () => {
    const members = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`k${i}`, 1]));
    const send1 = (name: string) => send(strict, shapes, "PATCH /v1/things/1", { info: { [name]: members } });
    assert.ok(!(send1("x".repeat(1000)) instanceof Status));
    const refused = send1("x".repeat(10_000));
    if (!(refused instanceof Status)) assert.fail("a mask of 3 MB was made");
    assert.equal(refused.http, 400);
    assert.match(refused.message, /^update_mask: .*\(1048576 characters\): set it in the query/);
    const named = send(strict, shapes, "PATCH /v1/things/1?updateMask=info", {
      info: { ["x".repeat(10_000)]: members },
    });
    assert.ok(!(named instanceof Status));
  });

  it("with names that no JSON mask could carry", () => {
    const match = strict.router.match("PATCH", "/v1/things/1");
    assert.equal(match.kind, "match");
    const bytes = encodeBody(match, Buffer.from('{"count2":"1"}'), "application/json");
    if (bytes instanceof Status) assert.fail(bytes.message);
    assert.ok(Buffer.from(bytes).includes("count_2"));
  });
});

/** The paths of both masks that a request sends, in proto names. */
function masksOf(
  request: string,
  body?: unknown,
  built = strict,
): { update: string[]; read: string[] } | string {
  const [method = "", target = ""] = request.split(" ");
  const match = built.router.match(method, target);
  const text = body === undefined ? "" : JSON.stringify(body);
  const bytes = encodeBody(match, Buffer.from(text), body === undefined ? undefined : "application/json");
  if (bytes instanceof Status) {
    assert.equal(bytes.http, 400);
    return bytes.message;
  }
  const desc = shapes.getMessage("shapes.v1.UpdateOdd") ?? assert.fail();
  const message = reflect(desc, fromBinary(desc, bytes));
  const paths = (number: number): string[] => {
    const field = message.findNumber(number) ?? assert.fail();
    const mask: unknown = message.isSet(field) ? message.get(field) : undefined;
    return Array.from(Object(Object(mask).message).paths ?? []);
  };
  return { update: paths(2), read: paths(3) };
}

/** A request with a mask, its own name's mask in JSON and the wire's paths of it, or what the refusal says. */
const MASKS: readonly [mask: string, query: string | RegExp, json: string | RegExp][] = [
  ["*", "*", "*"],
  ["title", "title", "title"],
  ["addressLine1", "address_line_1", "address_line_1"],
  ["address_line_1", "address_line_1", /lowerCamelCase/],
  ["addressLine2", "addressLine2", "addressLine2"],
  ["Hidden", "_hidden", "_hidden"],
  ["_hidden", "_hidden", /lowerCamelCase/],
  ["twice", "twice__", "twice__"],
  ["twice__", "twice__", /lowerCamelCase/],
  ["ownName1", "own_name", "own_name"],
  ["ownName", "own_name", "own_name"],
  ["inner1.addressLine1,title", "inner_1.address_line_1,title", "inner_1.address_line_1,title"],
  ["inner_1.inner1.own_name", "inner_1.inner_1.own_name", /lowerCamelCase/],
  ["inner2s.*.addressLine1", "inner_2s.*.address_line_1", "inner_2s.*.address_line_1"],
  ["inner2s.0.addressLine1", "inner_2s.0.address_line_1", "inner_2s.0.address_line_1"],
  ["inner2s.addressLine1", "inner_2s.address_line_1", "inner_2s.address_line_1"],
  ["byKey1.anyKey.addressLine1", "by_key_1.anyKey.address_line_1", "by_key_1.any_key.address_line_1"],
  ["byKey1.*.addressLine1", "by_key_1.*.address_line_1", "by_key_1.*.address_line_1"],
  ["labels.my-key", "labels.my-key", "labels.my-key"],
  ["labels.`a.b,c`,title", "labels.`a.b,c`,title", "labels.`a.b,c`,title"],
  ["labels.key_1", "labels.key_1", /lowerCamelCase/],
  ["info.some.deepKey", "info.some.deepKey", "info.some.deep_key"],
  ["made.seconds", "made.seconds", "made.seconds"],
  ["odd.addressLine1", "odd.address_line_1", "odd.address_line_1"],
  ["nothing", /Odd has no field 'nothing'/, /Odd has no field 'nothing'/],
  ["titel", /did you mean 'title'/, /did you mean 'title'/],
  ["inner1.titel", /Odd has no field 'titel'/, /Odd has no field 'titel'/],
  ["title.x", /'title' has no fields/, /'title' has no fields/],
  ["a..b", /lowerCamelCase/, /lowerCamelCase/],
  [",title", /lowerCamelCase/, /lowerCamelCase/],
  ["title,", /lowerCamelCase/, /lowerCamelCase/],
  ["a-b", /lowerCamelCase/, /lowerCamelCase/],
  ["title, made", /lowerCamelCase/, /lowerCamelCase/],
];

describe("the mask of an update finds the fields of what is updated", () => {
  const check = (masks: ReturnType<typeof masksOf>, wanted: string | RegExp): void => {
    if (typeof wanted === "string") assert.deepEqual(Object(masks).update, wanted.split(/,(?!c)/));
    else assert.match(String(masks), wanted);
  };
  for (const [mask, query, json] of MASKS) {
    const quoted = encodeURIComponent(mask);
    it(`in a query: ${mask}`, () => {
      check(masksOf(`GET /v1/odd?updateMask=${quoted}`), query);
      check(masksOf(`GET /v1/odd?update_mask=${quoted}`), query);
      check(masksOf(`PATCH /v1/odd?update_mask=${quoted}`, {}), query);
    });
    it(`in a path: ${mask}`, () => check(masksOf(`GET /v1/odd/${quoted}`), query));
    it(`in a body: ${mask}`, () => {
      check(masksOf("POST /v1/odd", { updateMask: mask }), json);
      check(masksOf("POST /v1/odd", { odd: { title: "x" }, update_mask: mask }), json);
    });
  }

  it("and with unknownFields: ignore the service judges the others", () => {
    const loose = routerFor(shapes, { unknownFields: "ignore" });
    const sent = (mask: string) => masksOf("POST /v1/odd", { updateMask: mask }, loose);
    assert.deepEqual(Object(sent("addressLine1,notThere,inner1.notThere.x,title.y")).update, [
      "address_line_1",
      "not_there",
      "inner_1.not_there.x",
      "title.y",
    ]);
  });

  it("and other masks go by the letters, or take proto names as they stand in a query", () => {
    const query = (mask: string) => Object(masksOf(`GET /v1/odd?read_mask=${mask}`)).read;
    assert.deepEqual(query("address_line_1,anyThing.x,*"), ["address_line_1", "any_thing.x", "*"]);
    assert.deepEqual(query("addressLine_1"), ["addressLine_1"]);
    assert.deepEqual(Object(masksOf("POST /v1/odd", { readMask: "addressLine1,*" })).read, [
      "address_line1",
      "*",
    ]);
    assert.match(String(masksOf("POST /v1/odd", { readMask: "address_line_1" })), /lowerCamelCase/);
  });

  it("whatever the text is: no path is lost, and what is printed is read as the same", () => {
    const odd = shapes.getMessage("shapes.v1.UpdateOdd")?.fields[1] ?? assert.fail();
    const step = fc.constantFrom(
      ..."address_line_1 addressLine1 _hidden Hidden inner_1 inner1 inner_2s by_key_1 labels info made x_y * ` 0".split(
        " ",
      ),
    );
    const text = fc.array(step, { maxLength: 6 }).map((steps) => steps.join("."));
    fc.assert(
      fc.property(fc.oneof(text, fc.string()), fc.boolean(), fc.boolean(), (path, known, strict) => {
        const target = known ? maskTarget(odd) : undefined;
        const read = (what: string, spelling: "json" | "either"): string[] | undefined => {
          try {
            return readMask(what, spelling, target, strict);
          } catch (e) {
            assert.ok(e instanceof Refusal, String(e));
            return undefined;
          }
        };
        const paths = read(path, "either") ?? read(path, "json") ?? [];
        for (const one of paths) {
          const printed = printMaskPath(one, target);
          if (printed !== undefined) assert.deepEqual(readMask(printed, "json", target, false), [one], path);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it("in answers too, as long as it is read as the same there", () => {
    const answer = (field: number, path: string): string => {
      const mask = new BinaryWriter().tag(field, WireType.LengthDelimited).fork();
      const bytes = mask.tag(1, WireType.LengthDelimited).string(path).join().finish();
      const written = writeAnswer(strict.router.match("GET", "/v1/odd"), [bytes]);
      return written instanceof Status ? `${written.http} ${written.message}` : String(written.body);
    };
    assert.equal(answer(2, "address_line_1"), '{"updateMask":"addressLine1"}');
    assert.equal(
      answer(2, "inner_1.by_key_1.any_key.own_name"),
      '{"updateMask":"inner1.byKey1.anyKey.ownName1"}',
    );
    assert.equal(answer(2, "addressLine2"), '{"updateMask":"addressLine2"}');
    assert.equal(answer(2, "not_there"), '{"updateMask":"notThere"}');
    assert.equal(answer(2, "*"), '{"updateMask":"*"}');
    assert.equal(answer(3, "*"), '{"readMask":"*"}');
    const refused =
      /^500 the service's response cannot be converted to JSON as .*: the FieldMask path "[^"]+" has no equivalent in lowerCamelCase/;
    assert.match(answer(2, "by_key_1.anyKey"), refused);
    assert.match(answer(2, "not_there_1"), refused);
    assert.match(answer(3, "address_line_1"), refused);
  });
});
